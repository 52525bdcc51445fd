"""One request of a FastCGI connection: a body in, records out."""

from __future__ import annotations

import os
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
    from handlerkit.protocols.fastcgi import Request

_FAILURE = RequestError("", "500 Internal Server Error")
_AT_ONCE = 16 * WHOLE_PAGES  # bytes of a file while other requests wait
_INCOMPLETE = 1  # an application status, for a front that other requests wait on


class FastCGIExchange:
    """What is done about a request; it is wsgi.input and stdout of its handler."""

    __slots__ = ("_begun", "_ended", "_error", "_request", "conversation")

    def __init__(
        self,
        conversation: FastCGIConversation,
        request: Request,
        error: RequestError | None = None,
    ) -> None:
        self.conversation = conversation
        self._request = request
        self._error = error
        self._begun = False
        self._ended = False

    def run(self, seat: Seat) -> None:
        """Run the handler, or refuse the request, and end it."""
        try:
            if self._request.aborted:  # before its turn had come
                self._end(_INCOMPLETE)
            elif self._error is None:
                self._serve(seat)
            else:
                self.write_last(refusal(self._error))
        except ClientDisconnected:
            return
        finally:
            self.conversation.finish(self._request)

    def _serve(self, seat: Seat) -> None:
        request = self._request
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
            self.write_last(refusal(_FAILURE))
        elif ended in ("ok", "error"):
            self._end(0)
        elif self.conversation.is_alone(request):
            self.conversation.break_off()
        else:
            self._end(_INCOMPLETE)

    def _end(self, status: int) -> None:
        self._ended = True
        end = end_stdout(self._request.id, status)
        self.conversation.send_end(self._request, end)

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes of the body; b"" at the end.

        Raises:
            RequestError: the body is too long, or does not come.
            ClientDisconnected: the front left, or aborted the request.
        """
        if self._ended:  # what still comes of it is dropped
            return b""
        return self.conversation.take(self._request, size)

    def write(self, data: bytes) -> None:
        """Send a part of the response.

        Raises:
            ClientDisconnected: the front is gone, takes nothing, or has aborted.
        """
        self._check()
        self._begun = True
        self.conversation.send_records(stdout(self._request.id, data))

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
        self.conversation.send_spans(self._request.id, descriptor, start, size)
        return size

    def write_last(self, data: bytes) -> None:
        """Send the last, or only, part of the response, and its end with it.

        Raises:
            ClientDisconnected: the front is gone, takes nothing, or has aborted.
        """
        self._check()
        self._begun = self._ended = True
        data = response(self._request.id, data)
        self.conversation.send_end(self._request, data)

    def _check(self) -> None:
        if self._request.aborted:
            raise ClientDisconnected("the web server aborted the request")

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""
