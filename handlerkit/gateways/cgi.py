"""The CGI gateway: one request on the process's own streams (RFC 3875, 6)."""

from __future__ import annotations

import os
import sys

# Not signal: it makes its numbers enums, which costs more than all of this module.
from _signal import SIG_DFL, SIGTERM, getsignal, signal  # type: ignore[import-not-found]
from stat import S_ISSOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Protocol

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


class Response:
    """A descriptor to write to, without a buffer that could outlive the client."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._descriptor

    def write(self, data: bytes) -> None:
        """Write all of it; an OSError says that the client is gone."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


class Streams:
    """The request and the response of this process, out of everybody's reach.

    `print`, a child process, or a C library writes to file descriptor 1; were that
    still the response, the head would be spoiled. So the response is a duplicate,
    and descriptor 1 goes to stderr; descriptor 0 is at its end for everybody else.
    """

    def __init__(self) -> None:
        if sys.stdout is not None:
            sys.stdout.flush()
        self.request: BinaryIO = open(os.dup(0), "rb")  # noqa: PTH123, SIM115 - a descriptor, kept
        self.response = Response(os.dup(1))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def drain(self) -> None:
        """Read what the application left of the request, where that is a socket.

        Apache's mod_cgid gives one socket for both directions; closed with bytes
        unread it is reset, and the response lost on its way.
        """
        descriptor = self.request.fileno()
        if not S_ISSOCK(os.fstat(descriptor).st_mode):
            return
        try:
            while os.read(descriptor, 65536):
                pass
        except OSError as exc:  # the client is gone
            os.write(2, f"{exc}\n".encode("utf-8", "backslashreplace"))


def run(kit: Kit, streams: Streams) -> int:
    """Serve the request with a started kit; give the exit code, 1 if it broke off.

    Raises:
        BaseException: what the application raised and is no Exception.
    """
    # Libraries take HTTP_PROXY for their proxy; here it is a client's header.
    os.environ.pop("HTTP_PROXY", None)
    try:
        handler = kit.handler()
        _outlive_answer(handler)
        handler.stdin = streams.request
        handler.stdout = streams.response
        handler.run(kit.application)
    finally:
        kit.close()
        streams.drain()
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
    headers = handler.headers
    return (
        handler.headers_sent
        and headers is not None
        and headers.get("Content-Length") == str(handler.bytes_sent)
    )


def refuse(streams: Streams, reason: str) -> int:
    """Answer 500 where there is no kit to answer; the reason goes to stderr."""
    os.write(2, f"{reason}\n".encode("utf-8", "backslashreplace"))
    try:
        streams.response.write(_REFUSAL)
    except OSError as exc:  # the client is gone
        os.write(2, f"{exc}\n".encode("utf-8", "backslashreplace"))
    streams.drain()
    return 1
