"""Sockets that a web server, or systemd, hands over: spawned as lighttpd does it."""

import os
import shlex
import socket
import subprocess
import sys

import pytest

from tests.gateways.fronted.wire import PATIENCE, Front

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))  # noqa: PTH120
DEMO = "wsgiref.simple_server:demo_app"
CONFIG = """
[app]
target = "{target}"

[handler]
class = "{protocol}Handler"

[server]
bind = "fd:0"
workers = {workers}
"""


@pytest.fixture
def spawn(tmp_path):
    """Spawn handlerkit with a socket as its standard input; give a front of it."""
    started = []

    def spawning(protocol, sock, target=DEMO, workers=1, **environ):
        config = CONFIG.format(protocol=protocol, target=target, workers=workers)
        (tmp_path / "handlerkit.toml").write_text(config)
        name = sock.getsockname()
        url = f"unix:{name}" if isinstance(name, str) else f"fcgi://127.0.0.1:{name[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "handlerkit", "serve"],
            stdin=sock,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ROOT, **environ},
        )
        sock.close()
        started.append((process, Front(url)))
        return started[-1]

    yield spawning
    for process, front in started:
        front.close()
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
def test_a_socket_that_is_standard_input_is_served(spawn, protocol, tmp_path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    sock.listen()
    process, front = spawn(protocol, sock)

    client = front.client()
    answer = client.scgi() if protocol == "SCGI" else client.ask()

    assert b"Hello world!" in answer.body
    process.terminate()
    assert process.wait(PATIENCE) == 0


CHILD = """
import subprocess
import sys

ASK = "import os; print(os.read(0, 1), os.get_inheritable(0))"

def application(environ, start_response):
    start_response("200 OK", [])
    return [subprocess.check_output([sys.executable, "-c", ASK])]
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_children_of_the_application_have_an_empty_standard_input(
    spawn, tmp_path, workers
):
    (tmp_path / "app.py").write_text(CHILD)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    sock.listen()
    _, front = spawn("SCGI", sock, target="app:application", workers=workers)

    assert front.client().scgi().body.split() == [b"b''", b"True"]


@pytest.mark.parametrize(
    ("listed", "served"), [("10.9.9.9, 127.0.0.1", True), ("10.9.9.9", False)]
)
def test_only_the_web_servers_that_are_listed_may_connect(spawn, listed, served):
    sock = socket.create_server(("127.0.0.1", 0))
    _, front = spawn("FastCGI", sock, FCGI_WEB_SERVER_ADDRS=listed)
    client = front.client()

    if served:
        assert client.ask().status == "200 OK"
    else:
        assert client.ended()


SYSTEMD = """
[app]
target = "wsgiref.simple_server:demo_app"

[handler]
class = "{protocol}Handler"

[server]
bind = "systemd"
workers = {workers}
"""
# What systemd does before it executes a service: LISTEN_PID is the service's own.
EXEC = "LISTEN_PID=$$ LISTEN_FDS=1 exec {python} -m handlerkit serve"


@pytest.mark.skipif(sys.platform != "linux", reason="systemd's")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
def test_a_socket_of_systemd_is_served_and_left_to_it(tmp_path, protocol, workers):
    config = SYSTEMD.format(protocol=protocol, workers=workers)
    (tmp_path / "handlerkit.toml").write_text(config)
    front = Front(f"unix:{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as sock, (tmp_path / "log").open("wb") as log:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        number = sock.fileno()
        command = EXEC.format(python=shlex.quote(sys.executable))
        with subprocess.Popen(
            ["/bin/bash", "-c", f"exec 3<&{number}; {command}"],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ROOT},
        ) as process:
            try:
                client = front.client()
                answer = client.scgi() if protocol == "SCGI" else client.ask()
            finally:
                process.terminate()
            code = process.wait(PATIENCE)
    front.close()

    assert b"Hello world!" in answer.body
    assert code == 0
    assert (tmp_path / "s").exists()
