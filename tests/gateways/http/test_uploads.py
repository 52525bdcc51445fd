"""Bodies of requests that come slowly, in part, or not at all."""

import contextlib
import gc
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from handlerkit.gateways import server
from handlerkit.gateways.http_exchange import Input
from tests.gateways.clock import PATIENCE, wait_until_at_rest, wait_until_taken
from tests.gateways.http.conftest import LONG, Kit

THREADS = 3
SMALL, LARGE = 10, 100_000  # bytes that come of a body of which more is to come
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])


def post(length: int, *headers: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: a", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BEGINNINGS = {
    "small": post(2 * SMALL) + b"x" * SMALL,
    "large": post(2 * LARGE) + b"x" * LARGE,
    "chunked": CHUNKED + b"a\r\n" + b"x" * 10,
    "expected": post(SMALL, "Expect: 100-continue"),
}
RESTS = {
    "small": b"x" * SMALL,
    "large": b"x" * LARGE,
    "chunked": b"\r\n0\r\n\r\n",
    "expected": b"x" * SMALL,
}
EACH = pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)


@EACH
@pytest.mark.parametrize("count", [THREADS, 10 * THREADS])
def test_half_sent_bodies_keep_nobody_from_being_served(
    serve: Callable[..., Any], echo: Any, beginning: bytes, count: int
) -> None:
    served = serve(echo, threads=THREADS, read_timeout=LONG)
    for _ in range(count):
        served.client().send(beginning)

    client = served.client()
    for size in (0, SMALL, 60_000):
        client.send(post(size) + b"x" * size)
        assert client.answer().body == b"x" * size


@EACH
def test_half_sent_bodies_are_answered_408_when_their_time_is_over(
    serve: Callable[..., Any], echo: Any, beginning: bytes
) -> None:
    served = serve(echo, threads=THREADS, read_timeout=0.2)
    clients = [served.client() for _ in range(2 * THREADS)]
    for client in clients:
        client.send(beginning)

    for client in clients:
        answer = client.head()
        if answer.status == "100 Continue":
            answer = client.head()
        assert answer.status == "408 Request Timeout"
        assert answer.headers["connection"] == "close"


def test_a_late_body_on_a_kept_connection_is_answered_408(
    serve: Callable[..., Any], echo: Any
) -> None:
    client = serve(echo, read_timeout=0.2).client()
    assert client.get().status == "200 OK"
    client.send(BEGINNINGS["small"])

    assert client.answer().status == "408 Request Timeout"


def test_a_body_that_comes_byte_by_byte_has_no_more_time(
    serve: Callable[..., Any], echo: Any
) -> None:
    served = serve(echo, read_timeout=0.3)
    client = served.client()
    client.send(post(1_000_000))
    client.socket.settimeout(0.02)

    end = monotonic() + PATIENCE
    while monotonic() < end:
        client.send(b"x")
        try:
            client.ahead += client.receive()
            break
        except TimeoutError:
            continue

    assert client.ahead.startswith(b"HTTP/1.1 408 ")
    assert served.kit.handlers == []


