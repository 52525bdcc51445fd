"""FastCGI connections on which something goes wrong, and the others beside them."""

import fcntl
import termios
import threading
from time import monotonic, sleep

import pytest

from handlerkit.gateways.fastcgi import FastCGIConversation
from handlerkit.protocols.fastcgi import Connection
from tests.gateways.fronted.conftest import hello
from tests.gateways.fronted.wire import PATIENCE, STDIN, head, record

FULL = 1 << 18  # bytes of a body that nobody has taken, after which nobody reads


def wait_until_taken(client):
    latest = monotonic() + PATIENCE
    while any(fcntl.ioctl(client.socket, termios.TIOCOUTQ, bytes(4))):
        assert monotonic() < latest
        sleep(0.001)


def test_a_paused_connection_that_is_broken_does_not_end_the_server(serve):
    begun, broken, resumed, asked = (threading.Event() for _ in range(4))

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/upload":
            begun.set()
            assert broken.wait(PATIENCE)
            environ["wsgi.input"].read(65536)
            resumed.set()
            assert asked.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application)
    client = served.client()
    client.send(head(CONTENT_LENGTH=str(2 * FULL), PATH_INFO="/upload"))
    assert begun.wait(PATIENCE)
    body = b"x" * (FULL - 20)
    for at in range(0, len(body), 65535):
        client.send(record(STDIN, 1, body[at : at + 65535]))
    wait_until_taken(client)
    with served.server._lock:  # nobody reads before all is there
        client.send(record(STDIN, 1, b"y" * 24) + b"\x09" * 8 + b"\0" * 120_000)
    assert client.ended()
    broken.set()
    assert resumed.wait(PATIENCE)

    assert served.client().ask().body == b"hello"
    asked.set()
    served.server.stop()
    served.join()
    assert [line[:27] for line in served.log] == ["a FastCGI connection is cut"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Connection, "feed"), (FastCGIConversation, "finish")],
    ids=["read", "run"],
)
def test_a_fault_of_ours_closes_one_connection_only(serve, monkeypatch, kind, name):
    usual = getattr(kind, name)
    faults = ["a fault of ours"]

    def once_wrong(self, *args):
        if faults:
            raise RuntimeError(faults.pop())
        return usual(self, *args)

    monkeypatch.setattr(kind, name, once_wrong)
    served = serve(hello)
    client = served.client()
    client.send(head() + record(STDIN, 1))
    client.rest()

    assert served.client().ask().body == b"hello"
    assert any("a fault of ours" in line for line in served.log)
