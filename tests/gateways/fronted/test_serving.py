"""Threads, time and the end: what servers of FastCGI and SCGI do with connections."""

import contextlib
import select
import socket
import threading
from pathlib import Path
from time import monotonic

import pytest

from tests.gateways.clock import wait_until_at_rest, wait_until_taken
from tests.gateways.fronted.conftest import LONG, echo, hello
from tests.gateways.fronted.wire import (
    PATIENCE,
    STDIN,
    head,
    parse,
    record,
    request,
    scgi,
)

TCP = "127.0.0.1:0"
KINDS = pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])


def whole(protocol, **params):
    return scgi(**params) if protocol == "SCGI" else request(**params)


def beginning(protocol):
    return whole(protocol)[:20]


def body_of(client, protocol):
    return (parse(*client.rest()) if protocol == "SCGI" else client.answer()).body


@KINDS
def test_so_many_exchanges_as_threads_run_at_once(serve, protocol):
    together = threading.Barrier(5)

    def application(environ, start_response):
        together.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application, protocol, threads=5)
    clients = [served.client() for _ in range(5)]
    for client in clients:
        client.send(whole(protocol))

    assert [body_of(client, protocol) for client in clients] == [b"hello"] * 5


@KINDS
def test_more_than_that_wait_and_are_served(serve, protocol):
    go = threading.Semaphore(0)

    def application(environ, start_response):
        go.acquire(timeout=PATIENCE)
        return hello(environ, start_response)

    served = serve(application, protocol, threads=2)
    clients = [served.client() for _ in range(12)]
    for client in clients:
        client.send(whole(protocol))
    go.release(12)

    assert [body_of(client, protocol) for client in clients] == [b"hello"] * 12


@KINDS
def test_idle_connections_and_half_heads_take_no_thread(serve, protocol):
    served = serve(hello, protocol, threads=1)
    waiting = [served.client() for _ in range(50)]
    for client in waiting[25:]:
        client.send(beginning(protocol))

    client = served.client()
    client.send(whole(protocol))
    assert body_of(client, protocol) == b"hello"

    for client in waiting[25:]:
        client.send(whole(protocol)[20:])
        assert body_of(client, protocol) == b"hello"


@KINDS
def test_a_head_has_its_time(serve, protocol, clock):
    served = serve(hello, protocol, header_timeout=LONG)
    idle, slow = served.client(), served.client()
    slow.send(beginning(protocol))
    wait_until_taken(slow.socket)
    wait_until_at_rest(served.server, 2)
    clock.leap(served.server, LONG)

    assert idle.ended()
    data, _ = slow.rest()
    expected = "408 Request Timeout" if protocol == "SCGI" else ""
    assert parse(data).status == expected


def test_a_head_that_comes_drop_by_drop_has_no_more_time(serve, clock):
    served = serve(hello, header_timeout=LONG)
    client = served.client()
    for byte in request()[:3]:
        client.send(bytes([byte]))
        wait_until_taken(client.socket)
        wait_until_at_rest(served.server, 1)
        clock.leap(served.server, LONG * 0.4)

    assert client.ended()


def test_a_kept_connection_has_its_time(serve):
    client = serve(hello, keep_alive_timeout=0.1, header_timeout=PATIENCE).client()
    client.send(request(keep=True))
    client.answer()

    assert client.ended()


def test_a_connection_may_be_idle_for_longer_than_a_head_takes(serve, clock):
    served = serve(hello, header_timeout=LONG, keep_alive_timeout=2 * LONG)
    client = served.client()
    client.send(request(keep=True))
    client.answer()
    wait_until_at_rest(served.server, 1)
    clock.leap(served.server, LONG)

    client.send(request(keep=True))
    assert client.answer().body == b"hello"


@KINDS
def test_a_body_that_does_not_come_is_answered_408(serve, protocol):
    client = serve(echo, protocol, read_timeout=0.1).client()
    if protocol == "SCGI":
        client.send(scgi(CONTENT_LENGTH="10"))
        answer = parse(client.socket.recv(65536))
    else:
        client.send(head(CONTENT_LENGTH="10"))
        answer = client.answer()

    assert answer.status == "408 Request Timeout"


@KINDS
def test_a_front_that_takes_nothing_is_a_disconnect(serve, protocol):
    def application(environ, start_response):
        start_response("200 OK", [])
        for _ in range(1000):
            yield b"x" * 100_000

    served = serve(application, protocol, write_timeout=0.1)
    client = served.client()
    client.send(whole(protocol))
    assert select.select([client.socket], [], [], PATIENCE)[0]

    assert served.outcome() == "disconnected"


@KINDS
def test_more_connections_than_allowed_wait_for_their_turn(serve, protocol):
    served = serve(hello, protocol, max_connections=2)
    first = [served.client() for _ in range(2)]
    for client in first:
        client.send(beginning(protocol))
    late = served.client()
    late.send(whole(protocol))

    assert not select.select([late.socket], [], [], 0.2)[0]
    first[0].close()
    assert body_of(late, protocol) == b"hello"


