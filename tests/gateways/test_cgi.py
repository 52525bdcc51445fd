"""`run_cgi` as a process of its own, as a front server starts it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import handlerkit

PACKAGE = str(Path(handlerkit.__file__).parent.parent)
PAGE = b"A server error occurred.  Please contact the administrator."
# Whoever measures coverage tells child processes so.
MEASURED = {name: value for name, value in os.environ.items() if "COVERAGE" in name}
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/app.cgi",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}

APP = '''
import json, os, subprocess, sys

TEXT = [("Content-Type", "text/plain")]


def environ(environ, start_response):
    start_response("200 OK", TEXT)
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["os.environ HTTP_PROXY"] = os.environ.get("HTTP_PROXY")
    told["handler"] = "IISCGIHandler"
    return [json.dumps(told).encode()]


def noisy(environ, start_response):
    print("printed")
    os.system("echo echoed")
    os.write(1, b"written\\n")
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    print("printed late")
    return [b"clean"]


def child(environ, start_response):
    start_response("200 OK", TEXT)
    told = subprocess.run(["cat"], capture_output=True, check=True).stdout
    return [told + b"|" + environ["wsgi.input"].read()]


def unread(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"unread"]


def late(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"half"
    raise ValueError("too late for a page")


def leaves(environ, start_response):
    raise SystemExit(int(environ["QUERY_STRING"]))


def leaves_late(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"half"
    raise SystemExit(3)


def interrupted(environ, start_response):
    raise KeyboardInterrupt


def waits(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"started"
    while True:
        sys.stdin.read()


class Whole:
    """An answer that is whole before the application has ended."""

    def __iter__(self):
        yield b"whole"

    def close(self):
        os.kill(os.getpid(), 15)
        raise ValueError("after all was sent")


def whole(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return Whole()


def endless(environ, start_response):
    start_response("200 OK", TEXT)
    while True:
        yield b"x" * 65536
'''

PLUGIN = """
import os

from handlerkit import hookimpl


class Told:
    def start(self):
        os.write(2, b"plugin started\\n")

    def close(self):
        os.write(2, b"plugin closed\\n")

    @hookimpl
    def request_finished(self, outcome):
        os.write(2, f"outcome {outcome.kind} {outcome.status}\\n".encode())
"""


class Response(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes
    log: str
    code: int


class Site:
    """A directory with a script, its configuration and its application."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "shop.py").write_text(APP)
        (directory / "told.py").write_text(PLUGIN)

    def configure(self, app: str = "", config: str = "") -> Path:
        path = self.directory / "handlerkit.toml"
        target = f'[app]\ntarget = "shop:{app}"\n' if app else ""
        path.write_text(target + config)
        return path

    def start(self, path: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
        program = (
            f"import handlerkit; raise SystemExit(handlerkit.run_cgi({str(path)!r}))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={"PYTHONPATH": PACKAGE, "PATH": os.environ["PATH"]}
            | MEASURED
            | REQUEST
            | environ,
        )

    def __call__(
        self, app: str = "", config: str = "", body: bytes = b"", **environ: str
    ) -> Response:
        process = self.start(self.configure(app, config), environ)
        output, log = process.communicate(body, timeout=100)
        head, _, rest = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = headers.pop("Status")
        return Response(status, headers, rest, log.decode(), process.returncode)


@pytest.fixture
def cgi(tmp_path: Path) -> Callable[..., Response]:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("auto", "/app.cgi/a", "/app.cgi/a"),
        ("CGIHandler", "/app.cgi/a", "/app.cgi/a"),
        ("IISCGIHandler", "/app.cgi/a", "/a"),
        ("IISCGIHandler", "/app.cgi", ""),
        ("IISCGIHandler", "/app.cgis/a", "/app.cgis/a"),
        ("IISCGIHandler", "/a", "/a"),
    ],
)
def test_the_class_of_the_configuration_serves(cgi, kind, path, expected):
    """IIS repeats SCRIPT_NAME in PATH_INFO; cut on a path boundary only."""
    response = cgi("environ", f'[handler]\nclass = "{kind}"\n', PATH_INFO=path)

    assert json.loads(response.body)["PATH_INFO"] == expected


def test_output_of_the_app_and_its_children_never_gets_into_the_response(cgi):
    response = cgi("noisy")

    assert (response.status, response.body, response.code) == ("200 OK", b"clean", 0)
    for said in ("printed", "echoed", "written", "printed late"):
        assert said in response.log


def test_a_child_gets_nothing_of_the_request_body(cgi):
    response = cgi("child", body=b"body", CONTENT_LENGTH="4")

    assert response.body == b"|body"


def test_a_client_cannot_set_the_proxy_of_libraries(cgi):
    """httpoxy: a Proxy header is HTTP_PROXY in the process environment."""
    response = cgi("environ", HTTP_PROXY="http://evil", HTTP_HOST="shop")

    told = json.loads(response.body)
    assert "HTTP_PROXY" not in told
    assert told["os.environ HTTP_PROXY"] is None
    assert told["HTTP_HOST"] == "shop"


