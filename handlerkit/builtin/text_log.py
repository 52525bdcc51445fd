"""text-log: reports go to wsgi.errors, where the standard library has tracebacks."""

from __future__ import annotations

from handlerkit.hooks.markers import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.hooks.specs import ExcInfo, Handler
    from handlerkit.plan import Report


class TextLog:
    """Write each report to the handler's stderr: a line about it, and the traceback.

    In every kit unasked, last on log_exception; ``[plugins.text-log]`` with
    ``enabled = false`` takes it out. What is written is redacted, and no value can
    forge a line: all lines but those of the traceback itself are indented.
    """

    @hookimpl(trylast=True)
    def log_exception(
        self, handler: Handler, exc_info: ExcInfo, report: Report | None
    ) -> None:
        """Write, and flush."""
        if report is None:
            from handlerkit.reports.plain import make_report  # only where one fails

            report = make_report(exc_info, handler.traceback_limit, handler)
        stderr = handler.get_stderr()
        stderr.write(f"{_heading(report)}\n{report.text}")
        stderr.flush()


def _heading(report: Report) -> str:
    """Give id, fingerprint and circumstances, in one line."""
    told = [report.request_line, report.phase]
    if report.duration is not None:
        told.append(f"after {report.duration:.3f} s")
    about = ", ".join(each for each in told if each)
    return f"error {report.id} [{report.fingerprint}] {about}".rstrip()
