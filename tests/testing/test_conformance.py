"""The conformance class: good plugins pass, and each check can fail."""

import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from handlerkit import hookimpl
from handlerkit.builtin import BUILTINS
from handlerkit.errors import HandlerkitError
from handlerkit.testing import PluginConformance

CHECKS = [name for name in vars(PluginConformance) if name.startswith("test_")]


def check(name, plugin, **attributes):
    """Run one check of a class for a plugin, as an author would have written it."""
    kind = type("TestIt", (PluginConformance,), {"plugin": plugin, **attributes})
    getattr(kind(), name)()


class Good:
    @hookimpl
    def setup_environ(self, environ):
        environ["good.was_here"] = "yes"


class Mistyped:
    @hookimpl
    def setup_enviro(self, environ):
        pass


class Undocumented:
    class Settings(BaseModel):
        colour: str = "blue"

    def __init__(self, settings):
        pass

    def start(self):
        pass


class Redirects:
    @hookimpl
    def setup_environ(self, environ):
        environ["PATH_INFO"] = "/elsewhere"


class BadInCgi:
    @hookimpl
    def response_starting(self, handler, headers):
        if not handler.origin_server:
            headers.append(("Content-Length", "1"))


class ForgetsHead:
    @hookimpl
    def setup_environ(self, environ):
        environ["REQUEST_METHOD"] = "GET"


class Tells:
    @hookimpl
    def error_output(self, start_response):
        start_response("500 Oh", [("Content-Type", "text/plain")])
        return [str(sys.exc_info()[1]).encode()]


class FailsOnce:
    """Fails with the second error: its state is spoilt by the first."""

    def __init__(self):
        self.seen = set()

    @hookimpl
    def log_exception(self, exc_info):
        if exc_info[0] in self.seen:
            raise KeyError("twice")
        self.seen.add(exc_info[0])


class KnowsNoAborts:
    @hookimpl
    def request_finished(self, outcome):
        return {"ok": 1, "error": 2}[outcome.kind]


class KnowsNoHandedErrors:
    @hookimpl
    def log_exception(self, report):
        return {"before headers": 1, "after headers": 2}[report.phase]


class KnowsNoInterrupts:
    @hookimpl
    def log_exception(self, exc_info):
        if not isinstance(exc_info[1], Exception):
            raise TypeError


class Always500:
    @hookimpl
    def error_output(self, start_response):
        start_response("500 Always", [("Content-Type", "text/plain")])
        return [b"sorry"]


class TrustsEnviron:
    @hookimpl
    def log_exception(self, handler):
        return handler.environ["PATH_INFO"]


class Shares:
    """Keeps of one exchange what another one sends."""

    last = ""

    @hookimpl
    def response_starting(self, handler, headers):
        headers.append(("X-Last", self.last))
        self.last = handler.environ["PATH_INFO"]


class NeedsItself:
    @hookimpl
    def setup_environ(self, environ):
        environ["mine"] = "here"

    @hookimpl
    def request_finished(self, handler):
        return handler.environ["mine"] if handler.environ else None

    @hookimpl
    def log_exception(self, handler):
        return handler.environ["mine"]


class TellsWhenTheLogFails:
    @hookimpl
    def error_output(self, handler, start_response):
        exc = sys.exc_info()[1]
        try:
            handler.get_stderr().write("sorry")
        except OSError:
            start_response("500 Oh", [("Content-Type", "text/plain")])
            return [str(exc).encode()]
        return None


class ClosesOnce:
    def start(self):
        self.means = [1]

    def close(self):
        self.means.pop()


class NeverStartsAgain:
    closed = False

    @hookimpl
    def setup_environ(self):
        if self.closed:
            raise ValueError("I am closed")

    def close(self):
        self.closed = True


