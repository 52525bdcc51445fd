"""FastCGI connections: requests, one after the other or at the same time."""

from __future__ import annotations

import os
import socket
from math import inf
from threading import Condition, Lock
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.channels import BLOCK
from handlerkit.gateways.connections import plain_address
from handlerkit.gateways.conversation import Conversation
from handlerkit.gateways.fastcgi_exchange import Answering, FastCGIExchange
from handlerkit.protocols.fastcgi import (
    Answer,
    Broken,
    Connection,
    Limits,
    Refused,
    Request,
)
from handlerkit.protocols.fastcgi_records import STDOUT, WHOLE_PAGES, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from handlerkit.gateways.server import Server
    from handlerkit.protocols.fastcgi_request import Event

_INVALID = b"\xff" * 8  # a record of no version of FastCGI
_MORE = int(getattr(socket, "MSG_MORE", 0))  # a hint: content follows its header
_LARGE = 4 * BLOCK  # what an application that waits for a body reads at once


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

    def converse(server: Server, sock: socket.socket, peer: Any) -> Conversation | None:
        if peers and type(peer) is tuple and plain_address(peer[0]) not in peers:
            return None
        protocol = Connection(limits, values)
        return FastCGIConversation(sock, peer, server, protocol)

    return converse


class FastCGIConversation(Conversation):
    """A FastCGI connection.

    Whoever leads reads it, and gives each body that comes to its request. A thread
    that waits for a body reads for itself, and for the others. Nobody reads while a
    body that has come is not taken: a front that sends several at once waits then.
    """

    __slots__ = (
        "_arrival",
        "_head_deadline",
        "_is_over",
        "_is_parting",
        "_is_paused",
        "_lock",
        "_protocol",
        "_running",
        "_sending",
    )

    def __init__(
        self, sock: socket.socket, peer: Any, server: Server, protocol: Connection
    ) -> None:
        super().__init__(sock, peer, server)
        self._protocol = protocol
        latest = monotonic() + server.settings.header_timeout
        self.deadline = self._head_deadline = latest
        self._lock = Lock()  # of the protocol, and of all that follows
        self._arrival: Condition | None = None
        self._running = 0
        self._is_paused = False
        self._is_over = False
        self._is_parting = False
        self._sending = Lock()

    def read(self) -> Any:
        """Read what has come; give the first exchange that is to be run."""
        try:
            data = self.receive_now()
        except ClientDisconnected:
            data = b""
        if data is None or (data and self._is_parting):
            self._rest()
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
            if type(first) is Request and first.ended:
                waits = not first.keep  # as nearly every time: see _settle
            else:
                waits = self._settle()
        if not waits:
            self._rest()
        elif self._is_over and not self._running:
            self.server.close(self)
        return job

    def _settle(self) -> bool:
        """Say, after what has come, whether nobody is to read more by now."""
        if self._arrival is not None:
            self._arrival.notify_all()
        if self._is_over:
            return True
        requests = self._protocol.open
        self._is_paused = bool(requests) and self._protocol.full
        # Nothing more will come where the front has said all that it will.
        said_all = requests and all(each.ended and not each.keep for each in requests)
        return bool(self._is_paused or said_all)

    def _heed(self, events: list[Event]) -> Any:
        """Make exchanges of requests; give the first, and have the others run."""
        first = None
        for event in events:
            job: Any
            if type(event) is Request:
                job = FastCGIExchange(self, event)
            elif type(event) is Refused:
                self.server.complain(f"a FastCGI request is refused: {event.error}")
                job = FastCGIExchange(self, event.request, event.error)
            elif type(event) is Answer:
                job = Answering(self, event.data)
            else:
                if type(event) is Broken:
                    self.server.complain(f"a FastCGI connection is cut: {event.error}")
                    self._is_over = True
                    self.cut()
                continue
            self._running += 1
            if first is None:
                first = job
            else:
                self.server.add_job(job)
        return first

    def _rest(self) -> None:
        """Have the connection polled, with the time that its front has."""
        begun = not self._protocol.idle
        settings = self.server.settings
        if self._running:
            self._head_deadline = self.deadline = inf
        elif begun or self._head_deadline < inf:  # the first head, or one that is cut
            latest = monotonic() + settings.header_timeout
            self._head_deadline = self.deadline = min(self._head_deadline, latest)
        elif not self._is_parting:
            self.deadline = monotonic() + settings.keep_alive_timeout
        self.server.rest(self, begun=begun or self._is_parting)

    def _lose(self) -> None:
        """Go on without the front: only what it has sent whole can be answered."""
        with self._lock:
            self._is_over = True
            for request in self._protocol.open:
                if not request.ended:
                    request.aborted = True
            if self._arrival is not None:
                self._arrival.notify_all()
            running = self._running
        if not running:
            self.server.close(self)

    # What exchanges call, each in a thread of its own.

    def send_records(self, data: bytes) -> None:
        """Send records, not mixed with those of other requests.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        with self._sending:
            try:
                self.send(data, self.server.settings.write_timeout)
            except ClientDisconnected:
                self._give_up()
                raise

    def send_end(self, request: Request, data: bytes) -> None:
        """Send records of which the last is END_REQUEST.

        Once it has that, the front may begin another request by the same id, though
        the exchange may have much to do yet: so the request is forgotten before.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        with self._lock:
            self._protocol.forget(request)
        self.send_records(data)

    def send_spans(self, number: int, descriptor: int, start: int, size: int) -> None:
        """Send records of STDOUT whose content is ``size`` bytes of a file.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
            OSError: the file cannot be read, or is shorter than it was.
        """
        patience = self.server.settings.write_timeout
        with self._sending:
            try:
                for header, length in spans(STDOUT, number, size, WHOLE_PAGES):
                    self.send(header, patience, _MORE)
                    self._send_content(descriptor, start, length, patience)
                    start += length
            except OSError:
                self._give_up()
                raise

    def _send_content(
        self, descriptor: int, start: int, size: int, patience: float
    ) -> None:
        while size:
            sent = self.send_file(descriptor, start, size, patience)
            if sent is None:
                data = os.pread(descriptor, size, start)
                self.send(data, patience)
                sent = len(data)
            if not sent:
                raise OSError("the file is shorter than it was")
            start += sent
            size -= sent

    def take(self, request: Request, size: int) -> bytes:
        """Give some of a body, b"" at its end; wait for it.

        Raises:
            RequestError: the body is too long, or does not come.
            ClientDisconnected: the front left, or aborted the request.
        """
        while True:
            with self._lock:
                data = request.take(size)
                resumes = self._resumes()
            if resumes:
                self._rest()
            if data or request.ended:
                return data
            self._fetch(request)

    def _resumes(self) -> bool:
        """Say whether a pause has come to its end just now."""
        if not self._is_paused or self._is_over or self._protocol.full:
            return False
        self._is_paused = False
        return True

    def _fetch(self, request: Request) -> None:
        """Wait until there may be more of a body; read, unless another thread does."""
        patience = self.server.settings.read_timeout
        if not self._may_read(request, patience):
            return
        try:
            data = self.receive(_LARGE, patience)
        except TimeoutError as exc:
            self._advance_no_more()
            raise _late() from exc
        except ClientDisconnected:
            data = b""
        job = self._advance(data)
        if job is not None:
            self.server.add_job(job)

    def _may_read(self, request: Request, patience: float) -> bool:
        """Take the connection in hand, or wait for who has it to read something."""
        with self._lock:
            if request.unread or request.ended or request.aborted or request.error:
                return False
            if not self._is_paused and self.server.claim(self):
                return True
            if self._arrival is None:
                self._arrival = Condition(self._lock)
            if not self._arrival.wait(patience):
                raise _late()
            return False

    def _advance_no_more(self) -> None:
        """Let the connection go, of which nothing came."""
        with self._lock:
            if self._arrival is not None:
                self._arrival.notify_all()
        self._rest()

    def is_alone(self, request: Request) -> bool:
        """Say whether no other request is open on this connection."""
        with self._lock:
            return self._protocol.open == (request,)

    def break_off(self) -> None:
        """Send what no front takes for a proper end, and be over.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        self._is_over = True
        self.let_take()
        self.send_records(_INVALID)

    def _give_up(self) -> None:
        """Be over: a record could not be sent whole."""
        self._is_over = True
        self.cut()

    def finish(self, request: Request | None) -> None:
        """Let a job be done, and its request be over, even if no end could be sent."""
        protocol = self._protocol
        with self._lock:
            self._running -= 1
            running = self._running
            whole = request is None or request.ended
            if request is not None:
                protocol.forget(request)
            closes = protocol.closing and not running
            resumes = self._resumes()
        if not running and (self._is_over or (closes and whole)):
            self.server.close(self)
            return
        if closes:
            self._say_farewell()
        elif not running:
            self.deadline = monotonic() + self.server.settings.keep_alive_timeout
        if resumes:
            self._rest()
        elif self.server.stopping and not running and self.server.claim(self):
            self._look_again()

    def _look_again(self) -> None:
        """Read once more at the end, so that nobody is turned away who was in time."""
        job = self.read()
        if job is not None:
            self.server.add_job(job)

    def _say_farewell(self) -> None:
        """Close after the front has: it may still send what nobody reads."""
        self._is_parting = True
        self.end()
        self.deadline = monotonic() + self.server.settings.farewell_timeout


def _late() -> RequestError:
    text = "the request body did not come in time"
    return RequestError(text, "408 Request Timeout")
