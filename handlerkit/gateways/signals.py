"""Signals that end a server."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import FrameType


class Stoppable(Protocol):
    """A server that can be told to stop."""

    stopping: bool

    def stop(self, *, at_once: bool = False) -> None:
        """Finish what runs, or cut it."""

    def waker(self) -> socket.socket:
        """Give a new socket that wakes the server when it is sent a byte."""


@contextmanager
def stopping_on_signals(server: Stoppable) -> Iterator[None]:
    """Stop a server on SIGTERM or SIGINT, at once on a second one.

    Signals are taken where Python lets us: in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop(at_once=server.stopping)

    # The kernel may give a signal to any thread, but Python handles it in the main
    # thread, which sleeps: it must be woken.
    waker = server.waker()
    old_waker = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    previous = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_waker)
        waker.close()
