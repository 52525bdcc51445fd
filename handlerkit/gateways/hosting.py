"""What an engine hosts, and how it is loaded without a trace in the engine itself."""

from __future__ import annotations

import multiprocessing
import os
import sys
from functools import partial
from traceback import format_exc
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from handlerkit.errors import HandlerkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from wsgiref.types import StartResponse

T = TypeVar("T")


class Hosted(Protocol):
    """A kit as a WSGI callable; started in each worker, closed when it ends."""

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse, /
    ) -> Iterable[bytes]:
        """Serve one exchange."""

    def start(self) -> None:
        """Start the plugins."""

    def close(self) -> None:
        """Close the plugins."""


def in_child(function: Callable[[], T]) -> T:
    """Call a function in a child process; give what it gave.

    For whatever imports the application: workers are forked off the engine's own
    process, and would inherit the old code from it, so that a reload loaded nothing.
    Where there is no fork, function and result must be picklable.

    Raises:
        HandlerkitError: what the function raised, or how the child ended.
    """
    forks = "fork" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(function, sender))
    child.start()
    sender.close()
    try:
        error, result = receiver.recv()
    except EOFError:
        child.join()
        raise HandlerkitError(
            f"the process that loads the application ended with code {child.exitcode}"
        ) from None
    finally:
        receiver.close()
    child.join()
    if error is not None:
        raise error
    answer: T = result
    return answer


def reload_fault(load: Callable[[], object]) -> str:
    """Load in a child process; give what is wrong, for a reload that is to be refused.

    A worker that cannot load ends an engine, which served well until then.
    """
    try:
        in_child(partial(_discard, load))
    except HandlerkitError as exc:
        return str(exc)
    return ""


def _discard(load: Callable[[], object]) -> None:
    load()


def _answer(function: Callable[[], object], sender: Connection) -> None:
    error: HandlerkitError | None = None
    result: object = None
    try:
        result = function()
    except HandlerkitError as exc:
        error = exc
    except BaseException:  # noqa: BLE001 - an application may raise anything
        error = HandlerkitError(format_exc().rstrip())
    sender.send((error, result))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # Not by returning: a thread that the application left would keep us here.
    os._exit(0)
