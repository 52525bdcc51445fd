"""FastCGI connections: requests, one after the other or at the same time."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways.addresses import plain_address
from handlerkit.gateways.fastcgi_bodies import BodyReader
from handlerkit.gateways.fastcgi_exchange import FastCGIExchange
from handlerkit.gateways.fastcgi_gathering import Gathering
from handlerkit.protocols.fastcgi import (
    Aborted,
    Answer,
    Body,
    Broken,
    Connection,
    Limits,
    Refused,
    Request,
)
from handlerkit.protocols.fastcgi_opening import Opening

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection
    from typing import Any

    from handlerkit.gateways.conversation import Conversation
    from handlerkit.gateways.server import Server
    from handlerkit.protocols.fastcgi_request import Event

_INVALID = b"\xff" * 8  # a record of no version of FastCGI
_MOST_ANSWERS = 1000  # to the front itself, that wait until a response has gone out


def conversing(
    limits: Limits, max_connections: int, peers: Collection[str] = ()
) -> Callable[[Server, socket.socket, Any], Conversation | None]:
    """Give what makes the conversations of a `Server` that speaks FastCGI.

    ``peers`` are the addresses that may connect; none are all (FastCGI 1.0, 3.2).
    """
    values = {
        "FCGI_MAX_CONNS": max_connections,
        "FCGI_MAX_REQS": max_connections,
        "FCGI_MPXS_CONNS": int(limits.max_requests > 1),
    }

    opening = Opening()

    def converse(server: Server, sock: socket.socket, peer: Any) -> Conversation | None:
        if peers and type(peer) is tuple and plain_address(peer[0]) not in peers:
            return None
        protocol = Connection(limits, values, opening)
        return FastCGIConversation(sock, peer, server, protocol, limits.max_unread)

    return converse


class FastCGIConversation(BodyReader):
    """A FastCGI connection.

    Whoever leads reads it, and gives each body that comes to its request. A thread
    that waits for a body reads for itself, and for the others. Nobody reads while a
    body that has come is not taken: a front that sends several at once waits then.

    Its exchanges hold all threads but one at the most, so that a front that takes
    nothing, or is slow to, does not keep the others from being served.
    """

    __slots__ = (
        "_head_deadline",
        "_is_owed",
        "_is_parting",
        "_max_unread",
        "_most",
        "_queued",
        "_running",
    )

    def __init__(
        self,
        sock: socket.socket,
        peer: Any,
        server: Server,
        protocol: Connection,
        max_unread: int,
    ) -> None:
        super().__init__(sock, peer, server, protocol)
        self._max_unread = max_unread
        self._most = max(1, server.settings.threads - 1)
        latest = monotonic() + server.settings.header_timeout
        self.deadline = self._head_deadline = latest
        self._running = 0  # or about to: those that are queued count
        self._queued: list[FastCGIExchange] = []
        self._is_owed = False  # what the front may send of who was turned away
        self._is_parting = False

    def read(self) -> Any:
        """Read what has come; give the first exchange that is to be run."""
        try:
            data = self.receive_now()
        except ClientDisconnected:
            data = b""
        if data is None or (data and self._is_parting):
            with self._lock:
                if data:
                    self.go_on_parting()
                begun = self._give_time()
            self._rest(begun=begun)
            return None
        return self._advance(data)

    def _advance(self, data: bytes) -> Any:
        """Take what was read, b"" for the end, and let the connection go again."""
        if not data:
            self._lose()
            return None
        with self._lock:
            # What comes after the end is dropped: nobody is to be fed it.
            events = [] if self._is_over else self._protocol.feed(data)
            job = self._heed(events)
            first = events[0] if len(events) == 1 and self._running == 1 else None
            if (
                type(first) is Request
                and first.ended
                and (first.keep or self._protocol.open == (first,))
            ):
                # As nearly every time: see _settle.
                waits = not (first.keep or self._is_owed)
            else:
                waits = self._settle()
                if self._protocol.closing and not self._running:
                    self._part()  # who was turned away was the last
            begun = waits or self._give_time()
        if type(first) is not Request:
            self._complain_of(events)
        if self._answers or self._is_parting:
            self._answer()
        if not waits:
            self._rest(begun=begun)
        elif self._is_over and not self._running:
            self.server.close(self)
        return job

    def _answer(self) -> None:
        """Answer the front; cut off one that does not take what it asks for."""
        taken = self._send_answers()
        if self._is_parting:
            self.end()
        if (not taken and not self._running) or len(self._answers) > _MOST_ANSWERS:
            self.server.complain("a FastCGI connection is cut: it takes no answers")
            self._give_up()

    def _settle(self) -> bool:
        """Say, after what has come, whether nobody is to read more by now."""
        if self._arrival is not None:
            self._arrival.notify_all()
        if self._is_over:
            return True
        requests = self._protocol.open
        self._is_paused = bool(requests) and self._protocol.full
        if self._is_paused or not requests or self._is_owed:
            return self._is_paused
        # Nothing more will come where the front has said all that it will, and
        # `finish` closes then.
        return all(each.ended and not each.keep for each in requests)

    def _heed(self, events: list[Event]) -> Any:
        """Make exchanges of requests; give the first, and have the others run."""
        first = None
        for event in events:
            if type(event) is Request and event.ended:
                job: Any = FastCGIExchange(self, event)
            else:
                job = self._job_of(event)
                if job is None:
                    continue
            self._running += 1
            if self._running > self._most:
                self._queued.append(job)
            elif first is None:
                first = job
            else:
                self.server.add_job(job)
        return first

    def _job_of(self, event: Event) -> Any:
        """Give what is to be run because of an event, or None."""
        if type(event) is Request:
            return self._gather(FastCGIExchange(self, event))
        if type(event) is Refused:
            return FastCGIExchange(self, event.request, event.error)
        if type(event) is Answer:
            self._answers.append(event.data)
            self._is_owed = True
        elif type(event) is Broken:
            self._is_over = True
            self._gathering = None
        elif self._gathering is not None and isinstance(event, Body | Aborted):
            return self._gathering.look_at(event.request)
        return None

    def _gather(self, exchange: FastCGIExchange) -> FastCGIExchange | None:
        if self._gathering is None:
            self._gathering = Gathering(self.server, self._max_unread)
        return self._gathering.add(exchange)

    def _complain_of(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is Refused:
                self.server.complain(f"a FastCGI request is refused: {event.error}")
            elif type(event) is Broken:
                self.server.complain(f"a FastCGI connection is cut: {event.error}")
                self.cut()

    def _start(self, exchange: FastCGIExchange) -> None:
        """Have an exchange run, once there are few enough."""
        self._running += 1
        if self._running > self._most:
            self._queued.append(exchange)
        else:
            self.server.add_job(exchange)

    def admit(self, exchange: FastCGIExchange) -> None:
        """Have an exchange run that waited for other uploads."""
        with self._lock:
            if self._gathering is not None:
                self._gathering.remove(exchange.request)
            self._start(exchange)

    def _give_time(self) -> bool:
        """Set how long the front has; say whether anything is under way.

        What runs may have no open request any more: its end is being sent.
        """
        if self._running or self._gathering:
            gathering = self._gathering
            self._head_deadline = inf
            self.deadline = inf if gathering is None else gathering.deadline()
            return True
        if self._is_parting:
            return True
        begun = not self._protocol.idle
        settings = self.server.settings
        if begun or self._head_deadline < inf:  # the first head, or one that is cut
            latest = monotonic() + settings.header_timeout
            self._head_deadline = self.deadline = min(self._head_deadline, latest)
        else:
            self.deadline = monotonic() + settings.keep_alive_timeout
        return begun

    def _rest(self, *, begun: bool) -> None:
        """Have the connection polled; what was under way may have ended meanwhile."""
        self.server.rest(self, begun=begun)
        if self.server.stopping and begun and self._is_idle():
            self._look_again()

    def _is_idle(self) -> bool:
        """Say whether nothing is under way, and take the connection in hand then."""
        with self._lock:
            if self._running or self._is_parting or not self._protocol.idle:
                return False
        return self.server.claim(self)

    @property
    def has_a_moment(self) -> bool:
        """Whether the front has not asked for anything."""
        return self._head_deadline < inf and self._protocol.idle

    def late(self) -> None:
        """Close, unless something has begun since the deadline was looked at.

        Whose body is late is refused.
        """
        with self._lock:
            for exchange in self._gathering.take_late() if self._gathering else ():
                self._start(exchange)
            is_late = not self._running and self.deadline <= monotonic()
            begun = is_late or self._give_time()
        if is_late:
            self.server.close(self)
        else:
            self._rest(begun=begun)

    def _lose(self) -> None:
        """Go on without the front: only what it has sent whole can be answered."""
        self._be_over()
        if not self._running:
            self.server.close(self)

    def _be_over(self) -> None:
        with self._lock:
            self._is_over = True
            for request in self._protocol.open:
                if not request.ended:
                    request.aborted = True
            if self._gathering is not None:
                self._gathering.drop()
            if self._arrival is not None:
                self._arrival.notify_all()

    # What exchanges call, each in a thread of its own.

    def send_end(self, request: Request, data: bytes) -> None:
        """Send records of which the last is END_REQUEST.

        Once it has that, the front may begin another request by the same id, though
        the exchange may have much to do yet: so the request is forgotten before.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        with self._sending:
            with self._lock:
                self._protocol.forget(request)
            self._send_whole(data)
        if self._answers:
            self._send_answers()

    def is_alone(self, request: Request) -> bool:
        """Say whether no other request is open, or is being ended."""
        with self._sending, self._lock:
            return self._protocol.open == (request,)

    def break_off(self) -> None:
        """Send what no front takes for a proper end, and be over.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        self._be_over()
        self.let_take()
        self.send_records(_INVALID)

    def _give_up(self) -> None:
        """Be over: a record could not be sent whole."""
        self._be_over()
        self.cut()

    def finish(self, request: Request) -> None:
        """Let a request be over, even if no end could be sent."""
        protocol = self._protocol
        with self._lock:
            self._running -= 1
            running = self._running
            whole = request.ended and not self._is_owed
            protocol.forget(request)
            closes = protocol.closing and not running
            is_last = not running and (self._is_over or (closes and whole))
            resumes = not is_last and self._resumes()
            begun = is_last or self._go_on(closes=closes)
        if self._answers:
            self._answer()
        if is_last:
            self.server.close(self)
            return
        if closes:
            self.end()
        if resumes:
            self._rest(begun=begun)
        elif self.server.stopping and not running and self.server.claim(self):
            self._look_again()

    def _go_on(self, *, closes: bool) -> bool:
        """Have who is queued run; say whether anything is under way.

        The connection that ``closes`` is to be closed after the front has.
        """
        if closes:
            self._part()
        if self._queued:
            self.server.add_job(self._queued.pop(0))
        return bool(self._running) or self._give_time()

    def _look_again(self) -> None:
        """Read once more at the end, so that nobody is turned away who was in time."""
        job = self.read()
        if job is not None:
            self.server.add_job(job)

    def _part(self) -> None:
        """Close only after the front has: it may still send what nobody reads."""
        self._is_parting = True
        self.part()
