"""Connections of the built-in HTTP server: their bytes, and the time they have.

Sockets never block here: who waits, waits for a given time, and only where the
operating system has said "not now". A client that is gone, or that does not move,
is a `ClientDisconnected`, never a bare OSError.
"""

from __future__ import annotations

import selectors
import socket
import struct
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected
from handlerkit.protocols.http1 import RequestParser

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.protocols.http1_request import Limits

_BLOCK = 65536
_IPV4_IN_IPV6 = "::ffff:"

# For one socket: needs no descriptor of its own, unlike epoll and kqueue.
_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Connection:
    """One client's connection, between and during its exchanges.

    ``address`` holds the CGI variables that say who talks to whom; ``unread`` are
    bytes that came after the last request; ``awaits`` is what a `Waiting` set.
    """

    __slots__ = (
        "address",
        "awaits",
        "exchange",
        "limits",
        "local",
        "parser",
        "socket",
        "unread",
    )

    def __init__(self, sock: socket.socket, peer: Any, limits: Limits) -> None:
        sock.settimeout(0)
        self.socket = sock
        self.local = sock.family not in (socket.AF_INET, socket.AF_INET6)
        if not self.local:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = _address(None if self.local else sock.getsockname(), peer)
        self.limits = limits
        self.parser = RequestParser(limits)
        self.exchange: Any = None
        self.unread = b""
        self.awaits = ""

    def receive(self, size: int, patience: float) -> bytes:
        """Receive up to ``size`` bytes, b"" at the client's end.

        Raises:
            TimeoutError: nothing came for ``patience`` seconds.
            ClientDisconnected: the connection broke.
        """
        while True:
            data = self.receive_now(size)
            if data is not None:
                return data
            if not self._wait(selectors.EVENT_READ, patience):
                raise TimeoutError

    def receive_now(self, size: int = _BLOCK) -> bytes | None:
        """Receive what is there, None if nothing is, b"" at the client's end.

        Raises:
            ClientDisconnected: the connection broke.
        """
        try:
            return self.socket.recv(size)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            raise ClientDisconnected(f"the connection broke: {exc}") from exc

    def send(self, data: bytes, patience: float) -> None:
        """Send all of it.

        Raises:
            ClientDisconnected: the connection broke, or the client took nothing
                for ``patience`` seconds.
        """
        view = memoryview(data)
        while view:
            sent = self._send_some(view)
            view = view[sent:]
            if not sent and not self._wait(selectors.EVENT_WRITE, patience):
                raise ClientDisconnected(
                    f"the client took nothing for {patience:g} seconds"
                )

    def _send_some(self, view: memoryview) -> int:
        try:
            return self.socket.send(view)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            raise ClientDisconnected(f"the connection broke: {exc}") from exc

    def _wait(self, event: int, patience: float) -> bool:
        with _Selector() as selector:
            selector.register(self.socket, event)
            return bool(selector.select(patience))

    def end(self) -> None:
        """Say that no more will be sent; what the client sends may be read on."""
        self._shut(socket.SHUT_WR)

    def cut(self) -> None:
        """End the connection both ways; who waits on it finds it closed."""
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        try:
            self.socket.shutdown(how)
        except OSError:  # the client was faster
            return

    def close_by_reset(self) -> None:
        """Make the close a reset: the client must not take it for a proper end."""
        linger = struct.pack("ii" if _LINGER_IS_INTS else "hh", 1, 0)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except OSError:  # the client was faster
            return

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


_LINGER_IS_INTS = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")  # Windows has shorts


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
    name = _plain(here[0])
    return {
        "SERVER_NAME": f"[{name}]" if ":" in name else name,
        "SERVER_PORT": str(here[1]),
        "REMOTE_ADDR": _plain(peer[0]),
        "REMOTE_PORT": str(peer[1]),
    }


def _plain(host: str) -> str:
    """Give an address without its scope, an IPv4 one as such."""
    host = host.partition("%")[0]
    if host.startswith(_IPV4_IN_IPV6) and "." in host:
        return host.removeprefix(_IPV4_IN_IPV6)
    return host
