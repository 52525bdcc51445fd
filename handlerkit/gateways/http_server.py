"""The threads of the built-in HTTP server, and the connections between them.

One thread waits for all connections that owe us something, a request's head above
all; a request goes to one of a pool of threads once its head is complete. So
clients that are slow, or idle, cost no thread, only a place in a queue with a
deadline. The sockets' bookkeeping is the one thread's alone: workers give
connections back to it.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
from collections import deque
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.connections import Connection, Waiting
from handlerkit.gateways.exchange import CLOSE, KEEP, Exchange, refusal
from handlerkit.gateways.listening import close_all
from handlerkit.gateways.log import log_to_stderr
from handlerkit.protocols.http1 import RequestParser
from handlerkit.protocols.http1_request import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.kits import Kits, Seat
    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log
    from handlerkit.protocols.http1_request import Request

_PARTING = 0.5  # seconds that a farewell may take while we stop
_RESPITE = 1.0  # seconds without accepting, after accepting failed
_LAST_WORD = 1.0  # seconds for workers to notice that their connections were cut


class Settings:
    """How the server serves; times are in seconds.

    ``header_timeout`` runs from the connection, or the first byte of a later
    request, to the end of its head (408); ``keep_alive_timeout`` between requests;
    ``read_timeout`` and ``write_timeout`` while a body makes no progress;
    ``drain_timeout`` for all that the application left of a body;
    ``farewell_timeout`` for a client to read its last answer, and close;
    ``graceful_timeout`` is what running exchanges get at a stop. More than
    ``max_connections`` wait to be accepted. For the rest see `Limits`.
    """

    def __init__(  # noqa: PLR0913 - one flat table of the configuration
        self,
        *,
        threads: int = 8,
        max_connections: int = 1000,
        header_timeout: float = 10.0,
        keep_alive_timeout: float = 5.0,
        read_timeout: float | None = None,
        write_timeout: float = 60.0,
        drain_timeout: float = 2.0,
        farewell_timeout: float = 5.0,
        graceful_timeout: float = 30.0,
        **limits: int,
    ) -> None:
        self.threads = threads
        self.max_connections = max_connections
        self.header_timeout = header_timeout
        self.keep_alive_timeout = keep_alive_timeout
        self.read_timeout = write_timeout if read_timeout is None else read_timeout
        self.write_timeout = write_timeout
        self.drain_timeout = drain_timeout
        self.farewell_timeout = farewell_timeout
        self.graceful_timeout = graceful_timeout
        self.limits = Limits(**limits)


class HTTPServer:
    """Serves kits on listening sockets; see the module."""

    def __init__(
        self,
        kits: Kits,
        listeners: Sequence[Listener],
        settings: Settings | None = None,
        *,
        log: Log = log_to_stderr,
        stderr: Any = None,
    ) -> None:
        self._kits = kits
        self._listeners = tuple(listeners)
        self._settings = settings = settings or Settings()
        self._log = log
        self._stderr = sys.stderr if stderr is None else stderr
        self._selector = selectors.DefaultSelector()
        self._waiting = Waiting(
            head=settings.header_timeout,
            request=settings.keep_alive_timeout,
            farewell=settings.farewell_timeout,
            parting=min(settings.farewell_timeout, _PARTING),
        )
        self._overdue = {
            "head": self._refuse_late,
            "request": self._close,
            "farewell": self._close,
            "parting": self._close,
        }
        self._open: set[Connection] = set()
        self._work: SimpleQueue[tuple[Connection, Request] | None] = SimpleQueue()
        self._returned: deque[tuple[Connection, str]] = deque()
        self._accepting = False
        self._respite = 0.0
        self._deadline: float | None = None
        self._was_cut = False
        self.stopping = False
        self._wake_end, self._waker = socket.socketpair()
        self._wake_end.settimeout(0)
        self._waker.settimeout(0)

    def serve(self, ready: Callable[[], object] | None = None) -> None:
        """Serve until `stop` is called, and what runs has finished."""
        threads = [
            threading.Thread(
                target=self._run_exchanges, name=f"exchange-{n}", daemon=True
            )
            for n in range(self._settings.threads)
        ]
        try:
            self._kits.start()
            for thread in threads:
                thread.start()
            self._prepare()
            if ready is not None:
                ready()
            while not self._finished():
                self._turn()
        finally:
            self._clear_up(threads)

    def stop(self, *, at_once: bool = False) -> None:
        """Accept nothing new, finish what runs, return from `serve`.

        From any thread, and from a signal handler. After ``graceful_timeout``, or
        ``at_once``, the connections of what still runs are cut.
        """
        self.stopping = True
        if at_once:
            self._deadline = 0.0
        self._wake()

    def waker(self) -> socket.socket:
        """Give a new socket that wakes the server when it is sent a byte."""
        return self._waker.dup()

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:  # it has been told, or has ended
            return

    def _prepare(self) -> None:
        self._selector.register(
            self._wake_end, selectors.EVENT_READ, partial(self._wake_end.recv, 4096)
        )
        for listener in self._listeners:
            listener.socket.settimeout(0)

    def _turn(self) -> None:
        """Do what is to be done now, then wait for more."""
        self._accept_or_not()
        for key, _ in self._selector.select(self._patience()):
            key.data()
        while self._returned:
            self._take_back(*self._returned.popleft())
        now = monotonic()
        for connection in self._waiting.overdue(now):
            self._overdue[connection.awaits](connection)

    def _patience(self) -> float | None:
        """Give the seconds until something is due, None if nothing is."""
        times = [self._waiting.next_deadline(), self._deadline]
        if self._respite and not self.stopping:
            times.append(self._respite)
        due = min((time for time in times if time is not None), default=None)
        return None if due is None else max(0.0, due - monotonic())

    def _accept_or_not(self) -> None:
        """Listen while there is room: who finds none waits in the backlog."""
        accept = not self.stopping and len(self._open) < self._settings.max_connections
        if self._respite:
            accept = accept and monotonic() >= self._respite
            self._respite = 0.0 if accept else self._respite
        if accept == self._accepting:
            return
        self._accepting = accept
        for listener in self._listeners:
            if accept:
                self._selector.register(
                    listener.socket,
                    selectors.EVENT_READ,
                    partial(self._accept, listener.socket),
                )
            else:
                self._selector.unregister(listener.socket)

    def _accept(self, listening: socket.socket) -> bool:
        """Accept a connection, if one waits and there is room; say if there was."""
        if len(self._open) >= self._settings.max_connections:
            return False
        try:
            sock, peer = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as exc:  # out of descriptors, most likely
            self._log(f"cannot accept a connection: {exc}")
            self._respite = monotonic() + _RESPITE
            return False
        try:
            connection = Connection(sock, peer, self._settings.limits)
        except OSError:  # the client has gone again
            sock.close()
        else:
            self._open.add(connection)
            self._listen_to(connection, self._read, "head")
        return True

    def _listen_to(
        self, connection: Connection, react: Callable[[Connection], None], awaits: str
    ) -> None:
        self._selector.register(
            connection.socket, selectors.EVENT_READ, partial(react, connection)
        )
        self._waiting.add(connection, awaits, monotonic())

    def _forget(self, connection: Connection) -> None:
        """Neither listen nor wait any more."""
        if connection.awaits:
            self._selector.unregister(connection.socket)
            self._waiting.remove(connection)

    def _close(self, connection: Connection) -> None:
        self._forget(connection)
        self._open.discard(connection)
        connection.close()

    def _read(self, connection: Connection) -> None:
        """Read on at a head."""
        try:
            data = connection.receive_now()
        except ClientDisconnected:
            data = b""
        if data:
            self._advance(connection, data)
        elif data is not None:
            self._close(connection)

    def _advance(self, connection: Connection, data: bytes) -> None:
        try:
            request = connection.parser.feed(data)
        except RequestError as error:
            self._refuse(connection, error)
            return
        if request is not None:
            self._forget(connection)
            connection.unread = connection.parser.rest
            self._work.put((connection, request))
        elif connection.awaits == "request" and connection.parser.begun:
            self._waiting.add(connection, "head", monotonic())

    def _refuse_late(self, connection: Connection) -> None:
        late = RequestError("the request did not come in time", "408 Request Timeout")
        self._refuse(connection, late)

    def _refuse(self, connection: Connection, error: RequestError) -> None:
        """Answer what is not worth a handler, as far as it can be sent at once."""
        try:
            connection.send(refusal(error, connection.parser.method), 0)
        except ClientDisconnected:
            self._close(connection)
        else:
            self._say_farewell(connection)

    def _say_farewell(self, connection: Connection) -> None:
        """Close after the client has.

        It may still send, and answering that with a reset would take from it what
        it has not read of our answer.
        """
        self._forget(connection)
        connection.end()
        awaits = "parting" if self.stopping else "farewell"
        self._listen_to(connection, self._overhear, awaits)

    def _overhear(self, connection: Connection) -> None:
        try:
            data = connection.receive_now()
        except ClientDisconnected:
            data = b""
        if data == b"":
            self._close(connection)

    def _take_back(self, connection: Connection, verdict: str) -> None:
        """Go on with a connection that a worker has done its exchange on."""
        connection.exchange = None
        if verdict == CLOSE:
            self._close(connection)
        elif verdict == KEEP and not self.stopping:
            connection.parser = RequestParser(self._settings.limits)
            self._listen_to(connection, self._read, "request")
            if connection.unread:
                self._advance(connection, connection.unread)
        else:
            self._say_farewell(connection)

    def _finished(self) -> bool:
        """Wind down if we are to stop; say when that is done."""
        if not self.stopping:
            return False
        now = monotonic()
        if self._listeners:
            self._stop_listening()
        if self._deadline is None:
            self._deadline = now + self._settings.graceful_timeout
        if self._open and now >= self._deadline:
            if self._was_cut:
                return True
            self._was_cut = True
            self._deadline = now + _LAST_WORD
            for connection in self._open:
                connection.cut()
        return not self._open

    def _stop_listening(self) -> None:
        """Take no more; who is here, or waits to be accepted, has one last request."""
        for exchange in filter(None, (each.exchange for each in self._open)):
            exchange.last()
        self._kits.settle()
        self._accept_or_not()
        for listener in self._listeners:
            if listener.own:
                listener.forget_path()
                while self._accept(listener.socket):
                    pass
        close_all(self._listeners)
        self._listeners = ()
        for connection in self._waiting.all("request"):
            self._read(connection)
            if connection.awaits == "request":
                self._close(connection)
        unbegun = [c for c in self._waiting.all("head") if not c.parser.begun]
        for connection in (*unbegun, *self._waiting.all("farewell")):
            self._waiting.add(connection, "parting", monotonic())

    def _clear_up(self, threads: list[threading.Thread]) -> None:
        running = sum(connection.exchange is not None for connection in self._open)
        if running:
            self._log(f"{running} exchanges did not end in time, and were abandoned")
        for connection in list(self._open):
            self._close(connection)
        close_all(self._listeners)
        for _ in threads:
            self._work.put(None)
        if not running:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        self._selector.close()
        self._wake_end.close()
        self._waker.close()
        self._kits.close()

    def _run_exchanges(self) -> None:
        """Run exchanges, one by one: the life of a worker."""
        seat = self._kits.seat()
        while (work := self._work.get()) is not None:
            connection, request = work
            verdict = CLOSE
            try:
                if not self._was_cut:
                    verdict = self._run_exchange(seat, connection, request)
            finally:
                self._returned.append((connection, verdict))
                self._wake()

    def _run_exchange(
        self, seat: Seat, connection: Connection, request: Request
    ) -> str:
        own = self._settings
        exchange = Exchange(
            connection,
            request,
            read_timeout=own.read_timeout,
            write_timeout=own.write_timeout,
            drain_timeout=own.drain_timeout,
        )
        connection.exchange = exchange
        if self.stopping:  # read after the exchange is there to be told
            exchange.last()
        return exchange.run(seat, self._stderr, self._log, multithread=own.threads > 1)
