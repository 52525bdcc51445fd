"""`trace`: what each hook implementation did in one exchange.

A plan of the same calls, each implementation inside a function that notes it: the
time, what it gave or raised, and what it changed. Arguments, results and exceptions
are handed on as they are. The application is not wrapped: its tracebacks would show it.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from handlerkit.kit.exchanging import Answer, drive
from handlerkit.plan import BARE, HOOKS, Impl, Plan, compile_plan
from handlerkit.reports.rules import SHORTEST
from handlerkit.reports.showing import SECONDS, class_name, in_time, plainly_said, said

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, TypeAlias

    from handlerkit.kit.assembly import Kit
    from handlerkit.plan import Outcome, Report
    from handlerkit.reports.redaction import Redactor

    # The name, and the value before and after: None where it was, or is, not there.
    Change: TypeAlias = tuple[str, Any, Any]

_OURS = "handlerkit.trace"
_NOTHING = object()


class Step:
    """One call of one implementation, or, with ``hook`` "", of the application.

    ``verdict`` is ``"ran"``, ``"answered"``, ``"declined"``, ``"wrapped"`` or
    ``"raised"``; ``seconds`` is the time of the call, with all that it called;
    ``depth`` says inside how many others it was.
    """

    def __init__(self, impl: Impl | None, depth: int) -> None:
        self.hook = "" if impl is None else impl.hook
        self.plugin = "" if impl is None else impl.plugin
        self.depth = depth
        self.verdict = "called"
        self.seconds: float | None = None
        self.raised = ""
        self.environ: list[Change] = []
        self.headers: list[Change] = []
        self._wraps = impl is not None and impl.wrapper

    def begin(self, handler: Any, headers: list[tuple[str, str]] | None) -> None:
        """Look at what may be changed, and start the clock."""
        self._handler, self._list = handler, headers
        self._environ = _copy(handler.environ)
        self._pairs = list(headers or ())
        self._started = perf_counter()

    def end(self, result: Any, exc: BaseException | None) -> dict[str, Any]:
        """Stop the clock, note what came of it; give environ as it is now."""
        self.seconds = perf_counter() - self._started
        self.verdict = self._verdict(result) if exc is None else "raised"
        self.raised = "" if exc is None else described(exc)
        after = _copy(self._handler.environ)
        self.environ = _changes(self._environ, after)
        self.headers = _header_changes(self._pairs, list(self._list or ()))
        del self._handler, self._list, self._environ, self._pairs
        return after

    def _verdict(self, result: Any) -> str:
        if self._wraps:
            return "wrapped"
        if HOOKS[self.hook].kind != "answer":
            return "ran"
        # False declines a file, as None does.
        declined = result is None or (self.hook == "sendfile" and not result)
        return "declined" if declined else "answered"

    def told(self, telling: Telling) -> dict[str, Any]:
        """Give all of it as values that JSON has, redacted."""
        return {
            "hook": self.hook or "application",
            "plugin": self.plugin,
            "depth": self.depth,
            "verdict": self.verdict,
            "seconds": self.seconds,
            "raised": telling.text(self.raised),
            "environ": [telling.change(*each) for each in self.environ],
            "headers": [telling.change(*each) for each in self.headers],
        }


class Trace:
    """What was seen of one exchange, in the order of its happening.

    ``answer`` is what the client got, ``raised`` what came out of the handler, None if
    nothing did; ``outcome`` is None where the handler did not end the exchange.
    """

    def __init__(self) -> None:
        self.answer = Answer()
        self.raised: BaseException | None = None
        self.steps: list[Step] = []
        self.outcome: Outcome | None = None
        self.reports: list[str] = []
        # All that environ ever held: its secrets are looked for in what is told.
        self.seen: dict[str, Any] = {}
        self._depth = 0

    def plan(self, plan: Plan) -> Plan:
        """Give a plan of the same calls, noted here."""
        own = Impl("request_finished", _OURS, self._end, ("outcome",))
        if plan is BARE:  # which leaves the log to the handler
            end = compile_plan([own]).request_finished
            return Plan({}, {"request_finished": end})
        impls = [self._noted(each) for impls in plan.impls.values() for each in impls]
        log = Impl("log_exception", _OURS, self._log, ("report",))
        return compile_plan([*impls, log, own])

    @contextmanager
    def watch(self, handler: Any) -> Iterator[None]:
        """Have a handler's next exchange noted."""
        handler.plan = self.plan(handler.plan)
        begin: Callable[[], None] = handler._begin  # noqa: SLF001 - a wrapped application would be in tracebacks

        def begin_noted() -> None:
            begin()
            self.seen.update(handler.environ)
            self.steps.append(Step(None, self._depth))

        handler._begin = begin_noted  # noqa: SLF001 - likewise
        yield

    def _log(self, report: Report | None) -> None:
        if report is not None:
            self.reports.append(report.id)

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if outcome.report_id and outcome.report_id not in self.reports:
            self.reports.append(outcome.report_id)  # of a request that was refused

    def _noted(self, impl: Impl) -> Impl:
        return Impl(
            impl.hook,
            impl.plugin,
            self._wrapper(impl) if impl.wrapper else self._function(impl),
            HOOKS[impl.hook].arguments,
            wrapper=impl.wrapper,
            skip_errors=impl.skip_errors,
        )

    def _function(self, impl: Impl) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            step, taken = self._begun(impl, args)
            try:
                result = impl.function(*taken)
            except BaseException as exc:
                self._done(step, exc=exc)
                raise
            self._done(step, result)
            return result

        return call

    def _wrapper(self, impl: Impl) -> Callable[..., Any]:
        def call(*args: Any) -> Generator[Any, Any, Any]:
            step, taken = self._begun(impl, args)
            try:
                result = yield from impl.function(*taken)
            except BaseException as exc:
                self._done(step, exc=exc)
                raise
            self._done(step, result)
            return result

        return call

    def _begun(self, impl: Impl, args: tuple[Any, ...]) -> tuple[Step, list[Any]]:
        """Note a call; give the step, and what the implementation takes."""
        given = dict(zip(HOOKS[impl.hook].arguments, args, strict=True))
        step = Step(impl, self._depth)
        self.steps.append(step)
        self._depth += 1
        taken = [given[name] for name in impl.arguments]
        step.begin(given["handler"], given.get("headers"))
        return step, taken

    def _done(
        self, step: Step, result: Any = None, exc: BaseException | None = None
    ) -> None:
        self._depth -= 1
        self.seen.update(step.end(result, exc))


