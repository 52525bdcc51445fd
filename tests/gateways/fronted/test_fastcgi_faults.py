"""FastCGI connections on which something goes wrong, and the others beside them."""

import contextlib
import select
import struct
import threading
from time import monotonic, sleep

import pytest

from handlerkit.gateways import fastcgi_bodies, fastcgi_sending
from handlerkit.gateways.fastcgi import FastCGIConversation
from handlerkit.protocols.fastcgi import Connection
from tests.gateways.clock import wait_until_taken
from tests.gateways.fronted.conftest import LONG, echo, hello
from tests.gateways.fronted.wire import (
    ABORT,
    BEGIN,
    END,
    PARAMS,
    PATIENCE,
    STDIN,
    STDOUT,
    head,
    record,
    request,
)

FULL = 1 << 18  # bytes of a body that nobody has taken, after which nobody reads


def enough(number):
    """Give so much of a body that its exchange begins before the end of it."""
    return record(STDIN, number, b"x" * 65535) + record(STDIN, number, b"x")


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
    client.send(head(CONTENT_LENGTH=str(2 * FULL), PATH_INFO="/upload") + enough(1))
    assert begun.wait(PATIENCE)
    body = b"x" * (FULL - 20 - 65536)
    for at in range(0, len(body), 65535):
        client.send(record(STDIN, 1, body[at : at + 65535]))
    wait_until_taken(client.socket)
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


@pytest.fixture
def let_go(monkeypatch):
    """Have what is put in here called in its thread, one for each lock it lets go."""
    calls = {}

    class TellingLock:
        def __init__(self):
            self.lock = threading.Lock()
            self.acquire = self.lock.acquire

        def release(self):
            self.lock.release()
            if mine := calls.get(threading.get_ident()):
                mine.pop(0)()
            elif "others" in calls:
                calls["others"].set()

        def __enter__(self):
            return self.acquire()

        def __exit__(self, *_):
            self.release()

    for module in (fastcgi_bodies, fastcgi_sending):
        monkeypatch.setattr(module, "Lock", TellingLock)
    return calls


def test_a_body_that_comes_at_any_moment_is_not_taken_for_an_empty_one(serve, let_go):
    clients = []

    def send_it_all():
        let_go["others"] = fed = threading.Event()
        clients[0].send(record(STDIN, 1, b"body") + record(STDIN, 1))
        assert fed.wait(PATIENCE)

    def application(environ, start_response):
        assert len(environ["wsgi.input"].read(65536)) == 65536
        let_go[threading.get_ident()] = [send_it_all]
        return echo(environ, start_response)

    clients.append(serve(application).client())
    clients[0].send(head(CONTENT_LENGTH="65540") + enough(1))

    assert clients[0].answer().body == b"body"


def test_the_time_between_requests_does_not_end_one_that_has_begun(
    serve, let_go, clock, monkeypatch
):
    started, clients = [], []
    begun, finished = threading.Event(), threading.Event()
    finish = FastCGIConversation.finish

    def finishing(*args):
        finish(*args)
        finished.set()

    monkeypatch.setattr(FastCGIConversation, "finish", finishing)

    def go_on():
        clients[0].send(request(keep=True, PATH_INFO="/slow"))
        assert begun.wait(PATIENCE)

    class Body(list):
        def close(self):
            # Two for the end of the response; the third is that of the exchange.
            let_go[threading.get_ident()] = [bool, bool, go_on]

    def application(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] != "/slow":
            return Body([b"fast"])
        begun.set()
        assert finished.wait(PATIENCE)
        clock.leap(started[0].server, LONG)
        return [b"slow"]

    started.append(serve(application, keep_alive_timeout=LONG))
    clients.append(started[0].client())

    assert clients[0].ask(keep=True).body == b"fast"
    assert clients[0].answer().body == b"slow"


def test_a_stop_waits_for_the_last_piece_of_a_response(serve):
    size = 5_000_000

    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * size]

    served = serve(application)
    client = served.client()
    client.send(request(keep=True))
    assert select.select([client.socket], [], [], PATIENCE)[0]
    served.server.stop()
    sleep(0.1)

    assert len(client.answer().body) == size


def begin(number, role=1, *, keep=True):
    return record(BEGIN, number, struct.pack("!HB5x", role, keep))


def test_who_is_turned_away_again_and_again_is_cut_off(serve):
    """Such a front asks for answers, and brings nothing."""
    client = serve(hello).client()

    client.send(begin(1, role=3) * 90 + request(2, keep=True))
    answers = [client.record() for _ in range(90)]
    assert client.answer(2).body == b"hello"
    client.send(begin(1, role=3) * 200)
    data, _ = client.rest()

    assert {(kind, number) for kind, number, _ in answers} == {(END, 1)}
    assert len(data) < 200 * 16


