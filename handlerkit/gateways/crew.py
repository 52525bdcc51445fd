"""Threads of which one leads: it waits for events, and runs what they bring.

To hand an exchange from a thread that waits to another that works costs more than a
short exchange does. So the leader runs exchanges itself, and goes on waiting after
each. Whoever called `run` watches it: where an exchange outlasts a tick, another
thread takes the lead, and while exchanges are long, the lead is handed over before
each. Where all threads have an exchange, the watching thread leads: it runs none, but
events, and whoever is late, are seen to.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from threading import Thread
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _thread import LockType
    from typing import Any

_TICK = 0.005  # seconds after which an exchange is in the way of others
_LONG = 0.0003  # seconds of an exchange beside which a hand-over is cheap
_SHARE = 0.05  # of one exchange in what the usual one takes
_MEMORY = 0.25  # seconds until it is tried whether exchanges are short again


class Duties(Protocol):
    """What the threads are to do."""

    def wait(self) -> None:
        """Wait for events, and put what is to be read into `Crew.ready`."""

    def wake(self) -> None:
        """Let `wait` return; from any thread."""

    def read(self, task: Any, /) -> Any:
        """Read what has come; give a job, or None; never raises."""

    def run(self, job: Any, seat: Any, /) -> None:
        """Run a job; never raises."""

    def seat(self) -> Any:
        """Give what a thread needs of its own."""


class Crew:
    """So many threads, and the one that watches them.

    ``ready`` holds what is to be read, ``jobs`` what is to be run.
    """

    def __init__(self, duties: Duties, threads: int) -> None:
        self.ready: deque[Any] = deque()
        self.jobs: deque[Any] = deque()
        self._duties = duties
        self._threads = [
            Thread(target=self._work, name=f"exchange-{n}", daemon=True)
            for n in range(threads)
        ]
        self._lock = allocate_lock()  # of who leads, and who is idle
        self._waiting = allocate_lock()  # only one thread waits for events
        self._alarm = allocate_lock()
        self._alarm.acquire()
        self._watch = allocate_lock()
        self._leader: LockType | None = None
        self._idle: list[LockType] = []
        self._turns = 0
        self._at_rest = False
        self._is_resting = False
        self._asleep = False
        self._usual = 0.0
        self._long_until = 0.0
        self._over = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until `finish` is called, in threads, and watch them in this one.

        Raises:
            BaseException: what a duty raised, against its word.
        """
        for thread in self._threads:
            thread.start()
        while not self._over:
            if self._leader is self._watch:
                self._lead_only()
            else:
                self._tick()
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Let every thread end, once it has run its job; from any thread."""
        self._over = True
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.release()
        self._duties.wake()
        self._rouse()

    def join(self, patience: float) -> int:
        """Wait so many seconds for the threads to end; give how many do not."""
        latest = monotonic() + patience
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, latest - monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    def add(self, job: Any) -> None:
        """Have a job run; from any thread."""
        self.jobs.append(job)
        if self._at_rest:  # set before the leader has looked whether there are jobs
            self._duties.wake()

    def _work(self) -> None:
        """Follow, run, lead, and so on: the life of a thread."""
        me = allocate_lock()
        me.acquire()
        try:
            seat = self._duties.seat()
            while not self._over:
                job = self._follow(me)
                if job is not None:
                    self._time(job, seat)
                else:
                    self._lead(me, seat)
        except BaseException as exc:  # noqa: BLE001 - raised by run()
            self._failure = exc
            self.finish()

    def _follow(self, me: LockType) -> Any:
        """Give a job, or None once this thread leads, or all is over."""
        with self._lock:
            if self._leader is None or self._leader is self._watch:
                self._leader = me
            elif self.jobs:
                return self.jobs.popleft()
            if self._leader is me or self._over:
                return None
            self._idle.append(me)
        me.acquire()
        return None

    def _lead(self, me: LockType, seat: Any) -> None:
        """Wait, read and run, for as long as this thread leads."""
        ready, jobs, duties = self.ready, self.jobs, self._duties
        while self._leader is me and not self._over:
            self._turns += 1
            try:
                if jobs:
                    job = jobs.popleft()
                elif ready:
                    job = duties.read(ready.popleft())
                else:
                    self._rest(me)
                    continue
            except IndexError:  # another thread was faster
                continue
            if job is not None:
                if self._long_until:
                    self._foresee(me)
                self._time(job, seat)

    def _rest(self, me: LockType) -> None:
        """Wait for events, unless there is something to do.

        Nobody deposes a leader that rests: where the watching thread waited in its
        place, it would be kept from the jobs that this one brings.
        """
        with self._lock:
            if self._leader is not me:
                return
            self._is_resting = True
        with self._waiting:
            self._at_rest = True
            if self._leader is me and not self.jobs and not self.ready:
                self._duties.wait()
            self._at_rest = False
        self._is_resting = False
        if self._asleep:
            self._asleep = False
            self._rouse()

    def _time(self, job: Any, seat: Any) -> None:
        began = perf_counter()
        self._duties.run(job, seat)
        took = perf_counter() - began
        usual = self._usual = self._usual + (min(took, _TICK) - self._usual) * _SHARE
        if usual > _LONG and not self._long_until:
            self._long_until = began + _MEMORY

    def _foresee(self, me: LockType) -> None:
        """Hand over before a job that is likely to be long."""
        if perf_counter() > self._long_until:
            self._long_until = self._usual = 0.0
        else:
            self._depose(me)

    def _depose(self, leader: LockType | None) -> None:
        """Give the lead to an idle thread, or to the watching one."""
        with self._lock:
            if self._leader is not leader or self._is_resting:
                return
            if self._idle:
                self._leader = heir = self._idle.pop()
                heir.release()
                return
            self._leader = self._watch
        self._rouse()

    def _rouse(self) -> None:
        try:
            self._alarm.release()
        except RuntimeError:  # it rings already
            return

    def _tick(self) -> None:
        """Look after the leader: depose one that was busy with one thing for long."""
        leader, turns = self._leader, self._turns
        self._alarm.acquire(timeout=_TICK)
        if self._leader is not leader or self._turns != turns:
            return
        if not self._at_rest:
            self._long_until = perf_counter() + _MEMORY
            self._depose(leader)
            return
        self._asleep = True
        if self._is_quiet(turns):
            self._alarm.acquire()
        self._asleep = False

    def _is_quiet(self, turns: int) -> bool:
        return self._turns == turns and self._at_rest and not self._over

    def _lead_only(self) -> None:
        """Wait and read, until a thread is free to lead."""
        while self._leader is self._watch and not self._over:
            try:
                job = self._duties.read(self.ready.popleft())
            except IndexError:
                self._rest_only()
                continue
            if job is not None:
                self.jobs.append(job)
                if self._leader is not self._watch:
                    self._duties.wake()

    def _rest_only(self) -> None:
        with self._waiting:
            self._at_rest = True
            if self._leader is self._watch and not self.ready:
                self._duties.wait()
            self._at_rest = False
