"""Sockets that never block, and the time that a peer has.

Who waits, waits for a given time, and only where the operating system has said "not
now". A peer that is gone, or that does not move, is a `ClientDisconnected`, never a
bare OSError.
"""

from __future__ import annotations

import select
import selectors
import socket
import struct
from math import ceil
from time import monotonic, sleep
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways.sending import send_some

if TYPE_CHECKING:
    from typing import Any

BLOCK = 65536

_UNTAKEN = 0.1  # seconds that a peer has at most to take what is there
_GLANCE = 0.001  # seconds between two looks whether it has

# For one socket: needs no descriptor of its own, unlike epoll and kqueue, and without a
# selector around it a quarter of the time.
_poll: Any = getattr(select, "poll", None)
_READ = int(getattr(select, "POLLIN", selectors.EVENT_READ))
_WRITE = int(getattr(select, "POLLOUT", selectors.EVENT_WRITE))
# Asks for each call what a setting would ask for all: saves a call per connection.
_NOT_NOW = int(getattr(socket, "MSG_DONTWAIT", 0))  # an enum is slow to or
_LINGER_IS_INTS = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")  # Windows has shorts


class Channel:
    """One peer's connection, as bytes."""

    __slots__ = ("local", "socket")

    def __init__(self, sock: socket.socket, *, local: bool) -> None:
        if not _NOT_NOW:
            sock.settimeout(0)
        self.socket = sock
        self.local = local

    def receive(self, size: int, patience: float, flags: int = 0) -> bytes:
        """Receive up to ``size`` bytes, b"" at the client's end.

        Raises:
            TimeoutError: nothing came for ``patience`` seconds.
            ClientDisconnected: the connection broke.
        """
        while True:
            data = self.receive_now(size, flags)
            if data is not None:
                return data
            if not self._wait(_READ, patience):
                raise TimeoutError

    def receive_now(self, size: int = BLOCK, flags: int = 0) -> bytes | None:
        """Receive what is there, None if nothing is, b"" at the client's end.

        Raises:
            ClientDisconnected: the connection broke.
        """
        try:
            return self.socket.recv(size, _NOT_NOW | flags)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            raise ClientDisconnected(f"the connection broke: {exc}") from exc

    def send(self, data: bytes, patience: float, flags: int = 0) -> None:
        """Send every byte, with the flags of the system's call.

        Raises:
            ClientDisconnected: the connection broke, or the client took nothing
                for ``patience`` seconds.
        """
        sent = self._send_some(data, flags)
        if sent == len(data):
            return
        view = memoryview(data)[sent:]
        while view:
            sent = self._send_some(view, flags)
            view = view[sent:]
            if not sent and not self._wait(_WRITE, patience):
                raise ClientDisconnected(
                    f"the client took nothing for {patience:g} seconds"
                )

    def send_file(
        self, descriptor: int, start: int, count: int, patience: float
    ) -> int | None:
        """Send some of a file's bytes; see `handlerkit.gateways.sending`.

        Raises:
            ClientDisconnected: the connection broke, or the client took nothing
                for ``patience`` seconds.
            OSError: the file cannot be read.
        """
        if self.socket.gettimeout() != 0:
            self.socket.settimeout(0)  # sendfile has no flag for one call
        while True:
            try:
                return send_some(self.socket.fileno(), descriptor, start, count)
            except BlockingIOError:
                if not self._wait(_WRITE, patience):
                    raise ClientDisconnected(
                        f"the client took nothing for {patience:g} seconds"
                    ) from None
            except (ConnectionError, TimeoutError) as exc:
                raise ClientDisconnected(f"the connection broke: {exc}") from exc

    def _send_some(self, view: bytes | memoryview, flags: int) -> int:
        try:
            return self.socket.send(view, _NOT_NOW | flags)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            raise ClientDisconnected(f"the connection broke: {exc}") from exc

    def _wait(self, event: int, patience: float) -> bool:
        try:
            if _poll is not None:
                poll = _poll()
                poll.register(self.socket, event)
                return bool(poll.poll(ceil(patience * 1e3)))
            with selectors.SelectSelector() as selector:
                selector.register(self.socket, event)
                return bool(selector.select(patience))
        except ValueError as exc:  # another thread has closed it
            raise ClientDisconnected("the connection is closed") from exc

    def let_take(self) -> None:
        """Give the peer a moment to take what it was sent.

        lighttpd makes a whole response, Content-Length and all, of one that breaks off
        before it has begun to pass it on.
        """
        latest = monotonic() + _UNTAKEN
        while self._has_untaken() and monotonic() < latest:
            sleep(_GLANCE)

    def _has_untaken(self) -> bool:
        """Say whether the peer may have something to read; over TCP, nobody knows."""
        if not self.local:
            return True
        try:
            from fcntl import ioctl
            from termios import TIOCOUTQ

            return any(ioctl(self.socket, TIOCOUTQ, bytes(4)))
        except (ImportError, OSError):
            return True

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
