"""One exchange after the other, by FastCGI and by SCGI, on TCP and unix sockets."""

import threading

import pytest

from handlerkit import FastCGIHandler
from handlerkit.plan import Impl, compile_plan
from tests.gateways.clock import wait_for
from tests.gateways.fronted.conftest import echo, hello
from tests.gateways.fronted.wire import (
    ABORT,
    END,
    GET_VALUES,
    GET_VALUES_RESULT,
    PATIENCE,
    STDIN,
    STDOUT,
    UNKNOWN_TYPE,
    head,
    pairs,
    parse,
    record,
    request,
    scgi,
)

TCP = "127.0.0.1:0"
KINDS = pytest.mark.parametrize("protocol", ["FastCGI", "SCGI"])
BINDS = pytest.mark.parametrize("bind", ["", TCP], ids=["unix", "tcp"])


def ask(served, protocol, body=b"", **params):
    client = served.client()
    if protocol == "SCGI":
        return client.scgi(body, **params)
    answer = client.ask(body, **params)
    assert client.ended()
    return answer


@KINDS
@BINDS
def test_a_request_is_answered_in_the_form_of_cgi(serve, protocol, bind):
    served = serve(hello, protocol, bind)

    answer = ask(served, protocol)

    assert (answer.status, answer.body) == ("200 OK", b"hello")
    assert answer.headers["content-length"] == "5"


@KINDS
def test_the_log_says_once_why_requests_are_refused(serve, protocol):
    """A front that is set up wrongly sends nothing else."""
    served = serve(hello, protocol)

    answers = [ask(served, protocol, CONTENT_LENGTH="many") for _ in range(3)]

    assert [answer.status for answer in answers] == ["400 Bad Request"] * 3
    (line,) = served.log
    assert line.startswith(f"a{'n' * (protocol == 'SCGI')} {protocol} request is ref")
    assert "CONTENT_LENGTH" in line


def test_a_front_may_go_on_before_the_exchange_is_over(serve):
    """nginx begins its next request, by the same id, on END_REQUEST."""
    answered = threading.Event()
    waited = []

    def finished(handler, outcome):
        if handler.environ["PATH_INFO"] == "/slow":
            waited.append(answered.wait(PATIENCE))

    names = ("handler", "outcome")

    class Observed(FastCGIHandler):
        plan = compile_plan([Impl("request_finished", "slow", finished, names)])

    served = serve(hello, threads=3)
    served.kit.kind = Observed
    client = served.client()
    assert client.ask(keep=True, PATH_INFO="/slow").body == b"hello"
    assert client.ask(keep=True).body == b"hello"
    assert waited == []
    answered.set()
    assert client.ask().body == b"hello"
    served.server.stop()
    served.join()
    assert waited == [True]


@KINDS
@BINDS
def test_a_body_is_read_to_its_end_and_no_further(serve, protocol, bind):
    served = serve(echo, protocol, bind)
    body = bytes(range(256)) * 250

    assert ask(served, protocol, body).body == body


@KINDS
@BINDS
def test_a_body_may_be_larger_than_all_buffers(serve, protocol, bind):
    sizes = []

    def application(environ, start_response):
        while piece := environ["wsgi.input"].read(100_000):
            sizes.append(len(piece))
        start_response("200 OK", [])
        return [str(sum(sizes)).encode()]

    client = serve(application, protocol, bind).client()
    piece, count = b"x" * 65535, 200
    if protocol == "SCGI":
        client.send(scgi(CONTENT_LENGTH=str(count * len(piece))))
        for _ in range(count):
            client.send(piece)
        body = parse(*client.rest()).body
    else:
        client.send(head(CONTENT_LENGTH=str(count * len(piece))))
        for _ in range(count):
            client.send(record(STDIN, 1, piece))
        client.send(record(STDIN, 1))
        body = client.answer().body

    assert body == b"%d" % (count * len(piece))


@KINDS
@BINDS
def test_what_the_application_does_not_read_does_not_spoil_the_answer(
    serve, protocol, bind
):
    client = serve(hello, protocol, bind).client()
    size = 3_000_000
    if protocol == "SCGI":
        client.send(scgi(CONTENT_LENGTH=str(size)))
        writer = threading.Thread(target=client.send, args=(b"x" * size,))
    else:
        client.send(head(CONTENT_LENGTH=str(size)))
        rest = record(STDIN, 1, b"x" * 60_000) * 50 + record(STDIN, 1)
        writer = threading.Thread(target=client.send, args=(rest,))
    writer.start()
    writer.join(PATIENCE)
    client.socket.shutdown(1)
    data = client.rest() if protocol == "SCGI" else client.answer()
    answer = parse(*data) if protocol == "SCGI" else data

    assert (answer.status, answer.body) == ("200 OK", b"hello")


