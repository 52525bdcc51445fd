"""What a handler says of an error: it makes the report, and gives it to whoever logs.

Nothing of it stops the exchange, or the next who is to be told.
"""

from __future__ import annotations

import os

from handlerkit.errors import ApplicationError
from handlerkit.plan import BARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TypeAlias

    from handlerkit.plan import Plan, Report

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
    MakeReport: TypeAlias = Callable[[ExcInfo, int | None, Any, str], Report]


class Reporting:
    """The part of a handler that reports what fails; see `BaseHandler`."""

    plan: Plan = BARE
    make_report: MakeReport | None = None
    report: Report | None = None

    traceback_limit: int | None = None

    headers_sent = False

    _handed: BaseException | None = None
    _fatal: BaseException | None = None
    _erred = False
    _plain = False
    # Whether the straight way is still open to this exchange: nothing of it has gone
    # out, or failed.
    _short = False

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

    # `handlerkit.handlers.base` has it.
    if TYPE_CHECKING:

        def get_stderr(self) -> Any:
            """Give wsgi.errors."""
