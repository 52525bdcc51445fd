"""HTTP/1.1 connections: requests, one after the other, and the end."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.addresses import address_variables
from handlerkit.gateways.conversation import Conversation
from handlerkit.gateways.http_exchange import CLOSE, KEEP, Exchange, refusal
from handlerkit.gateways.uploads import too_late
from handlerkit.protocols.http1 import RequestParser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from handlerkit.gateways.server import Server
    from handlerkit.gateways.uploads import Pace
    from handlerkit.protocols.http1_request import Limits


def conversing(
    limits: Limits,
) -> Callable[[Server, socket.socket, Any], Conversation | None]:
    """Give what makes the conversations of a `Server` that speaks HTTP."""

    def converse(server: Server, sock: socket.socket, peer: Any) -> Conversation | None:
        try:
            return HTTPConversation(sock, peer, server, limits)
        except OSError:  # the client has gone again
            return None

    return converse


class HTTPConversation(Conversation):
    """One client's connection, between and during its exchanges.

    ``address`` holds the CGI variables that say who talks to whom; ``unread`` are
    bytes that came after the last request.
    """

    __slots__ = (
        "_exchange",
        "_is_kept",
        "_is_parting",
        "_parser",
        "address",
        "limits",
        "unread",
    )

    def __init__(
        self, sock: socket.socket, peer: Any, server: Server, limits: Limits
    ) -> None:
        super().__init__(sock, peer, server)
        self.deadline = monotonic() + server.settings.header_timeout
        self.address = address_variables(sock, peer)
        self.limits = limits
        self.unread = b""
        self._parser = RequestParser(limits)
        self._exchange: Exchange | None = None
        self._is_kept = False  # for another request, of which nothing has come
        self._is_parting = False

    def read(self) -> Exchange | None:
        """Read on at a head; give the exchange once it is whole."""
        exchange = self._exchange
        if exchange is not None and exchange.pace is not None:
            return self._collect(exchange, exchange.pace)
        data: bytes | None = self.unread
        if data:
            return self._advance(data)
        try:
            data = self.receive_now()
        except ClientDisconnected:
            data = b""
        if data == b"":
            self.server.close(self)
        elif data is None:
            self._rest()
        elif self._is_parting:
            self.go_on_parting()
            self._rest()
        else:
            return self._advance(data)
        return None

    def _advance(self, data: bytes) -> Exchange | None:
        parser = self._parser
        try:
            request = parser.feed(data)
        except RequestError as error:
            self._refuse(error)
            return None
        self.unread = parser.rest
        if request is not None:
            self._is_kept = False
            self._exchange = exchange = Exchange(self, request)
            pace = exchange.pace
            return exchange if pace is None else self._collect(exchange, pace)
        if self._is_kept and parser.begun:
            self._is_kept = False
            self.deadline = monotonic() + self.server.settings.header_timeout
        self._rest()
        return None

    def _collect(self, exchange: Exchange, pace: Pace) -> Exchange | None:
        """Read on at a body; give the exchange once it is to run."""
        data, self.unread = self.unread, b""
        while not exchange.gather(data):
            try:
                more = self.receive_now()
            except ClientDisconnected:
                more = b""
            if more is None:
                pace.waited(exchange.received)
                self.deadline = pace.deadline()
                self._rest()
                return None
            if not more:
                self.server.close(self)
                return None
            data = more
        # Who must wait is not polled meanwhile.
        if exchange.is_upload and not self.server.uploads.enter(exchange):
            return None
        return exchange

    def _rest(self) -> None:
        self.server.rest(self, begun=self._is_parting or self._parser.begun)

    @property
    def has_a_moment(self) -> bool:
        """Whether the client has said nothing, or has had its last answer."""
        return self._is_parting or not (self._is_kept or self._parser.begun)

    def late(self) -> None:
        """Refuse a request that did not come in time."""
        silent = self.server.stopping and not self._parser.begun
        if self._is_kept or self._is_parting or silent:
            self.server.close(self)
        elif self._exchange is not None:
            self._exchange = None
            self._refuse(too_late())
        else:
            text = "the request did not come in time"
            self._refuse(RequestError(text, "408 Request Timeout"))

    def last(self) -> None:
        """Let the exchange that runs, if one does, announce the end."""
        exchange = self._exchange
        if exchange is not None:
            exchange.settle()

    def _refuse(self, error: RequestError) -> None:
        """Answer what is not worth a handler, as far as it can be sent at once."""
        try:
            self.send(refusal(error, self._parser.method), 0)
        except ClientDisconnected:
            self.server.close(self)
        else:
            self._say_farewell()

    def _say_farewell(self) -> None:
        """Close after the client has.

        It may still send, and answering that with a reset would take from it what
        it has not read of our answer.
        """
        self._is_parting = True
        self.unread = b""
        self.end()
        self.part()
        self._rest()

    def finish(self, verdict: str) -> None:
        """Go on after an exchange, in its thread."""
        self._exchange = None
        if verdict == CLOSE:
            self.server.close(self)
        elif verdict == KEEP and not self.server.stopping:
            self._parser = RequestParser(self.limits)
            self._is_kept = True
            self.deadline = monotonic() + self.server.settings.keep_alive_timeout
            if self.unread:
                self.server.read_later(self)
            else:
                self.server.rest(self, begun=True)
                self.server.look_again(self)
        else:
            self._say_farewell()
