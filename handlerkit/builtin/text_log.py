"""text-log: reports go to wsgi.errors, where the standard library has tracebacks."""

from __future__ import annotations

from time import monotonic

from handlerkit.hooks.markers import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.builtin.settings import TextLogSettings
    from handlerkit.hooks.specs import ExcInfo, Handler
    from handlerkit.plan import Report
    from handlerkit.reports.repeats import Repeat, Repeats


class TextLog:
    """Write each report to the handler's stderr: a line about it, and the traceback.

    In every kit unasked, last on log_exception; ``[plugins.text-log]`` with
    ``enabled = false`` takes it out. What is written is redacted, and no value can
    forge a line: all lines but those of the traceback itself are indented.

    Of a flood of errors from one and the same place, every one is written, with its
    own id, request and messages; but only the first ones of an interval with the
    frames, which are those of the report that the line about it names.
    """

    Settings = "handlerkit.builtin.settings:TextLogSettings"

    def __init__(self, settings: TextLogSettings) -> None:
        self._settings = settings
        self._repeats: Repeats | None = None

    @hookimpl(trylast=True)
    def log_exception(
        self, handler: Handler, exc_info: ExcInfo, report: Report | None
    ) -> None:
        """Write, and flush."""
        if report is None:
            from handlerkit.reports.plain import make_report  # only where one fails

            report = make_report(exc_info, handler.traceback_limit, handler)
        repeat = self._repeat(exc_info, report.id)
        # The text before the heading, which is then taken from the same reading.
        text = report.text if repeat is None else report.brief
        stderr = handler.get_stderr()
        stderr.write(f"{_heading(report, repeat)}\n{text}")
        stderr.flush()

    def _repeat(self, exc_info: ExcInfo, report_id: str) -> Repeat | None:
        """Say whether the frames are in the log already."""
        if self._repeats is None:
            # Only where one fails. Two threads may make one each: then some errors more
            # are told whole.
            from handlerkit.reports.repeats import Repeats

            settings = self._settings
            self._repeats = Repeats(settings.tracebacks, settings.interval)
        return self._repeats.met(exc_info, report_id, monotonic())


def _heading(report: Report, repeat: Repeat | None) -> str:
    """Give id, fingerprint and circumstances, in one line."""
    told = [report.request_line, report.phase]
    if report.duration is not None:
        told.append(f"after {report.duration:.3f} s")
    if repeat is not None:
        told.append(
            f"number {repeat.number} in {repeat.seconds:.1f} s with the frames of "
            f"error {repeat.like}"
        )
    about = ", ".join(each for each in told if each)
    return f"error {report.id} [{report.fingerprint}] {about}".rstrip()