@KINDS
def test_a_head_may_come_byte_by_byte(serve, protocol):
    client = serve(hello, protocol).client()
    for byte in scgi() if protocol == "SCGI" else request():
        client.send(bytes([byte]))
    answer = parse(*client.rest()) if protocol == "SCGI" else client.answer()

    assert answer.body == b"hello"


def failing_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"a part"
    raise RuntimeError("too late")


@BINDS
def test_a_response_of_scgi_that_breaks_off_ends_in_a_reset(serve, bind):
    served = serve(failing_late, "SCGI", bind)

    answer = served.client().scgi()

    assert answer.end == "reset"
    assert served.outcome() == "aborted"


@BINDS
def test_a_response_of_scgi_with_a_body_that_breaks_off_ends_in_a_reset(serve, bind):
    def application(environ, start_response):
        environ["wsgi.input"].read()
        yield from failing_late(environ, start_response)

    answer = serve(application, "SCGI", bind).client().scgi(b"x" * 300_000)

    assert answer.end == "reset"


@BINDS
def test_a_response_of_fastcgi_that_breaks_off_ends_in_no_record(serve, bind):
    served = serve(failing_late, "FastCGI", bind)
    client = served.client()

    client.send(request(keep=True))
    kind, _, content = client.record()

    assert (kind, parse(content).body) == (STDOUT, b"a part")
    assert client.rest() == (b"\xff" * 8, "end")
    assert served.outcome() == "aborted"


@KINDS
def test_an_error_before_the_head_is_answered(serve, protocol):
    def application(environ, start_response):
        raise RuntimeError("at once")

    served = serve(application, protocol)

    assert ask(served, protocol).status == "500 Internal Server Error"
    assert "RuntimeError: at once" in served.stderr.getvalue()


@KINDS
def test_wsgi_errors_is_the_log_of_the_server(serve, protocol):
    def application(environ, start_response):
        print("said", file=environ["wsgi.errors"])
        return hello(environ, start_response)

    served = serve(application, protocol)

    assert ask(served, protocol).body == b"hello"
    assert served.stderr.getvalue() == "said\n"


@KINDS
@BINDS
def test_a_front_that_leaves_is_a_disconnect(serve, protocol, bind):
    left = threading.Event()

    def application(environ, start_response):
        start_response("200 OK", [])
        left.wait(PATIENCE)
        for _ in range(10_000):
            yield b"x" * 10_000

    served = serve(application, protocol, bind)
    client = served.client()
    client.send(scgi() if protocol == "SCGI" else request())
    client.close()
    left.set()

    assert served.outcome() == "disconnected"


def half(protocol, size):
    """Give a request of which the second half of its body does not come."""
    if protocol == "SCGI":
        return scgi(CONTENT_LENGTH=str(2 * size)) + b"x" * size
    pieces = [b"x" * min(60_000, size - at) for at in range(0, size, 60_000)]
    body = b"".join(record(STDIN, 1, piece) for piece in pieces)
    return head(CONTENT_LENGTH=str(2 * size)) + body


@KINDS
@BINDS
def test_half_an_upload_is_a_disconnect(serve, protocol, bind):
    served = serve(echo, protocol, bind)
    client = served.client()
    client.send(half(protocol, 100_000))
    client.close()

    assert served.outcome() == "disconnected"


@KINDS
@BINDS
def test_half_a_small_body_is_no_request(serve, protocol, bind):
    served = serve(echo, protocol, bind)
    client = served.client()
    client.send(half(protocol, 50))
    client.socket.shutdown(1)

    assert client.rest() == (b"", "end")
    assert served.kit.handlers == []


def test_a_kept_connection_serves_one_request_after_the_other(serve):
    client = serve(echo).client()

    for number in (1, 2, 1, 7):
        client.send(request(number, b"body %d" % number, keep=True))
        assert client.answer(number).body == b"body %d" % number


def test_requests_of_one_connection_run_at_the_same_time(serve):
    together = threading.Barrier(3)

    def application(environ, start_response):
        together.wait(PATIENCE)
        start_response("200 OK", [])
        for _ in range(20):
            yield environ["PATH_INFO"].encode() * 1000

    client = serve(application, threads=4).client()
    client.send(b"".join(request(n, keep=True, PATH_INFO=f"/{n}") for n in (1, 2, 3)))

    answers = client.answers(1, 2, 3)

    assert {n: answers[n].body for n in answers} == {
        n: b"/%d" % n * 20_000 for n in (1, 2, 3)
    }


