"""access-log: one line per exchange, true, and not to be forged."""

from __future__ import annotations

import io
import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import handlerkit
from handlerkit.builtin.access_lines import EXTRAS, combined, json_line
from handlerkit.builtin.access_log import AccessLog, _File
from handlerkit.builtin.proxy_headers import ProxyHeaders
from handlerkit.builtin.request_id import RequestId
from handlerkit.builtin.settings import (
    AccessLogSettings,
    ProxyHeadersSettings,
    RequestIdSettings,
)
from handlerkit.hooks.markers import hookimpl

ROOT = Path(__file__).parents[2]
COMBINED = re.compile(
    r"(?P<address>\S+) - (?P<user>\S+) "
    r"\[(?P<time>\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000)\] "
    r'"(?P<method>[^ "]+) (?P<target>[^ "]+) (?P<protocol>[^ "]+)" '
    r"(?P<status>\d{3}|-) (?P<size>[1-9]\d*|-) "
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)"(?P<extras>( \w+=\S+)*)\n'
)


def plugin(**table):
    return AccessLog(AccessLogSettings(**table))


def read(log):
    """Read a combined log of one line, strictly."""
    found = COMBINED.fullmatch(log)
    assert found is not None, log
    return found.groupdict()


def read_extras(log):
    return dict(pair.split("=", 1) for pair in read(log)["extras"].split())


def test_a_combined_line_is_apaches(serve):
    served = serve(
        plugin(),
        REMOTE_ADDR="192.0.2.7",
        REMOTE_USER="ann",
        SCRIPT_NAME="/shop",
        PATH_INFO="/a",
        SERVER_PROTOCOL="HTTP/1.1",
        HTTP_REFERER="http://example.org/",
        HTTP_USER_AGENT="curl/8.0",
    )
    line = read(served.log)
    del line["time"]
    assert line == {
        "address": "192.0.2.7",
        "user": "ann",
        "method": "GET",
        "target": "/shop/a",
        "protocol": "HTTP/1.1",
        "status": "200",
        "size": "5",
        "referer": "http://example.org/",
        "agent": "curl/8.0",
        "extras": "",
    }


def test_a_json_line_has_the_names_of_opentelemetry(serve):
    served = serve(
        plugin(format="json"),
        REMOTE_ADDR="192.0.2.7",
        REMOTE_USER="ann",
        PATH_INFO="/a",
        SERVER_PROTOCOL="HTTP/1.1",
        HTTP_REFERER="http://example.org/",
        HTTP_USER_AGENT="curl/8.0",
    )
    line = json.loads(served.log)
    assert served.log.count("\n") == 1
    assert line.pop("timestamp").endswith("Z")
    assert 0 <= line.pop("handlerkit.time_to_first_byte") < 60
    assert 0 <= line.pop("handlerkit.duration") < 60
    assert line == {
        "client.address": "192.0.2.7",
        "user.name": "ann",
        "http.request.method": "GET",
        "url.path": "/a",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "http.request.header.referer": ["http://example.org/"],
        "user_agent.original": "curl/8.0",
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "handlerkit.outcome": "ok",
    }


def test_times_are_utc_and_of_the_start():
    nothing = dict.fromkeys(FIELDS)
    assert "[21/Nov/2026:10:00:00 +0000]" in combined()(nothing, 1795255200.9)
    assert '"2026-11-21T10:00:00.250Z"' in json_line({}, 1795255200.25)


FIELDS = (
    "client.address",
    "user.name",
    "http.request.method",
    "url.path",
    "url.query",
    "network.protocol.name",
    "network.protocol.version",
    "http.request.header.referer",
    "user_agent.original",
    "http.response.status_code",
    "http.response.body.size",
    *EXTRAS.values(),
)


def test_extras_are_added_by_name_in_their_order(serve, failing):
    extras = ["duration", "outcome", "report_id", "first_byte", "request_id"]
    served = serve(RequestId(RequestIdSettings()), plugin(extras=extras), app=failing)
    line = served.log.splitlines(keepends=True)[-1]
    found = read_extras(line)
    assert list(found) == extras
    assert found["outcome"] == "error"
    assert float(found["first_byte"]) <= float(found["duration"])
    assert found["request_id"] == served.environ["handlerkit.request_id"]
    assert len(found["report_id"]) == 32


def test_the_report_of_a_line_is_the_one_that_was_logged(serve, failing):
    seen = []

    class Reporter:
        @hookimpl
        def log_exception(self, report):
            seen.append(report.id)

    served = serve(Reporter(), plugin(format="json"), app=failing)
    line = json.loads(served.log)
    assert [line["handlerkit.report_id"]] == seen
    assert line["http.response.status_code"] == 500
    assert line["http.response.body.size"] == len(served.body)


