"""A real server in a thread, and a client that sees every byte."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from handlerkit import SimpleHandler
from handlerkit.gateways.kits import Kits
from handlerkit.gateways.listening import Listener, listen
from handlerkit.gateways.server import Server
from handlerkit.gateways.serving import make_server
from tests.gateways.clock import PATIENCE

LONG = 10 * PATIENCE  # a client that is held up is cut by no time but that of its test
SETTINGS = {
    "threads": 2,
    "graceful_timeout": PATIENCE,
    "header_timeout": LONG,
    "keep_alive_timeout": LONG,
    "farewell_timeout": LONG,
}


class Handler(SimpleHandler):
    """The handler as the kit configures it, without the process environment."""

    os_environ: ClassVar[dict[str, str]] = {}


class Kit:
    """An application and real handlers, which it remembers."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.handlers: list[SimpleHandler] = []
        self.life: list[str] = []

    def handler(self, *args: Any, **kwargs: Any) -> SimpleHandler:
        handler = Handler(*args, **kwargs)
        self.handlers.append(handler)
        return handler

    def start(self) -> None:
        self.life.append("started")

    def close(self) -> None:
        self.life.append("closed")


@dataclass
class Answer:
    """A response; ``end`` says how its body ended: length, chunks, close, cut."""

    status: str
    headers: dict[str, str]
    body: bytes = b""
    end: str = "length"


class Client:
    """A connection to the server under test, which must answer in time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        self.socket = sock
        self.ahead = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str = "/", *headers: str, version: str = "1.1") -> Answer:
        lines = [f"GET {path} HTTP/{version}", "Host: test", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.answer()

    def receive(self) -> bytes:
        return self.socket.recv(65536)

    def line(self) -> bytes:
        while b"\r\n" not in self.ahead:
            data = self.receive()
            if not data:
                raise EOFError(self.ahead)
            self.ahead += data
        line, _, self.ahead = self.ahead.partition(b"\r\n")
        return line

    def exactly(self, size: int) -> bytes:
        while len(self.ahead) < size:
            data = self.receive()
            if not data:
                raise EOFError(self.ahead)
            self.ahead += data
        data, self.ahead = self.ahead[:size], self.ahead[size:]
        return data

    def head(self) -> Answer:
        version, _, status = self.line().decode("latin-1").partition(" ")
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            assert name.lower() not in headers
            headers[name.lower()] = value.strip()
        return Answer(status, headers)

    def answer(self, *, bodiless: bool = False) -> Answer:
        answer = self.head()
        if bodiless:
            return answer
        try:
            if answer.headers.get("transfer-encoding") == "chunked":
                answer.end = "cut"
                while size := int(self.line(), 16):
                    answer.body += self.exactly(size)
                    assert self.line() == b""
                assert self.line() == b""
                answer.end = "chunks"
            elif "content-length" in answer.headers:
                answer.end = "cut"
                answer.body = self.exactly(int(answer.headers["content-length"]))
                answer.end = "length"
            else:
                answer.end = "close"
                answer.body, self.ahead = self.ahead, b""
                while data := self.receive():
                    answer.body += data
        except EOFError as error:
            answer.body += error.args[0]
        except ConnectionResetError:
            answer.end = "reset"
        return answer

    def ended(self) -> bool:
        """Wait for the server's end of the connection; False if it sends more."""
        return not self.ahead and self.receive() == b""

    def close(self) -> None:
        self.socket.close()


@dataclass
class Served:
    """A server that runs in a thread."""

    server: Server
    kit: Kit
    listener: Listener
    log: list[str]
    stderr: io.StringIO
    thread: threading.Thread
    clients: list[Client] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.url.rpartition(":")[2])

    def client(self) -> Client:
        path = self.listener.url.removeprefix("unix:")
        if path != self.listener.url:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
        else:
            sock = socket.create_connection(("127.0.0.1", self.port))
        self.clients.append(Client(sock))
        return self.clients[-1]

    def get(self, *args: Any, **kwargs: Any) -> Answer:
        return self.client().get(*args, **kwargs)

    def join(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serve an application on a free port, or on ``bind``, until the test ends."""
    running: list[Served] = []

    def start(application: Any, bind: str = "127.0.0.1:0", **settings: Any) -> Served:
        kit = settings.pop("kit", None) or Kit(application)
        log: list[str] = []
        stderr = io.StringIO()
        (listener,) = listen(bind)
        options = {**SETTINGS, **settings}
        server = make_server(
            "HTTP", Kits(kit), [listener], log=log.append, stderr=stderr, **options
        )
        ready = threading.Event()
        thread = threading.Thread(target=server.serve, args=(ready.set,))
        served = Served(server, kit, listener, log, stderr, thread)
        running.append(served)
        thread.start()
        assert ready.wait(PATIENCE)
        return served

    yield start
    for served in running:
        served.server.stop(at_once=True)
        for client in served.clients:
            client.close()
        served.join()


@pytest.fixture
def hello() -> Any:
    """Answer hello, and read nothing."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    return application


@pytest.fixture
def echo() -> Any:
    """Answer with the body of the request."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [body]

    return application
