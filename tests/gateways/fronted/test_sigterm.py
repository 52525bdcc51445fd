"""SIGTERM under load: what was begun is answered, whole, and the exit code is 0.

A short form by default; set HANDLERKIT_STOPS=50 in the environment for the whole one,
of two minutes.
"""

import os
import signal
import threading
from time import monotonic

import pytest

from handlerkit.gateways.settings import Settings
from tests.gateways.fronted.wire import Front, request, scgi

STOPS = int(os.environ.get("HANDLERKIT_STOPS", "1"))
CLIENTS = 8
LOAD = 100  # answers before the signal
MOMENT = Settings().parting_timeout  # seconds that a stop leaves who has connected

# Each exchange is a byte in a file when it begins: what was begun is known for sure.
APP = """
import os
import threading

BEGUN = os.open("begun", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
PAUSE = threading.Event()


def application(environ, start_response):
    os.write(BEGUN, b".")
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    PAUSE.wait(0.005)  # so that the signal finds some under way
    yield b"last"
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{}Handler"

[server]
workers = {}
threads = 4
"""
HTTP = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
WHOLE = {
    "FastCGI": request(),
    "SCGI": scgi(),
    "HTTP": HTTP,
}
HANDLERS = {"FastCGI": "FastCGI", "SCGI": "SCGI", "HTTP": "Simple"}


class Load:
    """Clients who ask, one connection for each request, until they are turned away."""

    def __init__(self, bind, protocol):
        self.front = Front(bind)
        self.protocol = protocol
        self.whole = 0
        self.broken = []
        self.lost = 0  # connected, and turned away without a byte
        self.late = 0  # likewise, but held up between connecting and sending
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while True:
            began = monotonic()
            try:
                client = self.front.client()
            except OSError:
                return
            is_sent = self.ask(client)
            took = monotonic() - began
            data, end = client.rest() if is_sent else (b"", "reset")
            client.close()
            with self.lock:
                if self.is_whole(data, end):
                    self.whole += 1
                elif data:
                    self.broken.append((data, end))
                elif took < MOMENT:
                    self.lost += 1
                else:
                    self.late += 1
            if not data:
                return

    def ask(self, client):
        try:
            client.send(WHOLE[self.protocol])
        except OSError:
            return False
        return True

    def is_whole(self, data, end):
        if end != "end" or b"first" not in data or b"last" not in data:
            return False
        if self.protocol == "FastCGI":
            return data.endswith(b"\x01\x03\x00\x01\x00\x08\x00\x00" + bytes(8))
        return self.protocol == "SCGI" or data.endswith(b"0\r\n\r\n")

    def join(self):
        for thread in self.threads:
            thread.join()
        self.front.close()


@pytest.mark.parametrize(
    ("protocol", "workers"),
    [("HTTP", 1), *((each, n) for each in ("FastCGI", "SCGI") for n in (1, 2))],
)
@pytest.mark.timeout(900)
def test_sigterm_under_load_breaks_nothing_off(program, protocol, workers):
    program.write("app.py", APP)
    begun = program.directory / "begun"
    for _ in range(STOPS):
        begun.unlink(missing_ok=True)
        config = CONFIG.format(HANDLERS[protocol], workers)
        serving = program(config, "unix")
        load = Load(serving.bind, protocol)
        try:
            serving.wait_until(lambda load=load: load.whole >= LOAD or load.broken)
            serving.signal(signal.SIGTERM)
            code = serving.wait()
        finally:
            serving.kill()
            load.join()

        print(load.whole, "answers,", load.late, "connected and said nothing in time")
        assert load.broken == []
        assert begun.stat().st_size == load.whole
        assert load.lost == 0, serving.log
        assert code == 0
