"""Several requests on one FastCGI connection, where one of them does not go on."""

import select
import sys
import threading

import pytest

from handlerkit.gateways import server
from tests.gateways.fronted.conftest import LONG, hello
from tests.gateways.fronted.wire import (
    ABORT,
    GET_VALUES,
    GET_VALUES_RESULT,
    PATIENCE,
    STDIN,
    Front,
    head,
    parse,
    record,
    request,
    scgi,
)

UNREAD = 1 << 18  # what may wait to be taken, of one body


def begin(client, number, size, body=b""):
    """Begin a request that keeps the connection, with some of its body."""
    client.send(head(number, keep=True, CONTENT_LENGTH=str(size), PATH_INFO="/slow"))
    for at in range(0, len(body), 60_000):
        client.send(record(STDIN, number, body[at : at + 60_000]))


class Slow:
    """Echoes bodies; at /slow it takes nothing before it is told to."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            self.begun.set()
            self.go.wait(PATIENCE)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]


def test_who_takes_no_body_lets_others_be_served_while_little_of_it_waits(serve):
    slow = Slow()
    client = serve(slow, threads=3).client()
    body = b"x" * (UNREAD - 60_000)
    begin(client, 1, len(body), body)
    assert slow.begun.wait(PATIENCE)

    client.send(request(2, b"other", keep=True))
    assert client.answer(2).body == b"other"
    slow.go.set()
    client.send(record(STDIN, 1))
    assert client.answer(1).body == body


def test_who_takes_no_large_body_keeps_others_waiting_until_it_goes_on(serve):
    slow = Slow()
    client = serve(slow, read_timeout=PATIENCE).client()
    body = b"x" * (UNREAD + 70_000)
    begin(client, 1, len(body), body)
    assert slow.begun.wait(PATIENCE)
    client.send(request(2, b"other", keep=True) + record(STDIN, 1))

    assert not select.select([client.socket], [], [], 0.2)[0]
    slow.go.set()
    answers = client.answers(1, 2)

    assert (answers[1].body, answers[2].body) == (body, b"other")


def test_who_ends_without_its_large_body_lets_the_others_go_on(serve):
    go = threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            go.wait(PATIENCE)
        return hello(environ, start_response)

    client = serve(application).client()
    begin(client, 1, 600_000, b"x" * (UNREAD + 70_000))
    client.send(request(2, keep=True))
    go.set()

    answers = client.answers(1, 2)
    assert (answers[1].body, answers[2].body) == (b"hello", b"hello")


def test_whose_body_does_not_come_is_answered_408_and_the_others_as_usual(serve):
    client = serve(Slow(), read_timeout=0.3).client()
    client.send(head(1, keep=True, CONTENT_LENGTH="10", PATH_INFO="/"))
    for number in range(2, 7):
        client.send(request(number, b"other", keep=True))
    answers = client.answers(*range(1, 7))

    assert [answers[number].body for number in range(2, 7)] == [b"other"] * 5
    assert answers[1].status == "408 Request Timeout"
    client.send(request(1, b"again", keep=True))
    assert client.answer(1).body == b"again"


def test_a_last_request_keeps_nobody_waiting_who_was_begun_before(serve):
    """Though the front does not keep the connection, another request is open on it."""
    client = serve(Slow()).client()
    other = request(2, b"two", keep=True)
    client.send(other[:16])
    client.send(request(1, keep=False))
    assert client.answer(1).status == "200 OK"

    client.send(other[16:])

    assert client.answer(2).body == b"two"
    assert client.ended()


@pytest.mark.parametrize(
    "before",
    [record(GET_VALUES, 0), head(2, keep=True)[:16] + record(ABORT, 2)],
    ids=["values", "aborted"],
)
def test_a_front_that_was_owed_an_answer_before_its_last_request_frees_its_place(
    serve, before
):
    served = serve(hello, max_connections=1)
    client = served.client()
    client.send(before + request(1, keep=False))
    client.rest()

    client.close()

    assert served.client().ask(keep=False).body == b"hello"


def test_a_front_that_goes_away_with_a_request_begun_after_the_last_frees_its_place(
    serve,
):
    served = serve(Slow(), max_connections=1)
    client = served.client()
    client.send(request(1, keep=False) + request(2, keep=True)[:16])
    assert client.answer(1).status == "200 OK"

    client.close()

    assert served.client().ask(keep=False).status == "200 OK"


def test_a_front_that_takes_nothing_is_cut_and_all_its_requests_are_disconnects(serve):
    begun = threading.Barrier(3)

    def application(environ, start_response):
        start_response("200 OK", [])
        begun.wait(PATIENCE)
        for _ in range(1000):
            yield b"x" * 100_000

    served = serve(application, threads=3, write_timeout=0.2)
    client = served.client()
    client.send(request(1, keep=True) + request(2, keep=True))
    begun.wait(PATIENCE)
    other = served.client()  # is read once a thread has nothing more to send
    other.send(request(keep=True, REQUEST_METHOD="HEAD"))
    begun.abort()

    assert other.answer().status != ""
    served.server.stop()
    served.join()
    assert [each.ended for each in served.kit.handlers[:2]] == ["disconnected"] * 2
    data, _ = client.rest()
    assert len(data) < 10_000_000


def test_a_front_that_takes_nothing_on_one_connection_keeps_nobody_out(serve):
    begun = threading.Semaphore(0)

    def application(environ, start_response):
        if environ["PATH_INFO"] != "/big":
            return hello(environ, start_response)
        begun.release()
        start_response("200 OK", [])
        return iter([b"x" * 1_000_000] * 10)

    served = serve(application, threads=3, write_timeout=LONG)
    client = served.client()
    numbers = range(1, 11)
    client.send(b"".join(request(n, keep=True, PATH_INFO="/big") for n in numbers))
    for _ in range(2):
        assert begun.acquire(timeout=PATIENCE)
    for _ in range(10):
        assert served.client().ask().body == b"hello"

    answers = client.answers(*numbers)
    assert {len(each.body) for each in answers.values()} == {10_000_000}


def test_a_stop_at_once_waits_for_no_exchange_beside_an_upload_that_waits(
    serve, monkeypatch
):
    """Its connection is closed for the upload, and the exchange may never end."""
    monkeypatch.setattr(server, "_LEAVING", 0.01)
    slow, uploads = Slow(), threading.Semaphore(0)

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/upload":
            uploads.release()
        return slow(environ, start_response)

    served = serve(application, threads=3, read_timeout=LONG)
    upload = head(2, keep=True, CONTENT_LENGTH="300000", PATH_INFO="/upload")
    upload += record(STDIN, 2, b"x" * 60_000) * 2
    for _ in range(2):  # all threads but one
        served.client().send(upload)
        assert uploads.acquire(timeout=PATIENCE)
    client = served.client()
    client.send(request(1, keep=True, PATH_INFO="/slow"))
    assert slow.begun.wait(PATIENCE)
    client.send(upload + record(GET_VALUES, 0))
    assert client.record()[0] == GET_VALUES_RESULT  # so it waits by now

    served.server.stop(at_once=True)
    served.thread.join(PATIENCE / 2)  # before the exchange ends by itself

    assert not served.thread.is_alive()
    (said,) = served.log  # of others, whose threads are about to end, perhaps, too
    assert said.endswith(" exchanges did not end in time, and were abandoned")
    slow.go.set()


APP = """
import os
import threading

