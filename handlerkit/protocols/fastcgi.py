"""FastCGI (specification 1.0) as an application speaks it, from pieces of any size.

A `Connection` takes what a web server (the front) sends, and gives events::

    connection = Connection(Limits())
    for event in connection.feed(data):
        match event:
            case Request():  # run it; its body comes on, see there
            case Body(request=request):  # take() may give more: wake who waits for it
            case Aborted(request=request):  # stop it; it is to be ended all the same
            case Refused(request=request, error=error):  # answer error.status
            case Answer(data=data):  # send it
            case Broken(error=error):  # close the connection

What is sent is made by `handlerkit.protocols.fastcgi_records`: `response` for all of
it at once, else `stdout` as often as needed and then `end_stdout`. After that,
`forget` the request, and close the connection if it is `closing`.

Requests of one connection are kept apart by their ids (3.3). The same bytes give the
same, however they were cut; a whole small request in one piece, as fronts send it, is
read in one go.
"""

from __future__ import annotations

from handlerkit.errors import ProtocolError, RequestError
from handlerkit.protocols import fastcgi_states as states
from handlerkit.protocols.fastcgi_limits import Limits
from handlerkit.protocols.fastcgi_opening import (
    BEGINNINGS,
    ENDS,
    LENGTHS,
    PARAMS_END,
)
from handlerkit.protocols.fastcgi_params import PARAMS_TOO_LARGE, answer_values
from handlerkit.protocols.fastcgi_records import (
    BEGIN_BODY,
    CANT_MPX_CONN,
    HEADER,
    KEEP_CONN,
    OVERLOADED,
    REQUEST_COMPLETE,
    RESPONDER,
    UNKNOWN_ROLE,
    VERSION,
    end_request,
    unknown_type,
    values_result,
)
from handlerkit.protocols.fastcgi_request import (
    Aborted,
    Answer,
    Body,
    Broken,
    Refused,
    Request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ClassVar

    from handlerkit.protocols.fastcgi_opening import Opening
    from handlerkit.protocols.fastcgi_request import Event

    Take = Callable[["Connection", memoryview, list[Event]], None]
    End = Callable[["Connection", list[Event]], None]

__all__ = [
    "Aborted",
    "Answer",
    "Body",
    "Broken",
    "Connection",
    "Limits",
    "Refused",
    "Request",
]

_MAX_VALUES = 4096  # bytes of GET_VALUES; the names known are three of 15

_NOBODY = Request(0, keep=True)  # whom a record of an unknown id is for
_NOBODY.stands = states.UNKNOWN


class Connection:
    """What one front has sent.

    Args:
        limits: how much it may.
        values: what GET_VALUES is answered, of FCGI_MAX_CONNS, FCGI_MAX_REQS and
            FCGI_MPXS_CONNS (4.1).
        opening: what this front begins its requests with, if several connections are
            to learn it together.
    """

    __slots__ = (
        "_error",
        "_id",
        "_idle_records",
        "_kept",
        "_kind",
        "_last",
        "_left",
        "_limits",
        "_open",
        "_opening",
        "_padding",
        "_request",
        "_task",
        "_values",
    )

    def __init__(
        self,
        limits: Limits,
        values: Mapping[str, int] | None = None,
        opening: Opening | None = None,
    ) -> None:
        self._limits = limits
        self._opening = opening
        self._values = values or {}
        self._open: dict[int, Request] = {}
        self._last = False
        self._error: ProtocolError | None = None
        self._idle_records = 0
        # Of the record that is being read.
        self._kept = bytearray()
        self._kind = 0
        self._id = 0
        self._request = _NOBODY
        self._task = states.SKIP
        self._left = 0
        self._padding = 0

    @property
    def open(self) -> tuple[Request, ...]:
        """The requests that were begun and are not forgotten, in order."""
        return tuple(self._open.values())

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: no request is open, no record half read."""
        return not (self._open or self._left or self._padding or self._kept)

    @property
    def closing(self) -> bool:
        """Whether it is for us to close the connection, now (3.5).

        The front asked for it with a request that is over, and no other is open.
        """
        return self._last and not self._open

    @property
    def full(self) -> bool:
        """Whether so much of a body waits to be taken that nothing should be fed."""
        bound = self._limits.max_unread
        return any(request.unread >= bound for request in self._open.values())

    def forget(self, request: Request) -> None:
        """Let a request be over, as soon as its END_REQUEST is being sent.

        What the front still sends for it is dropped, and its id may be used again.
        """
        if self._open.get(request.id) is request:
            del self._open[request.id]
        request.end()
        if not request.keep:
            self._last = True

    def lose(self) -> None:
        """Let the open requests know that the front is gone."""
        for request in self._open.values():
            request.aborted = True

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, give what they bring.

        Raises:
            ProtocolError: the connection was `Broken` before.
        """
        if self._error is not None:
            raise self._error
        events: list[Event] = []
        at = 0
        try:
            if not (self._open or self._left or self._padding or self._kept):
                at = self._read_whole(data, events)
            if at < len(data):
                self._read_records(data, at, events)
        except ProtocolError as error:
            self._error = error
            self._kept.clear()
            self.lose()
            events.append(Broken(error))
        return events

    def _read_whole(self, data: bytes, events: list[Event]) -> int:
        """Read a request of which all the parameters are there; give where to go on.

        What this does not know is read record by record, and comes to the same.
        """
        keep = BEGINNINGS.get(data[:20])
        if keep is None or len(data) < LENGTHS.size:
            return 0
        size, padding = LENGTHS.unpack_from(data)
        begin = LENGTHS.size
        end: int = begin + size + padding
        ends = data[end : end + len(ENDS) + 1]
        if not (
            ends.startswith(PARAMS_END) and 0 < size <= self._limits.max_params_size
        ):
            return 0
        self._idle_records = 0
        request = self._open[1] = Request(1, keep=keep)
        try:
            content = data[begin : begin + size]
            request.read_params(content, self._limits, self._opening)
        except RequestError as error:
            _refuse(request, error, events)
        else:
            events.append(request)
            if ends == ENDS:
                request.end_body()
                return len(data)
        return end + len(PARAMS_END)

    def _read_records(self, data: bytes, at: int, events: list[Event]) -> None:
        """Walk through records, each of them a header, content and padding."""
        size = len(data)
        view = memoryview(data)
        while at < size:
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                take = self._TAKE.get(self._task)
                if take is not None:
                    take(self, piece, events)
                if not self._left:
                    self._end_record(events)
            elif self._padding:
                passed = min(self._padding, size - at)
                at += passed
                self._padding -= passed
            else:
                need = HEADER.size - len(self._kept)
                self._kept += view[at : at + need]
                at += need
                if len(self._kept) == HEADER.size:
                    self._begin_record(events)

    def _begin_record(self, events: list[Event]) -> None:
        """Decide by its header what becomes of a record."""
        version, kind, number, length, padding = HEADER.unpack(self._kept)
        self._kept.clear()
        if version != VERSION:
            raise ProtocolError(f"a record has the FastCGI version {version}, not 1")
        self._kind, self._id = kind, number
        self._left = length
        self._padding = padding
        self._request = self._open.get(number, _NOBODY)
        if number:
            with_content, empty = states.APPLICATION.get(kind, states.OTHER_TYPES)
            task = (with_content if length else empty)[self._request.stands]
        else:
            task = states.MANAGEMENT.get(kind, states.OTHER_MANAGEMENT)
        if task in states.OUT_OF_PLACE:
            raise ProtocolError(f"request {number}: {task}")
        if task == states.BEGIN and length != BEGIN_BODY.size:
            raise ProtocolError(f"BEGIN_REQUEST has {length} bytes of content, not 8")
        if task == states.ANSWER_VALUES and length > _MAX_VALUES:
            raise ProtocolError(f"GET_VALUES has over {_MAX_VALUES} bytes of content")
        self._task = task
        if task not in (states.BEGIN, states.ABORT):  # see _turn_away
            self._count_idle(brings=bool(number and (length or task != states.SKIP)))
        if not length:
            self._end_record(events)

    def _count_idle(self, *, brings: bool) -> None:
        """Break off with a front that goes on sending what brings nothing."""
        self._idle_records = 0 if brings else self._idle_records + 1
        if self._idle_records > self._limits.max_idle_records:
            raise ProtocolError(
                f"{self._idle_records} records in a row brought nothing"
            )

    def _end_record(self, events: list[Event]) -> None:
        end = self._END.get(self._task)
        if end is not None:
            end(self, events)
        self._request = _NOBODY

    def _keep(self, piece: memoryview, _: list[Event]) -> None:
        self._kept += piece

    def _begin(self, events: list[Event]) -> None:
        role, flags = BEGIN_BODY.unpack(self._kept)
        self._kept.clear()
        request = Request(self._id, keep=bool(flags & KEEP_CONN))
        limit = self._limits.max_requests
        if role != RESPONDER:
            self._turn_away(request, UNKNOWN_ROLE, events)
        elif len(self._open) >= limit:
            status = CANT_MPX_CONN if limit == 1 else OVERLOADED
            self._turn_away(request, status, events)
        else:
            self._open[request.id] = request

    def _turn_away(self, request: Request, status: int, events: list[Event]) -> None:
        self._count_idle(brings=False)
        self.forget(request)
        events.append(Answer(end_request(request.id, status)))

    def _take_params(self, piece: memoryview, events: list[Event]) -> None:
        request = self._request
        if request.stands != states.IN_PARAMS:
            return  # it was refused, earlier in this record
        if request.add_params(piece) > self._limits.max_params_size:
            limit = self._limits.max_params_size
            error = RequestError(
                f"the parameters are over {limit} bytes", PARAMS_TOO_LARGE
            )
            _refuse(request, error, events)

    def _end_params(self, events: list[Event]) -> None:
        request = self._request
        try:
            request.end_params(self._limits)
        except RequestError as error:
            _refuse(request, error, events)
        else:
            events.append(request)

    def _take_stdin(self, piece: memoryview, events: list[Event]) -> None:
        request = self._request
        # It may have been forgotten, earlier in this record.
        if request.stands == states.IN_STDIN:
            request.add_body(piece, self._limits)
            _tell(request, events)

    def _end_stdin(self, events: list[Event]) -> None:
        self._request.end_body()
        _tell(self._request, events)

    def _abort(self, events: list[Event]) -> None:
        request = self._request
        if request.stands == states.IN_PARAMS:
            self._turn_away(request, REQUEST_COMPLETE, events)
        else:
            request.abort()
            events.append(Aborted(request))

    def _answer_values(self, events: list[Event]) -> None:
        try:
            pairs = answer_values(self._kept, self._values)
        except RequestError as error:
            raise ProtocolError(f"GET_VALUES is malformed: {error}") from error
        self._kept.clear()
        events.append(Answer(values_result(pairs)))

    def _answer_type(self, events: list[Event]) -> None:
        events.append(Answer(unknown_type(self._kind)))

    # What takes the content of a record, piece by piece, and what is done at its end.
    _TAKE: ClassVar[dict[str, Take]] = {
        states.BEGIN: _keep,
        states.ADD_PARAMS: _take_params,
        states.ADD_STDIN: _take_stdin,
        states.ANSWER_VALUES: _keep,
    }
    _END: ClassVar[dict[str, End]] = {
        states.BEGIN: _begin,
        states.ABORT: _abort,
        states.END_PARAMS: _end_params,
        states.END_STDIN: _end_stdin,
        states.ANSWER_VALUES: _answer_values,
        states.ANSWER_TYPE: _answer_type,
    }


def _refuse(request: Request, error: RequestError, events: list[Event]) -> None:
    request.end()
    events.append(Refused(request, error))


def _tell(request: Request, events: list[Event]) -> None:
    """Say that there is more of a body; once, if it comes in one piece with others."""
    last = events[-1] if events else None
    if last is not request and not (type(last) is Body and last.request is request):
        events.append(Body(request))
