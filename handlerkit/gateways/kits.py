"""The kit that a server runs, and how another takes its place between exchanges.

A server asks for the kit at the beginning of each exchange, in the seat of the thread
that runs it, and says when the exchange is over::

    seat = kits.seat()  # once for each thread
    kit = seat.take()
    try:
        kit.handler(…).run(kit.application)
    finally:
        seat.leave()

So each exchange has one kit from its beginning to its end, and a kit that was replaced
is closed after its last exchange. No exchange takes a lock, or waits for a reload: a
seat is written by its own thread only, and all seats are looked at when a kit has been
replaced.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from traceback import format_exc, format_stack
from typing import TYPE_CHECKING, Protocol

from handlerkit.errors import HandlerkitError
from handlerkit.gateways.notify import READY, STOPPING, notify, reloading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_RELOAD, _LEFT, _END = "reload", "left", "end"
_LAST_LOAD = 5.0  # seconds that a load gets to finish when the server has ended


class Kit(Protocol):
    """What a server needs of a kit."""

    @property
    def application(self) -> Any:
        """The WSGI callable."""

    def handler(self, *args: Any, **kwargs: Any) -> Any:
        """Make the configured handler: stdin, stdout, stderr, environ."""

    def start(self) -> None:
        """Start the plugins."""

    def close(self) -> None:
        """Close the plugins."""


class Seat:
    """The place of one thread, which runs one exchange at a time.

    ``kit`` is the kit of the exchange that runs, None between two.
    """

    __slots__ = ("_kits", "kit")

    def __init__(self, kits: Kits) -> None:
        self._kits = kits
        self.kit: Kit | None = None

    def take(self) -> Any:
        """Begin an exchange; give its kit."""
        kits = self._kits
        kit = self.kit = kits.current
        # Replaced in between, it may have been closed, as nobody saw it in use; or
        # somebody did, and has to know that it is no more.
        while kit is not kits.current:
            kit = self.kit = kits.current
            kits.tell_left()
        return kit

    def leave(self) -> None:
        """End the exchange."""
        kit, self.kit = self.kit, None
        if kit is not self._kits.current:
            self._kits.tell_left()


class Kits:
    """The current kit, and those before it that still have exchanges.

    Args:
        kit: the first one; started by `start`.
        load: is given the current kit, and gives the next one, not started; None
            where there is nothing to reload from.
        log: is given what became of each reload.

    ``patience`` is how long, in seconds, plugins may take before it is told where they
    are: until they come back, there is no other reload.
    """

    patience = 10.0

    def __init__(
        self,
        kit: Kit,
        load: Callable[[Any], Kit] | None = None,
        *,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.current: Any = kit  # a `Kit`, of the class that `load` makes
        self._load = load
        self._log = log
        self._seats: list[Seat] = []
        self._replaced: list[Kit] = []
        self._ended = False
        self._told: SimpleQueue[str] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def seat(self) -> Seat:
        """Give a new seat."""
        seat = Seat(self)
        self._seats.append(seat)
        return seat

    def start(self) -> None:
        """Start the kit.

        Raises:
            Exception: it does not start.
        """
        self.current.start()

    def heed(self) -> None:
        """Reload when asked to, from now on; and now if it was asked before."""
        if self._load is not None:
            self._thread = threading.Thread(
                target=self._serve, args=(self._load,), name="reload", daemon=True
            )
            self._thread.start()

    def reload(self) -> None:
        """Ask for a reload, and return at once; from any thread, or signal handler.

        The kit stays where the new one does not load or start. What is asked for
        while a reload runs is one more reload after it, however often.
        """
        self._told.put(_RELOAD)

    def tell_left(self) -> None:
        """Note that an exchange of a kit that was replaced is over."""
        self._told.put(_LEFT)

    def settle(self) -> None:
        """Reload no more: the server is about to end."""
        if not self._ended:
            self._ended = True
            self._told.put(_END)
            notify(STOPPING)

    def close(self) -> None:
        """Close every kit, after the last exchange of all."""
        self.settle()
        if self._thread is not None:
            self._thread.join(_LAST_LOAD)
        for kit in (*self._replaced, self.current):
            kit.close()
        self._replaced.clear()

    def _serve(self, load: Callable[[Any], Kit]) -> None:
        """Reload, and close what was replaced: the life of the thread for it."""
        while not self._ended:
            told = {self._told.get()}
            told.update(self._told.get() for _ in range(self._told.qsize()))
            if _RELOAD in told and not self._ended:
                self._reload(load)
            self._close_left()

    def _reload(self, load: Callable[[Any], Kit]) -> None:
        notify(reloading())
        kit: Kit | None = None
        try:
            with self._told_if_long("a reload"):
                kit = load(self.current)
                if self._ended:
                    return
                kit.start()
        except BaseException as exc:  # noqa: BLE001 - whatever comes of foreign code, we serve on
            said = exc if isinstance(exc, HandlerkitError) else format_exc().rstrip()
            self._log(f"not reloaded:\n{said}")
            if kit is not None:
                self._close(kit)
        else:
            self._replaced.append(self.current)
            self.current = kit
            self._log(f"reloaded: {kit}")
        finally:
            notify(READY)

    def _close_left(self) -> None:
        in_use = [seat.kit for seat in self._seats]
        for kit in [kit for kit in self._replaced if kit not in in_use]:
            self._replaced.remove(kit)
            self._close(kit)

    def _close(self, kit: Kit) -> None:
        try:
            with self._told_if_long("the close of a replaced configuration"):
                kit.close()
        except BaseException:  # noqa: BLE001 - likewise
            self._log(f"not closed:\n{format_exc().rstrip()}")

    @contextmanager
    def _told_if_long(self, what: str) -> Iterator[None]:
        """Say where this thread is, should it not come back; less and less often."""
        me = threading.get_ident()
        is_back = threading.Event()

        def tell() -> None:
            wait, waited = self.patience, 0.0
            while not is_back.wait(wait):
                waited += wait
                wait = waited
                stack = format_stack(sys._current_frames()[me])  # noqa: SLF001 - documented
                place = "".join(stack).rstrip()
                self._log(f"{what} has not come back in {waited:g} s:\n{place}")

        watching = threading.Thread(target=tell, name="reload-watch", daemon=True)
        watching.start()
        try:
            yield
        finally:
            is_back.set()
            watching.join()
