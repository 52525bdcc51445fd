"""What a handler does when something fails: answer it, and end it visibly.

Whatever fails, the client gets a correct answer, or a response that is seen to be
broken off; nothing of the error reaches the client. What is said of the error, and to
whom, is in `handlerkit.handlers.reporting`.
"""

from __future__ import annotations

import sys
from time import perf_counter

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.handlers.reporting import Reporting
from handlerkit.plan import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from handlerkit.handlers.reporting import ExcInfo

LAST_STATUS = "500 Internal Server Error"
_LAST_HEADERS = (("Content-Type", "text/plain"),)
LAST_BODY = b"A server error occurred.  Please contact the administrator."
LAST_HEAD = f"Content-Type: text/plain\r\nContent-Length: {len(LAST_BODY)}\r\n"


class Recovery(Reporting):
    """The half of a handler that deals with what fails; see `BaseHandler`."""

    error_status = LAST_STATUS
    error_headers: list[tuple[str, str]] = [("Content-Type", "text/plain")]  # noqa: RUF012 - as documented, copied before use
    error_body = LAST_BODY

    status: str | None = None
    result: Any = None
    headers: Any = None
    bytes_sent = 0
    environ: Any = None

    # "ok", "error", "aborted" or "disconnected", once the exchange has ended: the
    # kinds of `handlerkit.plan.Outcome`.
    ended: str | None = None

    _gone: BaseException | None = None
    _answered = False
    _full = False
    _concluded = False
    _closed: object = None
    _handling = False
    _kept_status: str | None = None
    _refused = False

    # Of the request, as it came: the application may change its environ.
    _head_only = False
    _protocol = ""

    _started: tuple[float, float] | None = None
    _first_byte: float | None = None

    def _recover(self, exc: BaseException) -> BaseException | None:
        """Deal with what stopped the exchange; give back what has to pass on.

        Called while ``exc`` is being handled, as `handle_error` overrides expect.
        """
        if exc is self._gone or isinstance(exc, ClientDisconnected):
            self.ended = "disconnected"
            self._end()
            return None
        self._recall_request()
        self._handling = False
        try:
            self.handle_error()
            if not self._handling and self.ended is None:  # an override dropped it
                self.ended = "aborted"
                self._end()
        except BaseException as again:  # noqa: BLE001 - an override's last word
            self._erred = True
            self._give_up(again)
            return again
        return None if isinstance(exc, Exception) else exc

    def _recall_request(self) -> None:
        """See to it that there is an environ to answer by, however early it failed."""
        if self.environ is None:
            self.environ = {}
            try:
                self.add_cgi_vars()
            except BaseException as exc:  # noqa: BLE001 - answer all the same
                self._note_fatal(exc)
        if not self._protocol:  # it failed before _bound_input
            self._protocol = self.environ.setdefault("SERVER_PROTOCOL", "HTTP/1.0")
            self._head_only = self.environ.get("REQUEST_METHOD") == "HEAD"

    def _pass_on(self, fatal: BaseException | None) -> None:
        """Raise what must not be swallowed, now that the exchange has ended."""
        fatal = self._fatal if fatal is None else fatal
        if fatal is not None:
            self._fatal = None
            try:
                raise fatal
            finally:
                del fatal

    def handle_error(self) -> None:
        """Report the current exception, and answer it if nothing is out yet."""
        self._handling = True
        _, exc, _ = exc_info = sys.exc_info()
        if exc is None or exc_info[0] is None:
            raise RuntimeError("handle_error() is for use while handling an exception")
        refused = isinstance(exc, RequestError)
        if isinstance(exc, RequestError):
            self._kept_status = self.__dict__.get("error_status")
            self._refused = True
            self.error_status = exc.status
        phase = "in close" if self._concluded else ""
        self._report((exc_info[0], exc, exc_info[2]), log=not refused, phase=phase)
        if self._concluded:  # an override of close() failed, or came too early
            self.ended = "error"
        if self._gone is not None:
            self.ended = "disconnected"
        elif not self.headers_sent and not self._answered:
            self._answer_error()
            return
        elif not self._concluded:
            self.ended = "aborted"
        self._end()

    def _answer_error(self) -> None:
        """Send the error page; if that fails too, the last resort."""
        try:
            self._close_result()
            self.undo_start()
            self.result = self.error_output(self.environ, self.start_response)
            self.finish_response()
        except BaseException as exc:  # noqa: BLE001 - the client must get an answer
            self._page_failed(exc)

    def _page_failed(self, exc: BaseException) -> None:
        if exc is not self._gone:
            self._note_fatal(exc)
            self._report((type(exc), exc, exc.__traceback__))
        self._give_up(exc)

    def _give_up(self, exc: BaseException) -> None:
        """End an exchange whose error page has failed with ``exc``."""
        if self.ended is None:
            if not self.headers_sent and exc is not self._gone:
                self._last_resort()
                return
            self.ended = "disconnected" if exc is self._gone else "aborted"
        self._abandon()

    def _last_resort(self) -> None:
        """Send a page that asks no plugin, no override of its text, no setting."""
        self._close_result()
        self._plain = True
        self.undo_start()
        try:
            self.start_response(LAST_STATUS, list(_LAST_HEADERS))
            self.result = [LAST_BODY]
            self.finish_response()
        except BaseException as exc:  # noqa: BLE001 - nothing is left to try
            if exc is self._gone:
                self.ended = "disconnected"
            else:
                self._note_fatal(exc)
                self._write_error(exc)
                self.ended = "error" if self._say_last_word() else "aborted"
            self._abandon()

    def _abandon(self) -> None:
        """Close an exchange whose error page failed, too; never raises."""
        try:
            # An override may take for granted that there is a status by now.
            if self.status is not None:
                self.close()
        except BaseException as exc:  # noqa: BLE001 - the exchange has ended already
            self._note_fatal(exc)
            self._report((type(exc), exc, exc.__traceback__), phase="in close")
        self._end()
        self._clear()

    def _end(self) -> None:
        """End an exchange that broke off; its state stays, as in wsgiref."""
        self._close_result()
        self._conclude()

    def _clear(self) -> None:
        """Forget the state of the exchange."""
        self.result = self.headers = self.status = self.environ = self._closed = None
        self.bytes_sent = 0
        self.headers_sent = False

    def error_output(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Answer an error: a small WSGI application (override it, or use the hook).

        The first hook that gives a body has answered; else `error_status`,
        `error_headers` and `error_body` make the page. Do not show diagnostics here.
        """
        hook = self.plan.error_output
        if hook is not None:
            try:
                body = hook(self, environ, start_response, self.report)
            except BaseException as exc:  # noqa: BLE001 - a wrapper of the hook failed
                self.plugin_failed("error_output", "a wrapper", exc)
                self.undo_start()
                body = None
            if body is not None:
                return body  # type: ignore[no-any-return]
        start_response(self.error_status, self.error_headers[:], sys.exc_info())
        return [self.error_body]

    def undo_start(self) -> None:
        """Forget a start_response that nothing was sent of."""
        if not self.headers_sent:
            self.status = self.headers = None
            self._full = False

    def _close_result(self) -> None:
        """Close the application's iterable, once; an error there is reported."""
        result = self.result
        if result is None or result is self._closed:
            return
        self._closed = result
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except BaseException as exc:  # noqa: BLE001 - must mask nothing
            self._note_fatal(exc)
            self._report((type(exc), exc, exc.__traceback__), phase="in close")

    def _conclude(self) -> None:
        """Say, once, how the exchange ended."""
        if self._concluded:
            return
        self._concluded = True
        self._answered = self.headers_sent
        if self.ended is None:
            if self._gone is not None:
                self.ended = "disconnected"
            else:
                self.ended = "error" if self._erred else "ok"
        hook = self.plan.request_finished
        if hook is not None:
            hook(self, self._outcome())
        # Nothing may go on holding the exception, and with it all its frames.
        self._handed = self._gone = None
        self._drop_report()
        if self._refused:
            del self.error_status
            if self._kept_status is not None:
                self.error_status = self._kept_status

    def _outcome(self) -> Outcome:
        started, tick = self._started or (0.0, perf_counter())
        first = self._first_byte
        return Outcome(
            kind=self.ended or "ok",
            status=self.status,
            bytes_sent=self.bytes_sent,
            started=started,
            first_byte=None if first is None else first - tick,
            duration=perf_counter() - tick,
            report_id=None if self.report is None else self.report.id,
        )

    # `handlerkit.handlers.base` has these; the page is sent through them.
    if TYPE_CHECKING:

        def start_response(
            self,
            status: str,
            headers: list[tuple[str, str]],
            exc_info: ExcInfo | None = None,
        ) -> Callable[[bytes], object]:
            """Take status and headers."""

        def finish_response(self) -> None:
            """Send the result."""

        def _say_last_word(self) -> bool:
            """Answer by a constant."""

        def add_cgi_vars(self) -> None:
            """Put the CGI variables into environ."""

        def result_is_file(self) -> bool:
            """Say whether the result is a file."""

        def close(self) -> None:
            """End the exchange."""
