"""A server of whatever a `Conversation` speaks: its sockets, its time, its end.

A crew of threads runs it; see `handlerkit.gateways.crew`. A connection costs a thread
only while an exchange runs on it: idle ones are polled, with a deadline.
"""

from __future__ import annotations

import socket
import sys
from collections import deque
from functools import partial
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.gateways.conversation import (
    BUSY,
    CLOSED,
    IDLE,
    READY,
    Conversation,
)
from handlerkit.gateways.crew import Crew
from handlerkit.gateways.entrance import Entrance
from handlerkit.gateways.failures import log_failure, log_no_path
from handlerkit.gateways.log import sparing
from handlerkit.gateways.poller import make_poller
from handlerkit.gateways.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.kits import Kits, Seat
    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log
    from handlerkit.gateways.settings import Settings

_LAST_WORD = 1.0  # seconds for exchanges to notice that their connections were cut
_LEAVING = 5.0  # seconds for threads to end when no connection is left


class Server:
    """Serves kits on listening sockets; see the module.

    Args:
        kits: what to run.
        listeners: where; they are closed in the end.
        converse: makes the conversation of a connection, from its socket and peer;
            None for a peer that may not connect.
        settings: see `Settings`.
        log: is given what no exchange can report.
        stderr: wsgi.errors.
    """

    def __init__(
        self,
        kits: Kits,
        listeners: Sequence[Listener],
        converse: Callable[[Server, socket.socket, Any], Conversation | None],
        settings: Settings,
        *,
        log: Log,
        stderr: Any = None,
    ) -> None:
        self.kits = kits
        self.settings = settings
        self.log = log
        self.complain = sparing(log)  # of fronts, which may go on and on
        self.stderr = sys.stderr if stderr is None else stderr
        self.stopping = False
        self.uploads = Uploads(settings.threads)
        self._has_doubts = False
        self._poller = make_poller()
        self._lock = Lock()  # of where connections stand, and whether they are polled
        self._crew = Crew(self, settings.threads)
        self._later: deque[Conversation] = deque()
        self._open: set[Conversation] = set()
        self._entrance = Entrance(
            listeners,
            self._poller,
            partial(converse, self),
            room=self._open,
            size=min(settings.max_connections, self._poller.most),
            ready=self._crew.ready,
            log=log,
        )
        self._multithread = settings.threads > 1
        self._due = 0.0
        self._deadline = inf
        self._at_once = False
        self._was_cut = False
        self._wake_end, self._waker = socket.socketpair()
        for end in (self._wake_end, self._waker):
            end.settimeout(0)

    def serve(self, ready: Callable[[], object] | None = None) -> None:
        """Serve until `stop` is called, and what runs has finished."""
        try:
            self.kits.start()
            self._poller.add(self._wake_end.fileno(), self._hear)
            if ready is not None:
                ready()
            self._crew.run()
        finally:
            self._clear_up()

    def stop(self, *, at_once: bool = False) -> None:
        """Accept nothing new, finish what runs, return from `serve`.

        From any thread, and from a signal handler. After ``graceful_timeout``, or
        ``at_once``, the connections of what still runs are cut.
        """
        self._at_once = self._at_once or at_once
        self.stopping = True
        self.wake()

    def waker(self) -> socket.socket:
        """Give a new socket that wakes the server when it is sent a byte."""
        return self._waker.dup()

    # What conversations call.

    def run_handler(
        self,
        seat: Seat,
        stdin: Any,
        stdout: Any,
        environ: dict[str, Any],
        prepare: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run the handler of one exchange, once it is prepared.

        Give it, or None where there was none.
        """
        if "PATH_INFO" not in environ and not self._has_doubts:
            self._has_doubts = log_no_path(self.log, environ)
        handler = None
        kit = seat.take()
        try:
            handler = kit.handler(
                stdin,
                stdout,
                self.stderr,
                environ,
                self._multithread,
                self.settings.multiprocess,
            )
            if prepare is not None:
                prepare(handler)
            handler.run(kit.application)
        except BaseException as exc:  # noqa: BLE001 - an exchange never ends the server
            log_failure(self.log, exc, getattr(handler, "make_report", None))
        finally:
            seat.leave()
        return handler

    def add_job(self, job: Any) -> None:
        """Have something run by `Job.run`, besides what `Conversation.read` gave."""
        self._crew.add(job)

    def rest(self, conversation: Conversation, *, begun: bool = False) -> None:
        """Have a connection read when its peer says something.

        At a stop, one that nothing has ``begun`` on is closed, but a new one, whose
        first bytes may be under way: see `_sweep`.
        """
        if self.stopping:
            if not begun and not conversation.has_a_moment:
                self.close(conversation)
                return
            self._due = 0.0
        with self._lock:
            if conversation.stands == CLOSED:  # by another thread
                return
            conversation.stands = IDLE
            if not conversation.is_polled:
                self._poller.add(conversation.socket.fileno(), conversation)
                conversation.is_polled = True
                if self._poller.is_deaf:
                    self.wake()

    def look_again(self, conversation: Conversation) -> None:
        """At a stop, have a connection that rests read once more, and closed then.

        From any thread; for one that has come to rest when nobody had looked at it.
        """
        if self.stopping and self.claim(conversation):
            self.read_later(conversation)

    def read_later(self, conversation: Conversation) -> None:
        """Have a connection in hand read, once others have had their turn."""
        self._later.append(conversation)
        self.wake()

    def claim(self, conversation: Conversation) -> bool:
        """Take a connection in hand, if nobody has it."""
        with self._lock:
            if conversation.stands != IDLE:
                return False
            conversation.stands = BUSY
            return True

    def close(self, conversation: Conversation) -> None:
        """Close a connection."""
        with self._lock:
            if conversation.stands == CLOSED:
                return
            conversation.stands = CLOSED
            if conversation.is_polled:
                self._poller.remove(conversation.socket.fileno())
                conversation.is_polled = False
        self._open.discard(conversation)
        conversation.socket.close()
        if not self._entrance.is_open:  # there may be room, or nothing left to wait for
            self.wake()

    # The duties of the crew.

    def seat(self) -> Seat:
        """Give the place of a thread."""
        return self.kits.seat()

    def read(self, conversation: Conversation, /) -> Any:
        """Read from a connection."""
        with self._lock:
            if conversation.stands == CLOSED:
                return None
            conversation.stands = BUSY
        try:
            return conversation.read()
        except Exception as exc:  # noqa: BLE001 - see _fail
            self._fail(conversation, exc)
            return None

    def run(self, job: Any, seat: Seat, /) -> None:
        """Run an exchange."""
        if self._was_cut:  # nobody is there to be answered
            self.close(job.conversation)
            return
        try:
            job.run(seat)
        except Exception as exc:  # noqa: BLE001 - see _fail
            self._fail(job.conversation, exc)

    def _fail(self, conversation: Conversation, exc: Exception) -> None:
        """Close a connection that we failed on: it is not to take others with it."""
        log_failure(self.log, exc, None)
        self.close(conversation)

    def wake(self) -> None:
        """Let `wait` return; from any thread."""
        try:
            self._waker.send(b"\0")
        except OSError:  # it has been told, or has ended
            return

    def wait(self) -> None:
        """Wait for what is to be done, and see to connections that are late."""
        if self.stopping and self._goes_on_at_once():
            return
        if self._entrance.open_or_shut(stopping=self.stopping):
            self.wake()
        things = self._poller.wait(self._patience())
        ready = self._crew.ready
        for thing in things:
            if not isinstance(thing, Conversation):
                thing()
                continue
            with self._lock:
                if thing.stands == IDLE:
                    thing.stands = READY
                    ready.append(thing)
                elif thing.is_polled:  # it is busy, and says more: later
                    self._poller.remove(thing.socket.fileno())
                    thing.is_polled = False
        now = monotonic()
        if now >= self._due:
            self._sweep(now)

    def _hear(self) -> None:
        self._wake_end.recv(4096)
        while self._later:
            self._crew.ready.append(self._later.popleft())

    def _patience(self) -> float | None:
        """Give the seconds until something is due, None if nothing is."""
        due = min(self._deadline, self._entrance.respite)
        if self._open:
            due = min(due, self._due)
        return max(0.0, due - monotonic()) if due < inf else None

    def _sweep(self, now: float) -> None:
        """See to the connections that are late, and when to look again."""
        soon = now + self.settings.parting_timeout if self.stopping else inf
        due = min(soon, now + self.settings.shortest)
        for conversation in tuple(self._open):
            if conversation.stands != IDLE:
                continue
            if soon < conversation.deadline and conversation.has_a_moment:
                self._hurry(conversation, soon)
            if conversation.deadline > now:
                due = min(due, conversation.deadline)
            elif self.claim(conversation):
                try:
                    conversation.late()
                except Exception as exc:  # noqa: BLE001 - see _fail
                    self._fail(conversation, exc)
        self._due = due

    def _hurry(self, conversation: Conversation, deadline: float) -> None:
        """Give a connection less time, if nobody has it."""
        if self.claim(conversation):
            conversation.deadline = deadline
            self.rest(conversation, begun=True)

    def _goes_on_at_once(self) -> bool:
        """Wind down; say whether there is something to do before the next event."""
        if self._is_finished():
            self._crew.finish()
            return True
        return bool(self._crew.ready)  # who is looked at once more

    def _is_finished(self) -> bool:
        """Wind down; say when that is done."""
        now = monotonic()
        if self._deadline == inf:
            self._deadline = now + self.settings.graceful_timeout
            self._stop_listening()
        if not self._open:
            return True
        if self._was_cut:
            return now >= self._deadline
        if self._at_once or now >= self._deadline:
            self._was_cut = True
            self._deadline = now + _LAST_WORD
            for conversation in tuple(self._open):
                conversation.cut()
            for upload in self.uploads.end():  # which nobody polls
                self.close(upload.conversation)
        return False

    def _stop_listening(self) -> None:
        """Take in who is waiting to be accepted, and look at who is idle once more.

        Who has begun a request by now is answered; `rest` closes the others, but new
        ones, which have a moment yet.
        """
        self.kits.settle()
        self._entrance.open_or_shut(stopping=True)
        self._entrance.close(politely=True)
        self._due = 0.0
        for conversation in tuple(self._open):
            conversation.last()
            self.look_again(conversation)

    def _clear_up(self) -> None:
        self._crew.finish()
        # An exchange may run on though its connection was cut, and is closed already.
        left = len(self._open) or self._crew.join(_LEAVING)
        if left:
            self.log(f"{left} exchanges did not end in time, and were abandoned")
        for conversation in tuple(self._open):
            self.close(conversation)
        self._entrance.close()
        self._poller.close()
        self._wake_end.close()
        self._waker.close()
        self.kits.close()