@SIZES
def test_a_body_that_comes_in_pieces_is_whole_and_the_connection_kept(
    serve: Callable[..., Any], echo: Any, size: int
) -> None:
    client = serve(echo, threads=1).client()
    body = bytes(range(256)) * (size // 256 + 1)

    for _ in range(2):
        client.send(post(len(body)))
        for at in range(0, len(body), len(body) // 10):
            client.send(body[at : at + len(body) // 10])
        answer = client.answer()
        assert (answer.body, answer.headers.get("connection")) == (body, None)


def test_who_leaves_before_its_body_is_there_runs_no_application(
    serve: Callable[..., Any], echo: Any
) -> None:
    served = serve(echo)
    client = served.client()
    client.send(BEGINNINGS["small"])
    client.socket.shutdown(socket.SHUT_WR)

    assert client.ended()
    assert served.kit.handlers == []


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_body_that_is_under_way_at_a_stop_is_answered(
    serve: Callable[..., Any], echo: Any, name: str
) -> None:
    served = serve(echo, threads=1)
    client, idle = served.client(), served.client()
    client.send(BEGINNINGS[name])
    if name == "expected":
        assert client.head().status == "100 Continue"

    served.server.stop()
    assert idle.ended()
    client.send(RESTS[name])
    answer = client.answer()

    assert (answer.status, answer.headers["connection"]) == ("200 OK", "close")
    client.close()
    served.join()


def test_uploads_that_wait_are_closed_at_the_cut(
    serve: Callable[..., Any], echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LAST_WORD", PATIENCE)
    served = serve(echo, threads=1, read_timeout=LONG)
    clients = [served.client() for _ in range(3)]
    for client in clients:
        client.send(BEGINNINGS["large"])

    served.server.stop(at_once=True)

    for client in clients:
        with contextlib.suppress(ConnectionResetError):
            assert client.ended()
    served.join()
    assert served.log == []


def test_a_small_chunked_body_that_is_whole_waits_for_no_upload(
    serve: Callable[..., Any], echo: Any
) -> None:
    served = serve(echo, threads=THREADS, read_timeout=LONG)
    for _ in range(2 * THREADS):
        served.client().send(BEGINNINGS["large"])
    client = served.client()

    client.send(BEGINNINGS["chunked"])
    client.send(RESTS["chunked"])

    assert client.answer().body == b"x" * 10


def test_chunked_bodies_of_which_little_has_come_keep_no_upload_waiting(
    serve: Callable[..., Any], echo: Any
) -> None:
    served = serve(echo, threads=THREADS, read_timeout=LONG)
    for _ in range(2 * THREADS):
        served.client().send(BEGINNINGS["chunked"])
    client = served.client()

    client.send(BEGINNINGS["large"])
    client.send(RESTS["large"])

    assert client.answer().body == b"x" * 2 * LARGE


def test_chunks_that_are_all_frame_are_an_upload_like_any_other(
    serve: Callable[..., Any],
) -> None:
    """To decode them is work, which who polls the connections leaves to a thread."""
    begun = threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        begun.set()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]

    client = serve(application).client()
    client.send(CHUNKED + (b"1".zfill(4000) + b"\r\nx\r\n") * 20)
    assert begun.wait(PATIENCE)  # 20 bytes of the body have come

    client.send(b"0\r\n\r\n")
    assert client.answer().body == b"x" * 20


def test_a_refusal_waits_for_who_sends_a_long_body_before_reading(
    serve: Callable[..., Any], echo: Any, tmp_path: Path, clock: Any
) -> None:
    """Which takes longer than the farewell: a reset would take the answer away."""
    settings = {"max_body": 10, "farewell_timeout": LONG, "read_timeout": 9 * LONG}
    served = serve(echo, f"unix:{tmp_path / 's'}", **settings)
    client = served.client()
    client.send(post(1_000_000))
    for _ in range(4):
        client.send(b"x")
        wait_until_taken(client.socket)
        wait_until_at_rest(served.server, 1)
        clock.leap(served.server, LONG * 0.6)
    client.socket.shutdown(socket.SHUT_WR)

    assert client.answer().status == "413 Content Too Large"
    assert client.ended()


def test_who_sends_on_after_a_refusal_keeps_no_connection_for_ever(
    serve: Callable[..., Any], echo: Any
) -> None:
    served = serve(echo, max_body=10, farewell_timeout=0.2, read_timeout=0.5)
    client = served.client()
    client.send(post(1_000_000))
    end = monotonic() + PATIENCE

    def go_on() -> None:
        while monotonic() < end:
            client.send(b"x")
            threading.Event().wait(0.01)

    with pytest.raises(OSError, match=r"pipe|reset"):
        go_on()


class Forgetful(list[Any]):
    """Keeps nothing."""

    def append(self, _: Any) -> None:
        return


def test_a_body_is_forgotten_with_its_exchange(
    serve: Callable[..., Any], echo: Any
) -> None:
    """And not kept in memory until the garbage collector comes by."""
    kit = Kit(echo)
    kit.handlers = Forgetful()
    client = serve(None, kit=kit).client()
    gc.collect()
    gc.disable()
    try:
        client.send(post(LARGE, "Connection: close") + b"x" * LARGE)
        assert client.answer().body == b"x" * LARGE
        end = monotonic() + PATIENCE
        while any(isinstance(each, Input) for each in gc.get_objects()):
            assert monotonic() < end
    finally:
        gc.enable()
