r"""The head of an SCGI request: a netstring of CGI variables (SCGI, 2008 revision).

``<length>:CONTENT_LENGTH\0<n>\0SCGI\01\0<name>\0<value>\0…,<n bytes of body>``.
The response is one of CGI, and needs no parser here.
"""

from __future__ import annotations

from handlerkit.errors import RequestError
from handlerkit.protocols.variables import check_names, join_repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

TOO_LARGE = "413 Content Too Large"
HEAD_TOO_LARGE = "431 Request Header Fields Too Large"

_MAX_LENGTH_DIGITS = 18


class Limits:
    """How much of a request is read before it is refused.

    ``max_header_size``, the head within its netstring (431), and ``max_body`` (413; 0
    is no limit) are in bytes, ``max_params`` (431) counts CGI variables.
    """

    __slots__ = ("digits", "max_body", "max_header_size", "max_params")

    def __init__(
        self,
        *,
        max_header_size: int = 65536,
        max_params: int = 250,
        max_body: int = 1 << 30,
    ) -> None:
        self.max_header_size = max_header_size
        self.max_params = max_params
        self.max_body = max_body
        self.digits = len(str(max_header_size))


class RequestParser:
    """Reads the head of one request, in pieces of any size.

    Once `feed` has given the CGI variables, ``length`` is that of the body in bytes,
    and ``size`` that of the head, all of its netstring counted. For names that are
    repeated see `join_repeated`. Of a request that is refused, ``variables`` has what
    could be read.
    """

    __slots__ = ("_buffer", "_error", "_limits", "length", "rest", "size", "variables")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self._error: RequestError | None = None
        self.length = 0
        self.size = 0
        self.rest = b""
        self.variables: dict[str, str] = {}

    @property
    def begun(self) -> bool:
        """Whether anything of a request has come."""
        return bool(self._buffer or self._error or self.size)

    def feed(self, data: bytes) -> dict[str, str] | None:
        """Take the next bytes; give the CGI variables once all of them are there.

        What came after them is in ``rest``.

        Raises:
            RequestError: the head is malformed or too large; so says every further
                call.
        """
        if self._error is not None:
            raise self._error
        if self._buffer:
            data = self._buffer + data
        try:
            return self._read(data)
        except RequestError as error:
            self._error = error
            self._buffer = b""
            raise

    def _read(self, data: bytes) -> dict[str, str] | None:
        limits = self._limits
        colon = data.find(b":", 0, limits.digits + 1)
        if colon < 0:
            _check_digits(data[: limits.digits + 1], limits)
            self._buffer = data
            return None
        _check_digits(data[:colon], limits)
        if not colon:
            _refuse("the request does not begin with the length of its head")
        end = colon + 1 + int(data[:colon])
        if end - colon - 1 > limits.max_header_size:
            _refuse(f"the head is over {limits.max_header_size} bytes", HEAD_TOO_LARGE)
        if len(data) <= end:
            self._buffer = data
            return None
        if data[end : end + 1] != b",":
            _refuse("the head is not as long as it says")
        variables = self._variables(data[colon + 1 : end])
        self.rest = data[end + 1 :]
        self.size = end + 1
        self._buffer = b""
        return variables

    def _variables(self, head: bytes) -> dict[str, str]:
        words = head.decode("latin-1").split("\0")
        names = words[:-1:2]
        if len(names) > self._limits.max_params:
            _refuse(
                f"there are more than {self._limits.max_params} variables",
                HEAD_TOO_LARGE,
            )
        if words[-1] or not len(words) % 2:
            _refuse("the head is not names and values, each with a NUL at its end")
        if not names or names[0] != "CONTENT_LENGTH":
            _refuse("the head does not begin with CONTENT_LENGTH")
        variables = dict(zip(names, words[1::2]))  # noqa: B905 - as many, see above
        if len(variables) != len(names):
            if names.count("CONTENT_LENGTH") > 1:
                _refuse("CONTENT_LENGTH stands in the head more than once")
            variables = join_repeated(zip(names, words[1::2], strict=True))
        self.variables = variables
        if variables.get("SCGI") != "1":
            _refuse("the head does not say SCGI 1")
        check_names(variables)
        self.length = self._length(variables["CONTENT_LENGTH"])
        return variables

    def _length(self, text: str) -> int:
        if text == "0":  # as nearly always
            return 0
        if not (text.isascii() and text.isdigit()):
            _refuse("CONTENT_LENGTH is not a row of digits")
        digits = text.lstrip("0")
        limit = self._limits.max_body
        length = int(digits or "0") if len(digits) <= _MAX_LENGTH_DIGITS else None
        if length is None or 0 < limit < length:
            _refuse(f"the body is over {limit} bytes", TOO_LARGE)
        return length


def _check_digits(text: bytes, limits: Limits) -> None:
    """Refuse what can begin no netstring, such as the head of an HTTP request."""
    if text[:1] == b"0" and text[1:2].isdigit():
        _refuse("the length of the head begins with a zero")
    if text.translate(None, b"0123456789"):
        _refuse("the request does not begin with the length of its head")
    if len(text) > limits.digits:
        _refuse(f"the head is over {limits.max_header_size} bytes", HEAD_TOO_LARGE)


def _refuse(message: str, status: str = "400 Bad Request") -> NoReturn:
    raise RequestError(message, status)
