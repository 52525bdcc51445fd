"""wsgi.input that ends where the request's body ends (PEP 3333, Input Streams)."""

from __future__ import annotations

from handlerkit.errors import ClientDisconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Readable(Protocol):
        """The one method that every server's stream gets right."""

        def read(self, size: int, /) -> bytes:
            """Read up to ``size`` bytes; b"" at the end."""


_BLOCK = 65536


class BoundedInput:
    """A request body over a stream that may not end with it.

    Only ``read(n)`` of the stream is used: several servers get ``readline`` or
    iteration wrong. ``length`` is in bytes; None reads to the stream's end. A
    stream that ends early raises `ClientDisconnected`, so that half an upload
    never passes for a whole one.
    """

    __slots__ = ("_ahead", "_left", "_stream")

    def __init__(self, stream: Readable, length: int | None) -> None:
        self._stream = stream
        self._left = length
        self._ahead = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read ``size`` bytes, fewer only at the end; all that is left if negative."""
        if size is None or size < 0:
            return self._take(None)
        return self._take(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read one line with its newline, ``size`` bytes of it at the most."""
        limit = None if size is None or size < 0 else size
        searched = 0
        while True:
            end = self._ahead.find(b"\n", searched) + 1
            if end or (limit is not None and len(self._ahead) >= limit):
                break
            searched = len(self._ahead)
            block = self._block(_BLOCK if limit is None else limit - searched)
            if not block:
                break
            self._ahead += block
        end = end or len(self._ahead)
        if limit is not None:
            end = min(end, limit)
        line, self._ahead = self._ahead[:end], self._ahead[end:]
        return line

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read lines until ``hint`` bytes are passed, or to the end."""
        lines: list[bytes] = []
        total = 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _take(self, size: int | None) -> bytes:
        parts = [self._ahead]
        wanted = None if size is None else size - len(self._ahead)
        if wanted is not None and wanted <= 0:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
            return taken
        self._ahead = b""
        while wanted is None or wanted > 0:
            block = self._block(_BLOCK if wanted is None else wanted)
            if not block:
                break
            parts.append(block)
            if wanted is not None:
                wanted -= len(block)
        return b"".join(parts)

    def _block(self, size: int) -> bytes:
        """Read once from the stream, never past the end of the body."""
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


class _Nothing:
    def read(self, _: int, /) -> bytes:
        return b""


# The body of a request that has none; it keeps no state, so all share it.
NOTHING = BoundedInput(_Nothing(), 0)
