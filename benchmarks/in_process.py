"""`SimpleHandler.run` against the standard library's, in one process."""

from __future__ import annotations

import io
import os
from time import perf_counter
from typing import TYPE_CHECKING
from wsgiref.handlers import SimpleHandler as StandardHandler

import handlerkit
from benchmarks.figures import Figure, paired

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "a=b",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "50000",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "HTTP_HOST": "localhost:8000",
    "HTTP_ACCEPT": "text/html,*/*;q=0.8",
    "HTTP_USER_AGENT": "Mozilla/5.0",
    **{f"HTTP_X_FIELD_{number}": "value" for number in range(17)},
}
PROCESS = {f"VARIABLE_{number}": "value" for number in range(30)}
CALLS = 2000
PIECES = [b"x" * 8192] * 128
THREE: dict[str, Any] = {
    "request-id": {},
    "environ": {"set": {"benchmark": "yes"}},
    "text-log": {},
}


class Out:
    """A stream that costs nothing."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def flush(self) -> None:
        """Do nothing."""


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer as most do: two headers, one block."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-A", "b")])
    return [b"hello, world"]


def streaming(environ: Any, start_response: Any) -> Any:
    """Answer in many blocks."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter(PIECES)


def timer(
    make: Callable[..., Any], app: Any = application, calls: int = CALLS
) -> Callable[[], float]:
    """Time one exchange of a handler, in microseconds."""
    stdin, stdout, stderr = io.BytesIO(), Out(), io.StringIO()

    def run() -> float:
        start = perf_counter()
        for _ in range(calls):
            make(stdin, stdout, stderr, ENVIRON).run(app)
        return (perf_counter() - start) / calls * 1e6

    return run


def figures(rounds: int = 41) -> list[Figure]:
    """Measure bare, and with three plugins on four hooks."""
    standard = type("Standard", (StandardHandler,), {"os_environ": PROCESS})
    bare = type("Bare", (handlerkit.SimpleHandler,), {"os_environ": PROCESS})
    ten = {
        f"environ-{each}": {"use": "environ", "set": {f"benchmark_{each}": "yes"}}
        for each in range(7)
    }
    log = {"access-log": {"path": os.devnull}}
    found = []
    for what, make, must, goal in (
        ("`SimpleHandler.run`, no plugin", bare, "≤ 0.6", "≤ 0.45"),
        ("the same, one plugin: request-id", configured({"request-id": {}}), "-", "-"),
        ("the same, three plugins on four hooks", configured(THREE), "-", "≤ 0.8"),
        ("the same, ten plugins", configured(THREE | ten), "-", "-"),
        ("the same, three plugins and access-log", configured(THREE | log), "-", "-"),
    ):
        ours, peer, ratios = paired(timer(make), timer(standard), rounds)
        found.append(Figure(what, "µs", ours, peer, ratios, must, goal))
    pieces = [timer(make, streaming, 20) for make in (bare, standard)]
    what = "1 MiB in pieces of 8 KiB, without Content-Length"
    found.append(Figure(what, "µs", *paired(*pieces, rounds), "-", "-"))
    return found


def configured(plugins: dict[str, Any]) -> Callable[..., Any]:
    """Make what makes handlers with plugins, over the same process environment."""
    kit = handlerkit.load({"plugins": plugins}, app=application)
    kit.handler_class.os_environ = PROCESS
    kit.start()
    return kit.handler


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
