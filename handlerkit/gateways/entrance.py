"""Where connections come in: listening sockets, open for as long as there is room."""

from __future__ import annotations

import socket
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.gateways.listening import close_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log

_RESPITE = 1.0  # seconds without accepting, after accepting failed
_AT_ONCE = 4  # connections accepted before one of them is served
_LAST_ONES = 1024  # connections taken in at a stop from a listener of several processes


class Entrance:
    """Accepts connections while there is room: who finds none waits in the backlog.

    ``is_open`` says whether it does by now, ``respite`` when it will again after a
    failure.

    Args:
        listeners: where; they are closed in the end.
        poller: tells of who wants to come in.
        converse: makes the conversation of a connection, from its socket and peer;
            None for a peer that may not connect.
        room: of ``size``; the conversations go there, and into ``ready``.
        log: is told of failures.
    """

    def __init__(  # noqa: PLR0913 - what a server has of its own
        self,
        listeners: Sequence[Listener],
        poller: Any,
        converse: Callable[[Any, Any], Any],
        *,
        room: set[Any],
        size: float,
        ready: Any,
        log: Log,
    ) -> None:
        self.is_open = False
        self.respite = inf
        self._listeners = tuple(listeners)
        self._poller = poller
        self._converse = converse
        self._room = room
        self._size = size
        self._ready = ready
        self._log = log
        for listener in listeners:
            listener.socket.settimeout(0)
            _let_small_pieces_go(listener.socket)

    def open_or_shut(self, *, stopping: bool) -> bool:
        """Listen while there is room; say whether to look at once whether there is."""
        if self.respite < inf and monotonic() >= self.respite:
            self.respite = inf
        has_room = len(self._room) < self._size
        wanted = has_room and not stopping and self.respite == inf
        if wanted == self.is_open:
            return False
        self.is_open = wanted
        for listener in self._listeners:
            number = listener.socket.fileno()
            if wanted:
                accept = partial(self._accept, listener)
                self._poller.add(number, accept, shared=not listener.own)
            else:
                self._poller.remove(number)
        # Who left in between has seen it open, and told nobody.
        return not wanted and len(self._room) < self._size

    def _accept(self, listener: Listener) -> bool:
        """Accept a few connections; False where there are no more."""
        for _ in range(_AT_ONCE):
            if len(self._room) >= self._size:
                return False
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            except OSError as exc:  # out of descriptors, most likely
                self._log(f"cannot accept a connection: {exc}")
                self.respite = monotonic() + _RESPITE
                return False
            conversation = self._converse(sock, peer)
            if conversation is None:
                sock.close()
                continue
            self._room.add(conversation)
            self._ready.append(conversation)
        return True

    def close(self, *, politely: bool = False) -> None:
        """Listen no more; ``politely``, take in who waits: perhaps nobody else will."""
        listeners, self._listeners = self._listeners, ()
        if politely:
            self._size = inf
            for listener in listeners:
                if listener.own:
                    listener.forget_path()
                # One that is not may have others who go on, and never be empty.
                most = inf if listener.own else _LAST_ONES
                while most > 0 and self._accept(listener):
                    most -= _AT_ONCE
        self.respite = inf
        close_all(listeners)


def _let_small_pieces_go(listening: socket.socket) -> None:
    """Have TCP not hold back small pieces; who is accepted inherits it."""
    if listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
