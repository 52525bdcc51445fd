"""FastCGI requests that do not run yet, for the sake of their bodies."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.gateways.uploads import ENOUGH, Pace, too_late

if TYPE_CHECKING:
    from handlerkit.gateways.fastcgi_exchange import FastCGIExchange
    from handlerkit.gateways.server import Server
    from handlerkit.protocols.fastcgi import Request


class Gathering:
    """Those of which enough has not come, and those that wait for other uploads.

    All this is under the lock of the connection. ``max_unread`` is where it is read
    no more.
    """

    __slots__ = ("_enough", "_exchanges", "_patience", "_uploads")

    def __init__(self, server: Server, max_unread: int) -> None:
        self._uploads = server.uploads
        self._patience = server.settings.read_timeout
        self._enough = min(ENOUGH, max_unread)
        self._exchanges: dict[Request, FastCGIExchange] = {}

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: FastCGIExchange) -> FastCGIExchange | None:
        """Take in an exchange; give it back if it may run now."""
        exchange.pace = pace = Pace(self._patience)
        exchange.deadline = pace.deadline()
        self._exchanges[exchange.request] = exchange
        return self.look_at(exchange.request)

    def look_at(self, request: Request) -> FastCGIExchange | None:
        """Give an exchange that is here, and may run now that something has come."""
        exchange = self._exchanges.get(request)
        if exchange is None or not self._is_free(exchange):
            return None
        self.remove(request)
        return exchange

    def _is_free(self, exchange: FastCGIExchange) -> bool:
        """Say whether an exchange may run; see to what keeps it from that."""
        request = exchange.request
        if request.whole:
            if exchange.is_upload and not self._uploads.withdraw(exchange):
                return False  # it is being admitted
            exchange.is_upload = False
            return True
        if not exchange.is_upload and request.unread >= self._enough:
            exchange.is_upload = True
            exchange.deadline = inf
            return self._uploads.enter(exchange)
        if exchange.pace is not None and not exchange.is_upload:
            exchange.pace.waited(request.received)
            exchange.deadline = exchange.pace.deadline()
        return False

    def remove(self, request: Request) -> None:
        """Let an exchange be here no more."""
        self._exchanges.pop(request, None)

    def deadline(self) -> float:
        """Give when the first is late, ``inf`` if nobody is waited for."""
        return min((each.deadline for each in self._exchanges.values()), default=inf)

    def let_wait(self) -> None:
        """Begin to wait anew, after nobody has read for a while."""
        for exchange in self._exchanges.values():
            if exchange.pace is not None and not exchange.is_upload:
                exchange.deadline = exchange.pace.deadline()

    def take_late(self) -> list[FastCGIExchange]:
        """Give those whose time is over, to be refused; they are here no more."""
        now = monotonic()
        found = [each for each in self._exchanges.values() if each.deadline <= now]
        for exchange in found:
            exchange.error = too_late()
            self.remove(exchange.request)
        return found

    def drop(self) -> None:
        """Forget them all: their front is gone."""
        for exchange in self._exchanges.values():
            if exchange.is_upload:
                self._uploads.withdraw(exchange)
        self._exchanges.clear()
