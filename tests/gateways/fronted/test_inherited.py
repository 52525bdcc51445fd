"""Sockets that a web server, or systemd, hands over: spawned as lighttpd does it."""

import os
import socket
import subprocess
import sys

import pytest

from tests.gateways.fronted.wire import PATIENCE, Front

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))  # noqa: PTH120
CONFIG = """
[app]
target = "wsgiref.simple_server:demo_app"

[handler]
class = "{protocol}Handler"

[server]
bind = "fd:0"
"""


@pytest.fixture
def spawn(tmp_path):
    """Spawn handlerkit with a socket as its standard input; give a front of it."""
    started = []

    def spawning(protocol, sock, **environ):
        (tmp_path / "handlerkit.toml").write_text(CONFIG.format(protocol=protocol))
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