def test_query_strings_are_off_the_referers_too(serve):
    secret = {"QUERY_STRING": "a=1", "HTTP_REFERER": "http://a.example/b?c=2#d"}
    line = read(serve(plugin(), **secret).log)
    assert (line["target"], line["referer"]) == ("/", "http://a.example/b")
    line = read(serve(plugin(query=True), **secret).log)
    assert (line["target"], line["referer"]) == ("/?a=1", "http://a.example/b?c=2")


@pytest.mark.parametrize("form", ["combined", "json"])
def test_secrets_are_redacted(serve, form):
    served = serve(
        plugin(format=form, query=True),
        QUERY_STRING="token=hunter22&pass%77ord=hunter33",
        PATH_INFO="/reset/token=hunter44",
        HTTP_REFERER="http://ann:hunter55@a.example/?api_key=hunter66",
        HTTP_USER_AGENT="curl password=hunter77",
    )
    assert "hunter" not in served.log
    assert served.log.count("redacted") >= 6


@pytest.mark.parametrize(
    ("rules", "target"),
    [
        ({}, "/?flavour=lemon&token=[redacted]"),
        ({"keys": ["flavour"]}, "/?flavour=[redacted]&token=[redacted]"),
        ({"enabled": False}, "/?flavour=lemon&token=hunter22"),
    ],
)
def test_the_rules_of_redact_hold(rules, target):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]

    tables = {"redact": rules, "plugins": {"access-log": {"query": True}}}
    kit = handlerkit.load(tables, app)
    environ = {"QUERY_STRING": "flavour=lemon&token=hunter22"}
    setup_testing_defaults(environ)
    log = io.StringIO()
    kit.handler(io.BytesIO(), io.BytesIO(), log, environ).run(kit.application)
    assert read(log.getvalue())["target"] == target


def test_a_path_is_percent_encoded_again(serve):
    served = serve(plugin(), PATH_INFO='/caf\xc3\xa9 "\\%\r\n')
    assert read(served.log)["target"] == "/caf%C3%A9%20%22%5C%25%0D%0A"


def test_what_an_application_does_to_its_environ_is_not_the_request(serve):
    def app(environ, start_response):
        environ.update(PATH_INFO="/other", REQUEST_METHOD="DELETE", REMOTE_ADDR="x")
        environ["wsgi.errors"] = None
        start_response("200 OK", [])
        return [b"hello"]

    line = read(serve(plugin(), app=app, REMOTE_ADDR="192.0.2.1").log)
    assert (line["method"], line["target"]) == ("GET", "/")
    assert line["address"] == "192.0.2.1"


def test_an_application_may_clear_its_environ(serve):
    def app(environ, start_response):
        environ.clear()
        start_response("200 OK", [])
        return [b"hello"]

    assert read(serve(plugin(), app=app).log)["target"] == "/"


def test_a_user_that_the_application_found_out_is_logged(serve):
    def app(environ, start_response):
        environ["REMOTE_USER"] = "ann"
        start_response("200 OK", [])
        return [b"hello"]

    assert read(serve(plugin(), app=app).log)["user"] == "ann"
    assert read(serve(plugin(), app=app, REMOTE_USER="bob").log)["user"] == "bob"


@pytest.mark.parametrize("first", [True, False])
def test_the_client_is_who_proxy_headers_says(serve, first):
    proxies = ProxyHeaders(ProxyHeadersSettings())
    proxies.proxies = ("10.0.0.0/8",)
    plugins = [plugin(), proxies]
    served = serve(
        *(plugins if first else reversed(plugins)),
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="192.0.2.9",
    )
    assert read(served.log)["address"] == "192.0.2.9"


def test_two_logs_each_have_their_line(serve):
    def app(environ, start_response):
        environ.clear()
        start_response("200 OK", [])
        return [b"hello"]

    served = serve(plugin(), plugin(format="json"), app=app)
    first, second = served.log.splitlines(keepends=True)
    assert {read(first)["target"], json.loads(second)["url.path"]} == {"/"}


def test_a_failure_before_there_is_an_environ_has_its_line(serve):
    class Bad:
        @hookimpl
        def add_cgi_vars(self):
            raise ZeroDivisionError

    served = serve(Bad(), plugin(), REMOTE_ADDR="192.0.2.1")
    line = read(served.log.splitlines(keepends=True)[-1])
    assert (line["address"], line["status"]) == ("192.0.2.1", "500")
    assert line["size"] == str(len(served.body))


def test_an_environ_that_holds_no_text_is_no_obstacle(serve):
    class Odd:
        @hookimpl
        def setup_environ(self, environ):
            environ.update(REMOTE_ADDR=None, HTTP_USER_AGENT=5, SCRIPT_NAME=b"/a")
            environ.update({"handlerkit.request_id": [], "handlerkit.trace": "a"})
            del environ["PATH_INFO"]

    line = read(serve(Odd(), plugin()).log)
    assert (line["address"], line["agent"], line["target"]) == ("-", "-", "/")


