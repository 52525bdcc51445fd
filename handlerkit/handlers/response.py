"""The response of an exchange: status and headers in, bytes out (PEP 3333).

The whole head is checked and encoded before its first byte is out, and leaves with
the first body bytes in one write. What the body may be (none for HEAD, no longer
than its Content-Length, chunked on HTTP/1.1) is decided here.
"""

from __future__ import annotations

from time import perf_counter, time

from handlerkit import pep3333
from handlerkit.errors import ApplicationError
from handlerkit.handlers.recovery import LAST_BODY, LAST_HEAD, LAST_STATUS, Recovery
from handlerkit.pep3333 import (
    HAS_DATE,
    HAS_LENGTH,
    HAS_LISTS,
    HAS_SERVER,
    HAS_STATUS,
    Headers,
    check_headers,
    check_status,
    head_lines,
    known_statuses,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from handlerkit.handlers.reporting import ExcInfo

    Write: TypeAlias = Callable[[bytes], object]

DISCONNECTS = (ConnectionAbortedError, BrokenPipeError, ConnectionResetError)


class Response(Recovery):
    """The half of a handler that sends; see `BaseHandler`."""

    origin_server = True
    http_version = "1.0"
    server_software: str | None = None
    headers_class: Callable[[list[tuple[str, str]]], Any] = Headers

    # What a gateway tells the handler before `run`: True where the connection may
    # serve another request. False afterwards where the framing forbids it. None:
    # nobody asks, so no Connection header is written.
    keep_alive: bool | None = None

    # Whether this class leaves every step as it is written in this package.
    _straight = True
    _bodiless = False
    _length: int | None = None
    _chunked = False
    _sending_file = False
    _marks = 0
    _held: bytes | None = None

    def start_response(  # noqa: C901, PLR0912, PLR0915 - the hot path, uncut
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> Write:
        """Take status and headers (PEP 3333, the start_response callable)."""
        straight = self._straight
        if exc_info:
            straight = False
            self._report_handed(exc_info)
            if self.headers_sent:
                try:
                    raise exc_info[1].with_traceback(exc_info[2])
                finally:
                    exc_info = None  # it would refer to itself through this frame
        elif self.headers is not None:
            raise AssertionError("Headers already set!")
        if type(status) is not str:
            status = self._convert_string_type(status, "Status")
        if type(headers) is not list:
            raise TypeError("Headers must be a list of name/value tuples")
        try:
            bodiless = known_statuses[status]
        except KeyError:
            bodiless = check_status(status)
        marks, self._length = check_headers(headers)
        if marks & (HAS_LISTS | HAS_STATUS):
            # What was checked must not change any more, and decide on the status.
            headers = _without_status(headers)
            marks, self._length = check_headers(headers)
        self._marks = marks
        self.status = status
        kind = self.headers_class
        self.headers = kind(headers if kind is Headers else headers[:])
        if bodiless or self._head_only:
            self._bodiless = True
            self._short = False
            self._forgo_length(status)
        else:
            self._bodiless = False
            self._short = straight and kind is Headers
        return self.write

    def _forgo_length(self, status: str) -> None:
        """Check no length where there is no body, nor send one where none can be."""
        self._length = None
        if pep3333.is_bodiless(status) and not status.startswith("304"):
            del self.headers["Content-Length"]
            self._marks &= ~HAS_LENGTH

    def _convert_string_type(self, value: object, title: str) -> str:
        """Refuse, or in an override convert, what should be a str."""
        if type(value) is str:
            return value
        raise AssertionError(f"{title} must be of type str (got {value!r})")

    def write(self, data: bytes) -> None:
        """Send body bytes, the head before the first (PEP 3333, write callable)."""
        if type(data) is not bytes:
            raise AssertionError("write() argument must be a bytes instance")
        if not self.status:
            raise AssertionError("write() before start_response()")
        if self.headers_sent:
            self.bytes_sent += len(data)
            data = self._framed(data)
        else:
            self.bytes_sent = len(data)
            self._held = b""
            try:
                self.send_headers()
            finally:
                head, self._held = self._held, None
            data = head + self._framed(data) if head else self._framed(data)
        try:
            if data:
                self._write(data)
            self._flush()
        except DISCONNECTS as exc:
            self._gone = exc
            raise

    def _framed(self, data: bytes) -> bytes:
        """Give what may go out of a piece of body, as it goes."""
        if self._length is not None:
            if self.bytes_sent > self._length:
                return self._cut(data)
        elif self._bodiless:
            self.bytes_sent = 0
            self._full = True
            return b""
        elif self._chunked and data:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data

    def _cut(self, data: bytes) -> bytes:
        """Cut a body at its Content-Length; report, once, that it was longer."""
        length = self._length or 0
        data = data[: length - self.bytes_sent]
        self.bytes_sent = length
        if not self._full:
            self._full = True
            if self.result_is_file():  # of which the length says how much to send
                return data
            self._report_fault(
                f"the body is longer than its Content-Length of {length} bytes"
                if self._marks & HAS_LENGTH
                else "write() after the body had ended"
            )
        return data

    def send_headers(self) -> None:
        """Encode the whole head, then send it, before anything of it is out."""
        self._short = False
        self._complete_headers()
        headers = self.headers
        if type(headers) is Headers:
            lines = head_lines(headers)
        else:
            lines = bytes(headers).decode("iso-8859-1")[:-2]
        if lines.count("\n") != len(headers):
            raise ApplicationError(f"a header has a line break: {headers!r}")
        if self.origin_server and not self.client_is_modern():
            self.headers_sent = True
        elif _function(self.send_preamble) is _SEND_PREAMBLE:
            head = f"{self._preamble()}{lines}\r\n".encode("iso-8859-1")
            self.headers_sent = True
            self._put(head)
        else:
            block = f"{lines}\r\n".encode("iso-8859-1")
            self.headers_sent = True
            self._held = None  # an override may write in between
            self.send_preamble()
            self._put(block)

    def _complete_headers(self) -> None:
        enrich = self.plan.response_starting
        if enrich is not None and not self._plain:
            headers = self.headers.items()
            self._ask_hooks(enrich, headers)
            self.headers = self.headers_class(headers)
            if self._bodiless:
                self._forgo_length(str(self.status))
        if _function(self.cleanup_headers) is _CLEANUP_HEADERS:
            if not self._marks & HAS_LENGTH:
                self.set_content_length()
        else:
            self.cleanup_headers()
            self._marks, length = pep3333.check_cleaned(self.headers.items())
            if not self._bodiless:
                self._length = length
        if self.http_version != "1.0" or self.keep_alive is not None:
            self._frame()
        if self._started is not None:
            self._first_byte = perf_counter()

    def _ask_hooks(
        self, enrich: Callable[..., object], headers: list[tuple[str, str]]
    ) -> None:
        """Let hooks change a copy of the headers; hold it to the same rules.

        Most add a header, if they change anything; only those are checked again.
        """
        enrich(self, self.status, headers)
        before = self.headers
        size = len(before)
        if headers[:size] == before:
            added = headers[size:]
            marks, length = check_headers(added)
            if length is None and not marks & (HAS_LISTS | HAS_STATUS):
                self._marks |= marks
                return
        self._marks, self._length = check_headers(headers)
        if self._marks & (HAS_LISTS | HAS_STATUS):
            headers[:] = _without_status(headers)
            self._marks, self._length = check_headers(headers)

    def _put(self, data: bytes) -> None:
        """Send a part of the head, or hold it for `write` to send with the body."""
        if self._held is not None:
            self._held += data
            return
        try:
            self._write(data)
        except DISCONNECTS as exc:
            self._gone = exc
            raise

    def cleanup_headers(self) -> None:
        """Change or default headers before they go out; may be extended."""
        if "Content-Length" not in self.headers:
            self.set_content_length()

    def set_content_length(self) -> None:
        """Set Content-Length where the body is one block, hence known."""
        try:
            blocks = len(self.result)
        except (TypeError, AttributeError, NotImplementedError):
            return
        if blocks == 1:
            if not self._bodiless:
                self._length = self.bytes_sent
            elif not self.bytes_sent or pep3333.is_bodiless(str(self.status)):
                return
            self.headers["Content-Length"] = str(self.bytes_sent)
            self._marks |= HAS_LENGTH

    def _frame(self) -> None:
        """Decide how the body ends (RFC 9112, 6.3), and whether the connection does."""
        if not self.origin_server:
            return
        headers = self.headers
        current = self._protocol == "HTTP/1.1"
        framed = bool(self._bodiless or self._marks & HAS_LENGTH)
        self._chunked = (
            current
            and not framed
            and self.http_version == "1.1"
            and not self._sending_file
            and "Transfer-Encoding" not in headers
        )
        if self._chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.keep_alive and (not framed or str(self.status).startswith("1")):
            self.keep_alive = False  # after a 1xx, it would take the next for its own
        if self.keep_alive is not None:
            self._tell_connection(headers, current)

    def _tell_connection(self, headers: Any, current: bool) -> None:  # noqa: FBT001
        if "Connection" in headers:  # by an override of cleanup_headers
            self.keep_alive = self.keep_alive and headers["Connection"] != "close"
        elif not self.keep_alive:
            headers["Connection"] = "close"
        elif not current:
            headers["Connection"] = "keep-alive"

    def send_preamble(self) -> None:
        """Send status line, Date and Server, or the Status header of CGI."""
        if not self.origin_server or self.client_is_modern():
            self._put(self._preamble().encode("iso-8859-1"))

    def _preamble(self) -> str:
        if not self.origin_server:
            return f"Status: {self.status}\r\n"
        date = "" if self._marks & HAS_DATE else pep3333.date_line(time())
        if self.server_software and not self._marks & HAS_SERVER and not self._plain:
            pep3333.check_text("server_software", self.server_software)
            date = f"{date}Server: {self.server_software}\r\n"
        return f"HTTP/{self.http_version} {self.status}\r\n{date}"

    def finish_content(self) -> None:
        """Make sure that head and body are both out, and whole."""
        if not self.headers_sent:
            if self.headers is None:
                raise ApplicationError(
                    "the application returned without calling start_response()"
                )
            if not self._bodiless:
                self.headers.setdefault("Content-Length", "0")
                self._marks |= HAS_LENGTH
            self.send_headers()
        if self._chunked:
            self._put(b"0\r\n\r\n")
            self._flush()
        elif self._length is not None and self.bytes_sent < self._length:
            self.ended = "aborted"
            self._report_fault(
                f"the body ended after {self.bytes_sent} bytes, before its "
                f"Content-Length of {self._length}"
            )
            return
        self._length = self.bytes_sent  # the iterable's close may still call write

    def _say_last_word(self) -> bool:
        """Answer by a constant, past every step; False where it cannot be."""
        if self.headers_sent:
            return False
        first = f"HTTP/{self.http_version}" if self.origin_server else "Status:"
        head = f"{first} {LAST_STATUS}\r\n{LAST_HEAD}"
        if self.keep_alive is not None:
            self.keep_alive = False
            head = f"{head}Connection: close\r\n"
        self.headers_sent = True
        self.status = LAST_STATUS
        body = b"" if self._head_only else LAST_BODY
        try:
            self._write(f"{head}\r\n".encode("ascii") + body)
            self._flush()
        except BaseException as exc:  # noqa: BLE001 - nothing at all is left
            self._note_fatal(exc)
            return False
        self.bytes_sent = len(body)
        return True

    def client_is_modern(self) -> bool:
        """Say whether the client knows of status and headers (not HTTP/0.9)."""
        # The application may have changed its environ by now.
        protocol = self._protocol or self.environ["SERVER_PROTOCOL"]
        return bool(protocol.upper() != "HTTP/0.9")

    def _write(self, data: bytes) -> None:
        """Send bytes, or buffer them."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Send what `_write` has buffered."""
        raise NotImplementedError


def _without_status(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give headers as tuples, less what would decide on the status behind CGI."""
    return [(k, v) for k, v in headers if k.lower() != "status"]


def _function(method: object) -> object:
    """Give the function of a method, to see whether it is the one written here."""
    return getattr(method, "__func__", None)


_SEND_PREAMBLE = Response.send_preamble
_CLEANUP_HEADERS = Response.cleanup_headers