def test_bodies_that_come_mixed_are_kept_apart(serve):
    client = serve(echo, threads=4).client()
    for number in (1, 2, 3):
        client.send(head(number, keep=True, CONTENT_LENGTH="200000"))
    for _ in range(20):
        for number in (1, 2, 3):
            client.send(record(STDIN, number, b"%d" % number * 10_000))
    for number in (3, 1, 2):
        client.send(record(STDIN, number))

    answers = client.answers(1, 2, 3)

    assert {n: answers[n].body for n in answers} == {
        n: b"%d" % n * 200_000 for n in (1, 2, 3)
    }


def test_a_request_that_comes_while_another_runs_is_served(serve):
    go = threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            go.wait(PATIENCE)
        return hello(environ, start_response)

    client = serve(application, threads=3).client()
    client.send(request(1, keep=True, PATH_INFO="/slow"))
    client.send(request(2, keep=True))

    assert client.answer(2).body == b"hello"
    go.set()
    assert client.answer(1).body == b"hello"


def test_an_aborted_request_is_a_disconnect_and_the_connection_stays(serve):
    begun, aborted = threading.Event(), threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            begun.set()
            aborted.wait(PATIENCE)
        return hello(environ, start_response)

    served = serve(application, threads=3)
    client = served.client()
    client.send(request(1, keep=True, PATH_INFO="/slow"))
    assert begun.wait(PATIENCE)
    client.send(record(ABORT, 1) + request(2, keep=True))
    assert client.answer(2).body == b"hello"
    aborted.set()

    kind, number, _ = client.record()
    if kind == STDOUT:  # the end of a stream that has nothing
        kind, number, _ = client.record()

    assert (kind, number) == (END, 1)
    first, second = served.kit.handlers
    assert first.ended == "disconnected"
    assert wait_for(lambda: second.ended) == "ok"  # which it is after its last byte
    client.send(request(3, keep=True))
    assert client.answer(3).body == b"hello"


def test_who_waits_for_a_body_learns_that_it_is_aborted(serve):
    begun = threading.Event()

    def application(environ, start_response):
        begun.set()
        return echo(environ, start_response)

    served = serve(application)
    client = served.client()
    client.send(head(keep=True, CONTENT_LENGTH="99999"))
    for _ in range(2):
        client.send(record(STDIN, 1, b"x" * 40_000))
    assert begun.wait(PATIENCE)
    client.send(record(ABORT, 1))

    assert client.answer().status == ""
    assert served.outcome() == "disconnected"


def test_what_no_application_must_know_is_answered_by_the_server(serve):
    client = serve(hello, max_connections=7).client()

    client.send(record(GET_VALUES, 0, pairs({"FCGI_MAX_CONNS": ""})))
    assert client.record() == (GET_VALUES_RESULT, 0, pairs({"FCGI_MAX_CONNS": "7"}))
    client.send(record(99, 0))
    assert client.record() == (UNKNOWN_TYPE, 0, b"\x63" + b"\0" * 7)
    client.send(request())
    assert client.answer().body == b"hello"
    assert client.ended()


def test_another_role_is_refused(serve):
    client = serve(hello).client()

    client.send(record(1, 1, b"\0\2\1\0\0\0\0\0"))

    assert client.record() == (END, 1, b"\0\0\0\0\3\0\0\0")


@KINDS
def test_a_request_over_a_limit_is_refused(serve, protocol):
    served = serve(hello, protocol, max_body=10)

    assert ask(served, protocol, b"x" * 11).status == "413 Content Too Large"
    assert served.kit.handlers == []


@KINDS
def test_what_is_no_request_is_answered_or_cut(serve, protocol):
    served = serve(hello, protocol)
    client = served.client()

    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    data, _ = client.rest()

    if protocol == "SCGI":
        assert parse(data).status == "400 Bad Request"
    else:
        assert data == b""
        assert "version" in served.log[0]


def test_a_body_without_a_length_ends_with_its_stream(serve):
    client = serve(echo).client()
    client.send(head(CONTENT_LENGTH="") + record(STDIN, 1, b"one "))
    client.send(record(STDIN, 1, b"two") + record(STDIN, 1))

    assert client.answer().body == b"one two"


def test_a_last_request_does_not_keep_others_from_their_bodies(serve):
    begun = threading.Event()

    def application(environ, start_response):
        begun.set()
        return echo(environ, start_response)

    piece = record(STDIN, 1, b"x" * 40_000)
    client = serve(application, threads=3).client()
    client.send(head(1, keep=True, CONTENT_LENGTH="120000") + piece + piece)
    assert begun.wait(PATIENCE)
    client.send(request(2))
    assert client.answer(2).status == "200 OK"
    client.send(piece + record(STDIN, 1))

    assert client.answer(1).body == b"x" * 120_000
    assert client.ended()
