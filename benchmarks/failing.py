"""A failing exchange, reported and answered, against the standard library's."""

from __future__ import annotations

import io
from time import perf_counter
from typing import TYPE_CHECKING
from wsgiref.handlers import SimpleHandler as StandardHandler

import handlerkit
from benchmarks.figures import Figure, paired
from benchmarks.in_process import ENVIRON, PROCESS, Out

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CALLS = 100


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Fail as most do: some calls deep, with a cause."""
    return view(environ, 5)


def view(environ: Any, depth: int) -> list[bytes]:
    """Call down to what fails."""
    if depth:
        return view(environ, depth - 1)
    try:
        return [environ["no such key"]]
    except KeyError as exc:
        raise ValueError("the order 4711 is not there") from exc


def timer(make: Callable[..., Any]) -> Callable[[], float]:
    """Time one failing exchange, in microseconds."""
    environ = {**ENVIRON, "HTTP_ACCEPT": "text/html,*/*;q=0.8"}

    def run() -> float:
        stdin, stdout, stderr = io.BytesIO(), Out(), io.StringIO()
        start = perf_counter()
        for _ in range(CALLS):
            make(stdin, stdout, stderr, environ).run(application)
        return (perf_counter() - start) / CALLS * 1e6

    return run


def configured(**text_log: Any) -> Callable[..., Any]:
    """Make what makes handlers that log, answer with a page, and give an id."""
    plugins = {"error-page": {}, "request-id": {}, "text-log": text_log}
    kit = handlerkit.load({"plugins": plugins}, app=application)
    kit.handler_class.os_environ = PROCESS
    kit.start()
    return kit.handler


def figures(rounds: int = 31) -> list[Figure]:
    """Measure errors that are each written whole, and a flood in the defaults."""
    standard = type("Standard", (StandardHandler,), {"os_environ": PROCESS})
    found = []
    for what, make, must, goal in (
        (
            "a failing exchange: redacted report in the log, negotiated page",
            configured(tracebacks=0),
            "≤ 2.5",
            "≤ 1.8",
        ),
        (
            "the same error again and again, in the defaults of `text-log`",
            configured(),
            "-",
            "≤ 0.3",
        ),
    ):
        ours, peer, ratios = paired(timer(make), timer(standard), rounds)
        found.append(Figure(what, "µs", ours, peer, ratios, must, goal))
    return found


if __name__ == "__main__":
    for figure in figures():
        print(figure.row())
