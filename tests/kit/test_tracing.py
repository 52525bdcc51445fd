"""`trace` sees what each implementation did, and changes nothing of it."""

import re
from contextlib import contextmanager

import pytest

from handlerkit.kit.exchanging import Answer, drive, request_environ
from handlerkit.kit.tracing import trace
from handlerkit.plan import HOOKS
from tests.conformance.app import FILE
from tests.conformance.cases import CASES

ENTRIES = ["handler", "cgi", "wsgi"]
# Of a process of its own, or of a client that goes away.
APART = ("/endless", "/stream", "/child", "/child-input", "/prints")
CONFORMANCE = '[app]\ntarget = "tests.conformance.app:application"\n'
PLUGINS = """
from handlerkit import hookimpl


class Witness:
    @hookimpl
    def add_cgi_vars(self, environ):
        environ["witness.first"] = "1"

    @hookimpl(wrapper=True)
    def setup_environ(self, environ):
        result = yield
        environ["witness.last"] = "1"
        return result

    @hookimpl
    def get_scheme(self):
        return None

    @hookimpl
    def response_starting(self, status, headers):
        headers.append(("X-Witness", status))

    @hookimpl
    def sendfile(self, handler, wrapper):
        return False

    @hookimpl
    def log_exception(self, report):
        raise OSError("nobody reads this")

    @hookimpl
    def error_output(self, start_response, report):
        start_response("500 Oops", [("X-Half", "done")])
        if "unprintable" in report.text:
            raise ValueError("no page")
        return None


class Page:
    @hookimpl
    def error_output(self, start_response):
        start_response("500 Oops", [("Content-Type", "text/plain")])
        yield b"a page"
"""
CONFIG = """
[plugins.witness]
use = "./plugins.py:Witness"

[plugins.page]
use = "./plugins.py:Page"
"""


def requests():
    """Give the requests of the conformance suite that one process can ask."""
    seen = {}
    for case in CASES:
        stopping = "interrupt" in case.query  # which would end this run
        if case.client == "plain" and not stopping and not case.path.startswith(APART):
            parts = (case.path, case.query, case.method, case.headers, case.body)
            seen.setdefault(parts, case)
    return list(seen.values())


@contextmanager
def unwatched(_):
    yield


def asked(kit, case, how):
    """Serve a case's request; give what the client gets of it."""
    target = f"{case.path}?{case.query}" if case.query else case.path
    environ = request_environ(
        case.method, target, case.headers, case.body, case.variables
    )
    raised = None
    if how == "traced":
        traced = trace(kit, environ, case.body)
        answer, raised = traced.answer, traced.raised
    else:
        answer = Answer()
        try:
            drive(kit, answer, environ, case.body, unwatched)
        except BaseException as exc:
            raised = exc
    headers = [pair for pair in answer.headers if pair[0] != "Date"]
    return answer.status, headers, answer.body, repr(raised), log(answer.errors)


def log(text):
    """Give what was logged, but for ids and places in files."""
    return re.sub(r"[0-9a-f]{32}|after [0-9.]+ s", "", text).splitlines()[-1:]


