"""BaseHandler: the way of one exchange, from environ to the last byte.

The steps are those of `wsgiref.handlers.BaseHandler`, under the same names and in
the same order, so that what overrides them goes on working. What happens when one
of them fails is in `handlerkit.handlers.recovery`.
"""

from __future__ import annotations

import io
from time import perf_counter, time
from wsgiref.util import FileWrapper, guess_scheme

from handlerkit import pep3333
from handlerkit.errors import ApplicationError, PluginError
from handlerkit.handlers.environ import process_environ
from handlerkit.handlers.input import BoundedInput
from handlerkit.handlers.recovery import Recovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.handlers.recovery import ExcInfo

    Write = Callable[[bytes], object]


class BaseHandler(Recovery):
    """Run a WSGI application for one exchange (PEP 3333); abstract.

    Every attribute may be set per subclass or per instance, every method may be
    overridden; an override wins over the hook of the same name, which is called
    only from here.
    """

    wsgi_version = (1, 0)
    wsgi_multithread: bool | None = True
    wsgi_multiprocess: bool | None = True
    wsgi_run_once: bool | None = False

    origin_server = True
    http_version = "1.0"
    server_software: str | None = None

    os_environ: dict[str, str] = process_environ()

    wsgi_file_wrapper: Callable[..., Any] | None = FileWrapper
    headers_class: Callable[[list[tuple[str, str]]], Any] = pep3333.Headers

    # What a gateway tells the handler before `run`: True where the connection may
    # serve another request. False afterwards where the framing forbids it. None:
    # nobody asks, so no Connection header is written.
    keep_alive: bool | None = None

    _bodiless = False
    _head_only = False
    _length: int | None = None
    _chunked = False
    _sending_file = False
    _full = False
    _holding = False
    _held = b""

    def run(self, application: WSGIApplication) -> Any:
        """Serve one exchange; afterwards `ended` says how it went.

        Raises:
            BaseException: what is no Exception passes on, after the page is out.
        """
        if self.plan.request_finished is not None:
            self._started = (time(), perf_counter())
        if self.ended is not None:
            self._reset()
        fatal: BaseException | None = None
        try:
            self.setup_environ()
            self._bound_input()
            self.result = application(self.environ, self.start_response)
            self.finish_response()
        except BaseException as exc:  # noqa: BLE001 - the page first, then it passes
            fatal = self._recover(exc)
        self._pass_on(fatal)

    def setup_environ(self) -> None:
        """Set up `environ` for one exchange."""
        env = self.environ = self.os_environ.copy()
        self.add_cgi_vars()
        env["wsgi.input"] = self.get_stdin()
        env["wsgi.errors"] = self.get_stderr()
        env["wsgi.version"] = self.wsgi_version
        env["wsgi.run_once"] = self.wsgi_run_once
        env["wsgi.url_scheme"] = self.get_scheme()
        env["wsgi.multithread"] = self.wsgi_multithread
        env["wsgi.multiprocess"] = self.wsgi_multiprocess
        if self.wsgi_file_wrapper is not None:
            env["wsgi.file_wrapper"] = self.wsgi_file_wrapper
        if self.origin_server and self.server_software:
            env.setdefault("SERVER_SOFTWARE", self.server_software)
        enrich = self.plan.setup_environ
        if enrich is not None:
            enrich(self, env)

    def _bound_input(self) -> None:
        """Make good what a front may have left out of environ, or let in."""
        env = self.environ
        env.pop("HTTP_PROXY", None)
        env.setdefault("SERVER_PROTOCOL", "HTTP/1.0")
        self._head_only = env.get("REQUEST_METHOD") == "HEAD"
        if env.get("wsgi.input_terminated"):
            return
        text = env.get("CONTENT_LENGTH")
        length = pep3333.request_length(text) if text else 0
        if length:
            env["wsgi.input"] = BoundedInput(env["wsgi.input"], length)
        elif text or not self._input_ends(env):
            env["wsgi.input"] = io.BytesIO()
        env["wsgi.input_terminated"] = True

    def _input_ends(self, env: dict[str, Any]) -> bool:
        """Say whether a body without CONTENT_LENGTH ends with its stream."""
        return False

    def get_scheme(self) -> str:
        """Give ``wsgi.url_scheme``: the hook's answer, else by HTTPS in environ.

        Raises:
            PluginError: a hook gave something other than http or https.
        """
        answer = self.plan.get_scheme
        if answer is not None:
            scheme = answer(self, self.environ)
            if scheme is not None:
                if scheme not in ("http", "https"):
                    raise PluginError(
                        f'get_scheme must give "http" or "https", not {scheme!r}'
                    )
                return str(scheme)
        return self._default_scheme()

    def _default_scheme(self) -> str:
        return guess_scheme(self.environ)

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> Write:
        """Take status and headers (PEP 3333, the start_response callable)."""
        if exc_info:
            self._report_handed(exc_info)
            if self.headers_sent:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.headers is not None:
            raise AssertionError("Headers already set!")
        if type(status) is not str:
            status = self._convert_string_type(status, "Status")
        if type(headers) is not list:
            raise TypeError("Headers should be a list of header name/value tuples")
        pep3333.check_status(status)
        length = pep3333.check_headers(headers)
        self.status = status
        self.headers = self.headers_class(headers[:])
        self._bodiless = self._head_only or pep3333.is_bodiless(status)
        if length is not None and self._bodiless:
            length = self._unchecked_length(status)
        self._length = length
        return self.write

    def _unchecked_length(self, status: str) -> None:
        """Keep a Content-Length of HEAD and 304, which speaks of another response."""
        if pep3333.is_bodiless(status) and not status.startswith("304"):
            del self.headers["Content-Length"]

    def _convert_string_type(self, value: object, title: str) -> str:
        """Refuse, or in an override convert, what should be a str."""
        if type(value) is str:
            return value
        raise AssertionError(f"{title} must be of type str (got {value!r})")

    def finish_response(self) -> None:
        """Send the application's result, then close it and this exchange."""
        try:
            if not self.result_is_file() or not self._sent_as_file():
                self._iterate()
                self.finish_content()
        except BaseException:
            self._close_result()
            raise
        self.close()

    def _check_result(self) -> None:
        result = self.result
        if result is None or isinstance(result, (bytes, str)):
            raise ApplicationError(
                "the application must return an iterable of bytes, "
                f"not {type(result).__name__}"
            )

    def _iterate(self) -> None:
        self._check_result()
        for data in self.result:
            if data or type(data) is not bytes:
                self.write(data)
                if self._full:
                    break

    def _sent_as_file(self) -> bool:
        """Offer a file to `sendfile`, where there is a body to send."""
        if self._bodiless:
            return False
        self._sending_file = True
        try:
            return bool(self.sendfile())
        except (ConnectionAbortedError, BrokenPipeError, ConnectionResetError) as exc:
            self._gone = exc
            raise
        finally:
            self._sending_file = False

    def sendfile(self) -> bool:
        """Send the file in `result` by a means of the platform, if there is one.

        Called only for a `wsgi_file_wrapper`. True if it was sent, with
        `send_headers` before it; False to have it iterated.
        """
        answer = self.plan.sendfile
        return answer is not None and bool(answer(self, self.result))

    def write(self, data: bytes) -> None:
        """Send body bytes, the head before the first (PEP 3333, write callable)."""
        if type(data) is not bytes:
            raise AssertionError("write() argument must be a bytes instance")
        if not self.status:
            raise AssertionError("write() before start_response()")
        if self.headers_sent:
            head = b""
            self.bytes_sent += len(data)
        else:
            self.bytes_sent = len(data)
            self._holding = True
            self.send_headers()
            self._holding = False
            head = self._held
            self._held = b""
        if self._bodiless:
            self.bytes_sent = 0
            self._full = True
            data = b""
        elif self._length is not None and self.bytes_sent > self._length:
            data = data[: self._length - self.bytes_sent]
            self.bytes_sent = self._length
            self._excess()
        elif self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        try:
            if head or data:
                self._write(head + data if head else data)
            self._flush()
        except (ConnectionAbortedError, BrokenPipeError, ConnectionResetError) as exc:
            self._gone = exc
            raise

    def _excess(self) -> None:
        """Report, once, a body longer than its Content-Length; no more of it goes."""
        if not self._full:
            self._full = True
            self._report_fault(
                f"the body is longer than its Content-Length of {self._length} bytes"
            )

    def send_headers(self) -> None:
        """Encode the whole head, then send it, before anything of it is out."""
        self._complete_headers()
        block = bytes(self.headers)
        if block.count(b"\n") != len(self.headers) + 1:
            raise ApplicationError(f"a header has a line break: {self.headers!r}")
        if self._started is not None:
            self._first_byte = perf_counter()
        if self.origin_server and not self.client_is_modern():
            self.headers_sent = True
        elif getattr(self.send_preamble, "__func__", None) is _SEND_PREAMBLE:
            block = self._preamble() + block
            self.headers_sent = True
            self._put_head(block)
        else:
            self.headers_sent = True
            self._holding = False  # an override may write in between
            self.send_preamble()
            self._put_head(block)

    def _complete_headers(self) -> None:
        enrich = self.plan.response_starting
        if enrich is not None and not self._plain:
            self._start_hooks(enrich)
        self.cleanup_headers()
        if self.origin_server:
            self._frame()

    def _put_head(self, data: bytes) -> None:
        """Send a part of the head, or hold it for `write` to send with the body."""
        if self._holding:
            self._held += data
            return
        try:
            self._write(data)
        except (ConnectionAbortedError, BrokenPipeError, ConnectionResetError) as exc:
            self._gone = exc
            raise

    def _start_hooks(self, enrich: Callable[..., object]) -> None:
        headers = self.headers.items()
        enrich(self, self.status, headers)
        length = pep3333.check_headers(headers)
        if self._length is not None or not self._bodiless:
            self._length = length
        self.headers = self.headers_class(headers)

    def cleanup_headers(self) -> None:
        """Change or default headers before they go out; may be extended."""
        if self._length is None and "Content-Length" not in self.headers:
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
            elif not self._head_only or not self.bytes_sent:
                return
            self.headers["Content-Length"] = str(self.bytes_sent)

    def _frame(self) -> None:
        """Decide how the body ends (RFC 9112, 6.3), and whether the connection does."""
        if self.http_version == "1.0" and self.keep_alive is None:
            return
        headers = self.headers
        current = self.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        if not (
            self._bodiless
            or "Content-Length" in headers
            or "Transfer-Encoding" in headers
        ):
            self._chunked = (
                current and self.http_version == "1.1" and not self._sending_file
            )
            if self._chunked:
                headers["Transfer-Encoding"] = "chunked"
            elif self.keep_alive:
                self.keep_alive = False
        if self.keep_alive is None or "Connection" in headers:
            return
        if not self.keep_alive:
            headers["Connection"] = "close"
        elif not current:
            headers["Connection"] = "keep-alive"

    def send_preamble(self) -> None:
        """Send status line, Date and Server, or the Status header of CGI."""
        self._put_head(self._preamble())

    def _preamble(self) -> bytes:
        if not self.origin_server:
            return f"Status: {self.status}\r\n".encode("iso-8859-1")
        lines = f"HTTP/{self.http_version} {self.status}\r\n"
        if "Date" not in self.headers:
            lines += f"Date: {pep3333.format_date_time(time())}\r\n"
        if self.server_software and "Server" not in self.headers:
            lines += f"Server: {self.server_software}\r\n"
        return lines.encode("iso-8859-1")

    def finish_content(self) -> None:
        """Make sure that head and body are both out, and whole."""
        if not self.headers_sent:
            if self.headers is None:
                raise ApplicationError(
                    "the application returned without calling start_response()"
                )
            if not self._bodiless:
                self.headers.setdefault("Content-Length", "0")
            self.send_headers()
        if self._chunked:
            self._put_head(b"0\r\n\r\n")
            self._flush()
        elif (
            self._length is not None
            and not self._bodiless
            and self.bytes_sent < self._length
        ):
            self.ended = "aborted"
            self._report_fault(
                f"the body ended after {self.bytes_sent} bytes, before its "
                f"Content-Length of {self._length}"
            )

    def close(self) -> None:
        """Close the result, say how the exchange ended, and forget it."""
        try:
            self._close_result()
            self._conclude()
        finally:
            self.result = self.headers = self.status = None
            self.environ = None  # type: ignore[assignment]  # as in wsgiref
            self.bytes_sent = 0
            self.headers_sent = False

    def result_is_file(self) -> bool:
        """Say whether the application returned a `wsgi_file_wrapper`."""
        wrapper = self.wsgi_file_wrapper
        return wrapper is not None and isinstance(self.result, wrapper)  # type: ignore[arg-type]

    def client_is_modern(self) -> bool:
        """Say whether the client knows of status and headers (not HTTP/0.9)."""
        return bool(self.environ["SERVER_PROTOCOL"].upper() != "HTTP/0.9")

    def _reset(self) -> None:
        """Forget the exchange before this one, where a handler is used again."""
        for name in (
            "_bodiless _length _chunked _full _held ended report error_status "
            "_gone _erred _handed _concluded _first_byte _plain _fatal"
        ).split():
            self.__dict__.pop(name, None)

    def _write(self, data: bytes) -> None:
        """Send bytes, or buffer them."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Send what `_write` has buffered."""
        raise NotImplementedError

    def get_stdin(self) -> Any:
        """Give ``wsgi.input``."""
        raise NotImplementedError

    def get_stderr(self) -> Any:
        """Give ``wsgi.errors``."""
        raise NotImplementedError

    def add_cgi_vars(self) -> None:
        """Put the CGI variables of the request into `environ`."""
        raise NotImplementedError


_SEND_PREAMBLE = BaseHandler.send_preamble
