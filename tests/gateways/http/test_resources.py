"""What a server does when clients misbehave, or the machine has no more to give."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from handlerkit.gateways import serving
from handlerkit.gateways.kits import Kits
from handlerkit.gateways.listening import listen
from tests.gateways.clock import PATIENCE


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_client_that_resets_its_connection_leaves_nothing_behind(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello, max_connections=1)
    for sent in (b"", b"GET / HT", b"\0"):
        client = served.client()
        client.send(sent)
        reset(client.socket)

    assert served.get().body == b"hello"
    assert served.log == []
    assert served.stderr.getvalue() == ""


def test_a_client_that_resets_after_its_answer_frees_its_place(
    serve: Callable[..., Any], hello: Any
) -> None:
    served = serve(hello, max_connections=1)
    for version in ("1.1", "1.0"):
        client = served.client()
        client.get(version=version)
        reset(client.socket)

    assert served.get().body == b"hello"


def test_a_client_that_half_closes_still_gets_its_answer(
    serve: Callable[..., Any], hello: Any
) -> None:
    client = serve(hello).client()

    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.socket.shutdown(socket.SHUT_WR)

    assert client.answer().body == b"hello"
    assert client.ended()


def test_the_output_is_a_descriptor_for_who_sends_files(
    serve: Callable[..., Any],
) -> None:
    found: list[int] = []
    served = serve(lambda *_: found.append(served.kit.handlers[0].stdout.fileno()))

    served.get()

    assert found
    assert found[0] > 2


class Kit:
    """A kit of one application."""

    application: Any = None

    def __init__(self) -> None:
        self.life: list[str] = []

    def handler(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError

    def start(self) -> None:
        self.life.append("started")

    def close(self) -> None:
        self.life.append("closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_returns_on_a_signal_and_gives_the_signals_back(number: int) -> None:
    before = signal.getsignal(number)
    kit = Kit()

    listeners = listen("127.0.0.1:0")
    serving.serve(
        "HTTP", Kits(kit), listeners, ready=lambda: signal.raise_signal(number)
    )

    assert kit.life == ["started", "closed"]
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="POSIX signals")
def test_a_signal_that_hits_a_worker_stops_the_server_as_well() -> None:
    main = threading.get_ident()

    def send() -> None:
        while sys._current_frames()[main].f_code.co_name != "_tick":
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    def ready() -> None:
        sender.start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    sender = threading.Thread(target=send)
    try:
        serving.serve("HTTP", Kits(Kit()), listen("127.0.0.1:0"), ready=ready)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        sender.join(PATIENCE)


def test_serve_in_another_thread_leaves_the_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found: list[Any] = []

    def ready() -> None:
        found.append(signal.getsignal(signal.SIGTERM))
        raise RuntimeError("enough")

    def run() -> None:
        with pytest.raises(RuntimeError, match="enough"):
            serving.serve("HTTP", Kits(Kit()), listen("127.0.0.1:0"), ready=ready)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)

    assert found == [before]


PROGRAM = """\
import os, resource, sys
from handlerkit import SimpleHandler
from handlerkit.gateways import listening, serving
from handlerkit.gateways.kits import Kits

class Kit:
    handler = SimpleHandler
    def start(self): pass
    def close(self): pass
    def application(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

def ready():
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))
    print(listeners[0].url, flush=True)

listeners = listening.listen("127.0.0.1:0")
serving.serve("HTTP", Kits(Kit()), listeners, ready=ready)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted as here")
def test_without_a_descriptor_left_it_waits_for_one_and_says_so() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    address = ("127.0.0.1", int(process.stdout.readline().rpartition(":")[2]))
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    began = monotonic()
    with socket.create_connection(address, PATIENCE) as first:
        first.sendall(request)
        assert first.recv(4096)
        second = socket.create_connection(address, PATIENCE)
        second.sendall(request)
        assert process.stderr is not None
        said = process.stderr.readline()
    answer = second.recv(4096)
    second.close()
    process.terminate()
    more = process.communicate(timeout=PATIENCE)[1]

    assert more.count("cannot accept") < 5 + monotonic() - began  # once a second
    assert said.startswith("handlerkit: cannot accept a connection: ")
    assert answer.startswith(b"HTTP/1.1 200 OK")
