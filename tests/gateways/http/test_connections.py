"""Connections: which stay, which end, how they end, and how long they may take."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.gateways.clock import PATIENCE, wait_until_at_rest, wait_until_taken
from tests.gateways.http.conftest import LONG

CHUNKED = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def head(length: int, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} / HTTP/1.1", "Host: a", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_connection_serves_one_request_after_the_other(
    serve: Callable[..., Any], hello: Any
) -> None:
    client = serve(validator(hello)).client()

    answers = [client.get(), client.get(), client.get("/", "Connection: close")]

    assert [answer.body for answer in answers] == [b"hello"] * 3
    assert [answer.headers.get("connection") for answer in answers] == [
        None,
        None,
        "close",
    ]
    assert client.ended()


def test_a_client_of_http_1_0_keeps_its_connection_if_it_asks(
    serve: Callable[..., Any], hello: Any
) -> None:
    client = serve(hello).client()

    first = client.get("/", "Connection: keep-alive", version="1.0")
    second = client.get("/", version="1.0")

    assert first.headers["connection"] == "keep-alive"
    assert second.headers["connection"] == "close"
    assert client.ended()


def test_pipelined_requests_are_answered_in_their_order(
    serve: Callable[..., Any], echo: Any
) -> None:
    client = serve(echo, threads=4).client()
    bodies = [b"%d" % number * number for number in range(20)]

    client.send(b"".join(head(len(body)) + body for body in bodies))

    assert [client.answer().body for _ in bodies] == bodies


def test_a_pipelined_request_of_which_only_the_beginning_has_come_is_served(
    serve: Callable[..., Any], echo: Any
) -> None:
    client = serve(echo, threads=1).client()
    requests = (head(3) + b"one") * 2

    client.send(requests[:-20])
    assert client.answer().body == b"one"
    client.send(requests[-20:])

    assert client.answer().body == b"one"


def test_who_pipelines_holds_up_nobody(serve: Callable[..., Any], echo: Any) -> None:
    """Others that have said something have their turn in between."""
    order = []
    both = threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        order.append(environ["PATH_INFO"])
        both.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    served = serve(application, threads=1)
    many, one = served.client(), served.client()
    many.send(b"GET /many HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
    while not order:
        threading.Event().wait(0.001)
    one.send(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n")
    both.set()
    one.answer()
    for _ in range(20):
        many.answer()

    assert order.index("/one") < 5


def test_a_pipelined_request_after_one_without_body_is_served(
    serve: Callable[..., Any], hello: Any
) -> None:
    client = serve(hello).client()

    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)

    assert [client.answer().body for _ in range(2)] == [b"hello", b"hello"]


@pytest.mark.parametrize("length", [0, 2])
@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_an_application_that_answers_1xx_makes_no_later_answer_its_own(
    serve: Callable[..., Any], status: str, length: int
) -> None:
    """The client waits for a final answer: the pipelined request must get none."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"hello"]
        start_response(status, [])
        environ["wsgi.input"].read()
        return []

    served = serve(application)
    client = served.client()

    client.send(head(length) + b"x" * length + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = client.answer(bodiless=True)

    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert client.ended()
    assert served.get().body == b"hello"


def test_chunks_come_and_go(serve: Callable[..., Any]) -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield from iter(lambda: environ["wsgi.input"].read(3), b"")

    client = serve(application).client()

    client.send(b"POST / HTTP/1.1\r\n" + CHUNKED + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
    answer = client.answer()

    assert (answer.body, answer.end) == (b"hello!", "chunks")


def test_a_head_that_announced_the_end_is_held_to_it(serve: Callable[..., Any]) -> None:
    begun = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"early "
        begun.set()
        yield environ["wsgi.input"].read()

    client = serve(application, keep_alive_timeout=60.0).client()
    late = b"x" * 70_000  # of which enough has come before its end
    client.send(b"POST / HTTP/1.1\r\n" + CHUNKED + b"%x\r\n%b" % (len(late), late))
    assert begun.wait(PATIENCE)
    client.send(b"\r\n0\r\n\r\n")
    answer = client.answer()

    assert (answer.body, answer.headers["connection"]) == (b"early " + late, "close")
    assert client.ended()


def test_a_chunked_body_that_was_read_to_its_end_keeps_the_connection(
    serve: Callable[..., Any], echo: Any
) -> None:
    client = serve(echo).client()

    for _ in range(2):
        client.send(b"POST / HTTP/1.1\r\n" + CHUNKED + b"1\r\n!\r\n0\r\nX: y\r\n\r\n")
        assert client.answer().body == b"!"


def test_a_stream_to_a_client_of_http_1_0_ends_with_the_connection(
    serve: Callable[..., Any],
) -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        yield b"b"

    answer = serve(application).get("/", "Connection: keep-alive", version="1.0")

    assert (answer.body, answer.end) == (b"ab", "close")
    assert answer.headers["connection"] == "close"


class TestInput:
    """What the application reads of a body."""

    @pytest.mark.parametrize(
        ("read", "found"),
        [
            (lambda stream: [stream.read()], [b"one\ntwo\nthree"]),
            (
                lambda stream: [stream.read(5), stream.read(-1)],
                [b"one\nt", b"wo\nthree"],
            ),
            (
                lambda stream: [stream.read(500), stream.read(1)],
                [b"one\ntwo\nthree", b""],
            ),
            (lambda stream: [stream.readline()], [b"one\n"]),
            (
                lambda stream: [stream.readline(2), stream.readline(9)],
                [b"on", b"e\n"],
            ),
            (lambda stream: stream.readlines(), [b"one\n", b"two\n", b"three"]),
            (list, [b"one\n", b"two\n", b"three"]),
        ],
    )
    @pytest.mark.parametrize("chunked", [False, True])
    def test_every_way_of_reading_ends_with_the_body(
        self, serve: Callable[..., Any], read: Any, found: list[bytes], chunked: bool
    ) -> None:
        seen: list[bytes] = []

        def application(environ: Any, start_response: Any) -> list[bytes]:
            seen.extend(read(environ["wsgi.input"]))
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b""]

        client = serve(application).client()
        body = b"one\ntwo\nthree"
        if chunked:
            client.send(b"POST / HTTP/1.1\r\n" + CHUNKED)
            for byte in body:
                client.send(b"1\r\n%c\r\n" % byte)
            client.send(b"0\r\n\r\nGET")
        else:
            client.send(head(len(body)) + body + b"GET")
        client.answer()

        assert seen == found

    def test_a_large_body_arrives_whole(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        client = serve(echo).client()
        body = bytes(range(256)) * 8192
        sender = threading.Thread(target=client.send, args=(head(len(body)) + body,))

        sender.start()
        answer = client.answer()
        sender.join()

        assert answer.body == body

    def test_the_wsgi_validator_finds_nothing(self, serve: Callable[..., Any]) -> None:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            stream = environ["wsgi.input"]
            lines = [stream.readline(), stream.read(2), *stream]
            start_response("200 OK", [("Content-Type", "text/plain")])
            return lines

        client = serve(validator(application)).client()
        client.send(head(8) + b"a\nbcd\nef")

        assert client.answer().body == b"a\nbcd\nef"

    def test_a_client_that_leaves_before_the_end_is_no_short_body(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        served = serve(echo)
        client = served.client()

        client.send(head(100_000) + b"x" * 70_000)
        client.socket.shutdown(socket.SHUT_WR)

        assert client.ended()
        (handler,) = served.kit.handlers
        assert handler.ended == "disconnected"
        assert served.stderr.getvalue() == ""

    def test_a_body_that_does_not_come_is_answered_408(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        client = serve(echo, read_timeout=0.1).client()

        client.send(head(10) + b"short")
        answer = client.answer()

        assert answer.status == "408 Request Timeout"
        assert answer.headers["connection"] == "close"
        assert client.ended()

    def test_a_chunked_body_over_the_limit_is_answered_413(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        client = serve(echo, max_body=4).client()

        client.send(b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n3\r\nabc\r\n")

        assert client.answer().status == "413 Content Too Large"
        assert client.ended()


class TestExpect:
    """Expect: 100-continue (RFC 9110, 10.1.1)."""

    def test_the_client_is_asked_when_the_application_reads(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        client = serve(echo).client()

        client.send(head(2, "Expect: 100-continue"))
        asked = client.line(), client.line()
        client.send(b"hi")

        assert asked == (b"HTTP/1.1 100 Continue", b"")
        assert client.answer().body == b"hi"
        assert client.get().body == b""

    def test_a_client_that_is_not_asked_gets_its_answer_and_the_end(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello).client()

        client.send(head(2, "Expect: 100-continue"))
        answer = client.answer()

        assert (answer.status, answer.headers["connection"]) == ("200 OK", "close")
        assert client.ended()

    def test_nobody_is_asked_once_the_head_is_out(
        self, serve: Callable[..., Any]
    ) -> None:
        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain")])
            yield b"early "
            yield environ["wsgi.input"].read()

        client = serve(application).client()
        client.send(head(2, "Expect: 100-continue"))
        while b"early" not in client.ahead:
            client.ahead += client.receive()
        client.send(b"hi")

        assert client.answer().body == b"early hi"

    def test_nobody_is_asked_for_an_empty_body(
        self, serve: Callable[..., Any], echo: Any
    ) -> None:
        client = serve(echo).client()

        client.send(head(0, "Expect: 100-continue"))

        assert client.answer().status == "200 OK"
        assert client.get().status == "200 OK"


class TestUnreadBody:
    """A body that the application did not read."""

    @pytest.fixture
    def partial_reader(self, hello: Any) -> Any:
        """Say hello after half of a body of 100,000 bytes."""

        def application(environ: Any, start_response: Any) -> Any:
            environ["wsgi.input"].read(50_000)
            return hello(environ, start_response)

        return application

    def test_a_small_one_is_read_and_the_connection_kept(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello).client()

        client.send(head(60_000) + b"x" * 60_000)

        assert "connection" not in client.answer().headers
        assert client.get().body == b"hello"

    def test_a_large_one_ends_the_connection_after_the_answer_was_read(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello).client()

        client.send(head(4_000_000) + b"x" * 4_000_000)
        answer = client.answer()
        client.socket.shutdown(socket.SHUT_WR)

        assert (answer.body, answer.headers["connection"]) == (b"hello", "close")
        assert client.ended()

    def test_a_small_one_that_does_not_come_ends_the_connection(
        self, serve: Callable[..., Any], partial_reader: Any
    ) -> None:
        client = serve(partial_reader, drain_timeout=0.2).client()

        client.send(head(100_000) + b"x" * 70_000)
        answer = client.answer()
        client.socket.shutdown(socket.SHUT_WR)

        assert (answer.body, answer.headers.get("connection")) == (b"hello", None)
        assert client.ended()

    def test_a_small_one_that_drips_in_keeps_no_worker(
        self, serve: Callable[..., Any], partial_reader: Any
    ) -> None:
        served = serve(partial_reader, threads=1, drain_timeout=0.2)
        slow, other = served.client(), served.client()
        slow.send(head(100_000) + b"x" * 70_000)
        assert slow.answer().body == b"hello"
        other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        other.socket.settimeout(0.02)

        end = monotonic() + PATIENCE
        while monotonic() < end:
            slow.send(b"x")
            try:
                other.ahead += other.receive()
                break
            except TimeoutError:
                continue

        other.socket.settimeout(PATIENCE)
        assert other.ahead
        assert other.answer().body == b"hello"

    def test_a_refused_upload_gets_its_answer_while_it_is_being_sent(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello, max_body=10).client()

        client.send(head(4_000_000) + b"x" * 4_000_000)

        assert client.answer().status == "413 Content Too Large"


class TestAborted:
    """A response that breaks off is never seen as a whole one."""

    @pytest.mark.parametrize(
        ("version", "headers", "end"),
        [
            ("1.1", [], "cut"),
            ("1.1", [("Content-Length", "10")], "cut"),
            ("1.0", [], "reset"),
        ],
    )
    def test_the_client_sees_it(
        self,
        serve: Callable[..., Any],
        version: str,
        headers: list[tuple[str, str]],
        end: str,
    ) -> None:
        seen = threading.Event()

        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain"), *headers])
            yield b"half"
            seen.wait(PATIENCE)
            raise ValueError("broken")

        served = serve(application)
        client = served.client()
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
        while b"half" not in client.ahead:
            client.ahead += client.receive()
        seen.set()
        answer = client.answer()

        assert (answer.body.strip(), answer.end) == (b"half", end)
        assert "ValueError: broken" in served.stderr.getvalue()

    @pytest.mark.parametrize("fatal", [SystemExit(3), KeyboardInterrupt()])
    def test_what_would_end_the_process_ends_one_exchange(
        self, serve: Callable[..., Any], fatal: BaseException
    ) -> None:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            if environ["PATH_INFO"] == "/fatal":
                raise fatal
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"alive"]

        served = serve(application, threads=1)

        assert served.get("/fatal").status == "500 Internal Server Error"
        assert served.get().body == b"alive"
        assert [line for line in served.log if type(fatal).__name__ in line]

    def test_a_kit_that_makes_no_handler_is_answered_for(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        served = serve(hello)
        served.kit.handler = None

        answer = served.get()

        assert answer.status == "500 Internal Server Error"
        assert "TypeError" in served.log[0]
        assert "TypeError" not in answer.body.decode()


class TestTime:
    """Nobody may keep a connection for ever."""

    def test_half_sent_heads_cost_no_thread_and_end_with_408(
        self, serve: Callable[..., Any], hello: Any, clock: Any
    ) -> None:
        served = serve(hello, threads=1, keep_alive_timeout=2 * LONG)
        slow = [served.client() for _ in range(50)]
        for number, client in enumerate(slow):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n"[: 1 + number % 25])

        fast = served.client()
        assert [fast.get().body for _ in range(20)] == [b"hello"] * 20
        wait_until_at_rest(served.server, 51)
        clock.leap(served.server, LONG)

        for client in slow:
            assert client.answer().status == "408 Request Timeout"
            assert client.ended()

    def test_a_head_does_not_get_more_time_by_coming_byte_by_byte(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello, header_timeout=0.3).client()
        client.send(b"GET / HTTP/1.1\r\nX: ")
        client.socket.settimeout(0.02)

        end = monotonic() + PATIENCE
        while monotonic() < end:
            client.send(b"y")
            try:
                client.ahead += client.receive()
                break
            except TimeoutError:
                continue

        assert client.ahead.startswith(b"HTTP/1.1 408 ")

    def test_a_connection_that_says_nothing_is_answered_408(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello, header_timeout=0.05).client()

        assert client.answer().status == "408 Request Timeout"

    def test_an_idle_connection_is_closed_without_a_word(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        client = serve(hello, keep_alive_timeout=0.05).client()
        client.get()

        assert client.ended()

    def test_a_second_head_has_the_time_of_a_head_not_of_an_idle_connection(
        self, serve: Callable[..., Any], hello: Any, tmp_path: Path, clock: Any
    ) -> None:
        bind = f"unix:{tmp_path / 's'}"
        served = serve(hello, bind, keep_alive_timeout=9 * LONG)
        client = served.client()
        client.get()

        client.send(b"GET ")
        wait_until_taken(client.socket)
        wait_until_at_rest(served.server, 1)
        clock.leap(served.server, LONG)

        assert client.answer().status == "408 Request Timeout"

    def test_a_client_that_takes_nothing_is_a_disconnect(
        self, serve: Callable[..., Any]
    ) -> None:
        closed = threading.Event()

        class Endless:
            def __iter__(self) -> Iterator[bytes]:
                while True:
                    yield b"x" * 100_000

            def close(self) -> None:
                closed.set()

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return Endless()

        served = serve(application, write_timeout=0.1)
        served.client().send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        assert closed.wait(PATIENCE)
        served.server.stop()
        served.join()
        assert served.kit.handlers[0].ended == "disconnected"
        assert served.stderr.getvalue() == ""

    def test_times_of_years_are_no_more_than_the_system_can_wait(
        self, serve: Callable[..., Any]
    ) -> None:
        begun = threading.Event()
        size = 20_000_000  # more than a connection holds

        def application(environ: Any, start_response: Any) -> list[bytes]:
            begun.set()
            environ["wsgi.input"].read()
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"x" * size]

        kinds = ("header", "keep_alive", "read", "write", "drain", "farewell")
        times = {f"{kind}_timeout": 1e300 for kind in (*kinds, "graceful", "parting")}
        client = serve(application, **times).client()
        client.send(head(100_001) + b"x" * 100_000)
        assert begun.wait(PATIENCE)
        client.send(b"x")

        assert client.answer().body == b"x" * size

    def test_who_finds_no_room_waits_until_there_is(
        self, serve: Callable[..., Any], hello: Any
    ) -> None:
        served = serve(hello, max_connections=2)
        first, second, third = (served.client() for _ in range(3))
        first.get()
        second.get()
        third.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        third.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            third.receive()
        third.socket.settimeout(PATIENCE)

        first.close()

        assert third.answer().body == b"hello"
