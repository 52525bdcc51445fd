"""One request of a FastCGI connection: a body in, records out."""

from __future__ import annotations

import os
from math import inf
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected, RequestError
from handlerkit.gateways.failures import refusal
from handlerkit.handlers.input import NOTHING, Unbounded
from handlerkit.protocols.fastcgi_records import (
    WHOLE_PAGES,
    end_stdout,
    response,
    stdout,
)

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.gateways.fastcgi import FastCGIConversation
    from handlerkit.gateways.kits import Seat
    from handlerkit.gateways.uploads import Pace
    from handlerkit.protocols.fastcgi import Request

_FAILURE = RequestError("", "500 Internal Server Error")
_AT_ONCE = 16 * WHOLE_PAGES  # bytes of a file while other requests wait
_INCOMPLETE = 1  # an application status, for a front that other requests wait on


class FastCGIExchange:
    """What is done about a request; it is wsgi.input and stdout of its handler.

    ``error`` is why it is refused. If its body did not come with its head, ``pace``
    is how that may come, and ``deadline`` when it must go on, before the exchange
    runs; ``is_upload`` says that it is among the `Uploads`.
    """

    __slots__ = (
        "_begun",
        "_ended",
        "conversation",
        "deadline",
        "error",
        "is_upload",
        "pace",
        "request",
    )

    def __init__(
        self,
        conversation: FastCGIConversation,
        request: Request,
        error: RequestError | None = None,
    ) -> None:
        self.conversation = conversation
        self.request = request
        self.error = error
        self.pace: Pace | None = None
        self.deadline = inf
        self.is_upload = False
        self._begun = False
        self._ended = False

    def admit(self) -> None:
        """Have it run, which waited because of other uploads."""
        self.conversation.admit(self)

    def run(self, seat: Seat) -> None:
        """Run the handler, or refuse the request, and end it."""
        try:
            if self.request.aborted:  # before its turn had come
                self._end(_INCOMPLETE)
            elif self.error is None:
                self._serve(seat)
            else:
                self._refuse(self.error)
        except ClientDisconnected:
            return
        finally:
            if self.is_upload:
                self._be_no_upload()
            self.conversation.finish(self.request)

    def _be_no_upload(self) -> None:
        self.is_upload = False
        self.conversation.server.uploads.leave()

    def _serve(self, seat: Seat) -> None:
        request = self.request
        environ: dict[str, Any] = request.environ
        stdin: Any = self
        if request.ended and not request.unread:
            stdin = NOTHING
        elif request.length is None:
            stdin = Unbounded(self)
            environ["wsgi.input_terminated"] = True
        handler = self.conversation.server.run_handler(seat, stdin, self, environ)
        if self._ended:
            return
        ended = getattr(handler, "ended", None)
        if request.aborted or ended == "disconnected":
            self._end(_INCOMPLETE)
        elif not self._begun:
            self._refuse(_FAILURE)
        elif ended in ("ok", "error"):
            self._end(0)
        elif self.conversation.is_alone(request):
            self.conversation.break_off()
        else:
            self._end(_INCOMPLETE)

    def _refuse(self, error: RequestError) -> None:
        bodiless = self.request.environ.get("REQUEST_METHOD") == "HEAD"
        self.write_last(refusal(error, bodiless=bodiless))

    def _end(self, status: int) -> None:
        self._ended = True
        end = end_stdout(self.request.id, status)
        self.conversation.send_end(self.request, end)

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes of the body; b"" at the end.

        Raises:
            RequestError: the body is too long, or does not come.
            ClientDisconnected: the front left, or aborted the request.
        """
        if self._ended:  # what still comes of it is dropped
            return b""
        data = self.conversation.take(self.request, size, self.pace)
        if self.is_upload and self.request.whole:
            self._be_no_upload()
        return data

    def write(self, data: bytes) -> None:
        """Send a part of the response.

        Raises:
            ClientDisconnected: the front is gone, takes nothing, or has aborted.
        """
        self._check()
        self._begun = True
        self.conversation.send_records(stdout(self.request.id, data))

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file; see `handlerkit.gateways.sending`.

        Raises:
            ClientDisconnected: the front is gone, takes nothing, or has aborted.
            OSError: the file cannot be read, or is shorter than it was.
        """
        if not hasattr(os, "sendfile"):
            return None
        self._check()
        self._begun = True
        size = min(count, _AT_ONCE)
        self.conversation.send_spans(self.request.id, descriptor, start, size)
        return size

    def write_last(self, data: bytes) -> None:
        """Send the last, or only, part of the response, and its end with it.

        Raises:
            ClientDisconnected: the front is gone, takes nothing, or has aborted.
        """
        self._check()
        self._begun = self._ended = True
        data = response(self.request.id, data)
        self.conversation.send_end(self.request, data)

    def _check(self) -> None:
        if self.request.aborted:
            raise ClientDisconnected("the web server aborted the request")

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""
