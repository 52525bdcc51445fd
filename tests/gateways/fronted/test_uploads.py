"""Bodies that come slowly, in part, or not at all, and the others beside them."""

import contextlib
import select
import threading

import pytest

from handlerkit.gateways import server
from handlerkit.gateways.uploads import ENOUGH
from tests.gateways.fronted.conftest import LONG, echo, hello
from tests.gateways.fronted.wire import (
    ABORT,
    END,
    PATIENCE,
    STDIN,
    STDOUT,
    head,
    parse,
    record,
    request,
    scgi,
)

THREADS = 3
SMALL, LARGE = 10, 100_000  # bytes that come of a body of which more is to come
MORE = 100  # bytes that do; they find room in the system's buffers
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
COUNTS = pytest.mark.parametrize("count", [THREADS, 10 * THREADS])
MOST = 16  # requests of one connection


def records(body, number=1):
    pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
    return b"".join(record(STDIN, number, piece) for piece in pieces)


class Way:
    """How requests come: by which protocol, and on connections of which kind."""

    def __init__(self, protocol, bind="", *, keep=False, multiplexed=False):
        self.protocol = protocol
        self.bind = bind
        self.keep = keep
        self.multiplexed = multiplexed

    def serve(self, serve, application, **settings):
        given = {"threads": THREADS, "read_timeout": LONG, **settings}
        return serve(application, self.protocol, self.bind, **given)

    def begin(self, client, size, number=1, whole=None, **params):
        """Send so much of a body of which more is to come."""
        given = {"CONTENT_LENGTH": str(whole or size + MORE), **params}
        if self.protocol == "SCGI":
            client.send(scgi(**given) + b"x" * size)
        else:
            beginning = head(number, keep=self.keep, **given)
            client.send(beginning + records(b"x" * size, number))

    def go_on(self, client, size, number=1, *, last=False):
        if self.protocol == "SCGI":
            client.send(b"x" * size)
        else:
            end = record(STDIN, number) if last else b""
            client.send(records(b"x" * size, number) + end)

    def crowd(self, served, count, size, **params):
        """Send so many halves of requests; give their connections, and their ids."""
        clients, asked = [], []
        for at in range(count):
            number = at % MOST + 1 if self.multiplexed else 1
            if number == 1:
                clients.append(served.client())
            self.begin(clients[-1], size, number, **params)
            asked.append((clients[-1], number))
        return asked

    def answer(self, client):
        if self.protocol == "SCGI":
            return parse(client.rest()[0])
        return client.answer()

    def ask(self, served, body=b"", **params):
        client = served.client()
        if self.protocol == "SCGI":
            client.send(scgi(body, **params))
        else:
            client.send(request(body=body, keep=self.keep, **params))
        answer = self.answer(client)
        client.close()
        return answer


WAYS = {
    "FastCGI": Way("FastCGI"),
    "FastCGI kept": Way("FastCGI", keep=True),
    "FastCGI multiplexed": Way("FastCGI", keep=True, multiplexed=True),
    "FastCGI TCP": Way("FastCGI", "127.0.0.1:0"),
    "SCGI": Way("SCGI"),
    "SCGI TCP": Way("SCGI", "127.0.0.1:0"),
}
EACH_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
SEPARATE = pytest.mark.parametrize(
    "way", [each for each in WAYS.values() if not each.multiplexed]
)


@EACH_WAY
@SIZES
@COUNTS
def test_half_sent_bodies_keep_nobody_from_being_served(serve, way, size, count):
    served = way.serve(serve, echo)
    way.crowd(served, count, size)

    for body in (b"", b"a body", b"x" * (ENOUGH - 1)):
        assert way.ask(served, body).body == body