HOSTILE = st.text(st.characters(codec="latin-1"), max_size=60) | st.sampled_from(
    [
        '" 200 5 "-" "-"\n192.0.2.1 - - [',
        'a\r\n{"client.address": "forged"}',
        "\\",
        '\\"',
        "\x1b[31m",
        "\x85\u2028",
        "\ud800",
        "\U0001f600",
    ]
)
VARIABLES = st.dictionaries(
    st.sampled_from(
        [
            "REMOTE_ADDR",
            "REMOTE_USER",
            "REQUEST_METHOD",
            "SCRIPT_NAME",
            "PATH_INFO",
            "QUERY_STRING",
            "SERVER_PROTOCOL",
            "HTTP_REFERER",
            "HTTP_USER_AGENT",
            "handlerkit.request_id",
        ]
    ),
    HOSTILE,
)


class Put:
    """Put values into environ that no server would let through."""

    def __init__(self, values):
        self.values = values

    @hookimpl
    def setup_environ(self, environ):
        environ.update(self.values)


# The fixture has no state.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VARIABLES)
def test_no_value_forges_a_combined_line(serve, values):
    log = serve(Put(values), plugin(query=True, extras=["request_id"])).log
    assert log.isascii()
    assert log[:-1].isprintable()
    line = read(log)
    assert "\\" not in re.sub(r"\\(x[0-9a-f]{2}|[uU][0-9a-f]{4,8})", "", log)
    assert line["status"] in ("200", "500", "-")


# The fixture has no state.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VARIABLES)
def test_no_value_forges_a_json_line(serve, values):
    log = serve(Put(values), plugin(query=True, format="json")).log
    assert log.isascii()
    assert log[:-1].isprintable()
    line = json.loads(log)
    assert line.get("client.address", "") == values.get("REMOTE_ADDR", "")


@pytest.mark.parametrize("form", ["combined", "json"])
def test_a_line_has_an_end(serve, form):
    long = dict.fromkeys(
        [
            *("REMOTE_USER", "PATH_INFO", "QUERY_STRING", "HTTP_REFERER"),
            *("HTTP_USER_AGENT", "SERVER_PROTOCOL"),
        ],
        "\xe9" * 100_000,
    )
    log = serve(plugin(format=form, query=True), **long).log
    assert len(log) < 60_000


def app_of(*blocks, status="200 OK", headers=(), write=(), error=None):
    def app(environ, start_response):
        out = start_response(status, list(headers))
        for block in write:
            out(block)
        return body()

    def body():
        yield from blocks
        if error is not None:
            raise error

    return app


ENDS = [
    (app_of(b"one", b"two"), {}, "200", 6, "ok"),
    (app_of(b"two", write=[b"one"]), {}, "200", 6, "ok"),
    (app_of(b"body"), {"REQUEST_METHOD": "HEAD"}, "200", 0, "ok"),
    (app_of(b"body", status="204 No Content"), {}, "204", 0, "ok"),
    (app_of(b"", status="304 Not Modified"), {}, "304", 0, "ok"),
    (app_of(b"longer", headers=[("Content-Length", "3")]), {}, "200", 3, "error"),
    (app_of(b"sho", headers=[("Content-Length", "9")]), {}, "200", 3, "aborted"),
    (app_of(error=KeyError()), {}, "500", 59, "error"),
    (app_of(b"begun", error=KeyError()), {}, "200", 5, "aborted"),
]


@pytest.mark.parametrize(("app", "variables", "status", "size", "outcome"), ENDS)
def test_status_bytes_and_outcome_are_what_was_sent(
    serve, app, variables, status, size, outcome
):
    served = serve(plugin(extras=["outcome"]), app=app, **variables)
    line = read(served.log.splitlines(keepends=True)[-1])
    assert f" {status} ".encode() in served.head.partition(b"\r\n")[0] + b" "
    assert (line["status"], line["size"]) == (status, str(size or "-"))
    assert len(served.body) == size
    assert line["extras"] == f" outcome={outcome}"


def test_a_file_is_counted_to_its_content_length(serve, tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "7")])
        return FileWrapper((tmp_path / "file").open("rb"))

    served = serve(plugin(), app=app)
    assert (read(served.log)["size"], served.body) == ("7", b"0123456")


def test_a_file_gets_the_lines(serve, tmp_path):
    log = plugin(path=str(tmp_path / "log"))
    log.start()
    assert serve(log).log == serve(log).log == ""
    log.close()
    lines = (tmp_path / "log").read_text().splitlines(keepends=True)
    assert [read(line)["status"] for line in lines] == ["200", "200"]


