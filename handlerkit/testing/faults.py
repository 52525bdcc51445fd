"""What a plugin is tried against: applications, a handler and plugins that fail."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING

from handlerkit.handlers import SimpleHandler
from handlerkit.hooks.markers import hookimpl
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, NoReturn

    Environ = dict[str, Any]
    Start = Callable[..., Callable[[bytes], object]]

SECRET = "kept-from-clients"  # noqa: S105 - that of the exceptions below
PLAIN = [("Content-Type", "text/plain")]


class PlantedError(Exception):
    """Raised on purpose, with `SECRET` in its message."""

    def __init__(self) -> None:
        super().__init__(SECRET)


def answers(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Answer with the request's body, or else with its path."""
    start_response("200 OK", PLAIN[:])
    return [environ["wsgi.input"].read() or environ["PATH_INFO"].encode("latin-1")]


def streams(environ: Environ, start_response: Start) -> Iterator[bytes]:
    """Answer the same in parts, when it is iterated."""
    [whole] = answers(environ, start_response)
    yield b""
    yield whole[:3]
    yield whole[3:]


def writes(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Answer the same through the write of start_response."""
    write = start_response("200 OK", PLAIN[:])
    write(environ["wsgi.input"].read() or environ["PATH_INFO"].encode("latin-1"))
    return []


def sends_a_file(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Answer the same as a file, where there is a wrapper for it."""
    [whole] = answers(environ, start_response)
    wrap = environ.get("wsgi.file_wrapper")
    return wrap(BytesIO(whole), 3) if wrap else [whole]


def fails(_: Environ, start_response: Start) -> NoReturn:
    """Fail before anything is out."""
    start_response("200 OK", PLAIN[:])
    raise PlantedError


def fails_late(_: Environ, start_response: Start) -> Iterator[bytes]:
    """Fail when a part of the response is out."""
    start_response("200 OK", PLAIN[:])
    yield b"a part"
    raise PlantedError


def interrupts(_: Environ, __: Start) -> NoReturn:
    """Raise what a worker must get to see."""
    raise KeyboardInterrupt


def hands_over(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Deal with an error itself, as PEP 3333 has it: by exc_info."""
    import sys

    try:
        fails(environ, start_response)
    except PlantedError:
        start_response("503 Service Unavailable", PLAIN[:], sys.exc_info())
    return [b"the application's own page"]


class EarlyError(SimpleHandler):
    """Fails before there is an environ: hooks find next to nothing in theirs."""

    def add_cgi_vars(self) -> None:
        """Fail.

        Raises:
            PlantedError: always.
        """
        raise PlantedError


class _DeafStream:
    """A wsgi.errors that takes nothing."""

    def write(self, text: str) -> NoReturn:
        raise OSError(f"no room for {len(text)} characters")

    def flush(self) -> None:
        """Nothing to do."""


class DeafErrors:
    """A plugin whose wsgi.errors cannot be written to."""

    @hookimpl
    def get_stderr(self) -> Any:
        """Give a stream that raises."""
        return _DeafStream()


def _raising(hook: str) -> type:
    def fail(_: object) -> NoReturn:
        raise PlantedError

    fail.__name__ = hook
    return type(f"Raises_{hook}", (), {hook: hookimpl(fail)})


# RAISING.get_scheme is a plugin whose get_scheme raises, and so on.
RAISING = SimpleNamespace(**{hook: _raising(hook) for hook in HOOKS})
