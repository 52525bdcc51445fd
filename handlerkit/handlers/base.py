"""BaseHandler: the way of one exchange, from environ to the last byte.

The steps are those of `wsgiref.handlers.BaseHandler`, under the same names and in
the same order, so that what overrides them goes on working. What happens when one
of them fails is in `handlerkit.handlers.recovery`.
"""

from __future__ import annotations

from time import perf_counter, time
from wsgiref.util import FileWrapper

from handlerkit import pep3333
from handlerkit.errors import ApplicationError, PluginError
from handlerkit.handlers.environ import process_environ, without_headers
from handlerkit.handlers.input import NOTHING, BoundedInput
from handlerkit.handlers.response import DISCONNECTS, Response
from handlerkit.pep3333 import HAS_LENGTH, Headers
from handlerkit.plan import BARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any
    from wsgiref.types import WSGIApplication

# The steps that a straight way (`_begin`, `_finish`) cuts across.
_STEPS = frozenset(
    (
        "setup_environ",
        "add_cgi_vars",
        "get_stdin",
        "get_stderr",
        "get_scheme",
        "start_response",
        "finish_response",
        "result_is_file",
        "write",
        "send_headers",
        "cleanup_headers",
        "set_content_length",
        "send_preamble",
        "client_is_modern",
        "finish_content",
        "close",
        "_write",
        "_flush",
    )
)

# What `_reset` puts back to the class's own.
_EXCHANGE = (
    *("_bodiless", "_chunked", "_full", "_held", "_length", "_marks"),
    *(
        "_answered",
        "_concluded",
        "_erred",
        "_fatal",
        "_first_byte",
        "_gone",
        "_handed",
        "_plain",
    ),
    *("_kept_status", "_protocol", "_refused", "_short", "ended", "report"),
)


