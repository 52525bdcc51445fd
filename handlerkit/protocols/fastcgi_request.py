"""What a FastCGI request is, and what a connection says of it: the events.

`handlerkit.protocols.fastcgi` reads the bytes.
"""

from __future__ import annotations

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.protocols.fastcgi_params import TOO_LARGE, body_length, read_params
from handlerkit.protocols.fastcgi_states import COMPLETE, IN_PARAMS, IN_STDIN, OVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.errors import ProtocolError
    from handlerkit.protocols.fastcgi_limits import Limits
    from handlerkit.protocols.fastcgi_opening import Opening


class Request:
    """One request. As an event: its parameters are complete, it may be run.

    ``environ`` holds its parameters, ``length`` is its CONTENT_LENGTH or None,
    ``keep`` says whether the connection stays when it is over. Of the body,
    ``received`` bytes have come, and `unread` of them wait for `take`; ``ended``
    says that no more will come. ``aborted`` says that the front does not want the
    response any more, or is gone. ``error`` is what was wrong with the body.

    Not for more than one thread at a time.
    """

    aborted = False
    ended = False
    error: RequestError | None = None
    length: int | None = None
    received = 0
    stands = IN_PARAMS
    _params: bytearray | None = None
    _body: bytearray | None = None

    def __init__(self, number: int, *, keep: bool) -> None:
        self.id = number
        self.keep = keep
        self.environ: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Request({self.id}, keep={self.keep})"

    @property
    def unread(self) -> int:
        """Bytes of the body that have come and were not taken."""
        return len(self._body) if self._body else 0

    @property
    def whole(self) -> bool:
        """Whether nothing more of the body is to be waited for."""
        if self.ended or self.aborted or self.error is not None:
            return True
        return self.length is not None and self.received >= self.length

    def take(self, size: int) -> bytes:
        """Take up to ``size`` bytes of the body; b"" if none are there.

        Raises:
            ClientDisconnected: the front aborted the request, or is gone.
            RequestError: the body is too long. What came before is given first.
        """
        body = self._body
        if body:
            if size >= len(body):
                self._body = None
                return bytes(body)
            piece = bytes(body[:size])
            del body[:size]
            return piece
        if self.aborted:
            raise ClientDisconnected("the web server aborted the request")
        if self.error is not None:
            raise self.error
        return b""

    # The rest is for the connection.

    def add_params(self, piece: memoryview) -> int:
        """Take bytes of the parameters; give how many there are."""
        if self._params is None:
            self._params = bytearray()
        self._params += piece
        return len(self._params)

    def end_params(self, limits: Limits) -> None:
        """Read the parameters that have come.

        Raises:
            RequestError: see `read_params`.
        """
        content = self._params
        self._params = None
        self.read_params(content or b"", limits)

    def read_params(
        self,
        content: bytes | bytearray,
        limits: Limits,
        opening: Opening | None = None,
    ) -> None:
        """Read all the parameters, and find how long the body is.

        Raises:
            RequestError: they are malformed or over a limit.
        """
        self.environ = environ = read_params(content, limits, opening)
        if environ.get("CONTENT_LENGTH"):
            self.length = body_length(environ, limits)
        self.stands = IN_STDIN

    def add_body(self, piece: memoryview, limits: Limits) -> None:
        """Take bytes of the body; none beyond its length, or the limit."""
        most = limits.max_body if self.length is None else self.length
        self.received += len(piece)
        if self.received > most and (most or self.length is not None):
            piece = piece[: max(len(piece) - self.received + most, 0)]
            if self.length is None:
                error = RequestError(f"the body is over {most} bytes", TOO_LARGE)
            else:
                error = RequestError(f"the body is over its CONTENT_LENGTH, {most}")
            self.error = self.error or error
        if piece:
            if self._body is None:
                self._body = bytearray()
            self._body += piece

    def end_body(self) -> None:
        """Let no more of the body come."""
        self.stands = COMPLETE
        self.ended = True

    def abort(self) -> None:
        """Drop what comes, and let whoever reads know after what has come."""
        self.aborted = True
        self.stands = OVER

    def end(self) -> None:
        """Be over: drop what has come, and what comes."""
        self.stands = OVER
        self._body = self._params = None


class Body:
    """There is more of a request's body, or its end, or it is at fault."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request = request


class Aborted:
    """The front does not want the response any more; END_REQUEST is due all the same.

    For a request that was an event, and is not forgotten.
    """

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request = request


class Refused:
    """A request that cannot be run, to be answered with the status of the error.

    Its environ is empty if its parameters were at fault.
    """

    __slots__ = ("error", "request")

    def __init__(self, request: Request, error: RequestError) -> None:
        self.request = request
        self.error = error


class Answer:
    """Bytes to be sent, for what is no application's business."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Broken:
    """The front does not speak FastCGI: the connection is to be closed.

    The requests that are open are ``aborted``.
    """

    __slots__ = ("error",)

    def __init__(self, error: ProtocolError) -> None:
        self.error = error


Event = Request | Body | Aborted | Refused | Answer | Broken
