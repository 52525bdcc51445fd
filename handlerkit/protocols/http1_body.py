"""The body of an HTTP/1.x request (RFC 9112, 6 and 7), from pieces of any size.

A body takes the bytes of a connection and gives those that are its own; what comes
after its end is in ``rest``. The same bytes give the same body, and after it the
same error if there is one, however they were cut.
"""

from __future__ import annotations

from handlerkit.errors import RequestError
from handlerkit.protocols.http1 import parse_field
from handlerkit.protocols.http1_request import BAD_REQUEST, HEAD_TOO_LARGE, TOO_LARGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handlerkit.protocols.http1_request import Limits, Request

_DIGITS = b"0123456789abcdefABCDEF"
_EXTENSION = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))

MAX_CHUNK_LINE = 4096  # bytes of a chunk's size with its extensions
MAX_EXTENSIONS = 16384  # bytes of all the extensions of one body
_MAX_SIZE_DIGITS = 15


class LengthBody:
    """A body of a known length; ``left`` are the bytes still to come."""

    __slots__ = ("left", "rest")

    def __init__(self, length: int) -> None:
        self.left = length
        self.rest = b""

    @property
    def done(self) -> bool:
        """Whether the whole body has come."""
        return not self.left

    def decode(self, data: bytes) -> bytes:
        """Take bytes of the connection, give those of the body."""
        own = data[: self.left]
        self.left -= len(own)
        self.rest += data[len(own) :]
        return own


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1); extensions and trailers are dropped.

    ``left`` is None until the body is ``done``: nobody knows.
    """

    __slots__ = (
        "_buffer",
        "_chunk",
        "_error",
        "_extensions",
        "_limits",
        "_seen",
        "_step",
        "_trailer_size",
        "_trailers",
        "rest",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._step = "size"
        self._chunk = 0
        self._seen = 0
        self._extensions = 0
        self._trailers = 0
        self._trailer_size = 0
        self._error: RequestError | None = None
        self.rest = b""

    @property
    def done(self) -> bool:
        """Whether the last chunk and the trailers have come."""
        return self._step == "done"

    @property
    def left(self) -> int | None:
        """How many bytes are still to come."""
        return 0 if self.done else None

    def decode(self, data: bytes) -> bytes:
        """Take bytes of the connection, give those of the body.

        Raises:
            RequestError: the framing is malformed or over a limit. What came before
                the fault is given first: the next call raises.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        found: list[bytes] = []
        try:
            while not self.done and _STEPS[self._step](self, found):
                pass
        except RequestError as error:
            self._error = error
            self._buffer.clear()
            if not found:
                raise
        if self.done:
            self.rest += self._buffer
            self._buffer.clear()
        return b"".join(found)

    def _read_size(self, _: list[bytes]) -> bool:
        line = self._line(MAX_CHUNK_LINE, "a chunk's size line is too long")
        if line is None:
            return False
        size, semicolon, extension = line.partition(b";")
        if semicolon:
            size = size.rstrip(b" \t")
            self._extensions += len(extension)
        if not size or size.translate(None, _DIGITS):
            raise RequestError("a chunk's size is not a hexadecimal number")
        if extension.translate(None, _EXTENSION):
            raise RequestError("a chunk's extension has a control character")
        if self._extensions > MAX_EXTENSIONS:
            raise RequestError("the extensions of the chunks are too long")
        self._begin_chunk(size.lstrip(b"0"))
        return True

    def _begin_chunk(self, digits: bytes) -> None:
        """Refuse a chunk that would pass the limit, before any of it is read."""
        limit = self._limits.max_body
        too_many = len(digits) > _MAX_SIZE_DIGITS
        self._chunk = 0 if too_many else int(digits or b"0", 16)
        self._seen += self._chunk
        if too_many or 0 < limit < self._seen:
            raise RequestError(f"the body is over {limit} bytes", TOO_LARGE)
        self._step = "bytes" if self._chunk else "trailer"

    def _read_bytes(self, found: list[bytes]) -> bool:
        piece = bytes(self._buffer[: self._chunk])
        del self._buffer[: self._chunk]
        self._chunk -= len(piece)
        if piece:
            found.append(piece)
        if self._chunk:
            return False
        self._step = "end of chunk"
        return True

    def _read_end(self, _: list[bytes]) -> bool:
        end = bytes(self._buffer[:2])
        if end not in (b"", b"\r", b"\r\n"):
            raise RequestError("a chunk is longer than its size")
        if len(end) < 2:  # noqa: PLR2004 - CRLF
            return False
        del self._buffer[:2]
        self._step = "size"
        return True

    def _read_trailer(self, _: list[bytes]) -> bool:
        limits = self._limits
        line = self._line(
            limits.max_header_size - self._trailer_size,
            f"the trailers are over {limits.max_header_size} bytes",
            HEAD_TOO_LARGE,
        )
        if line is None:
            return False
        if not line:
            self._step = "done"
            return True
        parse_field(line)
        self._trailer_size += len(line) + 2
        self._trailers += 1
        if self._trailers > limits.max_headers:
            raise RequestError(
                f"there are more than {limits.max_headers} trailers",
                HEAD_TOO_LARGE,
            )
        return True

    def _line(
        self, limit: int, too_long: str, status: str = BAD_REQUEST
    ) -> bytes | None:
        """Take a line of up to ``limit`` bytes, CRLF counted; None if it is cut."""
        end = self._buffer.find(b"\n", 0, max(limit, 0))
        if end < 0:
            if len(self._buffer) >= limit:
                raise RequestError(too_long, status)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r"):
            raise RequestError("a line of the chunked body does not end in CRLF")
        return line[:-1]


# What reads on, by where the body stands; False if it needs more bytes.
_STEPS: dict[str, Callable[[ChunkedBody, list[bytes]], bool]] = {
    "size": ChunkedBody._read_size,  # noqa: SLF001 - the table of its steps
    "bytes": ChunkedBody._read_bytes,  # noqa: SLF001 - likewise
    "end of chunk": ChunkedBody._read_end,  # noqa: SLF001 - likewise
    "trailer": ChunkedBody._read_trailer,  # noqa: SLF001 - likewise
}


def body_of(request: Request, limits: Limits) -> LengthBody | ChunkedBody:
    """Give what reads the body of a request."""
    if request.length is None:
        return ChunkedBody(limits)
    return LengthBody(request.length)
