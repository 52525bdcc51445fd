"""access-log in real processes: what it says is what clients received."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = """
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/endless":
        return endless(start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    return [b"hello"]


def endless(start_response):
    start_response("200 OK", [])
    while True:
        yield b"x" * 65536
"""


class Site:
    """An application, its server, and the log of that."""

    def __init__(self, starter, directory):
        starter.write("shop.py", APP)
        self.starter = starter
        self.log = directory / "access.jsonl"
        self.server = None

    def start(self, more=""):
        config = (
            '[app]\ntarget = "shop:application"\npath = ["."]\n'
            f'[plugins.access-log]\nformat = "json"\npath = "{self.log}"\n{more}'
        )
        self.server = self.starter(config)
        return self.server

    def lines(self, count):
        """Give all lines, when there are so many."""
        self.server.wait_until(lambda: self.log.read_bytes().count(b"\n") >= count)
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert len(found) == count
        return found


@pytest.fixture
def site(serving_in, tmp_path):
    starter = serving_in(tmp_path)
    yield Site(starter, tmp_path)
    for serving in starter.started:
        serving.kill()


def test_a_client_that_leaves_in_a_download_is_a_disconnect(site):
    bind = site.start().bind
    host, _, port = bind.rpartition(":")
    received = 0
    with socket.create_connection((host, int(port)), 60) as client:
        client.sendall(b"GET /endless HTTP/1.0\r\n\r\n")
        while received < 500_000:
            received += len(client.recv(65536))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4))

    (line,) = site.lines(1)
    assert line["handlerkit.outcome"] == "disconnected"
    assert line["http.response.status_code"] == 200
    assert line["http.response.body.size"] >= received - 1000
    assert "handlerkit.report_id" not in line


def test_each_exchange_of_a_connection_has_its_line(site):
    host, _, port = site.start().bind.rpartition(":")
    with socket.create_connection((host, int(port)), 60) as client:
        for path in (b"/", b"/file", b"/%0d%0a%22"):
            client.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass

    lines = site.lines(3)
    assert [line["url.path"] for line in lines] == ["/", "/file", "/%0D%0A%22"]
    sizes = [line["http.response.body.size"] for line in lines]
    assert sizes == [5, len(APP), 5]
    assert {line["client.address"] for line in lines} == {"127.0.0.1"}


@pytest.mark.parametrize("engine", ["granian", "gunicorn"])
def test_workers_share_one_file(site, engine):
    pytest.importorskip(engine)
    server = site.start(f'[server]\nengine = "{engine}"\nworkers = 2\n')

    def ask(number):
        return len(server.request(f"/{number}").body)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(40))) == {5}

    lines = site.lines(40)
    assert {line["url.path"] for line in lines} == {f"/{n}" for n in range(40)}
    assert {line["http.response.body.size"] for line in lines} == {5}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_costs_a_cgi_client_nothing(tmp_path):
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "handlerkit.toml").write_text(
        '[app]\ntarget = "shop:application"\npath = ["."]\n'
        '[plugins.access-log]\npath = "/dev/full"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "handlerkit", "cgi", "--config", "handlerkit.toml"],
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("HTTP_")},
            "PYTHONPATH": str(ROOT),
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/a",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "GATEWAY_INTERFACE": "CGI/1.1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("\n\nhello")
    assert "access-log: /dev/full: No space left on device\n" in done.stderr
    assert '"GET /a HTTP/1.1" 200 5 "-" "-"\n' in done.stderr