@KINDS
def test_nobody_reads_ahead_of_the_application_without_bound(serve, protocol):
    go = threading.Event()

    def application(environ, start_response):
        environ["wsgi.input"].read(1)
        go.wait(PATIENCE)
        return echo(environ, start_response)

    client = serve(application, protocol).client()
    size = 20_000_000
    client.socket.settimeout(0.5)
    sent = 0
    piece = b"x" * 60_000 if protocol == "SCGI" else record(STDIN, 1, b"x" * 60_000)
    client.send(
        scgi(CONTENT_LENGTH=str(size))
        if protocol == "SCGI"
        else head(CONTENT_LENGTH=str(size))
    )
    with contextlib.suppress(TimeoutError):
        while sent < size:
            sent += client.socket.send(piece)

    assert sent < 3_000_000
    go.set()


@KINDS
@pytest.mark.parametrize("bind", ["", TCP], ids=["unix", "tcp"])
def test_who_is_accepted_or_waits_for_it_is_answered_at_a_stop(serve, protocol, bind):
    begun, go = threading.Event(), threading.Event()

    def application(environ, start_response):
        begun.set()
        go.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application, protocol, bind, threads=1, max_connections=3)
    clients = [served.client() for _ in range(6)]
    for client in clients:
        client.send(whole(protocol))
    assert begun.wait(PATIENCE)
    served.server.stop()
    go.set()

    assert [body_of(client, protocol) for client in clients] == [b"hello"] * 6
    served.join()
    assert served.kit.life == ["started", "closed"]
    assert served.log == []


@KINDS
def test_who_has_connected_is_answered_though_it_speaks_after_the_stop(serve, protocol):
    served = serve(hello, protocol, parting_timeout=LONG)
    client = served.client()
    served.server.stop()
    path, latest = Path(served.front.url.removeprefix("unix:")), monotonic() + PATIENCE
    while path.exists() and monotonic() < latest:
        threading.Event().wait(0.001)
    client.send(whole(protocol))

    assert body_of(client, protocol) == b"hello"
    served.join()
    assert served.kit.life == ["started", "closed"]


@KINDS
def test_who_has_connected_and_says_nothing_delays_no_stop(serve, protocol):
    served = serve(hello, protocol, graceful_timeout=LONG)
    client = served.client()
    served.server.stop()

    assert client.ended()
    served.join()


@KINDS
def test_a_second_stop_cuts_whenever_it_comes(serve, protocol):
    begun, go = threading.Event(), threading.Event()

    def application(environ, start_response):
        begun.set()
        go.wait(LONG)
        return hello(environ, start_response)

    class Patience(float):
        """In the midst of working out how long there is comes the second signal."""

        def __radd__(self, now):
            served.server.stop(at_once=True)
            return now + float(self)

    served = serve(application, protocol, graceful_timeout=Patience(LONG))
    client = served.client()
    client.send(whole(protocol))
    assert begun.wait(PATIENCE)
    served.server.stop()

    assert client.ended()
    served.join()
    go.set()


def test_idle_connections_end_at_a_stop(serve):
    served = serve(hello)
    client, never = served.client(), served.client()
    client.send(request(keep=True))
    client.answer()
    served.server.stop()

    assert client.ended()
    assert never.ended()
    served.join()


@KINDS
def test_what_does_not_end_in_time_is_cut(serve, protocol):
    begun, go = threading.Event(), threading.Event()

    def application(environ, start_response):
        begun.set()
        go.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application, protocol, graceful_timeout=0.1)
    client = served.client()
    client.send(whole(protocol))
    assert begun.wait(PATIENCE)
    served.server.stop()

    assert client.ended()
    go.set()
    served.join()


@KINDS
def test_load_from_many_connections_is_all_answered(serve, protocol):
    served = serve(hello, protocol, threads=4)
    answers = []

    def load():
        for _ in range(100):
            client = served.client()
            client.send(whole(protocol))
            answers.append(body_of(client, protocol))
            client.close()

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [b"hello"] * 800


@KINDS
def test_no_job_waits_for_the_next_event(serve, protocol):
    """Nothing is due for long here: what is forgotten would stay so."""
    served = serve(hello, protocol)
    answers = []

    def load():
        for _ in range(150):
            client = served.client()
            client.send(whole(protocol))
            answers.append(body_of(client, protocol))
            client.close()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    slow = [served.client() for _ in range(20)]
    for byte in whole(protocol):
        for client in slow:
            client.send(bytes([byte]))
    answers += [body_of(client, protocol) for client in slow]
    for thread in threads:
        thread.join()

    assert answers == [b"hello"] * 620