def test_an_invalid_configuration_answers_500_and_logs_every_mistake(cgi):
    response = cgi(
        "environ",
        '[handler]\nclass = "SimpleHandler"\neror_status = "500 Oops"\n'
        "[plugins.text-logg]\n[plugins.environ]\nsett = {}\n",
    )

    assert (response.status, response.body) == ("500 Internal Server Error", PAGE)
    assert response.headers["Content-Length"] == str(len(PAGE))
    assert response.code == 1
    for mistake in (
        'unknown key "eror_status"',
        'no plugin "text-logg"',
        'unknown key "sett"',
        "SimpleHandler does not fit a CGI process",
    ):
        assert mistake in response.log
    assert "Traceback" not in response.log


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nothing:application", "No module named 'nothing'"),
        ("shop:nothing", "nothing"),
        ("broken:application", "of the module"),
        ("leaving:application", "SystemExit"),
    ],
)
def test_an_application_that_does_not_import_answers_500(cgi, tmp_path, target, said):
    (tmp_path / "broken.py").write_text("raise ValueError('of the module')")
    (tmp_path / "leaving.py").write_text("raise SystemExit(7)")

    response = cgi("", f'[app]\ntarget = "{target}"\n')

    assert (response.status, response.body) == ("500 Internal Server Error", PAGE)
    assert said in response.log
    assert response.code == 1


def test_no_application_at_all_answers_500(cgi):
    response = cgi()

    assert response.status == "500 Internal Server Error"
    assert "there is no application" in response.log


def test_a_file_that_is_not_there_answers_500(cgi, tmp_path):
    process = cgi.start(tmp_path / "none.toml", {})
    output, log = process.communicate(timeout=100)

    assert output.startswith(b"Status: 500 ")
    assert b"none.toml" in log
    assert b"Traceback" not in log


def test_a_plugin_that_does_not_start_answers_500(cgi, tmp_path):
    (tmp_path / "no.py").write_text("def start():\n    raise OSError('no queue')\n")

    response = cgi("environ", '[plugins.no]\nuse = "./no.py"\n')

    assert response.status == "500 Internal Server Error"
    assert "no queue" in response.log


def test_an_interrupt_at_the_start_answers_500_and_passes(cgi, tmp_path):
    (tmp_path / "cut.py").write_text("raise KeyboardInterrupt")

    response = cgi("", '[app]\ntarget = "cut:application"\n')

    assert (response.status, response.body) == ("500 Internal Server Error", PAGE)
    assert "KeyboardInterrupt" in response.log
    assert response.code == -signal.SIGINT


def test_an_exit_of_the_application_passes_after_the_page(cgi):
    response = cgi("leaves", QUERY_STRING="3")

    assert (response.status, response.body) == ("500 Internal Server Error", PAGE)
    assert response.code == 3
    assert "SystemExit: 3" in response.log


def test_an_interrupt_of_the_application_passes_after_the_page(cgi):
    response = cgi("interrupted")

    assert (response.status, response.body) == ("500 Internal Server Error", PAGE)
    assert response.code == -signal.SIGINT


def test_an_exit_after_the_head_passes(cgi):
    response = cgi("leaves_late")

    assert (response.body, response.code) == (b"half", 3)


def test_a_response_that_broke_off_ends_with_exit_code_1(cgi):
    response = cgi("late", '[plugins.told]\nuse = "./told.py:Told"\n')

    assert (response.status, response.body, response.code) == ("200 OK", b"half", 1)
    assert "ValueError: too late for a page" in response.log
    assert "outcome aborted 200 OK" in response.log


def test_plugins_live_from_start_to_close(cgi):
    response = cgi("environ", '[plugins.told]\nuse = "./told.py:Told"\n')

    assert response.log.splitlines() == [
        "plugin started",
        "outcome ok 200 OK",
        "plugin closed",
    ]


def test_what_follows_a_whole_answer_happens_in_spite_of_sigterm(cgi):
    """lighttpd sends it as soon as all of Content-Length is there."""
    response = cgi("whole", '[plugins.told]\nuse = "./told.py:Told"\n')

    assert (response.body, response.code) == (b"whole", 0)
    assert "ValueError: after all was sent" in response.log
    assert "outcome error 200 OK" in response.log
    assert "plugin closed" in response.log


def test_sigterm_ends_a_process_whose_answer_is_not_whole(cgi):
    process = cgi.start(cgi.configure("waits"), {})
    output = b""
    while not output.endswith(b"started"):
        output += os.read(process.stdout.fileno(), 65536)

    process.terminate()

    assert process.wait(100) == -signal.SIGTERM
    process.communicate()


def test_a_client_that_goes_away_is_no_error(cgi):
    config = '[plugins.told]\nuse = "./told.py:Told"\n'
    process = cgi.start(cgi.configure("endless", config), {})
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    process.stdin.close()

    log = process.stderr.read().decode()

    assert process.wait(100) == 0
    process.stderr.close()
    assert log.splitlines() == [
        "plugin started",
        "outcome disconnected 200 OK",
        "plugin closed",
    ]


def test_a_kit_of_a_mapping_and_an_application_serves(tmp_path):
    program = """
import handlerkit

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

raise SystemExit(handlerkit.run_cgi({}, application))
"""
    output = subprocess.check_output(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        env=MEASURED | REQUEST | {"PYTHONPATH": PACKAGE},
    )

    assert output.endswith(b"\r\n\r\nhello")


def test_the_command_line_serves_a_cgi_process(cgi):
    path = cgi.configure("environ")
    command = [sys.executable, "-m", "handlerkit", "cgi", "--config", str(path)]
    environ: dict[str, Any] = MEASURED | REQUEST | {"PYTHONPATH": PACKAGE}

    done = subprocess.run(
        command, env=environ, input=b"", capture_output=True, check=True
    )

    assert done.stdout.startswith(b"Status: 200 OK\r\n")
    assert done.stderr == b""