BAD = [
    ("test_it_loads_without_a_mistake", Mistyped, "setup_environ"),
    ("test_its_settings_are_documented", Undocumented, "colour"),
    ("test_what_an_application_answers_arrives", Redirects, "/elsewhere"),
    ("test_what_an_application_answers_arrives", BadInCgi, "longer than its"),
    ("test_head_is_answered_without_a_body", ForgetsHead, "HEAD has a body"),
    ("test_an_error_before_the_headers_is_answered", Tells, "kept-from-clients"),
    ("test_an_error_before_the_headers_is_answered", FailsOnce, "twice"),
    ("test_an_error_after_the_headers_is_visible", KnowsNoAborts, "'aborted'"),
    (
        "test_an_error_that_the_application_deals_with_stays_its_own",
        KnowsNoHandedErrors,
        "'handed to start_response'",
    ),
    ("test_an_interrupt_passes_on", KnowsNoInterrupts, "TypeError"),
    ("test_a_request_that_is_refused_keeps_its_status", Always500, "500 Always"),
    (
        "test_an_error_before_there_is_an_environ_is_answered",
        TrustsEnviron,
        "PATH_INFO",
    ),
    ("test_threads_do_not_mix", Shares, "found in exchange-"),
    ("test_other_plugins_may_fail", NeedsItself, "mine"),
    ("test_the_log_may_fail", TellsWhenTheLogFails, "kept-from-clients"),
    ("test_it_starts_and_closes_again", ClosesOnce, "pop from empty list"),
    ("test_it_starts_and_closes_again", NeverStartsAgain, "I am closed"),
    ("test_its_import_is_cheap", Good, "pydantic"),  # this module imports it
]


@pytest.mark.parametrize(
    ("name", "plugin", "said"), BAD, ids=[f"{n}-{p.__name__}" for n, p, _ in BAD]
)
def test_a_check_finds_the_plugin_that_breaks_its_promise(name, plugin, said):
    with pytest.raises((AssertionError, HandlerkitError, IndexError), match=said):
        check(name, plugin)


def test_each_check_is_seen_to_fail():
    assert {name for name, *_ in BAD} == set(CHECKS)


def test_each_check_is_explained():
    page = Path(__file__).parent.parent.parent / "docs/how-to/test-a-plugin.md"
    text = page.read_text(encoding="utf-8")

    assert [name for name in CHECKS if f"| `{name}` | " not in text] == []
    assert f"{len(CHECKS)} passed in" in text


@pytest.mark.parametrize("name", CHECKS)
def test_a_good_plugin_passes(name):
    check(name, Good, dear_imports=())


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("plugin", BUILTINS)
def test_what_handlerkit_brings_along_conforms(plugin, name):
    check(name, plugin)


def test_settings_other_tables_and_the_request_are_as_given():
    with pytest.raises(HandlerkitError, match="HK308"):
        check(CHECKS[0], Good, settings={"colour": "blue"})
    with pytest.raises(HandlerkitError, match="HK"):
        check(CHECKS[0], Good, tables={"handler": {"colour": "blue"}})
    check(
        "test_what_an_application_answers_arrives",
        "request-id",
        request={"headers": {"X-Request-Id": "mine"}},
    )


def test_a_module_is_a_plugin_too(tmp_path, monkeypatch):
    (tmp_path / "stopwatch_of_tests.py").write_text(
        "from handlerkit import hookimpl\n"
        "@hookimpl\n"
        "def setup_environ(environ):\n"
        "    environ['x'] = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    import stopwatch_of_tests

    for plugin in (stopwatch_of_tests, "./stopwatch_of_tests.py"):
        for name in CHECKS:
            check(name, plugin)


def test_a_dear_package_around_a_cheap_module_is_found(tmp_path, monkeypatch):
    package = tmp_path / "dear_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("import pluggy\n")
    (package / "cheap.py").write_text("class Plugin:\n    def start(self): pass\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(AssertionError, match="imports pluggy"):
        check("test_its_import_is_cheap", "dear_of_tests.cheap:Plugin")


def test_a_module_that_needs_its_importer_is_found(tmp_path, monkeypatch):
    (tmp_path / "lone_of_tests.py").write_text(
        "import sys\nassert 'pytest' in sys.modules\n"
        "class Plugin:\n    def start(self): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(AssertionError, match="cannot be imported alone"):
        check("test_its_import_is_cheap", "lone_of_tests:Plugin")


def test_a_check_may_be_left_out():
    kind = type("TestIt", (PluginConformance,), {CHECKS[0]: None})

    assert getattr(kind, CHECKS[0]) is None


def test_safe_mode_is_told(monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")

    with pytest.raises(AssertionError, match="HANDLERKIT_SAFE"):
        check("test_it_loads_without_a_mistake", Good)
