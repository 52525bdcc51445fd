"""Hook calls as they happen: a kit's plan, with each implementation watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.plan import BARE, HOOKS, Impl, compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from handlerkit.plan import Outcome, Plan, Report

_OURS = "handlerkit.testing"


class Call:
    """One call of one plugin for one hook.

    ``arguments`` are those that the plugin takes, by name; dicts and lists among them
    are copies, as they were before the call. ``result`` is what it gave, ``exception``
    what it raised.
    """

    __slots__ = ("arguments", "exception", "hook", "plugin", "result")

    def __init__(self, hook: str, plugin: str, arguments: dict[str, Any]) -> None:
        self.hook = hook
        self.plugin = plugin
        self.arguments = arguments
        self.result: Any = None
        self.exception: BaseException | None = None

    def __repr__(self) -> str:
        said = f"{self.plugin}.{self.hook}({', '.join(self.arguments)})"
        if self.exception is not None:
            return f"{said} raised {self.exception!r}"
        return said if self.result is None else f"{said} = {self.result!r:.60}"


class Notes:
    """What was seen of one exchange, inside; its handler carries it."""

    __slots__ = ("calls", "outcome", "report_ids", "reports")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.outcome: Outcome | None = None
        self.reports: dict[str, Report] = {}
        self.report_ids: list[str] = []


def watched(plan: Plan) -> Plan:
    """Give a plan of the same calls that notes each in the handler's `Notes`.

    A handler without ``testing_notes`` is served as by the plan itself.
    """
    if plan is BARE:
        return plan
    impls = [_watched(impl) for impls in plan.impls.values() for impl in impls]
    ours = [
        Impl("log_exception", _OURS, _note_report, ("handler", "report")),
        Impl(
            "request_finished",
            _OURS,
            _note_outcome,
            ("handler", "outcome"),
        ),
    ]
    return compile_plan([*impls, *ours])


def watch(handler: Any, plan: Plan) -> Notes:
    """Have a handler's next exchange noted; ``plan`` is a `watched` one."""
    notes = handler.testing_notes = Notes()
    handler.plan = plan
    make = handler.make_report
    if make is None:
        return notes

    def make_report(*args: Any) -> Report:
        # Twice: to read the plugin's own here would make it a report that was read.
        report: Report = make(*args)
        seen: Report = make(*args)
        seen.id, seen.duration = report.id, report.duration
        _ = seen.text
        notes.reports[report.id] = seen
        return report

    handler.make_report = make_report
    return notes


def _note_report(handler: Any, report: Report | None) -> None:
    notes = getattr(handler, "testing_notes", None)
    if notes is not None and report is not None:
        notes.report_ids.append(report.id)


def _note_outcome(handler: Any, outcome: Outcome) -> None:
    notes = getattr(handler, "testing_notes", None)
    if notes is not None:
        notes.outcome = outcome
        if outcome.report_id and outcome.report_id not in notes.report_ids:
            notes.report_ids.append(outcome.report_id)  # of a request refused


def _watched(impl: Impl) -> Impl:
    return Impl(
        impl.hook,
        impl.plugin,
        _wrapper(impl) if impl.wrapper else _plain(impl),
        HOOKS[impl.hook].arguments,
        wrapper=impl.wrapper,
        skip_errors=impl.skip_errors,
    )


def _plain(impl: Impl) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        taken, noted = _begun(impl, args)
        try:
            result = noted.result = impl.function(*taken)
        except BaseException as exc:
            noted.exception = exc
            raise
        return result

    return call


def _wrapper(impl: Impl) -> Callable[..., Any]:
    def call(*args: Any) -> Generator[Any, Any, Any]:
        taken, noted = _begun(impl, args)
        try:
            result = noted.result = yield from impl.function(*taken)
        except BaseException as exc:
            noted.exception = exc
            raise
        return result

    return call


def _begun(impl: Impl, args: tuple[Any, ...]) -> tuple[list[Any], Call]:
    """Give what the implementation takes, and the call, noted."""
    given = dict(zip(HOOKS[impl.hook].arguments, args, strict=True))
    taken = [given[name] for name in impl.arguments]
    noted = Call(
        impl.hook,
        impl.plugin,
        {
            name: value.copy() if isinstance(value, (dict, list)) else value
            for name, value in zip(impl.arguments, taken, strict=True)
        },
    )
    notes = getattr(given["handler"], "testing_notes", None)
    if notes is not None:
        notes.calls.append(noted)
    return taken, noted
