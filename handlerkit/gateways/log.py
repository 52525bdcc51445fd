"""Where a server says what no exchange can report."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Log = Callable[[str], object]


def log_to_stderr(message: str) -> None:
    """Write a message to standard error; where there is none, it is lost."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"handlerkit: {message}\n")
