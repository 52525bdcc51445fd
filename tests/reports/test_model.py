"""What an exception has is in every renderer: text, and JSON."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import traceback
import tracemalloc
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


def noted(exception, *notes):
    for note in notes:
        exception.add_note(note)
    return exception


def caused():
    try:
        raise KeyError("the cause")
    except KeyError as exc:
        raise ValueError("the effect") from exc


def in_context():
    try:
        raise KeyError("the first")
    except KeyError:
        raise ValueError("the second")  # noqa: B904 - the context is the case


def hidden_context():
    try:
        raise KeyError("the first")
    except KeyError:
        raise ValueError("the second") from None


def grouped():
    raise ExceptionGroup("the group", [noted(ValueError("one"), "of one"), KeyError(2)])


def group_as_cause():
    try:
        grouped()
    except ExceptionGroup as exc:
        raise RuntimeError("outer") from exc


def groups_in_groups():
    raise ExceptionGroup(
        "1", [ExceptionGroup("2", [ExceptionGroup("3", [OSError(4)])])]
    )


def wide_group():
    raise ExceptionGroup("wide", [ValueError(n) for n in range(30)])


def noted_cause():
    try:
        raise noted(KeyError("the cause"), "a note on the cause")
    except KeyError as exc:
        raise ValueError("the effect") from exc


def several_notes():
    raise noted(ValueError("said"), "the first note", "the second note")


def failing_part():
    nothing = None
    return [1, 2] + nothing.attribute[3]


def bad_syntax():
    compile("a = (1 +* 2)", "some.py", "exec")


def misspelt():
    sys.exti  # noqa: B018 - newer Pythons suggest exit


def recursion():
    def again(n):
        if n == 0:
            raise ZeroDivisionError
        return again(n - 1)

    again(30)


def endless():
    def again():
        again()

    again()


FEATURES = {
    f.__name__: f
    for f in (
        *(caused, in_context, hidden_context, grouped, group_as_cause),
        *(groups_in_groups, wide_group, noted_cause, several_notes, failing_part),
        *(bad_syntax, misspelt, recursion),
    )
}


@pytest.mark.parametrize("limit", [None, 0, 1, 50])
@pytest.mark.parametrize("feature", FEATURES)
def test_the_text_is_as_python_prints_it(report, raised, feature, limit):
    exc_info = raised(FEATURES[feature])
    expected = "".join(traceback.format_exception(*exc_info, limit=limit))

    from handlerkit.reports.plain import make_report

    assert make_report(exc_info, limit).text == expected


WORDS = {
    "caused": ["the cause", "the effect", "KeyError", "ValueError"],
    "in_context": ["the first", "the second"],
    "hidden_context": ["the second"],
    "grouped": ["the group", "one", "of one", "KeyError"],
    "group_as_cause": ["outer", "the group", "one", "of one"],
    "groups_in_groups": ["OSError", "4"],
    "wide_group": ["wide", "14"],
    "noted_cause": ["a note on the cause"],
    "several_notes": ["the first note", "the second note"],
    "failing_part": ["^^^^", "nothing.attribute[3]", "failing_part"],
    "bad_syntax": ["a = (1 +* 2)", "^", "some.py"],
    "misspelt": ["no attribute 'exti'"],
    "recursion": ["ZeroDivisionError"],
}


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("render", ["text", "json"])
def test_a_feature_is_shown_by_each_renderer(report, render, feature):
    made = report(FEATURES[feature])
    shown = made.text if render == "text" else json.dumps(made.to_dict())
    assert [word for word in WORDS[feature] if word not in shown] == []
    if feature == "hidden_context":
        assert "the first" not in shown.replace('"the first"', "").replace(
            'KeyError("the first")', ""
        )


def test_json_has_the_shape_of_the_exception(report):
    found = report(group_as_cause).to_dict()["exception"]
    assert (found["type"], found["message"]) == ("RuntimeError", "outer")
    group = found["cause"]
    assert group["type"] == "ExceptionGroup"
    assert [each["message"] for each in group["exceptions"]] == ["one", "2"]
    assert group["exceptions"][0]["notes"] == ["of one"]
    frame = report(failing_part).to_dict()["exception"]["frames"][-1]
    assert frame["function"] == "failing_part"
    assert frame["module"] == __name__
    assert frame["source"].startswith("return [1, 2] + nothing.attribute[3]")
    assert frame["carets"].strip() == "^" * len("nothing.attribute")


def test_frames_are_those_of_the_exception(report):
    made = report(failing_part)
    assert [frame.function for frame in made.frames][-1] == "failing_part"
    assert Path(made.frames[-1].file) == Path(__file__)


def test_phase_request_and_duration_are_told(report):
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/caf\u00c3\u00a9",
        "QUERY_STRING": "page=2&user=bob",
        "wsgi.input": object(),
    }
    handler = SimpleNamespace(environ=environ, _started=(0.0, time.perf_counter()))
    found = report(grouped, handler=handler, phase="in close").to_dict()
    assert found["phase"] == "in close"
    assert found["request"] == {
        "method": "POST",
        "path": "/shop/caf\u00e9",
        "query": "page=[redacted]&user=[redacted]",
    }
    assert 0 <= found["duration"] < 60


class TestFingerprint:
    def test_it_does_not_depend_on_numbers_ids_and_quoted_values(self, report):
        def of(message):
            return report(ValueError(message)).fingerprint

        assert of("no user 12 in 'a b'") == of("no user 7899 in 'c'")
        assert of("at 0x7f12ab") == of("at 0x00ff")
        assert of("order 3f2b8c1d-1111-4222-8333-123456789abc") == of(
            "order 0000ffff-2222-4333-8444-cba987654321"
        )
        assert of("no user") != of("no order")
        assert report(KeyError("no user")).fingerprint != of("no user")

    def test_it_depends_on_the_function_of_the_application(self, report):
        def one():
            raise ValueError

        def other():
            raise ValueError

        assert report(one).fingerprint != report(other).fingerprint

    def test_libraries_count_where_nothing_else_is_there(self):
        from handlerkit.reports.fingerprints import _where

        tb = None
        for file, module in (
            (json.__file__, "json"),
            ("/v/site-packages/y.py", "inner"),
            ("/v/site-packages/x.py", "outer"),
            ("/app/site.py", "site"),
        ):
            code = SimpleNamespace(co_filename=file, co_qualname="call")
            frame = SimpleNamespace(f_code=code, f_globals={"__name__": module})
            tb = SimpleNamespace(tb_frame=frame, tb_next=tb)
        assert _where(tb) == "site:call"
        assert _where(tb.tb_next) == "inner:call"
        assert _where(tb.tb_next.tb_next.tb_next) == "json:call"
        assert _where(None) == ""

    def test_it_is_the_same_in_every_process_and_on_every_line(self, tmp_path):
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from handlerkit.reports.plain import make_report\n"
            "import shop\n"
            "try: shop.cart('x' * 3)\n"
            "except Exception: print(make_report(sys.exc_info(), None).fingerprint)\n"
        )
        found = set()
        for index, blank in enumerate(("", "\n\n\n")):
            path = tmp_path / str(index)
            path.mkdir()
            (path / "shop.py").write_text(
                f"{blank}def cart(name):\n    raise LookupError(f'no {{name!r}}')\n"
            )
            env = {"PYTHONHASHSEED": str(index), "PYTHONPATH": str(path)}
            python = [sys.executable, "-c", code]
            found.add(subprocess.check_output(python, text=True, env=env))
        assert len(found) == 1
        assert len(found.pop().strip()) == 16


class Watched(Exception):
    pass


@pytest.mark.parametrize("read", ["text", "frames", "fingerprint", "to_dict", None])
def test_a_report_that_was_read_or_released_holds_no_exception(report, read):
    gc.collect()
    gc.disable()
    try:
        exception = Watched("x")
        seen = weakref.ref(exception)
        made = report(exception)
        del exception
        if read is None:
            made.release()
        elif read == "to_dict":
            made.to_dict()
        else:
            getattr(made, read)
        gc.collect()
        assert seen() is None
        assert made.type.endswith("Watched")
    finally:
        gc.enable()


class TestBrief:
    """A report that is read without its frames."""

    def test_it_is_the_text_without_frames(self, report):
        exception = ExceptionGroup("two", [ValueError("a"), KeyError("b")])
        exception.__cause__ = LookupError("why\nso")
        brief, whole = report(exception), report(exception)

        assert "Traceback" in whole.text
        assert brief.brief == whole.brief
        assert "LookupError: why\n  | so\n" in brief.brief
        assert "    | KeyError: 'b'\n" in brief.brief
        assert "Traceback" not in brief.brief
        assert brief.fingerprint == whole.fingerprint
        assert (brief.message, brief.request_line) == (
            whole.message,
            whole.request_line,
        )

    def test_all_of_it_can_be_read_after_it(self, report):
        def one():
            raise ValueError("x")

        made, plain = report(one), report(one)

        assert made.brief == plain.brief == "ValueError: x\n"
        assert "Traceback" in made.text
        assert made.text.splitlines()[-1] == "ValueError: x"
        assert made.frames[-1].function.endswith("one")
        assert made.brief == "ValueError: x\n"

    def test_what_was_read_in_brief_stays_when_the_exchange_ends(self, report):
        exception = Watched("x")
        seen = weakref.ref(exception)
        made = report(exception)
        del exception
        said = made.brief
        made.release()
        gc.collect()

        assert seen() is None
        assert made.text == made.brief == said

    def test_what_was_not_read_is_gone_then(self, report):
        made = report(ValueError("x"))
        made.release()

        assert made.brief == "ValueError: not read in time\n"


class Raising(Exception):
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


class Exiting(Exception):
    def __str__(self):
        raise SystemExit(3)


class Looping(Exception):
    def __str__(self):  # noqa: PLE0307 - it never returns
        while True:
            pass


class Recursive(Exception):
    def __str__(self):
        return f"{self}"


class Huge(Exception):
    def __str__(self):
        return "x" * 10_000_000


class NoText(Exception):
    def __str__(self):
        return 3  # noqa: PLE0307 - that is the case


class RaisingNotes(Exception):
    @property
    def __notes__(self):
        raise ZeroDivisionError


class LoopingNotes(Exception):
    @property
    def __notes__(self):
        while True:
            pass


class HostileNotes(Exception):
    __notes__ = (Raising(), Looping(), "fine")


class HiddenCause(Exception):
    @property
    def __cause__(self):
        raise ZeroDivisionError


class Meta(type):
    @property
    def __module__(cls):
        raise ZeroDivisionError


class Argument:
    def __repr__(self):
        while True:
            pass


def many_members():
    raise ExceptionGroup("many", [ValueError(n) for n in range(20_000)])


def long_chain():
    exception = None
    for n in range(5000):
        following = ValueError(n)
        following.__cause__ = exception
        exception = following
    raise exception


def looping_members():
    raise ExceptionGroup("loops", [Looping() for _ in range(5)])


def circle():
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def many_notes():
    raise noted(ValueError("x"), *("a note" * 5000 for _ in range(2000)))


HOSTILE = {
    "raising": Raising(),
    "exiting": Exiting(),
    "looping": Looping(),
    "recursive": Recursive(),
    "huge": Huge(),
    "no text": NoText(),
    "raising notes": RaisingNotes(),
    "looping notes": LoopingNotes(),
    "hostile notes": HostileNotes(),
    "hidden cause": HiddenCause(),
    "looping argument": ValueError(Argument(), Argument()),
    "key": KeyError(Argument()),
    "surrogates": ValueError("a\udcffb"),
    "many members": many_members,
    "long chain": long_chain,
    "looping members": looping_members,
    "circle": circle,
    "many notes": many_notes,
    "endless recursion": endless,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_is_raised_the_report_is_there_soon_and_is_not_large(report, name):
    before = time.thread_time()
    made = report(HOSTILE[name])
    text = made.text
    line = json.dumps(made.to_dict())
    assert time.thread_time() - before < 10
    assert made.type in text
    assert "failing" in text or made.frames
    assert len(text) < 1_000_000
    assert len(line) < 2_000_000
    text.encode()


def test_a_class_whose_name_cannot_be_asked_for_is_unknown(report):
    class Odd(Exception, metaclass=Meta):
        pass

    assert report(Odd("x")).type == "<unknown>"


def test_memory_is_bounded(report):
    made = report(Huge())
    tracemalloc.start()
    made.text  # noqa: B018 - it is made now
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2_000_000


def test_a_debugger_is_put_back(report):
    before = sys.gettrace()

    def tracer(frame, event, argument):
        return None

    sys.settrace(tracer)
    try:
        report(Looping()).text  # noqa: B018
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_no_value_can_forge_a_line(report):
    forged = (
        'x\nerror 0000 [ffff] GET /\nTraceback (most recent call last):\r\x1b[31m\x85"'
        "\u202e\x00"
    )
    exc = noted(ValueError(forged), forged)
    lines = report(exc).text.splitlines()
    starts = [line for line in lines if line.startswith(("error", "Traceback"))]
    assert starts == ["Traceback (most recent call last):"]
    assert r"\r\x1b[31m\x85" in "".join(lines)
    assert all(char.isprintable() for line in lines for char in line)


def test_locals_are_off_unless_asked_for(report):
    def failing():
        shown_local = "visible"  # noqa: F841 - a local is the case
        raise ValueError

    assert "visible" not in report(failing).text.replace('= "visible"', "")
    frame = report(failing, locals=True).frames[-1]
    assert frame.locals == {"shown_local": '"visible"'}
    assert '    shown_local = "visible"\n' in report(failing, locals=True).text


def test_locals_are_short_and_their_methods_are_not_called(report):
    def failing():
        loops = Argument()
        deep = [[[[[[[[[[[[1]]]]]]]]]]]]
        wide = list(range(100_000))
        long = "x" * 1_000_000
        password = "hunter2-hunter2"
        return loops / deep, wide, long, password

    found = report(failing, locals=True).frames[-1].locals
    assert found["loops"].endswith('Argument>"')
    assert max(map(len, found.values())) <= 80
    assert found["password"] == '"[redacted]"'
    assert {"deep", "wide", "long"} <= set(found)


class Asked(Exception):
    """Not to be asked for its notes; so the model is made by hand."""

    @property
    def __notes__(self):
        raise ZeroDivisionError


def test_what_is_made_by_hand_has_its_chain_too(report):
    def failing():
        try:
            try:
                raise KeyError("the first")
            except KeyError:
                raise Asked("the second")  # noqa: B904 - the context is the case
        except Asked as exc:
            raise ExceptionGroup("the group", [Asked("a member")]) from exc

    text = report(failing).text
    for word in ("the first", "the second", "the group", "a member", "in failing"):
        assert word in text


def test_a_path_beyond_latin_1_is_shown_escaped(report):
    handler = SimpleNamespace(environ={"PATH_INFO": "/\u0142\udcff"})
    made = report(ValueError(), handler=handler)
    assert made.to_dict()["request"]["path"] == "/\u0142\\udcff"


def test_environ_may_hold_anything(report):
    for environ in (None, {}, {"REQUEST_METHOD": 3, "PATH_INFO": object()}):
        made = report(ValueError("x"), handler=SimpleNamespace(environ=environ))
        assert made.request_line == ""
        assert made.message == "x"
