"""A plugin that raises in its hooks costs no exchange its correct answer."""

from __future__ import annotations

import io
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest

import handlerkit
from handlerkit.plan import HOOKS

HOSTS = ["SimpleHandler", "CGIHandler", "HostedHandler"]
PLUGIN = """
from handlerkit import hookimpl

{functions}
"""
RAISING = """
@hookimpl
def {hook}():
    raise {kind}("of the plugin in {hook}")
"""
PAGE = b"A server error occurred.  Please contact the administrator."
FAILING = {"add_cgi_vars", "setup_environ", "get_scheme", "get_stdin", "get_stderr"}


def works(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def sends_file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ.get("wsgi.file_wrapper", FileWrapper)(io.BytesIO(b"hello"))


def fails(environ, start_response):
    raise ZeroDivisionError("of the application")


@pytest.fixture
def serve(tmp_path, capfd):
    """Serve one request with a plugin that raises; give status, body and log."""

    def serve(app, hooks, host, kind="ValueError", **table):
        functions = "".join(RAISING.format(hook=hook, kind=kind) for hook in hooks)
        (tmp_path / "raising.py").write_text(PLUGIN.format(functions=functions))
        use = str(tmp_path / "raising.py")
        kit = handlerkit.load(
            {
                "handler": {"class": host},
                "plugins": {"raising": {"use": use, **table}},
            },
            app=app,
        )
        environ = {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
        setup_testing_defaults(environ)
        status, body = RUNNERS[host](kit, environ)
        return status, body, environ["wsgi.errors"].getvalue() + capfd.readouterr().err

    return serve


def run_simple(kit, environ):
    stdout = io.BytesIO()
    handler = kit.handler(
        environ["wsgi.input"], stdout, environ["wsgi.errors"], environ
    )
    handler.run(kit.application)
    head, _, body = stdout.getvalue().partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0].decode().partition(" ")[2], body


def run_cgi(kit, environ):
    handler = kit.handler()
    stdout = io.BytesIO()
    handler.stdin, handler.stdout = environ["wsgi.input"], stdout
    handler.stderr, handler.base_env = environ["wsgi.errors"], environ
    handler.run(kit.application)
    head, _, body = stdout.getvalue().partition(b"\r\n\r\n")
    assert head.startswith(b"Status: ")
    return head.partition(b"\r\n")[0].decode().partition(" ")[2], body


def run_hosted(kit, environ):
    said = []
    result = kit.handler(environ, lambda *head: said.append(head)).run(kit.application)
    body = b"".join(result)
    if hasattr(result, "close"):
        result.close()
    ((status, _),) = said
    return status, body


RUNNERS = {
    "SimpleHandler": run_simple,
    "CGIHandler": run_cgi,
    "HostedHandler": run_hosted,
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("kind", ["ValueError", "StopIteration", "LookupError"])
def test_a_working_application_is_answered(serve, hook, host, kind):
    status, body, log = serve(works, [hook], host, kind)
    if HOOKS[hook].kind == "enrich" or hook in FAILING:
        assert (status, body) == ("500 Internal Server Error", PAGE)
    else:
        assert (status, body) == ("200 OK", b"hello")
    runs = hook not in {"log_exception", "error_output", "sendfile"}
    assert (f"of the plugin in {hook}" in log) is runs


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("hook", [n for n in HOOKS if HOOKS[n].kind == "enrich"])
def test_an_enricher_may_be_skipped_by_the_deployers_leave(serve, hook, host):
    status, body, log = serve(works, [hook], host, on_error="skip")
    assert (status, body) == ("200 OK", b"hello")
    assert f"of the plugin in {hook}" in log


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_failing_application_has_its_page_and_its_log(serve, hook, host):
    status, body, log = serve(fails, [hook], host)
    assert (status, body) == ("500 Internal Server Error", PAGE)
    early = hook in FAILING
    assert ("of the application" in log) is not early


@pytest.mark.parametrize("host", ["SimpleHandler", "CGIHandler"])
def test_a_sendfile_that_raises_is_an_error_page(serve, host):
    status, body, log = serve(sends_file, ["sendfile"], host)
    assert (status, body) == ("500 Internal Server Error", PAGE)
    assert "of the plugin in sendfile" in log


def test_sendfile_is_not_asked_inside_another_server(serve):
    assert serve(sends_file, ["sendfile"], "HostedHandler") == ("200 OK", b"hello", "")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("app", [works, fails, sends_file])
def test_one_that_raises_everywhere_at_once_is_an_error_page(serve, app, host):
    status, body, log = serve(app, list(HOOKS), host)
    assert (status, body) == ("500 Internal Server Error", PAGE)
    assert "of the plugin in add_cgi_vars" in log