PAUSE = threading.Event()


def application(environ, start_response):
    count = 0
    while piece := environ["wsgi.input"].read(100_000):
        count += len(piece)
        PAUSE.wait(0.001)  # slower than the front
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open("/proc/self/statm") as memory:
        pages = int(memory.read().split()[1])
    return [f"{count} {pages * os.sysconf('SC_PAGE_SIZE')}".encode()]
"""
CONFIG = """
[app]
target = "app:application"

[handler]
class = "{}Handler"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
def test_a_large_upload_to_a_slow_reader_takes_little_memory(program, protocol):
    program.write("app.py", APP)
    serving = program(CONFIG.format(protocol), "unix")
    front = Front(serving.bind)
    sizes = []
    for size in (0, 100_000_000):
        client = front.client()
        piece = b"x" * 50_000
        if protocol == "SCGI":
            client.send(scgi(CONTENT_LENGTH=str(size)))
        else:
            client.send(head(CONTENT_LENGTH=str(size)))
            piece = record(STDIN, 1, piece)
        for _ in range(size // 50_000):
            client.send(piece)
        if protocol == "SCGI":
            answer = parse(*client.rest())
        else:
            client.send(record(STDIN, 1))
            answer = client.answer()
        count, resident = answer.body.split()
        assert int(count) == size
        sizes.append(int(resident))
    front.close()

    print(f"{protocol}: {(sizes[1] - sizes[0]) / 1e6:.1f} MB for 100 MB")
    assert sizes[1] - sizes[0] < 8_000_000