def test_a_file_is_appended_to(serve, tmp_path):
    (tmp_path / "log").write_text("before\n")
    log = plugin(path=str(tmp_path / "log"))
    log.start()
    serve(log)
    log.close()
    assert (tmp_path / "log").read_text().startswith("before\n")


def test_a_file_that_cannot_be_opened_stops_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        plugin(path=str(tmp_path / "nowhere" / "log")).start()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_lines_go_to_wsgi_errors_while_the_disk_is_full(serve):
    log = plugin(path="/dev/full")
    log.start()
    first, second = serve(log), serve(log)
    log.close()
    assert first.body == second.body == b"hello"
    note, line = first.log.splitlines(keepends=True)
    assert note == "access-log: /dev/full: No space left on device\n"
    assert read(line)["status"] == read(second.log)["status"] == "200"


def test_a_log_that_was_not_started_writes_to_wsgi_errors(serve, tmp_path):
    note, line = serve(plugin(path=str(tmp_path / "log"))).log.splitlines(True)
    assert "not open" in note
    assert read(line)["status"] == "200"


def test_half_a_line_spoils_no_other(tmp_path):
    """A line after one that was cut, by a disk that was full, begins anew."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    file = _File(str(tmp_path / "log"))
    file.open()
    os.dup2(writing, file._fd)
    file._looked = float("inf")
    with pytest.raises(OSError, match="a part of a line"):
        file.write(b"x" * 1_000_000)
    while select.select([reading], [], [], 0)[0]:
        os.read(reading, 65536)
    file.write(b"next\n")
    assert os.read(reading, 65536) == b"\nnext\n"
    file.close()
    os.close(writing)
    os.close(reading)


def test_the_file_may_be_rotated(tmp_path):
    path = tmp_path / "log"
    file = _File(str(path))
    file.open()
    fd = file._fd
    file.write(b"one\n")
    path.rename(tmp_path / "log.1")
    file._looked -= 60
    file.write(b"two\n")
    file._looked -= 60
    file.write(b"three\n")
    assert file._fd == fd
    file.close()
    assert (tmp_path / "log.1").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\nthree\n"


def test_processes_do_not_mix_their_lines(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from handlerkit.builtin.access_log import _File\n"
        "file = _File(sys.argv[2]); file.open()\n"
        "for _ in range(300): file.write(sys.argv[3].encode() * 5000 + b'\\n')\n"
    )
    path = str(tmp_path / "log")
    processes = [
        subprocess.Popen([sys.executable, "-S", "-c", code, str(ROOT), path, letter])
        for letter in "ab"
    ]
    assert [process.wait(100) for process in processes] == [0, 0]
    lines = Path(path).read_text().splitlines()
    assert sorted(lines) == ["a" * 5000] * 300 + ["b" * 5000] * 300


@pytest.mark.parametrize("form", ["combined", "json"])
def test_a_plain_line_costs_a_cgi_process_no_import(form):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from handlerkit.builtin.access_log import AccessLog\n"
        "from handlerkit.handlers import SimpleHandler\n"
        "from handlerkit.hooks.markers import hookimpl\n"
        "from handlerkit.plan import Impl, compile_plan\n"
        "class S: path = None; query = False; extras = ()\n"
        f"S.format = {form!r}\n"
        "log = AccessLog(S)\n"
        "class H(SimpleHandler):\n"
        "    os_environ = {}\n"
        "    plan = compile_plan([\n"
        "        Impl('setup_environ', 'a', log.setup_environ,"
        " ('handler', 'environ')),\n"
        "        Impl('request_finished', 'a', log.request_finished,"
        " ('handler', 'outcome'))])\n"
        "def app(e, s):\n"
        "    s('200 OK', [])\n"
        "    return [b'hello']\n"
        "env = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/caf\\xe9 b',\n"
        "    'HTTP_USER_AGENT': 'Mozilla/5.0 (X11)', 'SERVER_PROTOCOL': 'HTTP/1.1'}\n"
        "H(None, sys.stdout.buffer, sys.stderr, env).run(app)\n"
        "banned = {'re', 'json', 'urllib', 'typing', 'traceback', 'datetime'}\n"
        "print(*sorted(banned & set(sys.modules)))\n"
    )
    python = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(python, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("hello\n")
    assert "/caf%E9%20b" in done.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"path": "access.log"}, "absolute"),
        ({"format": "common"}, "combined"),
        ({"extras": ["bytes"]}, "outcome"),
        ({"format": "json", "extras": ["outcome"]}, "has all of them"),
        ({"queries": True}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(table, message):
    with pytest.raises(ValidationError, match=message):
        AccessLogSettings(**table)