@EACH_WAY
@SIZES
@COUNTS
def test_half_sent_bodies_are_answered_408_when_their_time_is_over(
    serve, way, size, count
):
    served = way.serve(serve, echo, read_timeout=0.2)
    asked = way.crowd(served, count, size)
    assert way.ask(served, b"a body").body == b"a body"

    for client in dict.fromkeys(client for client, _ in asked):
        if way.protocol == "SCGI":
            answers = [parse(client.rest()[0])]
        else:
            numbers = [number for each, number in asked if each is client]
            answers = client.answers(*numbers).values()
        assert {each.status for each in answers} == {"408 Request Timeout"}


class Dripping(threading.Thread):
    """Sends a byte of each body now and then, until it is told to stop."""

    def __init__(self, way, clients):
        super().__init__(daemon=True)
        self.way, self.clients = way, clients
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            for client in self.clients:
                with contextlib.suppress(OSError):  # it has been answered, and cut
                    self.way.go_on(client, 1)


@SEPARATE
@SIZES
def test_dripping_bodies_are_answered_408_and_keep_nobody_waiting(serve, way, size):
    served = way.serve(serve, echo, read_timeout=0.5)
    slow = [client for client, _ in way.crowd(served, THREADS, size, whole=1_000_000)]
    dripping = Dripping(way, slow)
    dripping.start()
    try:
        for _ in range(20):
            assert way.ask(served, b"a body").body == b"a body"
        for client in slow:
            assert select.select([client.socket], [], [], PATIENCE)[0]
            assert b"Status: 408 Request Timeout" in client.socket.recv(65536)
    finally:
        dripping.over.set()
        dripping.join()


@EACH_WAY
def test_a_hundred_mebibytes_come_through_beside_half_sent_bodies(serve, way):
    size, piece = 100 << 20, 60_000

    def application(environ, start_response):
        count = 0
        while data := environ["wsgi.input"].read(100_000):
            count += len(data)
        start_response("200 OK", [])
        return [str(count).encode()]

    served = way.serve(serve, application)
    way.crowd(served, 10 * THREADS, SMALL)
    client = served.client()
    way.begin(client, piece, whole=size)
    left = size - piece
    while left:
        sent = min(piece, left)
        left -= sent
        way.go_on(client, sent, last=not left)
        if left // piece % 500 == 0:
            assert way.ask(served, b"other").body == b"5"

    assert way.answer(client).body == str(size).encode()