@KINDS
@pytest.mark.parametrize("busy", [0, 1])
def test_who_asks_again_at_once_does_not_wait_for_others(serve, protocol, busy):
    """Each exchange lasts several ticks of the crew, so the lead goes to and fro."""
    patience = 10 * PATIENCE  # what is forgotten would stay so
    go, pause = threading.Event(), threading.Event()

    def application(environ, start_response):
        if environ.get("QUERY_STRING") == "long":
            go.wait(patience)
        pause.wait(0.02)
        return hello(environ, start_response)

    served = serve(
        application,
        protocol,
        threads=1 + busy,
        header_timeout=patience,
        keep_alive_timeout=patience,
        farewell_timeout=patience,
    )
    clients = [served.client() for _ in range(busy)]
    for client in clients:
        client.send(whole(protocol, QUERY_STRING="long"))
    asking = served.client()
    try:
        for number in range(1, 51):
            if protocol == "FastCGI":
                asking.send(request(number, keep=True))
                assert asking.answer(number).body == b"hello"
            else:
                assert asking.scgi().body == b"hello"
                asking = served.client()
    finally:
        go.set()
    for client in clients:
        assert body_of(client, protocol) == b"hello"


class Limit(int):
    """A limit; ``reached`` is called while the server finds that it is reached."""

    reached = staticmethod(lambda: None)

    def __gt__(self, other):
        is_reached = int(self) <= other
        if is_reached:
            self.reached()
        return not is_reached


def test_a_close_at_the_limit_lets_the_next_one_in(serve):
    patience = 10 * PATIENCE  # who is forgotten would stay so
    started = []
    begun, go, closed = (threading.Event() for _ in range(3))

    def application(environ, start_response):
        begun.set()
        started[0].server.wake()  # it may have looked at the limit before
        assert go.wait(PATIENCE)
        return hello(environ, start_response)

    def close():
        if begun.is_set() and not go.is_set():
            with contextlib.suppress(BlockingIOError):  # what has woken it is no help
                started[0].server._wake_end.recv(4096)
            go.set()
            closed.wait(PATIENCE)
            threading.Event().wait(0.05)  # nothing tells when a close has come back

    limit = Limit(1)
    limit.reached = close
    served = serve(
        application,
        "SCGI",
        max_connections=limit,
        header_timeout=patience,
        keep_alive_timeout=patience,
        farewell_timeout=patience,
    )
    started.append(served)
    first, second = served.client(), served.client()
    assert first.scgi().body == b"hello"
    closed.set()

    assert second.scgi().body == b"hello"


def upload(protocol):
    """Give the beginning of a large one, as much as makes its exchange begin."""
    if protocol == "SCGI":
        return scgi(CONTENT_LENGTH="1000000") + b"x" * 65536
    pieces = [record(STDIN, 1, b"x" * 32768)] * 2
    return head(CONTENT_LENGTH="1000000") + b"".join(pieces)


def piece(protocol):
    return b"x" if protocol == "SCGI" else record(STDIN, 1, b"x")


@KINDS
def test_an_early_answer_waits_for_a_slow_upload(serve, protocol, clock):
    """Which lasts longer than the farewell does, as behind httpd."""
    served = serve(hello, protocol, farewell_timeout=LONG, read_timeout=9 * LONG)
    client = served.client()
    client.send(upload(protocol))
    assert select.select([client.socket], [], [], PATIENCE)[0]
    for _ in range(4):
        client.send(piece(protocol))
        wait_until_taken(client.socket)
        wait_until_at_rest(served.server, 1)
        clock.leap(served.server, LONG * 0.6)
    client.socket.shutdown(socket.SHUT_WR)

    data, end = client.rest()
    assert b"\r\n\r\nhello" in data
    assert end == "end"


@KINDS
def test_a_slow_upload_keeps_no_connection_for_ever(serve, protocol):
    served = serve(hello, protocol, farewell_timeout=0.2, read_timeout=0.5)
    client = served.client()
    client.send(upload(protocol))
    end = monotonic() + PATIENCE

    def go_on():
        while monotonic() < end:
            client.send(piece(protocol))
            threading.Event().wait(0.01)

    with pytest.raises(OSError, match=r"pipe|reset"):
        go_on()


@pytest.mark.parametrize(("method", "has_body"), [("GET", True), ("HEAD", False)])
@KINDS
def test_a_failure_of_the_server_has_no_body_for_head(
    serve, protocol, method, has_body
):
    served = serve(hello, protocol)
    served.kit.kind = None  # so that no handler can be made
    client = served.client()
    client.send(whole(protocol, REQUEST_METHOD=method))
    answer = parse(*client.rest()) if protocol == "SCGI" else client.answer()

    assert answer.status == "500 Internal Server Error"
    assert int(answer.headers["content-length"]) > 0
    assert bool(answer.body) is has_body


@KINDS
@pytest.mark.parametrize(("method", "has_body"), [("POST", True), ("HEAD", False)])
def test_a_refusal_has_no_body_for_head(serve, protocol, method, has_body):
    client = serve(hello, protocol, max_body=1).client()
    client.send(whole(protocol, REQUEST_METHOD=method, CONTENT_LENGTH="2"))
    answer = parse(client.rest()[0]) if protocol == "SCGI" else client.answer()

    assert answer.status == "413 Content Too Large"
    assert bool(answer.body) is has_body
