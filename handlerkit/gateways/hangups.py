"""SIGHUP: to a server it means reload, unless its terminal is gone."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGHUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
_TERMINAL = "/dev/tty"


class Hangups:
    """Takes SIGHUP, as a context, in the main thread, where Python lets us.

    What comes before there is somebody to `tell` is told then. A process that had a
    terminal and has it no more is ended, as by default: it would go on unseen, at an
    address that its user takes for free.
    """

    def __init__(self) -> None:
        self._tell: Callable[[], object] = self._remember
        self._came = False
        self._before: Any = None
        self._had_terminal = False

    def __enter__(self) -> Hangups:  # noqa: PYI034 - typing.Self costs its import
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        if _SIGHUP is not None and self._before is not None:
            signal.signal(_SIGHUP, self._before)

    def take(self) -> None:
        """Take the signal, and what another, that had it before, has not told."""
        main = threading.current_thread() is threading.main_thread()
        if _SIGHUP is not None and main:
            self._had_terminal = _has_terminal()
            self._before = signal.signal(_SIGHUP, self._hang_up)
            before = getattr(self._before, "__self__", None)
            if isinstance(before, Hangups):
                self._came = self._came or before._came  # noqa: SLF001 - one of this class

    def tell(self, function: Callable[[], object]) -> None:
        """Call a function for each SIGHUP from now on, and now if one has come."""
        self._tell = function
        if self._came:
            function()

    def _remember(self) -> None:
        self._came = True

    def _hang_up(self, *_: object) -> None:
        if self._had_terminal and not _has_terminal():
            signal.raise_signal(signal.SIGTERM)
        else:
            self._tell()


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
