"""Which of many sockets can be read: epoll where there is one, else what there is."""

from __future__ import annotations

import select
import selectors
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


_SELECTED = 500  # connections; select() of Windows takes 512 sockets, others 1024


class SelectorPoller:
    """A poller for every platform.

    One that ``is_deaf`` must be woken after `add`, to know of it while it waits; it
    waits for ``most`` connections.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        hears: Any = getattr(selectors, "KqueueSelector", ())
        self.is_deaf = not isinstance(self._selector, hears)
        selects = isinstance(self._selector, selectors.SelectSelector)
        self.most = _SELECTED if selects else inf

    def add(self, descriptor: int, thing: Any, *, shared: bool = False) -> None:  # noqa: ARG002 - what only epoll can do
        """Tell of a descriptor when it can be read, by giving the thing.

        One that is ``shared`` with other processes wakes, where that can be, not all.
        """
        self._selector.register(descriptor, selectors.EVENT_READ, thing)

    def remove(self, descriptor: int) -> None:
        """Tell of it no longer; before it is closed."""
        self._selector.unregister(descriptor)

    def wait(self, patience: float | None) -> list[Any]:
        """Wait up to ``patience`` seconds; give the things that can be read."""
        try:
            return [key.data for key, _ in self._selector.select(patience)]
        except OSError:  # one of them was removed, and closed, at just this time
            return []

    def close(self) -> None:
        """Close its own descriptor."""
        self._selector.close()


_OWN = getattr(select, "EPOLLIN", 0)
_SHARED = _OWN | getattr(select, "EPOLLEXCLUSIVE", 0)


class EpollPoller:
    """The same on epoll itself: half the time of a selector."""

    is_deaf = False
    most = inf

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._things: dict[int, Any] = {}

    def add(self, descriptor: int, thing: Any, *, shared: bool = False) -> None:
        """Tell of a descriptor when it can be read, by giving the thing.

        One that is ``shared`` with other processes wakes one of them, or a few.
        """
        self._things[descriptor] = thing
        self._epoll.register(descriptor, _SHARED if shared else _OWN)

    def remove(self, descriptor: int) -> None:
        """Tell of it no longer; before it is closed."""
        self._things.pop(descriptor, None)
        with suppress(OSError):  # the system has forgotten it
            self._epoll.unregister(descriptor)

    def wait(self, patience: float | None) -> list[Any]:
        """Wait up to ``patience`` seconds; give the things that can be read."""
        things = self._things
        found = self._epoll.poll(patience)
        # One that was removed meanwhile by another thread is not there any more.
        return [
            thing for number, _ in found if (thing := things.get(number)) is not None
        ]

    def close(self) -> None:
        """Close its own descriptor."""
        self._epoll.close()


def make_poller() -> SelectorPoller | EpollPoller:
    """Give the best poller of this platform."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
