"""HTTP/1.x requests (RFC 9112), from bytes in pieces of any size.

The parser is strict, because whatever two parties read differently can be used to
smuggle a request past one of them:

* every line ends in CRLF; a bare LF or a bare CR is refused, which RFC 9112, 2.2
  leaves to the recipient;
* folded fields, whitespace before a colon and control characters are refused;
* Content-Length stands once or not at all, and never beside Transfer-Encoding;
* the one transfer coding known is ``chunked``, and HTTP/1.0 has none.

What is refused raises `RequestError` with the status to answer. The same bytes give
the same request, or the same error, however they were cut into pieces.
"""

from __future__ import annotations

from handlerkit.errors import RequestError
from handlerkit.protocols.http1_request import (
    DECISIVE,
    HEAD_TOO_LARGE,
    LINE_TOO_LONG,
    NOT_IMPLEMENTED,
    VERSION_NOT_SUPPORTED,
    Limits,
    Request,
    decide,
    refuse,
    split_target,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHANUMERIC = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOKEN = b"!#$%&'*+-.^_`|~" + _ALPHANUMERIC
_OBS_TEXT = bytes(range(0x80, 0x100))
_VISIBLE = bytes(range(0x21, 0x7F))
_TARGET = _VISIBLE.replace(b"#", b"") + _OBS_TEXT
_VALUE = b"\t " + _VISIBLE + _OBS_TEXT

_MAX_EMPTY_LINES = 4  # before a request line; RFC 9112, 2.2 asks for at least one


class RequestParser:
    """Reads the head of one request.

    ``begun`` says whether a request line has begun to arrive, ``method`` is known
    once it is complete, ``rest`` are the bytes that came after the head.
    """

    __slots__ = (
        "_buffer",
        "_decisive",
        "_empty_lines",
        "_error",
        "_limits",
        "_request",
        "_searched",
        "_size",
        "_step",
        "rest",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0
        self._size = 0
        self._empty_lines = 0
        self._step = "request line"
        self._request = Request("", "", "")
        self._decisive: dict[str, list[str]] = {}
        self._error: RequestError | None = None
        self.rest = b""

    @property
    def begun(self) -> bool:
        """Whether the client has started a request, empty lines aside."""
        return bool(self._request.method) or bytes(self._buffer) not in (b"", b"\r")

    @property
    def method(self) -> str:
        """The request's method, "" until the request line is complete."""
        return self._request.method

    def feed(self, data: bytes) -> Request | None:
        """Take the next bytes; give the request once its head is complete.

        Raises:
            RequestError: the head is malformed or too large; so says every further
                call.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        try:
            return self._read_lines()
        except RequestError as error:
            self._error = error
            self._buffer.clear()
            raise

    def _read_lines(self) -> Request | None:
        buffer = self._buffer
        start = 0
        while self._step != "done":
            if start == len(buffer):
                end = -1
            else:
                self._check_first(buffer[start])
                end = buffer.find(b"\n", max(start, self._searched))
            length = (end if end >= 0 else len(buffer)) - start
            self._check_size(length, whole=end >= 0)
            if end < 0:
                del buffer[:start]
                self._searched = len(buffer)
                return None
            self._size += length + 1
            line = bytes(buffer[start:end])
            start = end + 1
            if not line.endswith(b"\r"):
                refuse("a line of the head does not end in CRLF")
            self._step = _STEPS[self._step](self, line[:-1])
        self.rest = bytes(buffer[start:])
        buffer.clear()
        return self._request

    def _check_first(self, byte: int) -> None:
        """Refuse at its first byte what can be no request, such as a TLS greeting."""
        if self._step == "request line" and byte not in _FIRST:
            refuse("the request line does not begin with a method")

    def _check_size(self, length: int, *, whole: bool) -> None:
        """Refuse a line as soon as it must be too long; a CR may end it."""
        limits = self._limits
        if self._step == "request line":
            if length > limits.max_request_line + 1:
                refuse(
                    f"the request line is over {limits.max_request_line} bytes",
                    LINE_TOO_LONG,
                )
        elif self._size + length + whole > limits.max_header_size:
            refuse(f"the head is over {limits.max_header_size} bytes", HEAD_TOO_LARGE)

    def _read_request_line(self, line: bytes) -> str:
        if not line:
            self._empty_lines += 1
            if self._empty_lines > _MAX_EMPTY_LINES:
                refuse("too many empty lines before the request line")
            self._size = 0
            return "request line"
        parts = line.split(b" ")
        if len(parts) != 3:  # noqa: PLR2004 - method, target, version
            refuse("the request line is not a method, a target and a version")
        method, target, protocol = parts
        if method.translate(None, _TOKEN):
            refuse("the method is not a token")
        version = _read_version(protocol)
        request = self._request = Request(
            method.decode("ascii"), target.decode("latin-1"), version
        )
        if request.method == "CONNECT":
            refuse("this server is no tunnel", NOT_IMPLEMENTED)
        if not target or target.translate(None, _TARGET):
            refuse("the target has characters that must be percent-encoded")
        split_target(request)
        return "header"

    def _read_header(self, line: bytes) -> str:
        request = self._request
        if not line:
            decide(request, self._decisive, self._limits)
            return "done"
        if len(request.headers) >= self._limits.max_headers:
            refuse(
                f"there are more than {self._limits.max_headers} headers",
                HEAD_TOO_LARGE,
            )
        name, value = parse_field(line)
        request.headers.append((name, value))
        lower = name.lower()
        if lower in DECISIVE:
            self._decisive.setdefault(lower, []).append(value)
        return "header"


_FIRST = frozenset(_TOKEN + b"\r")

# What reads the next line, by where the parser stands; it answers where it stands then.
_STEPS: dict[str, Callable[[RequestParser, bytes], str]] = {
    "request line": RequestParser._read_request_line,  # noqa: SLF001 - the table of its steps
    "header": RequestParser._read_header,  # noqa: SLF001 - likewise
}


def parse_field(line: bytes) -> tuple[str, str]:
    """Split a field line into name and value (RFC 9112, 5).

    Raises:
        RequestError: it is folded, has no name, or whitespace or other characters
            where none may be.
    """
    name, colon, value = line.partition(b":")
    if not colon or not name or name.translate(None, _TOKEN):
        refuse("a header is not a name, a colon and a value")
    if value.translate(None, _VALUE):
        refuse(f"the header {name.decode('ascii')} has a control character")
    return name.decode("ascii"), value.strip(b" \t").decode("latin-1")


def _read_version(protocol: bytes) -> str:
    """Give "1.0" or "1.1" (RFC 9110, 2.5: a later 1.x is read as 1.1)."""
    name, _, number = protocol.partition(b"/")
    major, _, minor = number.partition(b".")
    if (
        name != b"HTTP"
        or not (len(major) == len(minor) == 1)
        or not (major.isdigit() and minor.isdigit())
    ):
        refuse("the request line does not end in an HTTP version")
    if major != b"1":
        refuse("this server speaks HTTP/1.1 and HTTP/1.0", VERSION_NOT_SUPPORTED)
    return "1.0" if minor == b"0" else "1.1"
