"""One exchange on a connection: a request's body in, its response out.

The gateway never looks into the bytes of the response: how it is framed, and
whether the connection may be used again, is the handler's to say.
"""

from __future__ import annotations

import io
from time import monotonic, time
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.failures import log_failure, refusal_body
from handlerkit.pep3333 import format_date_time
from handlerkit.protocols.http1_body import body_of
from handlerkit.protocols.http1_environ import environ

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from handlerkit.gateways.connections import Connection
    from handlerkit.gateways.kits import Seat
    from handlerkit.protocols.http1_request import Request

DRAIN = 65536  # bytes of a body nobody read that are worth keeping a connection for

# What is to become of a connection after an exchange.
KEEP, END, CLOSE = "keep", "end", "close"

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Output:
    """A handler's stdout: the way to the client."""

    __slots__ = ("_connection", "_patience", "begun")

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self.begun = False

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            ClientDisconnected: the client is gone, or takes nothing.
        """
        self.begun = True
        self._connection.send(data, self._patience)

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file; see `handlerkit.gateways.sending`.

        Raises:
            ClientDisconnected: the client is gone, or takes nothing.
        """
        return self._connection.send_file(descriptor, start, count, self._patience)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def fileno(self) -> int:
        """Give the socket's descriptor, which does not block."""
        return self._connection.socket.fileno()


class Input(io.RawIOBase):
    """The body of a request, read from its connection as the application asks.

    ``arrived`` are bytes of the connection that have not been looked at.
    """

    def __init__(self, exchange: Exchange, connection: Connection) -> None:
        super().__init__()
        self._exchange = exchange
        self._connection = connection
        self.arrived = connection.unread
        self._found = b""
        self._given = 0

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
        """Decode what arrives until there are bytes of the body, or no more."""
        body = self._exchange.body
        try:
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

    def _receive(self, size: int) -> bytes:
        self._exchange.invite()
        try:
            data = self._connection.receive(size, self._exchange.read_timeout)
        except TimeoutError as exc:
            raise RequestError(
                "the request body did not come in time", "408 Request Timeout"
            ) from exc
        if not data:
            raise ClientDisconnected("the client left before the end of its request")
        return data

    def drain(self) -> bool:
        """Read and forget the rest of the body; say whether that succeeded.

        However it comes, all of it has ``drain_timeout``: a worker waits for it.
        """
        exchange = self._exchange
        deadline = monotonic() + exchange.drain_timeout
        try:
            while not exchange.body.done:
                exchange.read_timeout = deadline - monotonic()
                if exchange.read_timeout <= 0:
                    return False
                self._next(DRAIN)
        except (RequestError, ClientDisconnected):
            return False
        return True


class Exchange:
    """The request that a connection has read, and what is done about it.

    The connection is offered to the handler for another request as long as what is
    left of the body is little enough to be read for that.
    """

    def __init__(
        self,
        connection: Connection,
        request: Request,
        *,
        read_timeout: float,
        write_timeout: float,
        drain_timeout: float,
    ) -> None:
        self.connection = connection
        self.request = request
        self.body = body_of(request, connection.limits)
        self.read_timeout = read_timeout
        self.write_timeout = write_timeout
        self.drain_timeout = drain_timeout
        self.output = Output(connection, write_timeout)
        self.spoiled = False
        self.input = Input(self, connection)
        self._invited = not request.expects_continue or self.body.done
        self._last = not request.keep_alive
        self._handler: Any = None

    def run(
        self,
        seat: Seat,
        stderr: Any,
        log: Callable[[str], object],
        *,
        multithread: bool,
    ) -> str:
        """Run the handler of one kit; give what is to become of the connection."""
        handler: Any = None
        kit = seat.take()
        try:
            stdin = io.BytesIO() if self.body.done else io.BufferedReader(self.input)
            handler = kit.handler(
                stdin,
                self.output,
                stderr,
                self._environ(),
                multithread=multithread,
                multiprocess=False,
            )
            handler.http_version = "1.1"
            handler.keep_alive = False
            self._handler = handler
            self.settle()
            handler.run(kit.application)
        except BaseException as exc:  # noqa: BLE001 - an exchange never ends the server
            log_failure(log, exc, getattr(self._handler, "make_report", None))
        finally:
            seat.leave()
        verdict = self._conclude(handler)
        self._handler = None
        return verdict

    def last(self) -> None:
        """Let this be the connection's last exchange; from any thread."""
        self._last = True
        self.settle()

    def settle(self) -> None:
        """Tell the handler, until its head is out, whether the connection may stay."""
        handler = self._handler
        if handler is None or self.output.begun:
            return
        left = self.body.left
        handler.keep_alive = (
            self._invited
            and not (self._last or self.spoiled)
            and left is not None
            and left <= DRAIN
        )

    def invite(self) -> None:
        """Ask for the body of a client that waits to be asked (RFC 9110, 10.1.1)."""
        if not self._invited and not self.output.begun:
            self._invited = True
            self.connection.send(_CONTINUE, self.write_timeout)

    def _environ(self) -> dict[str, Any]:
        env: dict[str, Any] = {**self.connection.address, **environ(self.request)}
        if self.connection.local and self.request.host:
            name, colon, port = self.request.host.rpartition(":")
            if not colon or port.endswith("]"):
                name, port = self.request.host, "80"
            env["SERVER_NAME"], env["SERVER_PORT"] = name, port or "80"
        env["wsgi.input_terminated"] = True
        return env

    def _conclude(self, handler: Any) -> str:
        ended = getattr(handler, "ended", None)
        if ended == "disconnected":
            return CLOSE
        if not self.output.begun:
            return self._answer_for_handler()
        if ended not in ("ok", "error"):
            # Where the framing lets the connection stay, it shows what is missing.
            if not handler.keep_alive:
                self.connection.close_by_reset()
            return CLOSE
        if handler.keep_alive and self.input.drain():
            self.connection.unread = self.body.rest + self.input.arrived
            return KEEP
        return END

    def _answer_for_handler(self) -> str:
        """Answer in place of a handler that could not."""
        failure = RequestError("", "500 Internal Server Error")
        try:
            self.output.write(refusal(failure, self.request.method))
        except ClientDisconnected:
            return CLOSE
        return END


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
