"""What a request of HTTP/1.x is, and what its fields mean to the connection.

The rules by which a head is accepted or refused; `handlerkit.protocols.http1` reads
the bytes.
"""

from __future__ import annotations

from handlerkit.errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_ALPHANUMERIC = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HOST = b"-._~!$&'()*+,;=%:[]" + _ALPHANUMERIC

BAD_REQUEST = "400 Bad Request"
TOO_LARGE = "413 Content Too Large"
LINE_TOO_LONG = "414 URI Too Long"
EXPECTATION_FAILED = "417 Expectation Failed"
HEAD_TOO_LARGE = "431 Request Header Fields Too Large"
NOT_IMPLEMENTED = "501 Not Implemented"
VERSION_NOT_SUPPORTED = "505 HTTP Version Not Supported"

_MAX_LENGTH_DIGITS = 18

# What decides where a request ends, who it is for, and whether another may follow.
DECISIVE = frozenset(
    ("connection", "content-length", "expect", "host", "transfer-encoding")
)


class Limits:
    """How much of a request is read before it is refused.

    ``max_request_line`` (414), ``max_header_size``, the whole head (431), and
    ``max_body`` (413; 0 is no limit) are in bytes, ``max_headers`` (431) is a count.
    """

    __slots__ = ("max_body", "max_header_size", "max_headers", "max_request_line")

    def __init__(
        self,
        *,
        max_request_line: int = 8190,
        max_header_size: int = 65536,
        max_headers: int = 100,
        max_body: int = 1 << 30,
    ) -> None:
        self.max_request_line = max_request_line
        self.max_header_size = max_header_size
        self.max_headers = max_headers
        self.max_body = max_body


class Request:
    """The head of a request.

    ``target`` is as it was sent, ``path`` (still percent-encoded; "" for ``*``) and
    ``query`` are its parts, ``version`` is "1.0" or "1.1" (also for a later 1.x),
    ``headers`` are (name, value) pairs in order; all is bytes decoded as latin-1.
    ``length`` is the body's in bytes, None if it is ``chunked``.
    """

    __slots__ = (
        "chunked",
        "expects_continue",
        "headers",
        "host",
        "keep_alive",
        "length",
        "method",
        "path",
        "query",
        "target",
        "version",
    )

    def __init__(self, method: str, target: str, version: str) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.path = ""
        self.query = ""
        self.host: str | None = None
        self.headers: list[tuple[str, str]] = []
        self.length: int | None = 0
        self.chunked = False
        self.keep_alive = False
        self.expects_continue = False

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.target!r}, {self.version!r})"


def refuse(message: str, status: str = BAD_REQUEST) -> NoReturn:
    """Raise the `RequestError` that says what to answer."""
    raise RequestError(message, status)


def split_target(request: Request) -> None:
    """Find path and query in the target (RFC 9112, 3.2)."""
    target = request.target
    if target == "*":
        if request.method != "OPTIONS":
            refuse("only OPTIONS has the target *")
        return
    if not target.startswith("/"):
        target = _strip_authority(request, target)
    request.path, _, request.query = target.partition("?")


def _strip_authority(request: Request, target: str) -> str:
    """Take ``http://host`` off an absolute target; it overrides Host (3.2.2)."""
    scheme, mark, after = target.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        refuse("the target is neither a path nor an http URI")
    end = min((at for at in map(after.find, "/?") if at >= 0), default=len(after))
    request.host = _check_host(after[:end])
    if not request.host or request.host.startswith(":"):
        refuse("the target has no host")
    path = after[end:]
    return path if path.startswith("/") else "/" + path


def _check_host(host: str) -> str:
    """Refuse what is not ``host`` or ``host:port`` (RFC 9110, 7.2)."""
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        name, port = host, ""
    ok = not host.encode("latin-1").translate(None, _HOST)
    if name.startswith("["):
        ok = ok and name.endswith("]") and name.count("[") + name.count("]") == 2  # noqa: PLR2004 - one pair
    else:
        ok = ok and not (":" in name or "[" in name or "]" in name)
    if not ok or (port and not port.isdigit()):
        refuse("the host is malformed")
    return host


def decide(request: Request, decisive: dict[str, list[str]], limits: Limits) -> None:
    """Draw the conclusions from the fields that matter to the connection."""
    _decide_host(request, decisive.get("host"))
    _decide_framing(request, decisive, limits)
    options = _members(decisive.get("connection"))
    if "close" not in options:
        request.keep_alive = request.version == "1.1" or "keep-alive" in options
    if request.version == "1.1":  # RFC 9110, 10.1.1: in HTTP/1.0 it says nothing
        expected = _members(decisive.get("expect"))
        if any(member != "100-continue" for member in expected):
            refuse("the one expectation known is 100-continue", EXPECTATION_FAILED)
        request.expects_continue = bool(expected)


def _members(values: list[str] | None) -> list[str]:
    """Give the members of a list header, in lower case (RFC 9110, 5.6.1)."""
    if values is None:
        return []
    members = ",".join(values).lower().split(",")
    return [member.strip(" \t") for member in members if member.strip(" \t")]


def _decide_host(request: Request, hosts: list[str] | None) -> None:
    """Check Host, which a 1.1 request must have, once (RFC 9112, 3.2)."""
    if hosts is None:
        if request.version == "1.1":
            refuse("the request has no Host header")
        return
    if len(hosts) > 1:
        refuse("the request has more than one Host header")
    host = _check_host(hosts[0])
    if request.host is None:
        request.host = host


def _decide_framing(
    request: Request, decisive: dict[str, list[str]], limits: Limits
) -> None:
    """Find where the body ends (RFC 9112, 6.3)."""
    lengths = decisive.get("content-length")
    codings = decisive.get("transfer-encoding")
    if codings is not None:
        if lengths is not None:
            refuse("the request has both Content-Length and Transfer-Encoding")
        if request.version == "1.0":
            refuse("HTTP/1.0 has no Transfer-Encoding")
        _check_codings(_members(codings))
        request.chunked = True
        request.length = None
    elif lengths is not None:
        request.length = _read_length(lengths, limits)


def _check_codings(codings: list[str]) -> None:
    if codings != ["chunked"]:
        if not codings or "chunked" in codings[:-1]:
            refuse("chunked must be the last transfer coding, and stand once")
        refuse("the one transfer coding known is chunked", NOT_IMPLEMENTED)


def _read_length(values: list[str], limits: Limits) -> int:
    text = values[0]
    if len(values) > 1:
        refuse("the request has more than one Content-Length header")
    if not (text.isascii() and text.isdigit()):
        refuse("Content-Length is not a row of digits")
    digits = text.lstrip("0")
    length = int(digits or "0") if len(digits) <= _MAX_LENGTH_DIGITS else None
    if length is None or 0 < limits.max_body < length:
        refuse(f"the body is over {limits.max_body} bytes", TOO_LARGE)
    return length
