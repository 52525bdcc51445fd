"""The plan: pluggy's answers from plain callables, and what happens on failure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pluggy import PluginManager

from handlerkit.hooks import specs
from handlerkit.hooks.markers import PROJECT, hookimpl
from handlerkit.hooks.registry import Named, resolve
from handlerkit.plan import BARE, HOOKS, Impl, Outcome, Plan, Report, compile_plan


class Owner:
    """A handler, as far as a plan knows one."""

    def __init__(self):
        self.failed = []
        self.undone = 0

    def plugin_failed(self, hook, plugin, exc):
        self.failed.append((hook, plugin, exc))

    def undo_start(self):
        self.undone += 1


@pytest.fixture
def owner():
    return Owner()


# --- plan ≡ pluggy -----------------------------------------------------------


def plugin_of(hook, drawn, log):
    """Build a plugin with one implementation, which logs what it was given."""
    name, taken, defaulted, answer, wrapper, options = drawn
    parameters = [*taken, *(f"{each}='default'" for each in defaulted)]
    names = ", ".join(f"{each!r}: {each}" for each in [*taken, *defaulted])
    body = (
        f"    log(({name!r}, {{{names}}}))\n"
        + ("    result = yield\n" if wrapper else "    result = None\n")
        + f"    log(({name!r}, result))\n"
        + "    return result if answer == 'pass' else answer\n"
    )
    scope = {"log": log.append, "answer": answer}
    exec(f"def {hook.name}({', '.join(parameters)}):\n{body}", scope)
    marked = hookimpl(wrapper=wrapper, **options)(scope[hook.name])
    return Named(name, SimpleNamespace(**{hook.name: marked}))


@st.composite
def implementations(draw):
    hook = draw(st.sampled_from(list(HOOKS.values())))
    falsy = [] if hook.name == "sendfile" else [0, "", False]
    drawn = []
    for number in range(draw(st.integers(0, 6))):
        arguments = draw(st.permutations([*hook.arguments, "unknown"]))
        split = draw(st.integers(0, len(arguments)))
        until = draw(st.integers(split, len(arguments)))
        drawn.append(
            (
                f"plugin{number}",
                [each for each in arguments[:split] if each != "unknown"],
                arguments[split:until],
                # sendfile declines by anything false; the others by None only.
                draw(st.sampled_from(["pass", None, "answer", 7, *falsy])),
                hook.kind != "observe" and draw(st.booleans()),
                draw(st.sampled_from([{}, {"tryfirst": True}, {"trylast": True}])),
            )
        )
    return hook, drawn


def call_pluggy(hook, plugins, given):
    manager = PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    for named in reversed(plugins):
        manager.register(named.plugin, named.name)
    manager.check_pending()
    return getattr(manager.hook, hook.name)(**given)


def call_plan(hook, plugins, given):
    chain = getattr(compile_plan(resolve(plugins)), hook.name)
    return None if chain is None else chain(*given.values())


@settings(max_examples=300, deadline=None)
@given(implementations())
def test_a_plan_calls_and_answers_as_pluggy_does(case):
    hook, drawn = case
    said = []
    for call in (call_pluggy, call_plan):
        log = []
        plugins = [plugin_of(hook, each, log) for each in drawn]
        given = dict.fromkeys(hook.arguments, "given")
        given["handler"] = Owner()
        result = call(hook, plugins, given)
        if hook.kind != "answer" and not any(each[4] for each in drawn):
            result = None  # nobody looks at what observers and enrichers return
        said.append((result, repr(log).replace(repr(given["handler"]), "handler")))
    assert said[0] == said[1]


# --- when an implementation raises -------------------------------------------


def raising(*_):
    raise ZeroDivisionError


def impl(hook, plugin, function, **options):
    return Impl(hook, plugin, function, HOOKS[hook].arguments, **options)


ENRICH = [name for name, hook in HOOKS.items() if hook.kind == "enrich"]
OBSERVE = [name for name, hook in HOOKS.items() if hook.kind == "observe"]
ANSWER = [
    name
    for name, hook in HOOKS.items()
    if hook.kind == "answer" and name != "error_output"
]


def call(plan, hook, owner):
    return getattr(plan, hook)(owner, *HOOKS[hook].arguments[1:])


@pytest.mark.parametrize("hook", ENRICH)
def test_an_enricher_that_raises_fails_the_exchange(hook, owner):
    ran = []
    plan = compile_plan(
        [
            impl(hook, "first", lambda *_: ran.append("first")),
            impl(hook, "bad", raising),
            impl(hook, "last", lambda *_: ran.append("last")),
        ]
    )
    with pytest.raises(ZeroDivisionError):
        call(plan, hook, owner)
    assert ran == ["first"]


@pytest.mark.parametrize("hook", ENRICH)
def test_an_enricher_to_be_skipped_is_noted_and_the_next_one_runs(hook, owner):
    ran = []
    plan = compile_plan(
        [
            impl(hook, "bad", raising, skip_errors=True),
            impl(hook, "last", lambda *_: ran.append("last")),
        ]
    )
    call(plan, hook, owner)
    assert ran == ["last"]
    assert [(h, p, type(exc)) for h, p, exc in owner.failed] == [
        (hook, "bad", ZeroDivisionError)
    ]


def test_skipping_does_not_hold_back_what_is_no_error(owner):
    def interrupted(*_):
        raise KeyboardInterrupt

    plan = compile_plan([impl("setup_environ", "bad", interrupted, skip_errors=True)])
    with pytest.raises(KeyboardInterrupt):
        call(plan, "setup_environ", owner)


@pytest.mark.parametrize("hook", ANSWER)
def test_an_answer_that_raises_fails_the_exchange(hook, owner):
    plan = compile_plan(
        [impl(hook, "bad", raising), impl(hook, "next", lambda *_: "answer")]
    )
    with pytest.raises(ZeroDivisionError):
        call(plan, hook, owner)


@pytest.mark.parametrize("hook", OBSERVE)
@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_observers_are_isolated_whatever_one_raises(hook, kind, owner):
    ran = []

    def bad(*_):
        raise kind

    plan = compile_plan(
        [
            impl(hook, "bad", bad),
            impl(hook, "next", lambda *_: ran.append("next")),
            impl(hook, "worse", bad),
            impl(hook, "last", lambda *_: ran.append("last")),
        ]
    )
    call(plan, hook, owner)
    assert ran == ["next", "last"]
    assert [plugin for _, plugin, _ in owner.failed] == ["bad", "worse"]


def test_an_error_page_that_raises_is_undone_and_the_next_one_asked(owner):
    plan = compile_plan(
        [
            impl("error_output", "bad", raising),
            impl("error_output", "good", lambda *_: [b"page"]),
        ]
    )
    assert call(plan, "error_output", owner) == [b"page"]
    assert owner.undone == 1
    assert [plugin for _, plugin, _ in owner.failed] == ["bad"]


def test_a_generator_that_raises_before_its_first_bytes_has_raised(owner):
    closed = []

    def lazy(*_):
        yield b""
        raise ValueError

    def good(*_):
        try:
            yield b""
            yield b"pa"
            yield b"ge"
        finally:
            closed.append(True)

    plan = compile_plan(
        [impl("error_output", "bad", lazy), impl("error_output", "good", good)]
    )
    page = call(plan, "error_output", owner)

    assert [plugin for _, plugin, _ in owner.failed] == ["bad"]
    assert owner.undone == 1
    assert next(iter(page)) == b"pa"
    page.close()
    assert closed == [True]
    assert list(call(plan, "error_output", owner)) == [b"pa", b"ge"]


def test_a_generator_that_gives_nothing_is_an_empty_page(owner):
    plan = compile_plan([impl("error_output", "empty", lambda *_: (_ for _ in ()))])

    assert list(call(plan, "error_output", owner)) == []
    assert owner.undone == 0


def test_a_page_that_declines_after_start_response_is_undone(owner):
    plan = compile_plan([impl("error_output", "shy", lambda *_: None)])
    assert call(plan, "error_output", owner) is None
    assert owner.undone == 1


def test_a_sendfile_that_says_false_declines(owner):
    plan = compile_plan(
        [
            impl("sendfile", "no", lambda *_: False),
            impl("sendfile", "yes", lambda *_: True),
        ]
    )
    assert call(plan, "sendfile", owner) is True


# --- wrappers ----------------------------------------------------------------


def test_a_wrapper_sees_what_is_raised_and_may_answer_instead(owner):
    def wrapper(handler, environ):
        with pytest.raises(ZeroDivisionError):
            yield
        return "https"

    plan = compile_plan(
        [
            impl("get_scheme", "around", wrapper, wrapper=True),
            impl("get_scheme", "bad", raising),
        ]
    )
    assert call(plan, "get_scheme", owner) == "https"


def test_an_outer_wrapper_sees_what_an_inner_one_raises(owner):
    seen = []

    def outer(handler, environ):
        try:
            return (yield)
        except LookupError as exc:
            seen.append(exc)
            raise

    def inner(handler, environ):
        yield
        raise LookupError

    plan = compile_plan(
        [
            impl("get_scheme", "outer", outer, wrapper=True),
            impl("get_scheme", "inner", inner, wrapper=True),
        ]
    )
    with pytest.raises(LookupError):
        call(plan, "get_scheme", owner)
    assert len(seen) == 1


def test_wrappers_already_begun_end_when_the_next_one_fails_to_begin(owner):
    ended = []

    def outer(handler, environ):
        try:
            return (yield)
        finally:
            ended.append("outer")

    def inner(handler, environ):
        raise ZeroDivisionError
        yield

    plan = compile_plan(
        [
            impl("get_scheme", "outer", outer, wrapper=True),
            impl("get_scheme", "inner", inner, wrapper=True),
        ]
    )
    with pytest.raises(ZeroDivisionError):
        call(plan, "get_scheme", owner)
    assert ended == ["outer"]


def never_yields(handler, environ):
    if handler is None:
        yield


def yields_twice(handler, environ):
    yield
    yield


@pytest.mark.parametrize("wrapper", [never_yields, yields_twice])
def test_a_wrapper_that_does_not_yield_once_is_an_error(wrapper, owner):
    plan = compile_plan([impl("get_scheme", "around", wrapper, wrapper=True)])
    with pytest.raises(RuntimeError, match="must yield once"):
        call(plan, "get_scheme", owner)


# --- the values --------------------------------------------------------------


def test_the_bare_plan_has_no_hook():
    assert [getattr(BARE, name) for name in HOOKS] == [None] * len(HOOKS)


def test_a_hook_that_nobody_implements_is_none_but_no_logger_means_no_log(owner):
    plan = compile_plan([])
    assert [name for name in HOOKS if getattr(plan, name)] == ["log_exception"]
    assert call(plan, "log_exception", owner) is None


def test_a_single_full_implementation_is_called_without_anything_in_between():
    def function(handler, environ):
        pass

    plan = compile_plan([impl("setup_environ", "only", function)])
    assert plan.setup_environ is function


def test_a_plan_is_immutable():
    with pytest.raises(AttributeError):
        Plan().get_scheme = raising


def test_a_plan_knows_who_is_called_in_order():
    first = impl("setup_environ", "first", raising)
    second = impl("setup_environ", "second", raising)
    plan = compile_plan([first, second])
    assert plan.impls == {"setup_environ": (first, second)}
    assert repr(plan) == "Plan({'setup_environ': ['first', 'second']})"


def test_a_report_makes_its_text_once_when_it_is_read():
    made = []
    report = Report(
        "id",
        "ZeroDivisionError",
        lambda: made.append(1) or SimpleNamespace(text="text\n"),
    )
    assert made == []
    assert [report.text, report.text] == ["text\n", "text\n"]
    assert made == [1]
    assert repr(report) == "Report('id', ZeroDivisionError)"


def test_a_report_not_read_in_its_exchange_has_only_id_and_type():
    report = Report("id", "ValueError", lambda: pytest.fail("it was released"))
    report.release()
    assert report.text == "ValueError: not read in time\n"
    assert (report.message, report.frames, report.fingerprint) == ("", (), "")
    assert report.to_dict()["id"] == "id"


def test_an_outcome_says_how_an_exchange_ended():
    outcome = Outcome(
        kind="ok",
        status="200 OK",
        bytes_sent=5,
        started=0.0,
        first_byte=0.1,
        duration=0.2,
    )
    assert repr(outcome) == "Outcome('ok', '200 OK', 5)"
    assert outcome.report_id is None
