"""Reloads, good and bad by turns, while requests run: nothing fails, mixes or leaks.

A short form by default; for the whole one, of two minutes, set in the environment
HANDLERKIT_RELOADS=500 and HANDLERKIT_REQUESTS=20000.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
from itertools import count, cycle

import pytest

from tests.conftest import DEADLINE, Connection

RELOADS = int(os.environ.get("HANDLERKIT_RELOADS", "40"))
REQUESTS = int(os.environ.get("HANDLERKIT_REQUESTS", "2000"))
CLIENTS = 4
GROWTH = 6_000_000  # bytes: what the allocator may keep for itself

APP = """
import gc
import json
import os
import threading

import plug


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/state":
        return [state()]
    return spoken(environ)


def spoken(environ):
    yield environ["first"].encode()
    yield b" "
    yield environ["wsgi.input"].read()
    yield environ["first"].encode()


def state():
    gc.collect()
    kinds = [type(each).__name__ for each in gc.get_objects()]
    with open("/proc/self/statm") as memory:
        resident = int(memory.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return json.dumps(
        {
            "plugins": len(plug.ALIVE),
            "kits": kinds.count("Kit"),
            "classes": len([k for k in gc.get_objects() if is_handler(k)]),
            "threads": threading.active_count(),
            "files": len(os.listdir("/proc/self/fd")),
            "resident": resident,
        }
    ).encode()


def is_handler(kind):
    return isinstance(kind, type) and kind.__dict__.get("kit_generation", 0) > 0
"""
PLUG = """
import weakref

import pydantic
from handlerkit import hookimpl

ALIVE = weakref.WeakSet()
STARTED = weakref.WeakSet()


class Settings(pydantic.BaseModel):
    number: int


class Plugin:
    Settings = Settings

    def __init__(self, settings):
        self.number = settings.number
        self.closed = False
        ALIVE.add(self)

    def start(self):
        if self.number < 0:
            raise OSError("told to fail")
        STARTED.add(self)

    def close(self):
        self.closed = True
        STARTED.discard(self)

    def said(self, handler):
        if self.closed:
            return "closed"
        return f"{handler.kit_generation}/{self.number}"


class First(Plugin):
    @hookimpl
    def setup_environ(self, handler, environ):
        environ["first"] = self.said(handler)


class Second(Plugin):
    @hookimpl
    def response_starting(self, handler, headers):
        headers.append(("X-Second", self.said(handler)))

    def start(self):
        super().start()
        self.log = open("exchanges", "a")

    def close(self):
        super().close()
        if hasattr(self, "log"):
            self.log.close()

    @hookimpl
    def request_finished(self, handler, outcome):
        number = handler.environ["HTTP_X_NUMBER"]
        self.log.write(f"{number} {self.said(handler)} {outcome.kind}\\n")
        self.log.flush()
"""
CONFIG = """
[app]
target = "shop:application"

[server]
keep_alive_timeout = 600

[plugins.first]
use = "plug:First"
number = {0}

[plugins.second]
use = "plug:Second"
number = {0}
"""
BAD = (
    "[plugins",
    CONFIG.replace("number", "nmber"),
    CONFIG.replace("number = {0}\n", "number = -1\n", 1),
    CONFIG.replace("{0}", "1").replace("number = 1\n", "number = -1\n", 2),
    CONFIG.replace("plug:Second", "plug:Third"),
)


class Clients:
    """Threads that ask, one request after the other, and keep what they were told.

    One of them sends its bodies in two parts, with a reload in between.
    """

    def __init__(self, serving):
        self.serving = serving
        self.numbers = count()
        self.answers = {}
        self.failures = []
        self.reloads = 0
        self.done = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(slow,))
            for slow in (True, *[False] * (CLIENTS - 1))
        ]
        for thread in self.threads:
            thread.start()

    def run(self, slow):
        connection = Connection(self.serving.bind)
        while not self.done.is_set():
            number = next(self.numbers)
            try:
                self.ask(connection, number, slow)
            except (OSError, http.client.HTTPException, AssertionError) as exc:
                self.failures.append((number, repr(exc)))
                connection.close()
        connection.close()

    def ask(self, connection, number, slow):
        connection.putrequest("POST", "/")
        connection.putheader("X-Number", str(number))
        connection.putheader("Content-Length", "4")
        connection.endheaders()
        connection.send(b"bo")
        if slow:
            self.wait_for_reload()
        connection.send(b"dy")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        self.answers[number] = (response.headers["X-Second"], body.decode())

    def wait_for_reload(self):
        before, end = self.reloads, time.monotonic() + DEADLINE
        while self.reloads == before and not self.done.is_set():
            assert time.monotonic() < end
            self.done.wait(0.001)

    def finish(self):
        self.done.set()
        for thread in self.threads:
            thread.join(DEADLINE)


class Server:
    """The server under load, the configurations that it had, and what it was."""

    def __init__(self, serve):
        serve.write("shop.py", APP)
        serve.write("plug.py", PLUG)
        self.serve = serve
        self.serving = serve(CONFIG.format(0), "unix")
        self.numbers = [0]  # of generation 1, 2, …
        self.bad = cycle(BAD)

    def reload(self, number):
        """Reload, a good file or a bad one, and wait until it has been said."""
        good = number % 2
        text = CONFIG.format(number) if good else next(self.bad).format(number)
        new = self.serve.write("new.toml", text)
        new.replace(self.serve.directory / "handlerkit.toml")
        self.serving.signal(signal.SIGHUP)
        self.serving.wait_until(lambda: self.serving.log.count("reloaded:") == number)
        if good:
            self.numbers.append(number)

    def state(self):
        headers = {"X-Number": "state"}
        return json.loads(self.serving.request("/state", headers=headers).body)

    def logged(self):
        """Give what the log has of each exchange."""
        lines = (self.serve.directory / "exchanges").read_text().splitlines()
        assert all(line.endswith(" ok") for line in lines)
        return dict(line.split()[:2] for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.timeout(900)
def test_reloads_under_load_fail_mix_and_leak_nothing(serve):
    server = Server(serve)
    clients = Clients(server.serving)
    states = []
    try:
        for number in range(1, RELOADS + 1):
            # Some for each configuration, too, however long its reload has taken.
            some = len(clients.answers) + 2 * CLIENTS
            due = max(some, number * REQUESTS // RELOADS)
            server.serving.wait_until(
                lambda due=due: len(clients.answers) >= due or clients.failures
            )
            server.reload(number)
            clients.reloads += 1
            if number in (RELOADS // 4, RELOADS):
                states.append(server.state())
    finally:
        clients.finish()
    states.append(server.state())
    assert server.serving.stop() == 0

    print(RELOADS, "reloads,", len(clients.answers), "requests:", states)
    assert clients.failures == []
    assert len(clients.answers) >= REQUESTS
    assert server.serving.log.count("not reloaded:") == RELOADS // 2
    check_answers(clients.answers, server)
    check_states(*states)


def check_answers(answers, server):
    """Each exchange had one configuration, from its begin to its log."""
    expected = {f"{at}/{number}" for at, number in enumerate(server.numbers, 1)}
    logged = server.logged()
    used = set()
    for number, (header, body) in answers.items():
        assert body == f"{header} body{header}"
        assert logged[str(number)] == header
        used.add(header)
    assert used <= expected
    assert len(used) > 0.8 * len(expected)


def check_states(warm, last, quiet):
    """What there was after a quarter of the reloads is not more at the end."""
    assert (quiet["plugins"], quiet["kits"], quiet["classes"]) == (2, 1, 1)
    assert quiet["threads"] == last["threads"] == warm["threads"]
    assert quiet["files"] <= last["files"] <= warm["files"] + CLIENTS
    assert quiet["resident"] < warm["resident"] + GROWTH
