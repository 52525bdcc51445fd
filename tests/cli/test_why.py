"""`handlerkit why`: who is called, in which order, and why in this one."""

import contextlib
import io
import json
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handlerkit
from handlerkit import hookimpl
from handlerkit.cli.main import run
from handlerkit.kit.explaining import DEFAULTS, KINDS
from handlerkit.plan import HOOKS

MODULE = "plugins_of_why"


def told(*arguments):
    """Run the command; give what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert run(["why", *arguments]) == 0
    return output.getvalue()


# --- the order is the plan's -------------------------------------------------


def plugin_of(hook, name, wrapper, options, log):
    """Make a class with one implementation, which logs that it was called."""

    def plainly(self):
        log.append(name)

    def around(self):
        log.append(name)
        return (yield)

    function = hookimpl(wrapper=wrapper, specname=hook.name, **options)(
        around if wrapper else plainly
    )
    return type(name, (), {"implementation": function})


@st.composite
def configurations(draw):
    hook = draw(st.sampled_from(list(HOOKS.values())))
    plugins = [
        (
            f"p{number}",
            hook.kind != "observe" and draw(st.booleans()),
            draw(st.sampled_from([{}, {"tryfirst": True}, {"trylast": True}])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    names = draw(st.permutations([name for name, _, _ in plugins]))
    split = draw(st.integers(0, len(names)))
    until = draw(st.integers(split, len(names)))
    asked = draw(st.booleans())
    return hook, plugins, names[:split], names[split:until], asked


def toml_of(hook, plugins, order, exclude, *, asked):
    tables = [f'[plugins.{name}]\nuse = "{MODULE}:{name}"\n' for name, _, _ in plugins]
    if asked:  # in the file, but not at its end
        tables.insert(0, "[plugins.text-log]\nenabled = false\n")
    table = f"[hooks.{hook.name}]\norder = {order}\nexclude = {exclude}\n"
    return "\n".join([*tables, table.replace("'", '"')])


class Owner:
    environ = None

    def plugin_failed(self, hook, plugin, exc):
        """The one of text-log, which has no handler here."""

    def undo_start(self):
        pass


@settings(max_examples=150, deadline=None)
@given(configurations())
def test_what_is_printed_is_the_order_of_the_real_calls(case):
    hook, plugins, order, exclude, asked = case
    log = []
    module = sys.modules[MODULE] = ModuleType(MODULE)
    for name, wrapper, options in plugins:
        kind = plugin_of(hook, name, wrapper, options, log)
        kind.__module__ = MODULE
        setattr(module, name, kind)
    path = f"{DIRECTORY.name}/handlerkit.toml"
    with open(path, "w") as file:  # noqa: PTH123 - a name
        file.write(toml_of(hook, plugins, order, exclude, asked=asked))

    lines = told(hook.name, "--config", path).splitlines()[1:-1]
    rows = json.loads(told(hook.name, "--json", "--config", path))
    chain = getattr(handlerkit.load(path, app=lambda *_: []).plan, hook.name)
    if chain is not None:
        chain(Owner(), *HOOKS[hook.name].arguments[1:])

    printed = [line.split()[1] for line in lines if not line.startswith("-")]
    assert [name for name in printed if name != "text-log"] == log
    assert printed == [row["plugin"] for row in rows["called"]]
    assert printed[-1:] == ["text-log"] or asked or hook.name != "log_exception"
    left = [line.split()[1] for line in lines if line.startswith("-")]
    assert left == [row["plugin"] for row in rows["not_called"]]
    assert sorted(name for name in left if name != "text-log") == sorted(exclude)


@pytest.fixture(autouse=True, scope="module")
def directory(tmp_path_factory):
    DIRECTORY.name = str(tmp_path_factory.mktemp("why"))
    yield
    sys.modules.pop(MODULE, None)


class DIRECTORY:
    """Of the files of all examples; hypothesis takes no fixture of a function."""

    name = ""


# --- reasons -----------------------------------------------------------------

PLUGINS = """
from handlerkit import hookimpl


class Plain:
    @hookimpl
    def log_exception(self):
        pass

    @hookimpl
    def setup_environ(self):
        pass


class First:
    @hookimpl(tryfirst=True)
    def log_exception(self):
        pass


class Last:
    @hookimpl(trylast=True)
    def log_exception(self):
        pass


class Around:
    @hookimpl(wrapper=True)
    def setup_environ(self):
        return (yield)
"""
CONFIG = """\
[plugins.last]
use = "./plugins.py:Last"

[plugins.plain]
use = "./plugins.py:Plain"
on_error = "skip"

[plugins.named]
use = "./plugins.py:Plain"

[plugins.first]
use = "./plugins.py:First"

[plugins.out]
use = "./plugins.py:Plain"

[plugins.around]
use = "./plugins.py:Around"

[plugins.off]
use = "./plugins.py:Plain"
enabled = false

