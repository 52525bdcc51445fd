"""A file of 256 MiB through a socket, against `os.sendfile` in a loop."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, paired
from handlerkit.gateways.channels import Channel
from handlerkit.handlers import SimpleHandler

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MEBIBYTES = 256
SIZE = MEBIBYTES << 20
ENVIRON = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}


class Output:
    """A handler's stdout over a channel, as the built-in server's."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, local=False)

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._channel.send(data, 30)

    def flush(self) -> None:
        """Do nothing."""

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file."""
        return self._channel.send_file(descriptor, start, count, 30)


def timer(path: str, send: Callable[[socket.socket, str], None]) -> Callable[[], float]:
    """Time one file to a client that throws it away, in milliseconds."""

    def run() -> float:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
        taker = threading.Thread(target=discard, args=(client,))
        taker.start()
        start = perf_counter()
        with server:
            send(server, path)
        taker.join()
        return (perf_counter() - start) * 1e3

    return run


def discard(client: socket.socket) -> None:
    """Take what comes, out of the way of the interpreter's lock."""
    total = 0
    # The kernel drops it: to copy it out would measure the client.
    flags = getattr(socket, "MSG_TRUNC", 0) if sys.platform == "linux" else 0
    buffer = bytearray(1 << 20)
    with client:
        while count := client.recv_into(buffer, len(buffer), flags):
            total += count
    if total < SIZE:
        raise RuntimeError(f"{total} bytes came")


def ours(sock: socket.socket, path: str) -> None:
    """Send as the built-in server does."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(SIZE))])
        return environ["wsgi.file_wrapper"](open(path, "rb"))  # noqa: PTH123 - closed by it

    handler = SimpleHandler(None, Output(sock), sys.stderr, ENVIRON)
    handler.run(app)
    if handler.ended != "ok":
        raise RuntimeError(handler.ended)


def loop(sock: socket.socket, path: str) -> None:
    """Send by os.sendfile alone."""
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        start = 0
        while sent := os.sendfile(sock.fileno(), file.fileno(), start, SIZE - start):
            start += sent


def figures(rounds: int = 15) -> list[Figure]:
    """Measure; the ratio is of times, so that 1/0.9 is what must be."""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "file")  # noqa: PTH118 - a str goes to the app
        with open(path, "wb") as file:  # noqa: PTH123 - likewise
            file.writelines(os.urandom(1 << 20) for _ in range(MEBIBYTES))
        peer, own, ratios = paired(timer(path, loop), timer(path, ours), rounds)
    speed = MEBIBYTES * 1e3
    what = "a 256 MiB file through a socket, against `os.sendfile` in a loop"
    return [Figure(what, "MiB/s", speed / own, speed / peer, ratios, "≥ 0.9", "≥ 0.95")]


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
