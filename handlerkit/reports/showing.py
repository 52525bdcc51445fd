"""Show what others wrote: names and texts of objects that may be broken, or hostile."""

from __future__ import annotations

import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TypeVar

    _T = TypeVar("_T")

SECONDS = 0.5  # that all foreign methods of one report may take together
TOO_LONG = "<cannot be shown: it takes too long>"

_HARMLESS = (str, int, float, bool, bytes, type(None))


def class_name(kind: type) -> str:
    """Give a class's name, with its module if that is not builtins; never raises."""
    try:
        module, name = kind.__module__, kind.__qualname__
    except Exception:  # noqa: BLE001 - a metaclass may do anything
        return "<unknown>"
    if module in ("builtins", "__main__"):
        return str(name)
    return f"{module if type(module) is str else '<unknown>'}.{name}"


def plainly_said(exc: BaseException) -> bool:
    """Say whether no foreign code runs when this exception is shown."""
    told = type(exc).__str__
    if told is BaseExceptionGroup.__str__:
        return True
    return told in _STRS and all(type(each) in _HARMLESS for each in exc.args)


_STRS = frozenset(
    each.__str__
    for each in (BaseException, OSError, KeyError, ImportError, UnicodeError)
) | {UnicodeDecodeError.__str__, UnicodeEncodeError.__str__, SyntaxError.__str__}


def said(value: object) -> str:
    """Give ``str(value)``, or why there is none; never raises."""
    try:
        text = str(value)
        return text if type(text) is str else str.__str__(text)
    except TooLongError:
        return TOO_LONG
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it says nothing
        return f"<cannot be shown: {class_name(type(exc))}>"


class TooLongError(BaseException):
    """A foreign method has used up its time."""


def in_time(work: Callable[[], _T], seconds: float) -> _T:
    """Run foreign Python code; break it off when its time is up.

    Python code that loops is broken off, code in C cannot be. Only this thread is
    watched, and a debugger of the thread is put back afterwards.
    """
    end = monotonic() + seconds

    def watch(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001
        if monotonic() > end:
            raise TooLongError
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return work()
    finally:
        sys.settrace(before)
