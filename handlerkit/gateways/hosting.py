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
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.connection import Connection
    from wsgiref.types import StartResponse

T = TypeVar("T")


class Hosted(Protocol):
    """A kit as a WSGI callable; started in each worker, closed when it ends.

    ``warnings`` are for whoever asked for a reload.
    """

    warnings: Sequence[str]

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


def may_reload(load: Callable[[], Hosted], say: Callable[[str], object]) -> bool:
    """Load in a child process; say what is wrong, and whether workers may load it.

    A worker that cannot load ends an engine, which served well until then.
    """
    try:
        warnings = in_child(partial(_warnings, load))
    except HandlerkitError as exc:
        say(f"not reloaded:\n{exc}")
        return False
    for warning in warnings:
        say(warning)
    return True


def _warnings(load: Callable[[], Hosted]) -> list[str]:
    return list(load().warnings)


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