[plugins.gone]
required = false

[plugins.access-log]
enabled = false

[hooks.log_exception]
order = ["named"]
exclude = ["out"]
"""


@pytest.fixture
def why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "plugins.py").write_text(PLUGINS)

    def why(hook, *options, config=CONFIG):
        (tmp_path / "handlerkit.toml").write_text(config)
        return [" ".join(line.split()) for line in told(hook, *options).splitlines()]

    return why


def test_each_place_has_its_reason_and_the_line_that_is_it(why):
    lines = why("log_exception")

    assert lines[0].startswith("log_exception (observe): all are called")
    assert lines[1:6] == [
        "1 named order in [hooks.log_exception] (handlerkit.toml:31)",
        (
            "2 first tryfirst: before the rest, the first of the file first "
            "(handlerkit.toml:11)"
        ),
        "3 plain its place in the file (handlerkit.toml:4)",
        (
            "4 last trylast: after the rest, the first of the file last "
            "(handlerkit.toml:1)"
        ),
        "5 text-log built in, there unasked: after all the rest",
    ]
    assert lines[6] == "- out excluded in [hooks.log_exception] (handlerkit.toml:32)"
    assert lines[-1].startswith("default where none of them is")


def test_who_is_not_there_is_told_if_it_may_implement_the_hook(why):
    """access-log is our own: that it does not is known."""
    off, gone = why("log_exception")[7:9]

    assert off == "- off disabled (handlerkit.toml:20)"
    assert gone.startswith('- gone failed: no plugin "gone"')
    assert gone.endswith("(handlerkit.toml:24)")
    assert any("access-log" in line for line in why("request_finished"))


def test_wrappers_are_around_the_others_and_skipping_is_told(why):
    lines = why("setup_environ")

    assert lines[1] == "around around its place in the file (handlerkit.toml:17)"
    assert lines[2].endswith('(handlerkit.toml:4), on_error = "skip"')
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["1", "plain"],
        ["2", "named"],
        ["3", "out"],
    ]


def test_an_override_that_takes_the_hook_off_is_told(why, tmp_path):
    (tmp_path / "own_of_why.py").write_text(
        "import handlerkit\n"
        "class Handler(handlerkit.SimpleHandler):\n"
        "    def log_exception(self, exc_info):\n        pass\n"
    )

    config = f'[handler]\nclass = "own_of_why:Handler"\n{CONFIG}'
    lines = why("log_exception", config=config)

    assert lines[1] == (
        "nobody Handler.log_exception overrides it, and does not call super()"
    )
    assert not any(line.startswith("nobody") for line in why("log_exception"))


def test_in_pyproject_the_lines_are_those_of_pyproject(why, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "\n\n[tool.handlerkit.plugins.request-id]\n"
    )

    lines = why("response_starting", "--config", "pyproject.toml")

    assert lines[1] == "1 request-id its place in the file (pyproject.toml:3)"


def test_a_hook_that_nobody_implements_has_its_default(why):
    assert why("get_scheme", config="") == [
        "get_scheme (answer): asked in this order, until one answers other than None",
        f"default {DEFAULTS['get_scheme']}",
    ]


def test_without_plugins_the_handler_logs(why, monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")

    assert why("log_exception")[-1] == (
        "default the handler writes the traceback to wsgi.errors"
    )


def test_no_application_is_needed(why):
    assert why("sendfile", config='[app]\ntarget = "none:none"\n')


def test_every_hook_and_kind_is_explained():
    assert DEFAULTS.keys() == HOOKS.keys()
    assert KINDS.keys() == {hook.kind for hook in HOOKS.values()}


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("log_exceptoin", 'no hook "log_exceptoin": did you mean "log_exception"?'),
        ("setup-environ", 'did you mean "setup_environ"?'),
        ("x", "the hooks are add_cgi_vars, "),
    ],
)
def test_a_hook_that_is_none_is_wrong_use(capsys, hook, said):
    with pytest.raises(SystemExit, match="2"):
        run(["why", hook])

    assert said in capsys.readouterr().err


def test_two_functions_of_one_plugin_on_one_hook_are_two_candidates(why, tmp_path):
    (tmp_path / "twice.py").write_text(
        "from handlerkit import hookimpl\n"
        "class Twice:\n"
        "    @hookimpl\n    def get_scheme(self): pass\n"
        "    @hookimpl(specname='get_scheme')\n    def again(self): pass\n"
    )
    config = '[plugins.twice]\nuse = "./twice.py:Twice"\n'

    lines = why("get_scheme", config=config)

    assert [line.split()[:2] for line in lines[1:3]] == [["1", "twice"], ["2", "twice"]]
    functions = json.loads(told("get_scheme", "--json"))["called"]
    assert {row["function"] for row in functions} == {
        "twice.py:Twice.get_scheme",
        "twice.py:Twice.again",
    }
