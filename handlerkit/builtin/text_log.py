"""text-log: tracebacks go to wsgi.errors, as the standard library documents it."""

from __future__ import annotations

from handlerkit.hooks.markers import hookimpl
from handlerkit.reports.plain import make_report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.hooks.specs import ExcInfo, Handler
    from handlerkit.plan import Report


class TextLog:
    """Write each exception's traceback to the handler's stderr.

    In every kit unasked, last on log_exception; ``[plugins.text-log]`` with
    ``enabled = false`` takes it out.
    """

    @hookimpl(trylast=True)
    def log_exception(
        self, handler: Handler, exc_info: ExcInfo, report: Report | None
    ) -> None:
        """Write the report's text, and flush."""
        if report is None:
            report = make_report(exc_info, handler.traceback_limit)
        stderr = handler.get_stderr()
        stderr.write(report.text)
        stderr.flush()
