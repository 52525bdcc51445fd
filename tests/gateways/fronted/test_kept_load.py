"""Connections that nginx keeps, under load: what it does with them, and a reload.

A short form by default; set HANDLERKIT_REQUESTS=20000 and HANDLERKIT_RELOADS=200 in the
environment for the whole one.
"""

import contextlib
import http.client
import os
import signal
import threading
from itertools import count

import pytest

from tests.gateways.fronted.nginx import nginx
from tests.gateways.fronted.wire import PATIENCE

REQUESTS = int(os.environ.get("HANDLERKIT_REQUESTS", "1500"))
RELOADS = int(os.environ.get("HANDLERKIT_RELOADS", "10"))
CLIENTS = 4

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/pieces":
        return iter([environ["shop.number"].encode(), b" ", body])
    return [environ["shop.number"].encode() + b" " + body]
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "FastCGIHandler"

[server]
threads = {threads}

[plugins.environ]
set = {{ "shop.number" = "{number}" }}
"""


class Clients:
    """Threads that send one POST after the other, on connections that are kept.

    So many as are asked for, and on until the block ends that they are started for.
    ``least`` is the number of the last reload that is known: what begins after it has
    that setting, or a later one.
    """

    def __init__(self, port):
        self.port = port
        self.numbers = count()
        self.seen = []
        self.least = 0
        self.failures = []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(path,))
            for path in ["/", "/pieces"] * (CLIENTS // 2)
        ]

    def run(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE)
        with contextlib.closing(connection):
            while (number := next(self.numbers)) < REQUESTS or not self.over.is_set():
                body = f"{number}," * (number % 50)
                least = self.least
                try:
                    connection.request("POST", path, body)
                    response = connection.getresponse()
                    said = response.read().decode()
                    setting, _, echoed = said.partition(" ")
                    assert (response.status, echoed) == (200, body)
                    assert least <= int(setting) <= RELOADS
                    self.seen.append(setting)
                except (OSError, http.client.HTTPException, AssertionError) as exc:
                    self.failures.append((number, repr(exc)[:200]))
                    connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def start(program, threads):
    program.write("app.py", APP)
    return program(CONFIG.format(threads=threads, number=0), "unix")


@pytest.mark.parametrize("threads", [1, 4])
def test_no_post_fails_on_kept_connections(program, threads):
    serving = start(program, threads)
    upstream = f"server {serving.bind};"
    with (
        nginx(program.directory, "FastCGI", upstream, kept=True) as server,
        Clients(server.port) as clients,
    ):
        pass

    assert clients.failures == []
    assert len(clients.seen) >= REQUESTS
    assert "is cut" not in serving.log


def test_a_reload_fails_no_request_of_a_kept_connection(program):
    serving = start(program, 4)
    upstream = f"server {serving.bind};"
    with (
        nginx(program.directory, "FastCGI", upstream, kept=True) as server,
        Clients(server.port) as clients,
    ):
        for number in range(1, RELOADS + 1):
            due = number * REQUESTS // (RELOADS + 1)
            serving.wait_until(
                lambda due=due: len(clients.seen) >= due or clients.failures
            )
            new = program.write("new.toml", CONFIG.format(threads=4, number=number))
            new.replace(program.directory / "handlerkit.toml")
            serving.signal(signal.SIGHUP)
            serving.wait_until(
                lambda number=number: serving.log.count("reloaded:") == number
            )
            clients.least = number
        serving.wait_until(lambda: clients.seen[-1] == str(RELOADS) or clients.failures)

    assert clients.failures == []
    assert len(clients.seen) >= REQUESTS
