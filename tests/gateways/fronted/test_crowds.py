"""Thousands of connections that say nothing, or little, and the others beside them.

A short form by default; for the whole one set HANDLERKIT_CROWD=2000 in the
environment.
"""

import os
import select
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.gateways.fronted.wire import (
    PATIENCE,
    STDIN,
    Front,
    head,
    parse,
    record,
    request,
    scgi,
)

resource = pytest.importorskip("resource")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(300),
]

CROWD = int(os.environ.get("HANDLERKIT_CROWD", "600"))
SLOW = 20  # clients who send a byte at a time
OTHERS = 200  # requests beside them
PER_CONNECTION = 16384  # bytes; measured are 1 to 2 KiB
PER_UPLOAD = 1 << 19  # bytes; measured are 140 KiB by SCGI, 300 KiB by FastCGI
CLIENTS = 4

APP = """
def application(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{protocol}Handler"

[server]
threads = 2
max_connections = {most}
header_timeout = {patience}
keep_alive_timeout = {patience}
read_timeout = {patience}
write_timeout = {patience}
"""
# Heads that have far to go.
ENDLESS = {
    "FastCGI": head()[:16] + b"\x01\x04\x00\x01\x70\x00\x00\x00",
    "SCGI": b"30000:CONTENT_LENGTH\x000\x00",
}
LONG, SHORT = 200, 4  # seconds; who is held up for as long as the short is cut, too
KINDS = pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
BINDS = pytest.mark.parametrize("transport", ["unix", "tcp"])


