"""wsgi.input that ends where the request's body ends (PEP 3333, Input Streams)."""

from __future__ import annotations

import io

from handlerkit.errors import ClientDisconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    class Readable(Protocol):
        """The one method that every server's stream gets right."""

        def read(self, size: int, /) -> bytes:
            """Read up to ``size`` bytes; b"" at the end."""


_BLOCK = 65536
# The most that one read of the stream asks for, whatever the application does.
_LARGEST = 1 << 20


class BoundedInput(io.BufferedReader):
    """A request body over a stream that may not end with it.

    Only ``read(n)`` of the stream is used: several servers get ``readline`` or
    iteration wrong. ``length`` is in bytes; None reads to the stream's end. A
    stream that ends early raises `ClientDisconnected`, so that half an upload
    never passes for a whole one.
    """

    def __init__(self, stream: Readable, length: int | None) -> None:
        super().__init__(_Body(stream, length), _BLOCK)


class _Body(io.RawIOBase):
    """The pieces of a body, each by one ``read`` of the stream, never past the end."""

    def __init__(self, stream: Readable, length: int | None) -> None:
        self._stream = stream
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._block(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._block(_BLOCK), b""))

    def _block(self, size: int) -> bytes:
        size = min(size, _LARGEST)
        if self._left is not None:
            size = min(size, self._left)
            if not size:
                return b""
        try:
            block = self._stream.read(size)
        except OSError as exc:
            raise ClientDisconnected(f"reading the request body: {exc}") from exc
        if self._left is None:
            return block
        if not block:
            raise ClientDisconnected(
                f"the request body ended {self._left} bytes before its CONTENT_LENGTH"
            )
        self._left -= len(block)
        return block


class Unbounded:
    """A request body that ends with its stream, opened when it is first read.

    Most requests of a server that ends its streams have no body to read at all.
    """

    __slots__ = ("_body", "_stream")

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._body: BoundedInput | None = None

    def _open(self) -> BoundedInput:
        if self._body is None:
            self._body = BoundedInput(self._stream, None)
        return self._body

    def read(self, size: int | None = -1, /) -> bytes:
        """Read ``size`` bytes, fewer only at the end; all that is left if negative."""
        return self._open().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read one line with its newline, ``size`` bytes of it at the most."""
        return self._open().readline(size)

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Read lines until ``hint`` bytes are passed, or to the end."""
        return self._open().readlines(hint)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._open())


class Nothing:
    """The body of a request that has none; it keeps no state, so all share one."""

    __slots__ = ()

    def read(self, _: int | None = -1, /) -> bytes:
        """Read nothing."""
        return b""

    readline = read

    def readlines(self, _: int | None = -1, /) -> list[bytes]:
        """Read nothing."""
        return []

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


NOTHING = Nothing()
