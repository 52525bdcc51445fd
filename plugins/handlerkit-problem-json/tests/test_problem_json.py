"""handlerkit-problem-json: RFC 9457, and nothing that the client should not know."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
from wsgiref.util import setup_testing_defaults

import pytest
from handlerkit_problem_json.settings import Settings
from pydantic import ValidationError

import handlerkit


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status, *lines = head.decode("latin-1").split("\r\n")
        self.headers = dict(line.split(": ", 1) for line in lines)


def broken(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("ETag", '"1"')])
    raise ValueError("a secret")


@pytest.fixture
def serve():
    """Serve one request under a configuration; give the answer and the log."""

    def serve(table, app=broken, handler=None, **variables):
        kit = handlerkit.load(
            {
                "handler": handler or {},
                "plugins": {"problem-json": table},
            },
            app=app,
        )
        stdout, stderr = io.BytesIO(), io.StringIO()
        environ = dict(variables)
        setup_testing_defaults(environ)
        kit.handler(io.BytesIO(), stdout, stderr, environ).run(kit.application)
        return Answer(stdout.getvalue()), stderr.getvalue()

    return serve


def test_an_error_is_answered_with_a_problem(serve):
    answer, log = serve({})
    assert answer.status == "HTTP/1.0 500 Internal Server Error"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    problem = json.loads(answer.body)
    instance = problem.pop("instance")
    assert problem == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
    }
    assert instance.startswith("urn:uuid:")
    assert uuid.UUID(instance).version == 7
    assert "a secret" in log


def test_nothing_of_the_error_reaches_the_client(serve):
    answer, _ = serve({})
    assert b"secret" not in answer.body
    assert b"ValueError" not in answer.body
    assert "ETag" not in answer.headers


def test_status_and_title_are_the_handlers(serve):
    handler = {"error_status": "503 Service Unavailable"}
    answer, _ = serve({"type": "https://example.org/down"}, handler=handler)
    assert answer.status == "HTTP/1.0 503 Service Unavailable"
    problem = json.loads(answer.body)
    del problem["instance"]
    assert problem == {
        "type": "https://example.org/down",
        "title": "Service Unavailable",
        "status": 503,
    }


def test_a_request_that_is_refused_keeps_its_status(serve):
    answer, _ = serve({}, CONTENT_LENGTH="ten")
    assert answer.status == "HTTP/1.0 400 Bad Request"
    assert json.loads(answer.body)["status"] == 400


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1"])
def test_under_its_paths_it_answers(serve, path):
    answer, _ = serve({"paths": ["/api"]}, PATH_INFO=path)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/apiary", "/v1/api"])
def test_elsewhere_it_declines(serve, path):
    answer, _ = serve({"paths": ["/api"]}, PATH_INFO=path)
    assert answer.status == "HTTP/1.0 500 Internal Server Error"
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_head_has_no_body(serve):
    answer, _ = serve({}, REQUEST_METHOD="HEAD")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body == b""


def test_an_application_that_works_is_left_alone(serve):
    def works(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    answer, _ = serve({}, app=works)
    assert (answer.status, answer.body) == ("HTTP/1.0 200 OK", b"fine")


@pytest.mark.parametrize("path", ["api", "/api/", "/", ""])
def test_a_path_that_never_matches_is_refused(path):
    with pytest.raises(ValidationError, match="begins with"):
        Settings(paths=[path])


def test_importing_it_costs_a_cgi_process_next_to_nothing():
    code = (
        "import handlerkit_problem_json, sys;"
        "print(*{'json', 'datetime', 'pydantic', 'pluggy'} & set(sys.modules))"
    )
    python = [sys.executable, "-S", "-c", code]
    path = {"PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)}
    assert subprocess.check_output(python, text=True, env=path).split() == []
