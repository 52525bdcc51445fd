"""Connections of the built-in HTTP server, and the time they have."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from handlerkit.gateways.channels import Channel
from handlerkit.protocols.http1 import RequestParser

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.protocols.http1_request import Limits

_IPV4_IN_IPV6 = "::ffff:"


class Connection(Channel):
    """One client's connection, between and during its exchanges.

    ``address`` holds the CGI variables that say who talks to whom; ``unread`` are
    bytes that came after the last request; ``awaits`` is what a `Waiting` set.
    """

    __slots__ = (
        "address",
        "awaits",
        "exchange",
        "limits",
        "parser",
        "unread",
    )

    def __init__(self, sock: socket.socket, peer: Any, limits: Limits) -> None:
        sock.settimeout(0)
        inet = sock.family in (socket.AF_INET, socket.AF_INET6)
        super().__init__(sock, local=not inet)
        if not self.local:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = _address(None if self.local else sock.getsockname(), peer)
        self.limits = limits
        self.parser = RequestParser(limits)
        self.exchange: Any = None
        self.unread = b""
        self.awaits = ""


class Waiting:
    """The connections that wait for their client, by what they wait for.

    Everything awaited has one patience, in seconds, so that each queue is in the
    order of its deadlines, and nothing need be sorted.
    """

    def __init__(self, **patience: float) -> None:
        self._patience = patience
        self._queues: dict[str, dict[Connection, float]] = {
            name: {} for name in patience
        }

    def add(self, connection: Connection, awaits: str, now: float) -> None:
        """Wait for something from now on, and for nothing else."""
        self.remove(connection)
        connection.awaits = awaits
        self._queues[awaits][connection] = now + self._patience[awaits]

    def remove(self, connection: Connection) -> None:
        """Wait no longer."""
        if connection.awaits:
            del self._queues[connection.awaits][connection]
            connection.awaits = ""

    def all(self, awaits: str) -> list[Connection]:
        """Give those who wait for something."""
        return list(self._queues[awaits])

    def overdue(self, now: float) -> list[Connection]:
        """Give those whose patience is at an end."""
        late = []
        for queue in self._queues.values():
            for connection, deadline in queue.items():
                if deadline > now:
                    break
                late.append(connection)
        return late

    def next_deadline(self) -> float | None:
        """Give the time when the next patience ends, None if nobody waits."""
        firsts = [
            next(iter(queue.values())) for queue in self._queues.values() if queue
        ]
        return min(firsts, default=None)


def _address(here: Any, peer: Any) -> dict[str, str]:
    """Give the CGI variables of the two ends (RFC 3875, 4.1.8 and 4.1.14)."""
    if here is None:
        return {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": ""}
    name = plain_address(here[0])
    return {
        "SERVER_NAME": f"[{name}]" if ":" in name else name,
        "SERVER_PORT": str(here[1]),
        "REMOTE_ADDR": plain_address(peer[0]),
        "REMOTE_PORT": str(peer[1]),
    }


def plain_address(host: str) -> str:
    """Give an address without its scope, an IPv4 one as such."""
    host = host.partition("%")[0]
    if host.startswith(_IPV4_IN_IPV6) and "." in host:
        return host.removeprefix(_IPV4_IN_IPV6)
    return host
