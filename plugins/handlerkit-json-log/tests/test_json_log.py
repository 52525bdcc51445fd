"""handlerkit-json-log: one line per exception, whatever the exception is like."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from handlerkit_json_log import JsonLog
from handlerkit_json_log.settings import Settings
from pydantic import ValidationError

import handlerkit

FIELDS = [
    *("time", "level", "id", "fingerprint", "type", "message", "phase", "duration"),
    *("request", "exception", "traceback"),
]


class UnprintableError(Exception):
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.fixture
def serve():
    """Serve a failing application under a configuration; give what was logged."""

    def serve(table, exception=None, **variables):
        def app(environ, start_response):
            environ.update(variables)
            raise exception or ValueError("said")

        kit = handlerkit.load(
            {
                "plugins": {
                    "json-log": table,
                    "text-log": {"enabled": False},
                }
            },
            app=app,
        )
        stdout, stderr = io.BytesIO(), io.StringIO()
        environ = {}
        setup_testing_defaults(environ)
        kit.start()
        with contextlib.suppress(SystemExit):  # passed on, after it was answered
            kit.handler(io.BytesIO(), stdout, stderr, environ).run(kit.application)
        kit.close()
        assert b" 500 " in stdout.getvalue()
        return stderr.getvalue()

    return serve


def test_an_exception_is_one_line_on_wsgi_errors(serve):
    text = serve({}, PATH_INFO="/cart", REQUEST_METHOD="POST", QUERY_STRING="key=1")
    assert text.count("\n") == 1
    line = json.loads(text)
    assert list(line) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert re.fullmatch(r"[0-9a-f]{32}", line["id"])
    assert (line["level"], line["type"], line["message"]) == (
        "error",
        "ValueError",
        "said",
    )
    assert line["traceback"].endswith("ValueError: said\n")
    assert line["request"] == {
        "method": "POST",
        "path": "/cart",
        "query": "key=[redacted]",
    }
    assert line["phase"] == "before headers"
    assert line["exception"]["frames"][-1]["function"] == "app"


def test_a_file_gets_a_line_for_each(serve, tmp_path):
    path = tmp_path / "errors.jsonl"
    assert serve({"path": str(path)}) == ""
    assert serve({"path": str(path)}, KeyError("other")) == ""
    types = [json.loads(line)["type"] for line in path.read_text().splitlines()]
    assert types == ["ValueError", "KeyError"]


def test_the_log_may_be_rotated_between_two_lines(tmp_path):
    path = tmp_path / "errors.jsonl"
    plugin = JsonLog(Settings(path=str(path)))
    for _ in range(2):
        plugin.start()
        path.rename(tmp_path / "rotated")
    plugin.start()
    assert path.exists()


def test_a_file_that_cannot_be_opened_stops_the_start(serve, tmp_path):
    with pytest.raises(handlerkit.HandlerkitError, match="FileNotFoundError"):
        serve({"path": str(tmp_path / "nowhere" / "errors.jsonl")})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_noted_and_costs_no_answer(serve):
    assert "No space left" in serve({"path": "/dev/full"})


def test_the_request_id_is_there_where_there_is_one(serve):
    line = json.loads(serve({}, **{"handlerkit.request_id": "abc"}))
    assert line["request_id"] == "abc"


@pytest.mark.parametrize(
    "exception",
    [
        UnprintableError(),
        ValueError("two\nlines"),
        ValueError("a\udcffb"),
        ValueError("\u2028\u0142"),
        ExceptionGroup("group", [ValueError(), UnprintableError()]),
        SystemExit(3),
    ],
)
def test_whatever_is_raised_is_one_line_of_ascii(serve, exception):
    text = serve({}, exception)
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text)["type"].endswith(type(exception).__name__)


def test_values_of_environ_that_are_no_text_are_left_out(serve):
    odd = {"PATH_INFO": UnprintableError(), "REQUEST_METHOD": object()}
    assert json.loads(serve({}, **odd))["request"]["path"] == ""


def test_a_path_is_shown_as_it_was_asked_for(serve):
    def path(text):
        return json.loads(serve({}, PATH_INFO=text))["request"]["path"]

    assert path("/caf\u00e9".encode().decode("latin-1")) == "/caf\u00e9"
    assert path("/\xff") == "/\\xff"
    assert path("/\u0142") == "/\u0142"


def test_a_relative_path_is_refused():
    with pytest.raises(ValidationError, match="absolute"):
        Settings(path="errors.jsonl")


def test_importing_it_costs_a_cgi_process_next_to_nothing():
    code = (
        "import handlerkit_json_log, sys;"
        "print(*{'json', 'datetime', 'pydantic', 'pluggy'} & set(sys.modules))"
    )
    python = [sys.executable, "-S", "-c", code]
    path = {"PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)}
    assert subprocess.check_output(python, text=True, env=path).split() == []
