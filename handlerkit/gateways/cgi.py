"""The CGI gateway: one request on the process's own streams (RFC 3875, 6)."""

from __future__ import annotations

import io
import os
import sys

# Not signal: it makes its numbers enums, which costs more than all of this module.
from _signal import SIG_DFL, SIGTERM, getsignal, signal  # type: ignore[import-not-found]
from stat import S_ISSOCK
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Kit(Protocol):
        """What this gateway needs of a kit."""

        @property
        def application(self) -> Any:
            """The WSGI callable."""

        def handler(self, *args: Any) -> Any:
            """Make the configured handler."""

        def close(self) -> None:
            """Close the plugins."""


_REFUSAL = (
    b"Status: 500 Internal Server Error\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 59\r\n\r\n"
    b"A server error occurred.  Please contact the administrator."
)


# Seconds, and bytes at a time, for what the application left of the request.
_PATIENCE = 2.0
_BLOCK = 65536
# A length of more digits is no length.
_DIGITS = 20


class Request(io.FileIO):
    """The descriptor of the request; ``taken`` counts its bytes."""

    taken = 0

    def readinto(self, buffer: Any) -> int | None:
        """Read into a buffer."""
        count = super().readinto(buffer)
        self.taken += count or 0
        return count

    def readall(self) -> bytes:
        """Read to the end."""
        data = super().readall()
        self.taken += len(data)
        return data


class Response:
    """A descriptor to write to, without a buffer that could outlive the client."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.begun = False

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._descriptor

    def write(self, data: bytes) -> None:
        """Write all of it; an OSError says that the client is gone."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
            self.begun = True

    def sendfile(self, descriptor: int, start: int, count: int) -> int | None:
        """Send some of a file; an OSError says that the client is gone."""
        from handlerkit.gateways.sending import send_some  # few requests need it

        return send_some(self._descriptor, descriptor, start, count)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


class Streams:
    """The request and the response of this process, out of everybody's reach.

    `print`, a child process, or a C library writes to file descriptor 1; were that
    still the response, the head would be spoiled. So the response is a duplicate,
    and descriptor 1 goes to stderr; descriptor 0 is at its end for everybody else.
    """

    def __init__(self) -> None:
        _open_closed()
        sys.stdout.flush()
        # Libraries take HTTP_PROXY for their proxy; here it is a client's header.
        os.environ.pop("HTTP_PROXY", None)
        self._raw = Request(os.dup(0))
        self.request = io.BufferedReader(self._raw)
        self.response = Response(os.dup(1))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def drain(self) -> None:
        """Read what the application left of the request, where that is a socket.

        Apache's mod_cgid gives one socket for both directions; closed with bytes
        unread it is reset, and the response lost on its way. Not for long: whoever
        waits for our end would wait for ever.
        """
        descriptor = self._raw.fileno()
        if not S_ISSOCK(os.fstat(descriptor).st_mode) or not self._left():
            return
        from select import select  # Apache only, and only where a body was left

        deadline = monotonic() + _PATIENCE
        try:
            while self._left() and (patience := deadline - monotonic()) > 0:
                if not select([descriptor], [], [], patience)[0]:
                    return
                block = os.read(descriptor, _BLOCK)
                if not block:
                    return
                self._raw.taken += len(block)
        except OSError as exc:  # the client is gone
            _say(str(exc))

    def _left(self) -> bool:
        """Say whether there is more of the request than was read."""
        length = os.environ.get("CONTENT_LENGTH", "")
        if length.isascii() and length.isdigit() and len(length) <= _DIGITS:
            return self._raw.taken < int(length)
        return "HTTP_TRANSFER_ENCODING" in os.environ


def _open_closed() -> None:
    """Put nothing where a standard stream is closed: no duplicate is to land there."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free
    if sys.stdin is None:
        sys.stdin = open(0)  # noqa: SIM115 - a descriptor, kept
    if sys.stdout is None:
        sys.stdout = open(1, "w")  # noqa: SIM115 - a descriptor, kept
    if sys.stderr is None:
        sys.stderr = open(2, "w")  # noqa: SIM115 - a descriptor, kept


def _say(text: str) -> None:
    """Write to the server's log, which may be full."""
    try:
        os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return


def run(kit: Kit, streams: Streams) -> int:
    """Serve the request with a started kit; give the exit code, 1 if it broke off.

    Raises:
        BaseException: what the application raised and is no Exception.
    """
    try:
        handler = kit.handler()
        _outlive_answer(handler)
        handler.stdin = streams.request
        handler.stdout = streams.response
        handler.run(kit.application)
    except Exception:  # noqa: BLE001 - of a handler class of one's own
        from traceback import format_exc  # as it fails

        return refuse(streams, format_exc())
    finally:
        kit.close()
        streams.drain()
    if not streams.response.begun and handler.ended != "disconnected":
        return refuse(streams, "handlerkit: the handler answered nothing")
    return 1 if handler.ended == "aborted" else 0


def _outlive_answer(handler: Any) -> None:
    """Have SIGTERM end this process only as long as its answer is incomplete.

    lighttpd sends it as soon as it has all that Content-Length announced. What comes
    after that, late errors, `request_finished`, `close` of plugins, must happen.
    """

    def terminate(number: int, _: object) -> None:
        if handler.ended is None and not _is_whole(handler):
            signal(number, SIG_DFL)
            os.kill(os.getpid(), number)

    try:
        if getsignal(SIGTERM) == SIG_DFL:
            signal(SIGTERM, terminate)
    except ValueError:  # not the main thread: whoever made this one decides
        return


def _is_whole(handler: Any) -> bool:
    """Say whether all of a response of known length is out."""
    length = handler._length  # noqa: SLF001 - headers may be a copy of what went out
    return bool(handler.headers_sent and length == handler.bytes_sent)


def refuse(streams: Streams, reason: str) -> int:
    """Answer 500 where nobody else has answered; the reason goes to stderr.

    The reason first: lighttpd ends this process as soon as it has its answer.
    """
    _say(reason)
    try:
        if not streams.response.begun:
            streams.response.write(_REFUSAL)
    except OSError as exc:  # the client is gone
        _say(str(exc))
    streams.drain()
    return 1