@pytest.fixture(autouse=True)
def files():
    """Have descriptors enough for both ends, in this process and in its children."""
    need = CROWD + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f"{need} descriptors are needed, and {hard} are allowed")
    if soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowded:
    """A server of its own, and the crowd before it."""

    def __init__(self, program, protocol, transport, **settings):
        program.write("app.py", APP)
        config = CONFIG.format(protocol=protocol, **settings)
        self.serving = program(config, transport)
        self.process = Path(f"/proc/{self.serving.process.pid}")
        self.protocol = protocol
        self.front = Front(self.serving.bind)

    @property
    def resident(self):
        pages = (self.process / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def files(self):
        return len(list((self.process / "fd").iterdir()))

    def whole(self, **more):
        return scgi() if self.protocol == "SCGI" else request(**more)

    def half(self, size):
        """Give a request of which half of the body does not come."""
        length = str(2 * size)
        if self.protocol == "SCGI":
            return scgi(CONTENT_LENGTH=length) + b"x" * size
        piece = record(STDIN, 1, b"x" * 1000)
        return head(CONTENT_LENGTH=length) + piece * (size // 1000)

    def gather(self, count):
        """Connect as those do who say nothing, half of something, or no more."""
        crowd = []
        for number in range(count):
            client = self.front.client()
            crowd.append(client)
            if number % 4 == 1:
                client.send(self.whole()[:50])
            elif number % 4 == 2 and self.protocol == "FastCGI":
                client.send(self.whole(keep=True))
                assert client.answer().body == b"hello"
            elif number % 4 == 3:
                client.send(self.half(1000))
        return crowd

    def ask(self):
        client = self.front.client()
        client.send(self.whole())
        body = self.body(client)
        client.close()
        return body

    def body(self, client):
        if self.protocol == "SCGI":
            return parse(*client.rest()).body
        return client.answer().body

    def others(self):
        """Begin to ask as others do; give the threads, and the seconds of each."""
        took = []

        def run():
            for _ in range(OTHERS // CLIENTS):
                began = monotonic()
                assert self.ask() == b"hello"
                took.append(monotonic() - began)

        threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads, took


@pytest.fixture
def crowd(program):
    """Give what starts a server and its crowd."""
    started = []

    def start(protocol, transport="unix", **settings):
        started.append(Crowded(program, protocol, transport, **settings))
        return started[-1]

    yield start
    for each in started:
        each.front.close()


@KINDS
@BINDS
def test_others_are_served_beside_a_crowd_and_memory_is_bounded(
    crowd, protocol, transport
):
    server = crowd(protocol, transport, most=CROWD + 100, patience=LONG)
    for _ in range(20):
        assert server.ask() == b"hello"
    before = server.resident

    server.gather(CROWD)
    slow = [server.front.client() for _ in range(SLOW)]
    threads, took = server.others()
    for byte in server.whole():
        for client in slow:
            client.send(bytes([byte]))
    assert [server.body(client) for client in slow] == [b"hello"] * SLOW
    for thread in threads:
        thread.join()

    each = (server.resident - before) / CROWD
    took.sort()
    print(
        f"{protocol} {transport}: {CROWD} idle, {each / 1024:.1f} KiB for each;",
        f"others took {took[len(took) // 2] * 1000:.1f} ms in the middle,",
        f"{took[-1] * 1000:.1f} ms at most",
    )
    assert len(took) == OTHERS
    assert server.files > CROWD
    assert each < PER_CONNECTION


@KINDS
def test_others_are_served_beside_uploads_that_stall_and_memory_is_bounded(
    crowd, protocol
):
    """Each has sent as much as is read before it has its turn, and more."""
    uploads = CROWD // 6
    server = crowd(protocol, most=CROWD, patience=LONG)
    assert server.ask() == b"hello"
    before = server.resident
    for _ in range(uploads):
        client, data = server.front.client(), server.half(900_000)
        client.socket.setblocking(False)
        while data and select.select([], [client.socket], [], 0.02)[1]:
            data = data[client.socket.send(data) :]
    threads, took = server.others()
    for thread in threads:
        thread.join()

    each = (server.resident - before) / uploads
    print(f"{protocol}: {uploads} uploads, {each / 1024:.1f} KiB for each")
    assert len(took) == OTHERS
    assert each < PER_UPLOAD


@KINDS
def test_a_crowd_is_cut_when_its_time_is_over_and_leaves_nothing(crowd, protocol):
    server = crowd(protocol, most=CROWD + 100, patience=SHORT)
    assert server.ask() == b"hello"
    files = server.files
    sizes = []
    for _ in range(2):
        clients = server.gather(CROWD)
        threads, took = server.others()
        for client in clients:
            data, _ = client.rest()
            assert data == b"" or b"Status: 408 " in data[:20]
            client.close()
        for thread in threads:
            thread.join()
        assert len(took) == OTHERS
        server.serving.wait_until(lambda: server.files <= files)
        sizes.append(server.resident)

    assert sizes[1] - sizes[0] < PER_CONNECTION * CROWD / 10


@KINDS
def test_who_drips_is_cut_like_who_is_silent(crowd, protocol):
    server = crowd(protocol, most=100, patience=SHORT)
    slow = [server.front.client() for _ in range(SLOW)]
    for client in slow:
        client.send(ENDLESS[protocol])
    began = monotonic()
    while slow and monotonic() < began + PATIENCE:
        cut = select.select([each.socket for each in slow], [], [], 0.02)[0]
        slow = [each for each in slow if each.socket not in cut]
        for client in slow:
            with suppress(OSError):  # it is cut between the look and this
                client.send(b"x")
        assert server.ask() == b"hello"

    assert slow == []


@KINDS
def test_a_crowd_beyond_what_is_allowed_waits_for_its_turn(crowd, protocol):
    most = CROWD * 2 // 3
    server = crowd(protocol, most=most, patience=LONG)
    assert server.ask() == b"hello"  # so that it has opened what it needs itself
    files = server.files
    clients = [server.front.client() for _ in range(CROWD)]
    server.serving.wait_until(lambda: server.files >= files + most - 1)
    seen = []
    for client in clients:
        client.send(server.whole())
        assert server.body(client) == b"hello"
        client.close()
        seen.append(server.files)

    assert max(seen) <= files + most