class BaseHandler(Response):
    """Run a WSGI application for one exchange (PEP 3333); abstract.

    Every attribute may be set per subclass or per instance, every method may be
    overridden; an override wins over the hook of the same name, which is called
    only from here.
    """

    wsgi_version = (1, 0)
    wsgi_multithread: bool | None = True
    wsgi_multiprocess: bool | None = True
    wsgi_run_once: bool | None = False

    os_environ: dict[str, str] = process_environ()

    wsgi_file_wrapper: Callable[..., Any] | None = FileWrapper

    # Which configuration of this process it has: 0 for none, 1 for the first, one more
    # with each reload.
    kit_generation = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._straight = all(
            str(getattr(getattr(cls, step), "__module__", "")).startswith(__package__)
            for step in _STEPS
        )
        process = cls.__dict__.get("os_environ", {})
        if any(name.startswith("HTTP_") for name in process):
            cls.os_environ = without_headers(process)

    def run(self, application: WSGIApplication) -> Any:
        """Serve one exchange; afterwards `ended` says how it went.

        Raises:
            BaseException: what is no Exception passes on, after the page is out.
        """
        plan = self.plan
        if plan.request_finished is not None:
            self._started = (time(), perf_counter())
        elif plan is not BARE:  # a report tells how long an exchange has run
            self._started = (0.0, perf_counter())
        if self.ended is not None:
            self._reset()
        fatal: BaseException | None = None
        try:
            self._begin()
            self.result = application(self.environ, self.start_response)  # type: ignore[arg-type]
            self._finish()
        except BaseException as exc:  # noqa: BLE001 - the page first, then it passes
            fatal = self._recover(exc)
        if fatal is not None or self._fatal is not None:
            try:
                self._pass_on(fatal)
            finally:
                del fatal

    def _begin(self) -> None:
        self.setup_environ()
        self._bound_input()

    def _finish(self) -> None:  # noqa: PLR0915 - the hot path, uncut
        """Answer; at once where no step is overridden, and the body is one block."""
        result = self.result
        if not (
            self._short
            and type(result) is list
            and len(result) == 1
            and type(data := result[0]) is bytes
            and data
        ):
            self._short = False
            self.finish_response()
            return
        self.bytes_sent = size = len(data)
        headers = [*self.headers]
        plan = self.plan
        enrich = plan.response_starting
        if enrich is not None:
            self._ask_hooks(enrich, headers)
        if not self._marks & HAS_LENGTH:
            headers.append(("Content-Length", str(size)))
        elif self._length != size:
            data = self._framed(data)
        finished = plan.request_finished
        if finished is not None:
            self._first_byte = perf_counter()
            self.headers = Headers(headers)
        self._send_whole(headers, data)
        if self._length is not None and self.bytes_sent < self._length:
            self.finish_content()
        if self._short and finished is None:  # type: ignore[redundant-expr]  # a report ends it
            self.ended = "ok"
        else:
            self._conclude()
        self.result = self.headers = self.status = self.environ = None
        self.bytes_sent = 0
        self.headers_sent = False

    def setup_environ(self) -> None:
        """Set up `environ` for one exchange."""
        env: dict[str, Any] = self.os_environ.copy()
        self.environ = env
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
        self._protocol = env.setdefault("SERVER_PROTOCOL", "HTTP/1.0")
        self._head_only = env.get("REQUEST_METHOD") == "HEAD"
        if env.get("wsgi.input_terminated"):
            self._keep_input(env)
            return
        text = env.get("CONTENT_LENGTH")
        length = pep3333.request_length(text) if text else 0
        if length:
            env["wsgi.input"] = BoundedInput(env["wsgi.input"], length)
        else:
            env["wsgi.input"] = NOTHING
        env["wsgi.input_terminated"] = True

    def _keep_input(self, env: dict[str, Any]) -> None:
        """Leave the input alone that an embedder has bounded."""

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
        https = self.environ.get("HTTPS")
        return "https" if https in ("yes", "on", "1") else "http"

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
        pieces = iter(self.result)
        straight = self._straight
        for data in pieces:
            if data or type(data) is not bytes:
                self.write(data)
                if self._full or (straight and self._send_rest(pieces)):
                    break
                straight = False

    def _send_rest(self, pieces: Iterator[bytes]) -> bool:  # noqa: ARG002 - likewise
        """Send what follows the first piece of a body; False to have it written."""
        return False

    def _sent_as_file(self) -> bool:
        """Offer a file to `sendfile`, where there is a body to send."""
        if self._bodiless or self.headers is None:  # to write it says what is wrong
            return False
        self._sending_file = True
        try:
            sent = bool(self.sendfile())
        except DISCONNECTS as exc:
            self._gone = exc
            raise
        finally:
            self._sending_file = False
        if sent and not self.headers_sent:
            raise PluginError("sendfile answered True, but has sent no headers")
        if sent and not self.bytes_sent and self.ended is None:
            self.bytes_sent = self._length or 0
        return sent

    def sendfile(self) -> bool:
        """Send the file in `result` by a means of the platform, if there is one.

        Called only for a `wsgi_file_wrapper`. True if it was sent, with
        `send_headers` before it; False to have it iterated.
        """
        answer = self.plan.sendfile
        return answer is not None and bool(answer(self, self.result))

    def close(self) -> None:
        """Close the result, say how the exchange ended, and forget it."""
        try:
            self._close_result()
            self._conclude()
        finally:
            self._clear()

    def result_is_file(self) -> bool:
        """Say whether the application returned a `wsgi_file_wrapper`."""
        wrapper = self.wsgi_file_wrapper
        return wrapper is not None and isinstance(self.result, wrapper)  # type: ignore[arg-type]

    def _reset(self) -> None:
        """Forget the exchange before this one, where a handler is used again."""
        self._clear()
        for name in _EXCHANGE:
            self.__dict__.pop(name, None)

    def _send_whole(self, headers: list[tuple[str, str]], data: bytes) -> None:
        """Send a whole response: its headers, as they are to go out, and its body."""
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
