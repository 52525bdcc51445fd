"""`run_cgi` where a standard stream is closed, full, or a socket nobody closes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import handlerkit

PACKAGE = str(Path(handlerkit.__file__).parent.parent)
PAGE = b"A server error occurred.  Please contact the administrator."
MEASURED = {name: value for name, value in os.environ.items() if "COVERAGE" in name}
ENVIRON = {
    **MEASURED,
    "PYTHONPATH": PACKAGE,
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
}
APP = """
import os
AT_IMPORT = os.environ.get("HTTP_PROXY")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(AT_IMPORT).encode()]

def fail(environ, start_response):
    raise ValueError("secretboom")
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    for name, text in {
        "good": '[app]\ntarget = "app:application"\n',
        "fail": '[app]\ntarget = "app:fail"\n',
        "bad": "[handler]\nnonsense = 1\n",
        "class": '[app]\ntarget = "app:application"\n[handler]\nclass = "own:Bad"\n',
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "own.py").write_text(
        "import handlerkit\n"
        "class Bad(handlerkit.CGIHandler):\n"
        "    def __init__(self):\n"
        "        raise ValueError('no such thing')\n"
    )
    return tmp_path


def cgi(site, config, redirections="", **environ):
    line = f'exec "$0" -c "$1" {redirections}'
    script = f"import handlerkit; raise SystemExit(handlerkit.run_cgi('{config}.toml'))"
    return subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, script],
        cwd=site,
        env={**ENVIRON, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("config", ["bad", "fail", "class"])
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", "<&-", "<&- 2>&-"])
def test_the_page_comes_whatever_the_streams_are(site, config, where):
    done = cgi(site, config, where)

    assert done.stdout.startswith(b"Status: 500 ")
    assert done.stdout.endswith(PAGE)
    assert b"secretboom" not in done.stdout


def test_the_application_is_imported_without_the_clients_proxy(site):
    done = cgi(site, "good", HTTP_PROXY="http://evil")

    assert done.stdout.endswith(b"\r\n\r\nNone")


@pytest.mark.parametrize("length", ["", "5"])
def test_a_socket_that_is_never_closed_is_not_read_for_ever(site, length):
    ours, theirs = socket.socketpair()
    script = "import handlerkit; raise SystemExit(handlerkit.run_cgi('good.toml'))"
    environ = {**ENVIRON, "CONTENT_LENGTH": length}
    with ours, theirs:
        child = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=site,
            env=environ,
            stdin=theirs,
            stdout=theirs,
        )
        assert child.wait(timeout=30) == 0
        ours.setblocking(False)
        assert ours.recv(65536).endswith(b"None")


def test_a_length_that_is_none_is_no_length_of_a_socket_either(site):
    ours, theirs = socket.socketpair()
    script = "import handlerkit; raise SystemExit(handlerkit.run_cgi('good.toml'))"
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=site,
            env={**ENVIRON, "CONTENT_LENGTH": "9" * 5000},
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
            timeout=100,
        )
        assert ours.recv(65536).startswith(b"Status: 400 ")
    assert (done.returncode, done.stderr) == (0, b"")
