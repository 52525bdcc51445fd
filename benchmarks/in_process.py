"""`SimpleHandler.run` against the standard library's, in one process."""

from __future__ import annotations

import io
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


def timer(make: Callable[..., Any]) -> Callable[[], float]:
    """Time one exchange of a handler, in microseconds."""
    stdin, stdout, stderr = io.BytesIO(), Out(), io.StringIO()

    def run() -> float:
        start = perf_counter()
        for _ in range(CALLS):
            make(stdin, stdout, stderr, ENVIRON).run(application)
        return (perf_counter() - start) / CALLS * 1e6

    return run


def figures(rounds: int = 41) -> list[Figure]:
    """Measure bare, and with three plugins on four hooks."""
    standard = type("Standard", (StandardHandler,), {"os_environ": PROCESS})
    bare = type("Bare", (handlerkit.SimpleHandler,), {"os_environ": PROCESS})
    kit = handlerkit.load(
        {
            "plugins": {
                "request-id": {},
                "environ": {"set": {"benchmark": "yes"}},
                "text-log": {},
            }
        },
        app=application,
    )
    kit.handler_class.os_environ = PROCESS
    found = []
    for what, make, must, goal in (
        ("`SimpleHandler.run`, no plugin", bare, "≤ 0.6", "≤ 0.45"),
        ("the same, three plugins on four hooks", kit.handler, "-", "≤ 0.8"),
    ):
        ours, peer, ratios = paired(timer(make), timer(standard), rounds)
        found.append(Figure(what, "µs", ours, peer, ratios, must, goal))
    return found


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