def trace(kit: Kit, environ: dict[str, Any], body: bytes) -> Trace:
    """Have a started kit serve one request, and note its way through the hooks.

    Raises:
        KeyboardInterrupt: whoever watches wants no more.
    """
    noted = Trace()
    noted.seen.update(environ)
    try:
        drive(kit, noted.answer, environ, body, noted.watch)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - told, as all the rest
        noted.raised = exc
    return noted


def _copy(environ: Any) -> dict[str, Any]:
    return dict(environ) if isinstance(environ, dict) else {}


def described(exc: BaseException) -> str:
    """Say what was raised; an exception's own methods may be broken, or loop."""
    kind = class_name(type(exc))
    text = said(exc) if plainly_said(exc) else in_time(lambda: said(exc), SECONDS)
    return f"{kind}: {text}" if text else kind


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Give what is otherwise; what is no string is told apart by identity."""
    names = [*before, *(name for name in after if name not in before)]
    found = []
    for name in names:
        old, new = before.get(name, _NOTHING), after.get(name, _NOTHING)
        if old is new or (type(old) is type(new) is str and old == new):
            continue
        found.append((name, _value(old), _value(new)))
    return found


def _value(value: Any) -> Any:
    return None if value is _NOTHING else value


def _header_changes(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> list[Change]:
    """Give the pairs that went, and those that came."""
    came = list(after)
    went = []
    for pair in before:
        if pair in came:
            came.remove(pair)
        else:
            went.append(pair)
    return [
        *((str(name), value, None) for name, value in went),
        *((str(name), None, value) for name, value in came),
    ]


class Telling:
    """Redacts what is told of one exchange, by the rules of its kit.

    The query string is told as ``[redact] query`` has it, also where a plugin has
    copied it to.
    """

    def __init__(self, redactor: Redactor, seen: dict[str, Any], query: str) -> None:
        self._redaction = redactor.begin(seen)
        self._query = query
        self.query = self._redaction.query(query)

    def text(self, text: str, *, limit: int | None = -1) -> str:
        """Redact a text."""
        if text == self._query:
            return self.query
        if len(self._query) >= SHORTEST:  # what is shorter is in too many words
            text = text.replace(self._query, self.query)
        return self._redaction.text(text, limit=limit)

    def value(self, name: str, value: Any) -> Any:
        """Redact the value of a variable, or of a header; give what JSON has."""
        if value is None or (type(value) is str and value == self._query):
            return value and self.query
        if type(value) is str:
            value = self.text(value)
        told = self._redaction.data({name: value})
        return next(iter(told.values())) if isinstance(told, dict) else told

    def change(self, name: str, before: Any, after: Any) -> dict[str, Any]:
        """Redact one change."""
        return {
            "name": self.text(str(name)),
            "before": self.value(name, before),
            "after": self.value(name, after),
        }
