"""One exchange on a connection: a request's body in, its response out.

The gateway never looks into the bytes of the response: how it is framed, and
whether the connection may be used again, is the handler's to say.
"""

from __future__ import annotations

import io
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.failures import refusal_body
from handlerkit.gateways.uploads import ENOUGH, Pace, too_late
from handlerkit.handlers.input import NOTHING
from handlerkit.pep3333 import format_date_time
from handlerkit.protocols.http1_body import body_of
from handlerkit.protocols.http1_environ import environ

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.gateways.http import HTTPConversation
    from handlerkit.gateways.kits import Seat
    from handlerkit.protocols.http1_request import Request

DRAIN = 65536  # bytes of a body nobody read that are worth keeping a connection for

# What is to become of a connection after an exchange.
KEEP, END, CLOSE = "keep", "end", "close"

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Input(io.RawIOBase):
    """The body of a request: what was gathered, then what comes, as it is asked for.

    ``arrived`` are bytes of the connection that have not been looked at.
    """

    def __init__(self, exchange: Exchange, pace: Pace) -> None:
        super().__init__()
        self._exchange = exchange
        self._conversation = exchange.conversation
        self._pace = pace
        self._latest = inf
        self._found = b""
        self._given = 0
        self.arrived = b""
        self._received = exchange.received

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read some of the body, nothing at its end.

        Raises:
            RequestError: the body is malformed, too large, or does not come.
            ClientDisconnected: the connection broke before its end.
        """
        if self._given == len(self._found):
            self._found = self._next(len(buffer))
            self._given = 0
        piece = self._found[self._given : self._given + len(buffer)]
        buffer[: len(piece)] = piece
        self._given += len(piece)
        return len(piece)

    def _next(self, size: int) -> bytes:
        """Give what was gathered; else decode what arrives, until there is some."""
        body = self._exchange.body
        try:
            if self._exchange.gathered:
                return self._exchange.give_gathered()
            while True:
                found = body.decode(self.arrived)
                self.arrived = b""
                if found or body.done:
                    return found
                self.arrived = self._receive(size)
        except BaseException:
            self._exchange.spoiled = True
            raise
        finally:
            self._exchange.settle()
            if body.done:
                self._exchange.be_no_upload()

    def _receive(self, size: int) -> bytes:
        self._exchange.invite()
        try:
            patience = min(self._pace.wait(), max(0.0, self._latest - monotonic()))
            data = self._conversation.receive(size, patience)
        except TimeoutError as exc:
            raise too_late() from exc
        if not data:
            raise ClientDisconnected("the client left before the end of its request")
        self._received += len(data)
        self._pace.waited(self._received)
        return data

    def drain(self) -> bool:
        """Read and forget the rest of the body; say whether that succeeded.

        However it comes, all of it has ``drain_timeout``: a thread waits for it.
        """
        body = self._exchange.body
        drain_timeout = self._conversation.server.settings.drain_timeout
        self._latest = monotonic() + drain_timeout
        try:
            while not body.done:
                if monotonic() >= self._latest:
                    return False
                self._next(DRAIN)
        except (RequestError, ClientDisconnected):
            return False
        self._conversation.unread = body.rest + self.arrived
        return True


class Exchange:
    """What is done about a request; it is stdout of its handler.

    The connection is offered to the handler for another request as long as what is
    left of the body is little enough to be read for that.

    ``invited`` says whether the client sends its body unasked, or was asked; ``pace``
    is that of the body, None if there is none; ``gathered`` is what of it has come
    before the exchange runs, ``received`` the bytes that this took; ``is_upload`` says
    that it runs before the body is whole.
    """

    __slots__ = (
        "_begun",
        "_handler",
        "_input",
        "body",
        "conversation",
        "gathered",
        "invited",
        "is_upload",
        "pace",
        "received",
        "request",
        "spoiled",
    )

    def __init__(self, conversation: HTTPConversation, request: Request) -> None:
        self.conversation = conversation
        self.request = request
        self.body = body_of(request, conversation.limits)
        self.spoiled = False
        self.invited = not request.expects_continue or self.body.done
        self.pace: Pace | None = None
        if not self.body.done:
            self.pace = pace = Pace(conversation.server.settings.read_timeout)
            pace.wait()
        self.gathered = bytearray()
        self.received = 0
        self.is_upload = False
        self._input: Input | None = None
        self._begun = False
        self._handler: Any = None

    def gather(self, data: bytes) -> bool:
        """Take what has come of the body; say whether the exchange is to run now.

        Who asks whether to send its body is not waited for.
        """
        self.received += len(data)
        try:
            while found := self.body.decode(data):
                self.gathered += found
                data = b""
        except RequestError:  # which who reads meets again, after what came before
            return True
        if self.body.done:
            return True
        # By what it took to send: chunks may be all frame, and the work is in these.
        self.is_upload = not self.invited or self.received >= ENOUGH
        return self.is_upload

    def give_gathered(self) -> bytes:
        """Give what has come of the body by now; once."""
        found, self.gathered = bytes(self.gathered), bytearray()
        return found

    def run(self, seat: Seat) -> None:
        """Run the handler, and tell the connection what is to become of it."""
        conversation, stdin = self.conversation, None
        if self.pace is not None:
            self._input = stdin = Input(self, self.pace)
        verdict = CLOSE
        try:
            handler = conversation.server.run_handler(
                seat,
                NOTHING if stdin is None else io.BufferedReader(stdin),
                self,
                self._environ(),
                self._prepare,
            )
            verdict = self._conclude(handler)
        finally:
            self._handler = self._input = None
            self.be_no_upload()
            conversation.finish(verdict)

    def admit(self) -> None:
        """Have the exchange run, which waited because of other uploads."""
        self.conversation.server.add_job(self)

    def be_no_upload(self) -> None:
        """Keep no other upload waiting: the body is whole, or not wanted any more."""
        if self.is_upload:
            self.is_upload = False
            self.conversation.server.uploads.leave()

    def _prepare(self, handler: Any) -> None:
        handler.http_version = "1.1"
        handler.keep_alive = False
        self._handler = handler
        self.settle()

    def settle(self) -> None:
        """Tell the handler, until its head is out, whether the connection may stay.

        From any thread: when a stop begins, it may not.
        """
        handler = self._handler
        if handler is None or self._begun:
            return
        left = self.body.left
        handler.keep_alive = (
            self.invited
            and self.request.keep_alive
            and not (self.spoiled or self.conversation.server.stopping)
            and left is not None
            and left + len(self.gathered) <= DRAIN
        )

    def invite(self) -> None:
        """Ask for the body of a client that waits to be asked (RFC 9110, 10.1.1)."""
        if not self.invited and not self._begun:
            self.invited = True
            conversation = self.conversation
            conversation.send(_CONTINUE, conversation.server.settings.write_timeout)

    def _environ(self) -> dict[str, Any]:
        conversation, request = self.conversation, self.request
        env: dict[str, Any] = {**conversation.address, **environ(request)}
        if conversation.local and request.host:
            name, colon, port = request.host.rpartition(":")
            if not colon or port.endswith("]"):
                name, port = request.host, "80"
            env["SERVER_NAME"], env["SERVER_PORT"] = name, port or "80"
        env["wsgi.input_terminated"] = True
        return env

    def _conclude(self, handler: Any) -> str:
        ended = getattr(handler, "ended", None)
        if ended == "disconnected":
            return CLOSE
        if not self._begun:
            return self._answer_for_handler()
        if ended not in ("ok", "error"):
            # Where the framing lets the connection stay, it shows what is missing.
            if not handler.keep_alive:
                self.conversation.close_by_reset()
            return CLOSE
        if handler.keep_alive and (self._input is None or self._input.drain()):
            return KEEP
        return END

    def _answer_for_handler(self) -> str:
        """Answer in place of a handler that could not."""
        failure = RequestError("", "500 Internal Server Error")
        try:
            self.write(refusal(failure, self.request.method))
        except ClientDisconnected:
            return CLOSE
        return END

    # What the handler calls.

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            ClientDisconnected: the client is gone, or takes nothing.
        """
        self._begun = True
        conversation = self.conversation
        conversation.send(data, conversation.server.settings.write_timeout)

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file; see `handlerkit.gateways.sending`.

        Raises:
            ClientDisconnected: the client is gone, or takes nothing.
        """
        conversation = self.conversation
        patience = conversation.server.settings.write_timeout
        return conversation.send_file(descriptor, start, count, patience)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def fileno(self) -> int:
        """Give the socket's descriptor, which does not block from now on."""
        self.conversation.socket.settimeout(0)
        return self.conversation.socket.fileno()


def refusal(error: RequestError, method: str) -> bytes:
    """Give the whole response that refuses a request, and ends its connection."""
    body = refusal_body(error)
    head = (
        f"HTTP/1.1 {error.status}\r\n"
        f"Date: {format_date_time(time())}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if method == "HEAD" else body)
