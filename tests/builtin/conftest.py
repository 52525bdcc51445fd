from __future__ import annotations

import io
from wsgiref.util import setup_testing_defaults

import pytest

from handlerkit.handlers import SimpleHandler
from handlerkit.hooks.registry import Named, resolve
from handlerkit.plan import compile_plan
from handlerkit.reports.plain import make_report


class Served:
    """What came of an exchange: the response, wsgi.errors, the app's environ."""

    def __init__(self, stdout, stderr, environ):
        self.head, _, self.body = stdout.getvalue().partition(b"\r\n\r\n")
        self.headers = {}
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            self.headers.setdefault(name, []).append(value)
        self.log = stderr.getvalue()
        self.environ = environ


@pytest.fixture
def serve():
    """Run an app in a SimpleHandler with plugins, in the order of the file."""

    def serve(*plugins, app=None, **variables):
        seen = {}

        def hello(environ, start_response):
            start_response("200 OK", [])
            return [b"hello"]

        def watched(environ, start_response):
            seen.update(environ)
            return (app or hello)(environ, start_response)

        class Handler(SimpleHandler):
            plan = compile_plan(
                resolve(
                    [Named(f"{type(p).__name__}{n}", p) for n, p in enumerate(plugins)]
                )
            )

        Handler.os_environ = {}
        Handler.make_report = staticmethod(make_report)
        environ = dict(variables)
        setup_testing_defaults(environ)
        stdout, stderr = io.BytesIO(), io.StringIO()
        Handler(io.BytesIO(), stdout, stderr, environ).run(watched)
        return Served(stdout, stderr, seen)

    return serve


@pytest.fixture
def failing():
    """An application that fails before its head is out."""

    def app(environ, start_response):
        raise ZeroDivisionError("of the application")

    return app
