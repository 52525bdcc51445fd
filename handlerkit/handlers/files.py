"""A file as a body, sent by the operating system where stdout knows how."""

from __future__ import annotations

import io
import os
from stat import S_ISREG
from wsgiref.util import FileWrapper

from handlerkit.pep3333 import HAS_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    SendFile: TypeAlias = Callable[[int, int, int], int | None]

# Others may give other bytes than their descriptor: a GzipFile does.
_PLAIN = (io.BufferedReader, io.BufferedRandom)


def send_file(handler: Any, send: SendFile) -> bool:
    """Send the file in the handler's result; False to have it, or the rest, iterated.

    From the file's position to Content-Length, or else to its end. Where that is
    known only here, the head says it.

    Args:
        handler: of the exchange; nothing of it is out yet.
        send: is given the descriptor, where to start, and how much to send; gives how
            much it sent, 0 at the file's end, None where it cannot send that.
    """
    file: Any = _file(handler.result)
    place = _place(file)
    if place is None:
        return False
    descriptor, start, left = place
    if not handler._marks & HAS_LENGTH:  # noqa: SLF001 - a part of the handler
        handler.headers["Content-Length"] = str(left)
        handler._length = left  # noqa: SLF001 - likewise
        handler._marks |= HAS_LENGTH  # noqa: SLF001 - likewise
    handler.send_headers()
    if handler._length is not None:  # noqa: SLF001 - hooks may have changed it
        left = min(left, handler._length)  # noqa: SLF001 - likewise
    handler.bytes_sent = 0
    sent: int | None = 0
    try:
        while left and (sent := send(descriptor, start, left)):
            start += sent
            left -= sent
            handler.bytes_sent += sent
    finally:
        file.seek(start)
    if sent is None:
        return False
    handler.finish_content()
    return True


def _file(wrapper: Any) -> Any:
    """Give the file of a wrapper; None if it may give other bytes than the file has."""
    kind = type(wrapper)
    for step in ("__iter__", "__next__"):
        if getattr(kind, step, None) is not getattr(FileWrapper, step):
            return None
    return wrapper.filelike


def _place(file: Any) -> tuple[int, int, int] | None:
    """Give descriptor, position, and bytes from there; None if it is no plain file."""
    if type(file) in _PLAIN:
        if type(file.raw) is not io.FileIO:
            return None
        if type(file) is io.BufferedRandom:
            file.flush()
    elif type(file) is not io.FileIO:
        return None
    descriptor = file.fileno()
    status = os.fstat(descriptor)
    if not S_ISREG(status.st_mode):
        return None
    start = file.tell()
    return descriptor, start, max(status.st_size - start, 0)
