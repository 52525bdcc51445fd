"""What a handler does when something fails: report it, answer it, end it visibly.

Whatever fails, the client gets a correct answer, or a response that is seen to be
broken off; every reporter is asked; nothing of the error reaches the client.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter

from handlerkit.errors import ApplicationError, ClientDisconnected, RequestError
from handlerkit.plan import BARE, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, TypeAlias

    from handlerkit.plan import Plan, Report

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
    MakeReport: TypeAlias = Callable[[ExcInfo, int | None, Any, str], Report]

LAST_STATUS = "500 Internal Server Error"
_LAST_HEADERS = (("Content-Type", "text/plain"),)
LAST_BODY = b"A server error occurred.  Please contact the administrator."
LAST_HEAD = f"Content-Type: text/plain\r\nContent-Length: {len(LAST_BODY)}\r\n"


class Recovery:
    """The half of a handler that deals with what fails; see `BaseHandler`."""

    plan: Plan = BARE
    make_report: MakeReport | None = None

    traceback_limit: int | None = None
    error_status = LAST_STATUS
    error_headers: list[tuple[str, str]] = [("Content-Type", "text/plain")]  # noqa: RUF012 - as documented, copied before use
    error_body = LAST_BODY

    status: str | None = None
    result: Any = None
    headers_sent = False
    headers: Any = None
    bytes_sent = 0
    environ: Any = None

    # "ok", "error", "aborted" or "disconnected", once the exchange has ended: the
    # kinds of `handlerkit.plan.Outcome`.
    ended: str | None = None
    report: Report | None = None

    _gone: BaseException | None = None
    _handed: BaseException | None = None
    _fatal: BaseException | None = None
    _answered = False
    _erred = False
    # Whether the straight way is still open to this exchange: nothing of it has gone
    # out, or failed.
    _short = False
    _full = False
    _plain = False
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

    def log_exception(self, exc_info: ExcInfo) -> None:
        """Log an exception: the hooks do, else its traceback goes to wsgi.errors."""
        hook = self.plan.log_exception
        if hook is not None:
            hook(self, exc_info, self.report)
            return
        # Imported when it fails: traceback would double the start of a CGI process.
        from traceback import print_exception

        stderr = self.get_stderr()
        print_exception(*exc_info, self.traceback_limit, stderr)
        stderr.flush()

    def _report_handed(self, exc_info: ExcInfo) -> None:
        """Report what an application hands to start_response, unless it was ours."""
        exc: BaseException | None = exc_info[1]
        if exc is not None and exc is not self._handed and not self._plain:
            self._report(exc_info, phase="handed to start_response")

    def _report_fault(self, message: str) -> None:
        """Report a fault of the application that interrupts nothing."""
        try:
            raise ApplicationError(message)
        except ApplicationError as exc:
            self._report((type(exc), exc, exc.__traceback__))

    def _report(self, exc_info: ExcInfo, *, log: bool = True, phase: str = "") -> None:
        """Make the report and give it to whoever logs; never raises."""
        if exc_info[1] is self._handed:
            return
        self._erred = True
        self._short = False
        self._handed = exc_info[1]
        self._drop_report()
        if self.make_report is not None:
            try:
                self.report = self._made_report(exc_info, phase)
            except BaseException as failure:  # noqa: BLE001 - log without a report
                self.plugin_failed("log_exception", "make_report", failure)
        try:
            if log:
                self.log_exception(exc_info)
        except BaseException as failure:  # noqa: BLE001 - reporting changes nothing
            self.plugin_failed("log_exception", type(self).__name__, failure)
            self._write_error(exc_info[1])

    def _made_report(self, exc_info: ExcInfo, phase: str = "") -> Report | None:
        if self.make_report is None:
            return None
        if not phase:
            phase = "after headers" if self.headers_sent else "before headers"
        return self.make_report(exc_info, self.traceback_limit, self, phase)

    def _drop_report(self) -> None:
        """Forget the report; what it was not asked for by now, nobody will know."""
        if self.report is not None:
            self.report.release()
            self.report = None

    def plugin_failed(self, hook: str, plugin: str, exc: BaseException) -> None:
        """Note an exception that must not change the exchange; never raises."""
        self._note_fatal(exc)
        self._write_error(exc, f"handlerkit: {plugin} failed in {hook}\n")

    def _note_fatal(self, exc: BaseException) -> None:
        """Keep what is no Exception, to be raised when the exchange has ended."""
        if not isinstance(exc, Exception) and self._fatal is None:
            self._fatal = exc

    def _write_error(self, exc: BaseException, text: str = "") -> None:
        """Write an exception to wsgi.errors; where that fails, to stderr."""
        try:
            report = self._made_report((type(exc), exc, exc.__traceback__))
            if report is not None:  # redacted
                text += report.text
            else:
                from traceback import format_exception

                text += "".join(format_exception(exc))
        except BaseException:  # noqa: BLE001 - e.g. an exception that cannot be shown
            text += f"{type(exc).__name__}\n"
        try:
            stream = self.get_stderr()
            stream.write(text)
            stream.flush()
        except BaseException:  # noqa: BLE001 - the stream itself is what fails
            try:
                os.write(2, text.encode("utf-8", "backslashreplace"))
            except OSError:
                return

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

        def get_stderr(self) -> Any:
            """Give wsgi.errors."""

        def add_cgi_vars(self) -> None:
            """Put the CGI variables into environ."""

        def result_is_file(self) -> bool:
            """Say whether the result is a file."""

        def close(self) -> None:
            """End the exchange."""
