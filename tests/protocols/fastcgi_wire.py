"""FastCGI as text, and what a connection makes of it: for the wire cases.

A line is a record, ``TYPE ID [+PADDING]: CONTENT``, or what is no record, ``raw:
BYTES``. TYPE is a name of the specification, or a number. PADDING is of zeros; with
``~`` for ``+`` it is not. CONTENT and BYTES have backslash escapes; in CONTENT
``{NAME=VALUE}`` is a pair. `` * N`` at the end repeats the line. One that begins with
spaces goes on with the line before.

``forget ID`` is not on the wire: it is where the request is over, and parts what comes
before it from what comes after. ``#`` begins a comment.
"""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

from handlerkit.errors import ClientDisconnected, ProtocolError, RequestError
from handlerkit.protocols import fastcgi_records as records
from handlerkit.protocols.fastcgi import (
    Aborted,
    Answer,
    Body,
    Broken,
    Connection,
    Limits,
    Refused,
    Request,
)
from handlerkit.protocols.fastcgi_params import write_pairs
from handlerkit.protocols.fastcgi_request import Event

VALUES = {"FCGI_MAX_CONNS": 100, "FCGI_MAX_REQS": 50, "FCGI_MPXS_CONNS": 1}

_TYPES = (
    *("BEGIN_REQUEST", "ABORT_REQUEST", "END_REQUEST", "PARAMS", "STDIN", "STDOUT"),
    *("STDERR", "DATA", "GET_VALUES", "GET_VALUES_RESULT", "UNKNOWN_TYPE"),
)
NAMES = {name: getattr(records, name) for name in _TYPES}
_LINE = re.compile(r"(\w+) (\d+)(?: ([+~])(\d+))?:(?: (.*))?")
_PAIR = re.compile(r"\{([^=}]*)=([^}]*)\}")

# What drives a connection: bytes to feed, or the id of a request that is over.
Step = bytes | int


def read_wire(text: str) -> list[Step]:
    """Give the bytes between two requests that are over, and the requests."""
    steps: list[Step] = [b""]
    for line in re.sub(r"\n +", "", text).splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("forget "):
            steps += [int(line.removeprefix("forget ")), b""]
        else:
            last = steps[-1]
            assert isinstance(last, bytes)
            steps[-1] = last + _read_line(line)
    return [step for step in steps if step != b""]


def _read_line(line: str) -> bytes:
    line, _, times = line.partition(" * ")
    return _read_once(line) * int(times or 1)


def _read_once(line: str) -> bytes:
    if line.startswith("raw: "):
        return _unescape(line.removeprefix("raw: "))
    match = _LINE.fullmatch(line)
    assert match is not None, line
    kind, number, sign, padding, text = match.groups()
    content = b""
    rest = text or ""
    while pair := _PAIR.search(rest):
        name, value = map(_unescape, pair.groups())
        content += _unescape(rest[: pair.start()]) + write_pairs([(name, value)])
        rest = rest[pair.end() :]
    return record(
        NAMES.get(kind) or int(kind),
        int(number),
        content + _unescape(rest),
        int(padding or 0),
        b"\0" if sign == "+" else b"\xaa",
    )


