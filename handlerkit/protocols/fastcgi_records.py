"""FastCGI records as they go out (FastCGI specification 1.0, 3.3, 5 and 8).

Nothing is padded: alignment gains nothing here, and every front accepts it.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1

# Types of records (8).
BEGIN_REQUEST = 1
ABORT_REQUEST = 2
END_REQUEST = 3
PARAMS = 4
STDIN = 5
STDOUT = 6
STDERR = 7
DATA = 8
GET_VALUES = 9
GET_VALUES_RESULT = 10
UNKNOWN_TYPE = 11

RESPONDER = 1  # the one role of 6 that is served
KEEP_CONN = 1  # a flag of BEGIN_REQUEST

# How a request ended, in END_REQUEST (5.5).
REQUEST_COMPLETE = 0
CANT_MPX_CONN = 1
OVERLOADED = 2
UNKNOWN_ROLE = 3

MAX_CONTENT = 65535  # bytes of one record
WHOLE_PAGES = 61440  # as many as make whole pages of memory, of 4 KiB

HEADER = Struct("!BBHHBx")  # version, type, request id, content length, padding length
BEGIN_BODY = Struct("!HB5x")  # role, flags
_END = Struct("!BBHHBxIB3x")
_ENDS = Struct("!BBHHBxBBHHBxIB3x")
_UNKNOWN = Struct("!BBHHBxB7x")

_STDOUT_HEADER = b"\1\6\0\1"
_STDOUT_ENDS = _ENDS.pack(1, STDOUT, 1, 0, 0, 1, END_REQUEST, 1, 8, 0, 0, 0)


def header(kind: int, request_id: int, length: int) -> bytes:
    """Give the header of a record of up to `MAX_CONTENT` bytes of content."""
    return HEADER.pack(VERSION, kind, request_id, length, 0)


def spans(
    kind: int, request_id: int, size: int, most: int = MAX_CONTENT
) -> Iterator[tuple[bytes, int]]:
    """Cut ``size`` bytes into records: each one's header, and its bytes to follow.

    For a file that the operating system sends, each header goes before its span, of
    `WHOLE_PAGES` at the ``most``.
    """
    whole = header(kind, request_id, most)
    while size > most:
        yield whole, most
        size -= most
    if size:
        yield header(kind, request_id, size), size


def stream(kind: int, request_id: int, data: bytes) -> list[bytes | memoryview]:
    """Give the records that carry ``data``, in pieces for one gathering write.

    Empty data gives none: an empty record would end the stream.
    """
    if 0 < len(data) <= MAX_CONTENT:
        return [header(kind, request_id, len(data)), data]
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    at = 0
    for head, length in spans(kind, request_id, len(data)):
        pieces += (head, view[at : at + length])
        at += length
    return pieces


def stdout(request_id: int, data: bytes) -> bytes:
    """Give the STDOUT records that carry ``data``; none for none."""
    return b"".join(stream(STDOUT, request_id, data))


def end_stdout(request_id: int, app_status: int = 0) -> bytes:
    """Give what ends a request that was served: an empty STDOUT, and END_REQUEST.

    STDOUT is closed even if nothing was sent on it (3.3). An ``app_status`` other
    than 0 says that the response is not whole; not every front heeds it.
    """
    if request_id == 1 and not app_status:
        return _STDOUT_ENDS
    return _ENDS.pack(
        *(VERSION, STDOUT, request_id, 0, 0),
        *(VERSION, END_REQUEST, request_id, 8, 0),
        *(app_status, REQUEST_COMPLETE),
    )


def end_request(
    request_id: int, protocol_status: int = REQUEST_COMPLETE, app_status: int = 0
) -> bytes:
    """Give END_REQUEST alone: for a request that is refused (5.5)."""
    return _END.pack(
        *(VERSION, END_REQUEST, request_id, 8, 0), app_status, protocol_status
    )


def response(request_id: int, data: bytes) -> bytes:
    """Give a whole response, from the first STDOUT record to END_REQUEST."""
    size = len(data)
    if request_id == 1 and 0 < size <= MAX_CONTENT:
        # As fronts number each request; the rest comes to the same.
        return b"%b%c%c\0\0%b%b" % (
            _STDOUT_HEADER,
            size >> 8,
            size & 0xFF,
            data,
            _STDOUT_ENDS,
        )
    pieces = stream(STDOUT, request_id, data)
    pieces.append(end_stdout(request_id))
    return b"".join(pieces)


def unknown_type(kind: int) -> bytes:
    """Give the answer to a management record of a type not known (4.2)."""
    return _UNKNOWN.pack(VERSION, UNKNOWN_TYPE, 0, 8, 0, kind)


def values_result(pairs: bytes) -> bytes:
    """Give the answer to GET_VALUES (4.1), of encoded pairs."""
    return header(GET_VALUES_RESULT, 0, len(pairs)) + pairs
