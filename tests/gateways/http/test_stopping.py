"""The end of a server: what runs is finished, nothing new is accepted."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from handlerkit.gateways import server
from handlerkit.gateways.kits import Kits
from handlerkit.gateways.listening import listen
from handlerkit.gateways.serving import make_server
from tests.gateways.clock import PATIENCE


@pytest.fixture
def held() -> Any:
    """Answer only once ``release`` is set; ``runs`` says that it waits for that."""

    class Held:
        def __init__(self) -> None:
            self.runs = threading.Event()
            self.release = threading.Event()

        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            self.runs.set()
            assert self.release.wait(PATIENCE)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"finished"]

    return Held()


def test_what_runs_is_finished_and_told_to_be_the_last(
    serve: Callable[..., Any], held: Any
) -> None:
    served = serve(held)
    client = served.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.runs.wait(PATIENCE)
    idle = served.client()

    served.server.stop()
    assert idle.ended()
    with pytest.raises(ConnectionRefusedError):
        served.client()
    assert served.kit.life == ["started"]
    held.release.set()
    answer = client.answer()

    assert (answer.body, answer.headers["connection"]) == (b"finished", "close")
    client.close()
    served.join()
    assert served.kit.life == ["started", "closed"]
    assert served.log == []


def test_who_has_connected_is_answered_though_it_speaks_after_the_stop(
    serve: Callable[..., Any], hello: Any, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    served = serve(hello, f"unix:{path}", parting_timeout=PATIENCE)
    client = served.client()

    served.server.stop()
    latest = monotonic() + PATIENCE
    while path.exists() and monotonic() < latest:
        threading.Event().wait(0.001)
    answer = client.get()

    assert (answer.body, answer.headers["connection"]) == (b"hello", "close")
    client.close()
    served.join()


def test_who_has_connected_and_says_nothing_delays_no_stop(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello, graceful_timeout=600.0, header_timeout=600.0)
    client = served.client()

    served.server.stop()

    assert client.ended()
    served.join()


def test_an_answer_begun_before_the_stop_is_no_reason_to_go_on(
    serve: Callable[..., Any],
) -> None:
    """Its head offered the connection for more; a request that came in is not lost."""
    stopped = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"
        assert stopped.wait(PATIENCE)
        yield b" and ended"

    served = serve(application)
    client = served.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while b"begun" not in client.ahead:
        client.ahead += client.receive()

    served.server.stop()
    stopped.set()
    answer = client.answer()

    assert (answer.body, answer.end) == (b"begun and ended", "chunks")
    assert client.ended()
    client.close()
    served.join()


def test_who_waits_for_a_thread_is_not_served_after_the_cut(
    serve: Callable[..., Any], held: Any
) -> None:
    served = serve(held, threads=1, graceful_timeout=0.05)
    clients = [served.client() for _ in range(3)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.runs.wait(PATIENCE)

    served.server.stop()
    assert [client.ended() for client in clients] == [True] * 3
    held.release.set()
    served.join()

    assert len(served.kit.handlers) == 1


def test_idle_connections_are_closed_at_once(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello, keep_alive_timeout=PATIENCE)
    client = served.client()
    client.get()

    served.server.stop()

    assert client.ended()
    client.close()
    served.join()


def test_a_client_that_was_answered_and_does_not_close_delays_no_stop(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello, graceful_timeout=600.0, farewell_timeout=600.0)
    assert served.get("/", "Connection: close").body == b"hello"

    served.server.stop()

    served.join()


def test_a_client_that_does_not_close_after_the_last_answer_delays_no_stop(
    serve: Callable[..., Any], held: Any
) -> None:
    served = serve(held, graceful_timeout=600.0, farewell_timeout=600.0)
    client = served.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.runs.wait(PATIENCE)

    served.server.stop()
    held.release.set()

    assert client.answer().body == b"finished"
    served.join()


def test_a_request_that_has_begun_to_arrive_is_served(
    serve: Callable[..., Any], held: Any
) -> None:
    served = serve(held)
    busy, begun, idle = (served.client() for _ in range(3))
    begun.send(b"GET / HTTP/1.1\r\n")
    busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.runs.wait(PATIENCE)
    held.release.set()
    busy.answer()

    served.server.stop()
    assert idle.ended()
    begun.send(b"Host: a\r\n\r\n")
    answer = begun.answer()

    assert (answer.body, answer.headers["connection"]) == (b"finished", "close")


def test_what_does_not_finish_in_time_is_cut_off_and_logged(
    serve: Callable[..., Any], held: Any
) -> None:
    served = serve(held, graceful_timeout=0.05)
    client = served.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.runs.wait(PATIENCE)

    served.server.stop()
    served.join()
    held.release.set()

    assert client.ended()
    assert served.kit.life == ["started", "closed"]
    assert served.log == ["1 exchanges did not end in time, and were abandoned"]


def test_an_exchange_that_waits_for_its_client_is_cut_off_as_disconnected(
    serve: Callable[..., Any], echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LAST_WORD", PATIENCE)
    served = serve(echo, graceful_timeout=0.05)
    client = served.client()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert client.line() == b"HTTP/1.1 100 Continue"

    served.server.stop()
    served.join()

    assert served.kit.handlers[0].ended == "disconnected"
    assert served.log == []


def test_a_server_stopped_before_it_serves_returns(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello)
    served.server.stop()
    served.join()

    served.server.stop()

    assert served.kit.life == ["started", "closed"]


def test_a_plugin_that_does_not_start_frees_the_address(
    serve: Callable[..., Any], hello: Any
) -> None:
    class Kit:
        application = hello
        closed = False

        def start(self) -> None:
            raise RuntimeError("no such plugin")

        def close(self) -> None:
            self.closed = True

    (listener,) = listen("127.0.0.1:0")
    port = listener.socket.getsockname()[1]

    with pytest.raises(RuntimeError, match="no such plugin"):
        make_server("HTTP", Kits(Kit()), [listener]).serve()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


PROGRAM = """\
import sys
from handlerkit import SimpleHandler
from handlerkit.gateways import listening, serving
from handlerkit.gateways.kits import Kits

