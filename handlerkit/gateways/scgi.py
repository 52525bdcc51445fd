"""SCGI connections: a request, its response in the form of CGI, and the end."""

from __future__ import annotations

import socket
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.channels import BLOCK
from handlerkit.gateways.conversation import Conversation
from handlerkit.gateways.failures import refusal
from handlerkit.gateways.uploads import ENOUGH, Pace, too_late
from handlerkit.handlers.input import NOTHING
from handlerkit.protocols.scgi import Limits, RequestParser

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from handlerkit.gateways.kits import Seat
    from handlerkit.gateways.server import Server

_FAILURE = RequestError("", "500 Internal Server Error")
_PEEK = int(socket.MSG_PEEK)  # an enum is slow to or


def conversing(limits: Limits) -> Callable[[Server, socket.socket, Any], Conversation]:
    """Give what makes the conversations of a `Server` that speaks SCGI."""

    def converse(server: Server, sock: socket.socket, peer: Any) -> Conversation:
        return SCGIConversation(sock, peer, server, limits)

    return converse


class SCGIConversation(Conversation):
    """The one exchange of an SCGI connection.

    Its end is the end of the response, which a front takes for whole unless the
    connection ends by an error. On TCP that is a reset. A unix socket has none, but
    closing it with something unread is an error to its peer: so the end of the
    request is peeked at only, and taken when the response is whole.
    """

    __slots__ = (
        "_begun",
        "_environ",
        "_is_upload",
        "_left",
        "_pace",
        "_parser",
        "_parting",
        "_peeked",
        "_rest",
    )

    def __init__(
        self, sock: socket.socket, peer: Any, server: Server, limits: Limits
    ) -> None:
        super().__init__(sock, peer, server)
        self.deadline = monotonic() + server.settings.header_timeout
        self._parser = RequestParser(limits)
        self._environ: dict[str, Any] = {}
        self._peeked = 0
        self._rest = b""
        self._left = 0
        self._begun = False
        self._parting = False
        self._pace: Pace | None = None  # of a body that did not come with its head
        self._is_upload = False

    def read(self) -> SCGIConversation | None:
        """Read on at the head; give the exchange once it is whole."""
        try:
            if self._parting:
                self._overhear()
                return None
            if self._pace is not None:
                return self._collect(self._pace)
            data = self.receive_now(BLOCK, _PEEK if self.local else 0)
            if data is None:
                self.server.rest(self, begun=self._parser.begun)
            elif not data:
                self.server.close(self)
            else:
                return self._advance(data)
        except ClientDisconnected:
            self.server.close(self)
        return None

    def _advance(self, data: bytes) -> SCGIConversation | None:
        parser = self._parser
        try:
            environ = parser.feed(data)
        except RequestError as error:
            self.server.complain(f"an SCGI request is refused: {error}")
            self._refuse(error)
            return None
        if environ is None:
            if self.local:
                self.receive_now(len(data))
            self.server.rest(self, begun=True)
            return None
        self._environ = environ
        self._rest = parser.rest[: parser.length]
        self._left = parser.length - len(parser.rest)
        if self._left <= 0:
            self._peeked = len(data) if self.local else 0
            return self
        if self.local:
            self.receive_now(len(data))
        self._pace = pace = Pace(self.server.settings.read_timeout)
        pace.wait()
        return self._collect(pace)

    def _collect(self, pace: Pace) -> SCGIConversation | None:
        """Read on at the body; give the exchange once it is to run."""
        while self._left > 0 and len(self._rest) < ENOUGH:
            data = self.receive_now(*self._piece(ENOUGH - len(self._rest)))
            if data is None:
                pace.waited(self._parser.length - self._left)
                self.deadline = pace.deadline()
                self.server.rest(self, begun=True)
                return None
            if not data:
                self.server.close(self)
                return None
            self._rest += data
            self._arrived(len(data))
        if self._left > 0:
            # Who must wait is not polled meanwhile.
            self._is_upload = True
            return self if self.server.uploads.enter(self) else None
        return self

    def admit(self) -> None:
        """Have the exchange run, which waited because of other uploads."""
        self.server.add_job(self)

    @property
    def conversation(self) -> SCGIConversation:
        """The connection of the exchange, which is all that there is to either."""
        return self

    @property
    def has_a_moment(self) -> bool:
        """Whether the front has not said anything."""
        return not self._parser.begun

    def late(self) -> None:
        """Refuse a request that did not come in time."""
        if self._parting or not self._parser.begun:
            self.server.close(self)
        elif self._pace is not None:
            self._refuse(too_late())
        else:
            text = "the request did not come in time"
            self._refuse(RequestError(text, "408 Request Timeout"))

    def _refuse(self, error: RequestError) -> None:
        bodiless = self._parser.variables.get("REQUEST_METHOD") == "HEAD"
        try:
            self.send(refusal(error, bodiless=bodiless), 0)
        except ClientDisconnected:
            self.server.close(self)
        else:
            self._say_farewell()

    def run(self, seat: Seat) -> None:
        """Run the exchange, and end the connection."""
        stdin = Body(self) if self._parser.length else NOTHING
        try:
            handler = self.server.run_handler(seat, stdin, self, self._environ)
        finally:
            if self._is_upload:
                self._be_no_upload()
        ended = getattr(handler, "ended", None)
        if not self._begun and ended != "disconnected":
            self._refuse(_FAILURE)
        elif ended in ("ok", "error"):
            self._end_well()
        else:
            if ended != "disconnected":
                self.let_take()
            if not self.local:
                self.close_by_reset()
            self.server.close(self)

    def _be_no_upload(self) -> None:
        self._is_upload = False
        self.server.uploads.leave()

    def _end_well(self) -> None:
        try:
            if self._peeked:
                self.receive_now(self._peeked)
            if self._left or (self._pace is not None and self.receive_now(1, _PEEK)):
                self._say_farewell()
                return
        except ClientDisconnected:  # it has what it wants
            pass
        self.server.close(self)

    def _say_farewell(self) -> None:
        """Close after the front has: it may still send."""
        self._parting = True
        self.end()
        self.part()
        self.server.rest(self, begun=True)

    def _overhear(self) -> None:
        data = self.receive_now()
        if data == b"":
            self.server.close(self)
            return
        if data:
            self.go_on_parting()
        self.server.rest(self, begun=True)

    def write(self, data: bytes) -> None:
        """Send all of it: this is the handler's stdout.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        self._begun = True
        self.send(data, self.server.settings.write_timeout)

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file; see `handlerkit.gateways.sending`.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        patience = self.server.settings.write_timeout
        return self.send_file(descriptor, start, count, patience)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def fileno(self) -> int:
        """Give the socket's descriptor, which does not block from now on."""
        self.socket.settimeout(0)
        return self.socket.fileno()

    def take(self, size: int) -> bytes:
        """Give some of the body: what came with the head, else what comes.

        Raises:
            RequestError: it does not come.
            ClientDisconnected: the connection broke before its end.
        """
        if self._rest:
            data, self._rest = self._rest[:size], self._rest[size:]
            return data
        pace = self._pace
        if self._left <= 0 or pace is None:
            return b""
        patience = pace.wait()
        size, flags = self._piece(size)
        try:
            data = self.receive(size, patience, flags)
        except TimeoutError as exc:
            pace.waited(self._parser.length - self._left)
            raise too_late() from exc
        if not data:
            raise ClientDisconnected("the front left before the end of its request")
        self._arrived(len(data))
        pace.waited(self._parser.length - self._left)
        if self._left <= 0 and self._is_upload:
            self._be_no_upload()
        return data

    def _piece(self, size: int) -> tuple[int, int]:
        """Give the size and flags to receive some of the body with."""
        if not self.local:
            return min(size, self._left), 0
        return (min(size, self._left - 1), 0) if self._left > 1 else (1, _PEEK)

    def _arrived(self, size: int) -> None:
        if self.local and self._left == 1:
            self._peeked = 1
        self._left -= size


class Body:
    """wsgi.input, before it is bounded."""

    __slots__ = ("_conversation",)

    def __init__(self, conversation: SCGIConversation) -> None:
        self._conversation = conversation

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes; b"" at the end; see `SCGIConversation.take`."""
        return self._conversation.take(size)