class Counting:
    """Says how many exchanges have begun."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.count = 0

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/upload":
            self.count += 1
            self.begun.release()
        return echo(environ, start_response)


@SEPARATE
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_uploads_hold_all_threads_but_one_and_have_their_turns(serve, way, threads):
    counting = Counting()
    served = way.serve(serve, counting, threads=threads)
    asked = way.crowd(served, 3 * threads, LARGE, PATH_INFO="/upload")
    most = max(1, threads - 1)
    for _ in range(most):
        assert counting.begun.acquire(timeout=PATIENCE)
    if threads > 1:
        assert way.ask(served).status == "200 OK"
    assert counting.count == most

    for client, _ in asked:
        way.go_on(client, MORE, last=True)
    for client, _ in asked:
        assert len(way.answer(client).body) == LARGE + MORE


@SEPARATE
def test_an_upload_whose_body_is_whole_makes_room_for_the_next(serve, way):
    begun, go = threading.Semaphore(0), threading.Event()

    def application(environ, start_response):
        begun.release()
        environ["wsgi.input"].read()
        go.wait(PATIENCE)
        return hello(environ, start_response)

    served = way.serve(serve, application, threads=2)
    ((first, _),) = way.crowd(served, 1, LARGE)
    assert begun.acquire(timeout=PATIENCE)
    ((second, _),) = way.crowd(served, 1, LARGE)
    way.go_on(first, MORE, last=True)
    assert begun.acquire(timeout=PATIENCE)
    go.set()
    way.go_on(second, MORE, last=True)

    assert way.answer(first).body == way.answer(second).body == b"hello"


def test_a_request_of_fastcgi_that_waits_runs_once_its_body_is_whole(serve):
    way = WAYS["FastCGI"]
    served = way.serve(serve, echo)
    way.crowd(served, 10 * THREADS, LARGE)
    client = served.client()
    way.begin(client, LARGE)
    assert way.ask(served).status == "200 OK"
    way.go_on(client, MORE, last=True)

    assert len(client.answer().body) == LARGE + MORE


@EACH_WAY
@SIZES
def test_a_body_that_has_begun_by_a_stop_is_answered(serve, way, size):
    served = way.serve(serve, echo)
    client = served.client()
    way.begin(client, size)
    assert way.ask(served, b"a body").body == b"a body"
    served.server.stop()
    way.go_on(client, MORE, last=True)

    assert len(way.answer(client).body) == size + MORE
    served.join()


@EACH_WAY
@SIZES
def test_half_sent_bodies_do_not_outlast_a_stop(serve, way, size, monkeypatch):
    monkeypatch.setattr(server, "_LAST_WORD", PATIENCE)
    served = way.serve(serve, echo, graceful_timeout=0.2)
    asked = way.crowd(served, 10 * THREADS, size)
    assert way.ask(served, b"a body").body == b"a body"
    served.server.stop()

    for client, _ in asked:
        client.rest()
    served.join()
    assert served.log == []


@pytest.mark.parametrize("before", [0, THREADS], ids=["collected", "waiting"])
def test_what_is_aborted_before_its_body_is_there_does_not_run(serve, before):
    way, counting = WAYS["FastCGI kept"], Counting()
    served = way.serve(serve, counting)
    way.crowd(served, before, LARGE, PATH_INFO="/upload")
    for _ in range(min(before, THREADS - 1)):
        assert counting.begun.acquire(timeout=PATIENCE)
    client = served.client()
    way.begin(client, LARGE if before else SMALL)
    assert way.ask(served).status == "200 OK"
    seen = len(served.kit.handlers)
    client.send(record(ABORT, 1))
    kind, number, _ = client.record()
    if kind == STDOUT:  # the end of a stream that has nothing
        kind, number, _ = client.record()

    assert (kind, number) == (END, 1)
    assert len(served.kit.handlers) == seen
    assert client.ask(b"again", keep=True).body == b"again"


def test_who_leaves_while_it_waits_makes_no_trouble(serve):
    way = WAYS["FastCGI"]
    counting = Counting()
    served = way.serve(serve, counting, threads=2)
    (first, _), *others = way.crowd(served, 20, LARGE, PATH_INFO="/upload")
    assert counting.begun.acquire(timeout=PATIENCE)
    for client, _ in others[:-1]:
        client.close()
    last = others[-1][0]
    assert way.ask(served).status == "200 OK"
    for client in (first, last):
        way.go_on(client, MORE, last=True)
        assert len(client.answer().body) == LARGE + MORE

    served.server.stop()
    served.join()
    assert served.log == []


@SEPARATE
def test_time_in_which_the_application_does_not_read_is_its_own(serve, way, clock):
    started, reads = [], threading.Event()

    def application(environ, start_response):
        clock.leap(started[0].server, LONG)
        reads.set()
        return echo(environ, start_response)

    served = way.serve(serve, application, read_timeout=LONG)
    started.append(served)
    client = served.client()
    way.begin(client, LARGE)
    assert reads.wait(PATIENCE)
    way.go_on(client, MORE, last=True)

    assert len(way.answer(client).body) == LARGE + MORE


@pytest.mark.parametrize("bind", ["", "127.0.0.1:0"], ids=["unix", "tcp"])
@pytest.mark.parametrize("size", [0, SMALL, LARGE])
def test_bytes_beyond_the_length_do_not_spoil_the_answer(serve, bind, size):
    sent = threading.Event()

    def application(environ, start_response):
        body = echo(environ, start_response)
        assert sent.wait(PATIENCE)
        return body

    client = serve(application, "SCGI", bind).client()
    client.send(scgi(CONTENT_LENGTH=str(size)) + b"x" * size + b"more" * 10_000)
    sent.set()
    with contextlib.suppress(OSError):
        client.socket.shutdown(1)
    data, end = client.rest()

    assert (len(parse(data).body), end) == (size, "end")