@pytest.fixture(params=ENTRIES)
def conformance(request, site, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_TRACE", str(site.directory / "trace"))
    monkeypatch.setenv("CONFORMANCE_DIR", str(site.directory))
    (site.directory / "file").write_bytes(FILE)
    site.write("plugins.py", PLUGINS)
    return lambda text="": site.load(f"{CONFORMANCE}{text}", entry=request.param)


@pytest.mark.parametrize("plugins", ["", CONFIG], ids=["without", "with plugins"])
def test_a_client_gets_the_same_of_every_conformance_case(conformance, plugins):
    """Status, headers, body, the last line of the log, and what the handler raises."""
    kit = conformance(plugins)

    cases = requests()
    assert len(cases) > 100
    for case in cases:
        assert asked(kit, case, "traced") == asked(kit, case, "plain"), case.id


def test_without_plugins_it_is_the_same_too(conformance, monkeypatch):
    """The handler itself logs then."""
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")
    kit = conformance()

    for case in requests():
        assert asked(kit, case, "traced") == asked(kit, case, "plain"), case.id


# --- what is seen ------------------------------------------------------------


@pytest.fixture
def run(site):
    """Trace one exchange of the shop with plugins: classes of a file."""

    def run(plugins, *, app="shop:application", toml="", method="GET", **variables):
        site.write("plugins.py", f"from handlerkit import hookimpl\n{plugins}")
        names = re.findall(r"^class (\w+)", plugins, flags=re.MULTILINE)
        tables = "".join(
            f'[plugins.{name}]\nuse = "./plugins.py:{name}"\n{toml}' for name in names
        )
        kit = site.load(f'[app]\ntarget = "{app}"\n{tables}')
        environ = request_environ(method, "/", (), b"", variables)
        return trace(kit, environ, b"")

    return run


def calls(noted):
    return [(each.hook, each.plugin, each.verdict) for each in noted.steps]


ANSWERS = """
class Shy:
    @hookimpl
    def get_scheme(self):
        return None


class Bold:
    @hookimpl
    def get_scheme(self):
        return "https"


class Late:
    @hookimpl
    def get_scheme(self):
        raise AssertionError("nobody asks")
"""


def test_it_is_said_who_declined_and_who_answered(run):
    noted = run(ANSWERS)

    assert calls(noted) == [
        ("get_scheme", "Shy", "declined"),
        ("get_scheme", "Bold", "answered"),
        ("", "", "called"),
    ]
    assert noted.answer.body == b"the shop"


def test_what_was_changed_is_told_with_what_it_was(run):
    noted = run(
        """
class Changing:
    @hookimpl
    def setup_environ(self, environ):
        environ["shop.new"] = "1"
        environ["REMOTE_ADDR"] = "192.0.2.1"
        environ["REQUEST_METHOD"] = "".join(environ["REQUEST_METHOD"])
        del environ["SERVER_NAME"]

    @hookimpl
    def response_starting(self, headers):
        headers[:] = [("content-type", "text/html"), *headers[1:], ("X-A", "1")]
""",
        app="shop:application",
    )

    assert noted.steps[0].environ == [
        ("SERVER_NAME", "localhost", None),
        ("REMOTE_ADDR", "127.0.0.1", "192.0.2.1"),
        ("shop.new", None, "1"),
    ]
    assert noted.steps[-1].headers == [
        ("Content-Type", "text/plain", None),
        ("content-type", None, "text/html"),
        ("X-A", None, "1"),
    ]


def test_who_raised_is_told_and_that_the_application_was_not_called(run):
    noted = run(
        """
class Bad:
    @hookimpl
    def setup_environ(self):
        raise LookupError("no tenant")
""",
    )

    assert calls(noted) == [
        ("setup_environ", "Bad", "raised"),
        ("log_exception", "text-log", "ran"),
    ]
    assert noted.steps[0].raised == "LookupError: no tenant"
    assert noted.outcome.kind == "error"
    assert noted.reports == [noted.outcome.report_id]


def test_one_that_is_skipped_has_raised_all_the_same(run):
    noted = run(
        """
class Bad:
    @hookimpl
    def setup_environ(self):
        raise LookupError("no tenant")
""",
        toml='on_error = "skip"\n',
    )

    assert calls(noted) == [("setup_environ", "Bad", "raised"), ("", "", "called")]
    assert noted.outcome.kind == "ok"


def test_an_exception_that_cannot_be_shown_is_named(run):
    noted = run(
        """
class Bad:
    class NeverError(Exception):
        def __str__(self):
            while True:
                pass

    @hookimpl
    def request_finished(self):
        raise self.NeverError
""",
    )

    assert "NeverError: <cannot be shown" in noted.steps[-1].raised


def test_what_is_called_inside_of_a_call_is_inside_of_it(run):
    noted = run(
        """
class Around:
    @hookimpl(wrapper=True)
    def get_scheme(self):
        return (yield)


class Inside:
    @hookimpl
    def get_scheme(self):
        return "https"
""",
    )

    steps = [(s.plugin, s.depth, s.verdict) for s in noted.steps if s.hook]
    assert steps == [("Around", 0, "wrapped"), ("Inside", 1, "answered")]
    outer, inner = noted.steps[:2]
    assert outer.seconds >= inner.seconds > 0


def test_what_sends_a_file_has_the_head_sent_inside(run, site):
    site.write(
        "files.py",
        "import io\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '3')])\n"
        "    return environ['wsgi.file_wrapper'](io.BytesIO(b'abc'))\n",
    )
    noted = run(
        """
class Sender:
    @hookimpl
    def sendfile(self, handler, wrapper):
        handler.send_headers()
        handler.stdout.write(wrapper.filelike.read())
        return True

    @hookimpl
    def response_starting(self):
        pass
""",
        app="files:application",
    )

    assert [(s.hook, s.depth, s.verdict) for s in noted.steps[1:]] == [
        ("sendfile", 0, "answered"),
        ("response_starting", 1, "ran"),
    ]
    assert noted.answer.body == b"abc"


def test_what_comes_out_of_a_handler_is_told(run, site):
    site.write("gone.py", "def application(environ, start_response):\n    exit(3)\n")

    noted = run("class Idle:\n    def start(self): pass\n", app="gone:application")

    assert isinstance(noted.raised, SystemExit)
    assert noted.answer.status == "500 Internal Server Error"
    assert noted.outcome.kind == "error"


def test_an_interrupt_is_no_part_of_what_is_traced(run, site):
    site.write(
        "stopped.py",
        "def application(environ, start_response):\n    raise KeyboardInterrupt\n",
    )

    with pytest.raises(KeyboardInterrupt):
        run("class Idle:\n    def start(self): pass\n", app="stopped:application")


def test_the_traceback_of_the_application_is_as_it_was(site):
    """No frame of tracing is in it, and traceback_limit counts the same."""
    kit = site.load('[app]\ntarget = "shop:failing"\n[handler]\ntraceback_limit = 2\n')
    environ = request_environ("GET", "/", (), b"", {})

    plain = Answer()
    drive(kit, plain, environ, b"", unwatched)
    traced = trace(kit, environ, b"")

    assert traced.answer.errors.splitlines()[1:] == plain.errors.splitlines()[1:]
    assert "shop.py" in plain.errors


def test_every_hook_that_is_called_is_noted(site):
    """By a plugin on all of them, in an exchange that fails while it sends a file."""
    site.write(
        "files.py",
        "import io\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return environ['wsgi.file_wrapper'](None)\n",
    )
    methods = "".join(
        f"    @hookimpl\n    def {hook}(self):\n        pass\n" for hook in HOOKS
    )
    site.write("plugins.py", f"from handlerkit import hookimpl\nclass All:\n{methods}")
    kit = site.load(
        '[app]\ntarget = "files:application"\n[plugins.All]\nuse = "./plugins.py:All"\n'
    )

    noted = trace(kit, request_environ("GET", "/", (), b"", {}), b"")

    assert {each.hook for each in noted.steps} == {*HOOKS, ""}


def test_a_kit_is_as_it_was_afterwards(site):
    kit = site.load('[app]\ntarget = "shop:application"\n[plugins.request-id]\n')
    plan = kit.handler_class.plan

    trace(kit, request_environ("GET", "/", (), b"", {}), b"")

    assert kit.handler_class.plan is plan is kit.plan
