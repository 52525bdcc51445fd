"""Servers of FastCGI and SCGI in a thread, each under a client by hand."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from handlerkit import FastCGIHandler, SCGIHandler
from handlerkit.gateways.kits import Kits
from handlerkit.gateways.listening import listen
from handlerkit.gateways.server import Server
from handlerkit.gateways.serving import make_server
from tests.gateways.fronted.wire import PATIENCE, Client, Front

HANDLERS = {"FastCGI": FastCGIHandler, "SCGI": SCGIHandler}
LONG = 10 * PATIENCE  # a server that forgets something must not be helped by its clock
SETTINGS = {
    "threads": 2,
    "graceful_timeout": PATIENCE,
    "header_timeout": LONG,
    "keep_alive_timeout": LONG,
    "farewell_timeout": LONG,
    "max_header_size": 65536,
    "max_params": 250,
    "max_requests": 16,
    "max_body": 1 << 30,
}


class Kit:
    """An application and real handlers, which it remembers."""

    def __init__(self, application: Any, protocol: str) -> None:
        self.application = application
        self.handlers: list[Any] = []
        self.life: list[str] = []
        self.kind = HANDLERS[protocol]

    def handler(self, *args: Any) -> Any:
        handler = self.kind(*args)
        self.handlers.append(handler)
        return handler

    def start(self) -> None:
        self.life.append("started")

    def close(self) -> None:
        self.life.append("closed")


@dataclass
class Served:
    """A server that runs in a thread."""

    server: Server
    kit: Kit
    front: Front
    log: list[str]
    stderr: io.StringIO
    thread: threading.Thread

    def client(self) -> Client:
        return self.front.client()

    def outcome(self) -> Any:
        """Stop, and tell how the one exchange ended."""
        self.server.stop()
        self.join()
        (handler,) = self.kit.handlers
        return handler.ended

    def join(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Any) -> Iterator[Serve]:
    """Serve an application, at a unix socket or at ``bind``, until the test ends."""
    running: list[Served] = []

    def start(
        application: Any, protocol: str = "FastCGI", bind: str = "", **given: Any
    ) -> Served:
        kit = Kit(application, protocol)
        log: list[str] = []
        stderr = io.StringIO()
        (listener,) = listen(bind or f"unix:{tmp_path}/s{len(running)}")
        settings = {**SETTINGS, **given}
        server = make_server(
            protocol, Kits(kit), [listener], log=log.append, stderr=stderr, **settings
        )
        ready = threading.Event()
        thread = threading.Thread(target=server.serve, args=(ready.set,))
        front = Front(listener.url)
        served = Served(server, kit, front, log, stderr, thread)
        running.append(served)
        thread.start()
        assert ready.wait(PATIENCE)
        return served

    yield start
    for served in running:
        served.server.stop(at_once=True)
        served.front.close()
        served.join()


@pytest.fixture
def program(tmp_path: Any, serving_in: Any) -> Iterator[Any]:
    """`handlerkit serve` as a process of its own, ended with the test."""
    starter = serving_in(tmp_path)
    yield starter
    for serving in starter.started:
        serving.kill()


def hello(environ: Any, start_response: Any) -> list[bytes]:
    """Answer hello, and read nothing."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def echo(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with the body of the request."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [body]