class Kit:
    handler = SimpleHandler
    def start(self): pass
    def close(self): print("closed", flush=True)
    def application(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"
        yield environ["wsgi.input"].read()

listeners = listening.listen(sys.argv[1])
ready = lambda: print(listeners[0].url, flush=True)
serving.serve("HTTP", Kits(Kit()), listeners, ready=ready)
print("returned", flush=True)
"""

# Of a body that waits to be asked for, the application runs before it has come.
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
)


@pytest.fixture
def program() -> Iterator[Callable[..., Any]]:
    """Serve in a process of its own; give it, and a connection to it."""
    started: list[Any] = []

    def start() -> tuple[subprocess.Popen[str], socket.socket]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        started.extend([process, sock, process.stdout])
        return process, sock

    yield start
    for each in started:
        if isinstance(each, subprocess.Popen):
            each.kill()
            each.wait()
        else:
            each.close()


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_after_the_running_exchange(
    program: Callable[..., Any], number: int
) -> None:
    process, sock = program()
    sock.sendall(REQUEST)
    received = b""
    while b"begun" not in received:
        received += sock.recv(4096)

    process.send_signal(number)
    sock.sendall(b"done")
    while data := sock.recv(4096):
        received += data
    sock.close()

    assert received.endswith(b"4\r\ndone\r\n0\r\n\r\n")
    assert process.communicate(timeout=PATIENCE)[0] == "closed\nreturned\n"
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_second_signal_cuts_the_running_exchange_off(
    program: Callable[..., Any],
) -> None:
    process, sock = program()
    sock.sendall(REQUEST)
    idle = socket.create_connection(sock.getpeername(), PATIENCE)
    while b"begun" not in sock.recv(4096):
        continue

    process.send_signal(signal.SIGTERM)
    with idle:
        assert idle.recv(1) == b""
    process.send_signal(signal.SIGTERM)

    assert process.communicate(timeout=PATIENCE)[0] == "closed\nreturned\n"
    assert process.returncode == 0