def _unescape(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def record(
    kind: int,
    number: int,
    content: bytes = b"",
    padding: int = 0,
    fill: bytes = b"\xaa",
) -> bytes:
    head = records.HEADER.pack(1, kind, number, len(content), padding)
    return head + content + fill * padding


def begin(number: int = 1, *, keep: bool = True) -> bytes:
    return record(1, number, records.BEGIN_BODY.pack(records.RESPONDER, keep))


class Front:
    """Drives a connection as a gateway does, and keeps what came of it.

    Bodies are taken whenever there is something to take.
    """

    def __init__(self, limits: Limits) -> None:
        self.connection = Connection(limits, VALUES)
        self.requests: list[Request] = []
        self.refused: list[Refused] = []
        self.aborted: list[int] = []
        self.bodies: dict[int, bytes] = {}
        self.faults: dict[int, str] = {}
        self.answers = b""
        self.broken = ""

    def feed(self, data: bytes) -> None:
        """Feed bytes, unless the connection is broken."""
        for event in [] if self.broken else self.connection.feed(data):
            self.note(event)
        for index, request in enumerate(self.requests):
            self.take(index, request)

    def note(self, event: Event) -> None:
        match event:
            case Request():
                self.requests.append(event)
            case Refused():
                self.refused.append(event)
            case Answer(data=answer):
                self.answers += answer
            case Broken(error=error):
                self.broken = str(error)
            case Aborted(request=request):
                self.aborted.append(request.id)
            case Body(request=request):
                assert any(request is known for known in self.requests)

    def take(self, index: int, request: Request) -> None:
        try:
            while piece := request.take(1000):
                self.bodies[index] = self.bodies.get(index, b"") + piece
        except (ClientDisconnected, RequestError) as error:
            self.faults[index] = f"{type(error).__name__}: {error}"

    def forget(self, number: int) -> None:
        """Let the request of that id be over, as when its END_REQUEST was sent."""
        for request in self.connection.open:
            if request.id == number:
                self.connection.forget(request)

    def result(self) -> dict[str, Any]:
        return {
            "requests": [
                {
                    "id": request.id,
                    "keep": request.keep,
                    "environ": request.environ,
                    "length": "none" if request.length is None else request.length,
                    "body": self.bodies.get(index, b"").decode("latin-1"),
                    "received": request.received,
                    "ended": request.ended,
                    "aborted": request.aborted,
                    "fault": self.faults.get(index, ""),
                }
                for index, request in enumerate(self.requests)
            ],
            "refused": [
                {
                    "id": refused.request.id,
                    "status": refused.error.status,
                    "says": str(refused.error),
                }
                for refused in self.refused
            ],
            "aborted": self.aborted,
            "answers": self.answers,
            "broken": self.broken,
            "closing": self.connection.closing,
            "idle": self.connection.idle,
        }


def drive(steps: list[Step], limits: Limits) -> Front:
    front = Front(limits)
    for step in steps:
        if isinstance(step, int):
            front.forget(step)
        else:
            front.feed(step)
    return front


def cut(steps: list[Step], places: list[int]) -> list[Step]:
    """Cut the bytes of each step in pieces."""
    cut_steps: list[Step] = []
    for step in steps:
        if isinstance(step, int):
            cut_steps.append(step)
            continue
        edges = [0, *sorted(place % (len(step) + 1) for place in places), len(step)]
        cut_steps += [step[a:b] for a, b in itertools.pairwise(edges)]
    return cut_steps


# Limits that little passes.
SMALL = Limits(
    max_params_size=200,
    max_params=4,
    max_param_name=127,
    max_param_value=127,
    max_body=1000,
    max_unread=100,
    max_requests=3,
    max_idle_records=5,
)


def held(connection: Connection) -> int:
    """Give the bytes that a connection keeps of what was fed."""
    return len(connection._kept) + sum(
        len(request._params or b"") + len(request._body or b"")
        for request in connection.open
    )


def feed_greedily(wire: bytes, size: int, limits: Limits = SMALL) -> None:
    """Take nothing from a connection until it is full; it keeps no more than it may."""
    connection = Connection(limits)
    most = limits.max_params_size + limits.max_unread + size
    broken = False
    for at in range(0, len(wire), size):
        events = connection.feed(wire[at : at + size])
        broken = any(isinstance(event, Broken) for event in events)
        assert len(connection.open) <= limits.max_requests
        assert held(connection) <= limits.max_requests * most + 4096
        if broken:
            break
        for request in connection.open if connection.full else ():
            take_all(request)
        assert not connection.full
    try:
        connection.feed(b"")
    except ProtocolError:
        assert broken


def take_all(request: Request) -> bytes:
    """Take what waits of a body."""
    return b"".join(iter(lambda: request.take(1000) if request.unread else b"", b""))


CASES = Path(__file__).parent / "fastcgi_cases"
CASE_NAMES = sorted(path.stem for path in CASES.glob("*.fcgi"))


def steps_of(name: str) -> list[Step]:
    return read_wire((CASES / f"{name}.fcgi").read_text("ascii"))


def expected_of(name: str) -> dict[str, Any]:
    return tomllib.loads((CASES / f"{name}.toml").read_text("utf-8"))