@pytest.mark.parametrize("threads", [1, 2])
def test_answers_that_a_front_does_not_read_hold_no_thread(serve, threads):
    served = serve(hello, threads=threads)
    client = served.client()
    turned_away = (begin(1, role=3) + record(PARAMS, 1, b"x")) * 1000
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(1000):
            client.send(turned_away)

    assert served.client().ask().body == b"hello"
    assert client.rest()[1] in ("end", "reset")
    assert served.log == ["a FastCGI connection is cut: it takes no answers"]


def test_answers_go_out_beside_a_response_that_is_not_read_yet(serve):
    size = 5_000_000

    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"x" * size]

    client = serve(application).client()
    client.send(request(keep=True))
    assert select.select([client.socket], [], [], PATIENCE)[0]
    client.send(begin(2, role=3) * 5)
    seen = dict.fromkeys([1, 2], 0)
    ends = []
    while len(ends) < 6:
        kind, number, content = client.record()
        seen[number] += len(content) * (kind == STDOUT)
        ends += [number] * (kind == END)

    assert ends == [1, 2, 2, 2, 2, 2]
    assert seen[1] > size


def test_who_is_turned_away_for_good_may_send_on_before_the_end(serve):
    client = serve(hello).client()

    client.send(begin(1, role=3, keep=False))
    assert client.record()[:2] == (END, 1)
    for _ in range(20):
        client.send(record(PARAMS, 1, b"x" * 10_000))

    assert client.rest() == (b"", "end")


def test_who_waits_for_a_body_learns_that_the_connection_is_cut(serve):
    """Also where another body, that nobody takes, keeps all from reading."""
    begun = threading.Semaphore(0)
    learnt, go = threading.Event(), threading.Event()

    def application(environ, start_response):
        begun.release()
        if environ["PATH_INFO"] == "/full":
            assert go.wait(LONG)
        if environ["PATH_INFO"] == "/big":
            start_response("200 OK", [])
            return iter([b"x" * 1_000_000] * 10)
        try:
            return echo(environ, start_response)
        finally:
            learnt.set()

    served = serve(application, threads=4, write_timeout=0.5, read_timeout=999)
    client = served.client()
    client.send(head(1, keep=True, CONTENT_LENGTH="999999", PATH_INFO="/full"))
    client.send(head(2, keep=True, CONTENT_LENGTH="99999"))
    client.send(enough(1) + enough(2))
    for _ in range(2):
        assert begun.acquire(timeout=PATIENCE)
    client.send(request(3, keep=True, PATH_INFO="/big"))
    with contextlib.suppress(OSError):  # it is cut before all of that is sent
        for _ in range(0, FULL, 1 << 15):
            client.send(record(STDIN, 1, b"x" * (1 << 15)))

    assert learnt.wait(PATIENCE)
    go.set()


def test_what_is_aborted_before_its_turn_does_not_run(serve):
    served = serve(hello)
    client = served.client()

    both = request(1, keep=True) + request(2, keep=True)
    client.send(both + record(ABORT, 1) + record(ABORT, 2))
    ends = [client.record() for _ in range(4)]

    assert [number for kind, number, _ in ends if kind == END] in ([1, 2], [2, 1])
    assert served.kit.handlers == []


@pytest.fixture
def stopping(serve):
    """Give a server, and what is called before a busy connection is polled again."""
    begun, go = threading.Event(), threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            begun.set()
            assert go.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application, threads=3, graceful_timeout=LONG)
    rest, calls = served.server.rest, []

    def rest_later(conversation, *, begun=False):
        if calls and conversation._running:
            calls.pop()()
            go.set()
            latest = monotonic() + PATIENCE
            while conversation._running:
                assert monotonic() < latest
                sleep(0.001)
        rest(conversation, begun=begun)

    served.server.rest = rest_later
    return served, begun, calls


def test_a_stop_ends_a_connection_whose_exchange_ends_while_it_is_read(stopping):
    """Who reads has seen the exchange run, and who ran it has seen somebody read."""
    served, begun, calls = stopping
    idle, client = served.client(), served.client()
    assert idle.ask(keep=True).body == b"hello"
    client.send(request(keep=True, PATH_INFO="/slow"))
    assert begun.wait(PATIENCE)

    def stop():
        served.server.stop()
        assert idle.ended()  # so all have been looked at

    calls.append(stop)
    client.send(record(ABORT, 9))  # it is of no request, and passed over

    assert client.answer().body == b"hello"
    assert client.ended()
    served.join()
    assert served.log == []
