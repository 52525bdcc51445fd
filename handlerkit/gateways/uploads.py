"""Request bodies that take their time: what they may take of it, and of the threads.

A request gets a thread when its body is whole, or `ENOUGH` of it has come: until then
it is only polled. What goes on after that is an *upload*, and not all threads are for
uploads: requests that have all they need pass them.
"""

from __future__ import annotations

from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from handlerkit.errors import RequestError

if TYPE_CHECKING:
    from typing import Any

ENOUGH = 65536  # bytes of a body, for its exchange to begin before the end of it
LEAST_RATE = 500  # bytes per second, for a body that keeps others waiting


class Upload(Protocol):
    """An exchange that is to run while its body still comes."""

    @property
    def conversation(self) -> Any:
        """The connection, to be closed where all ends."""

    def admit(self) -> None:
        """Have it run, after `Uploads.enter` has said that it must wait."""


class Uploads:
    """Those that run, and those that wait until one of these ends.

    All threads but one, and one where there is no other, may be held by exchanges
    whose body is not whole.
    """

    def __init__(self, threads: int) -> None:
        self._most: float = max(1, threads - 1)
        self._running = 0
        self._waiting: dict[Upload, None] = {}
        self._lock = Lock()

    def enter(self, upload: Upload) -> bool:
        """Say whether one may run now; else it is admitted when there is room."""
        with self._lock:
            if self._running < self._most:
                self._running += 1
                return True
            self._waiting[upload] = None
            return False

    def withdraw(self, upload: Upload) -> bool:
        """Let one wait no longer; False if it has been admitted, or never waited."""
        with self._lock:
            return self._waiting.pop(upload, self) is None

    def leave(self) -> None:
        """Let one be none any more: its body is whole, or its exchange has ended."""
        with self._lock:
            upload = next(iter(self._waiting), None)
            if upload is None:
                self._running -= 1
                return
            del self._waiting[upload]
        upload.admit()

    def end(self) -> list[Upload]:
        """Let nobody wait any more; give those who did."""
        with self._lock:
            self._most = inf
            waiting, self._waiting = list(self._waiting), {}
            return waiting


class Pace:
    """How long the next piece of a body may take.

    That is ``patience`` seconds, less what was waited for the pieces before. Each byte
    wins back its time at `LEAST_RATE`, but never more than ``patience`` in all. So who
    stalls has that, and who drips has hardly more. Time in which nobody waits for the
    body does not count.
    """

    __slots__ = ("_left", "_patience", "_seen", "_since")

    def __init__(self, patience: float) -> None:
        self._patience = self._left = patience
        self._seen = 0
        self._since = 0.0

    def wait(self) -> float:
        """Begin to wait; give for how many seconds."""
        self._since = monotonic()
        return self._left

    def waited(self, received: int) -> None:
        """Wait no more, or anew; of the body so many bytes have come by now."""
        waited = monotonic() - self._since
        won = (received - self._seen) / LEAST_RATE
        self._left = max(0.0, min(self._patience, self._left - waited + won))
        self._seen = received

    def deadline(self) -> float:
        """Begin to wait; give until when."""
        return monotonic() + self.wait()


def too_late() -> RequestError:
    """Give the error for a body that was waited for, and did not come."""
    text = "the request body did not come in time"
    return RequestError(text, "408 Request Timeout")
