"""Where a server says what no exchange can report."""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Log = Callable[[str], object]


def log_to_stderr(message: str) -> None:
    """Write a message to standard error; where there is none, it is lost."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"handlerkit: {message}\n")


def sparing(log: Log, seconds: float = 60.0) -> Log:
    """Give a log that says one thing over and over only once in so many seconds."""
    last = ""
    until = 0.0

    def say(message: str) -> None:
        nonlocal last, until
        now = monotonic()
        if message != last or now >= until:
            last, until = message, now + seconds
            log(message)

    return say
