"""What is fuzzed: a function for each parser, that takes any bytes and must return.

The first byte says in what pieces the others are fed.
"""

from pathlib import Path
from typing import Any

from handlerkit.errors import RequestError
from handlerkit.protocols import scgi as scgi_protocol
from handlerkit.protocols.fastcgi import Limits
from tests.protocols import fastcgi_wire
from tests.protocols.test_fastcgi_opening import USUAL, encoded, read, taught

SMALL = scgi_protocol.Limits(max_header_size=300, max_params=5, max_body=1000)
LIMITS = Limits(max_params=12, max_param_name=127, max_param_value=200)
OPENING = taught(USUAL, USUAL)
OPENING._left = 0  # so that it stays what it is
SCGI_CASES = Path(fastcgi_wire.__file__).parent / "scgi_cases"


def fastcgi(data: bytes) -> None:
    """Any bytes read the same in any pieces, and little is kept of them."""
    size, wire = data[0] % 64 + 1 if data else 1, data[1:]
    whole = fastcgi_wire.drive([wire], fastcgi_wire.SMALL)
    pieces = fastcgi_wire.drive([*cut(wire, size)], fastcgi_wire.SMALL)

    assert whole.result() == pieces.result()
    fastcgi_wire.feed_greedily(wire, size)
    # As parameters, with what a front has taught before, and without.
    assert read(wire, LIMITS, OPENING) == read(wire, LIMITS, None)


def scgi(data: bytes) -> None:
    """Any bytes read the same in any pieces; also as a head whose length is right."""
    size, wire = data[0] % 64 + 1 if data else 1, data[1:]
    for whole in (wire, b"%d:%b,hello" % (len(wire), wire)):
        assert read_scgi(cut(whole, size)) == read_scgi([whole])


def read_scgi(pieces: list[bytes]) -> Any:
    """Give what becomes of a head: variables and what follows, or what it says."""
    parser = scgi_protocol.RequestParser(SMALL)
    for number, piece in enumerate(pieces):
        try:
            variables = parser.feed(piece)
        except RequestError as error:
            return error.status, str(error)
        if variables is not None:
            rest = parser.rest + b"".join(pieces[number + 1 :])
            return variables, parser.length, parser.size, rest
        assert len(parser._buffer) <= SMALL.max_header_size + SMALL.digits + 1
    return "incomplete", parser.begun


def cut(wire: bytes, size: int) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


def fastcgi_seeds() -> list[bytes]:
    """Give the bytes of the wire cases."""
    return [
        b"\x07" + b"".join(step for step in steps if not isinstance(step, int))
        for steps in map(fastcgi_wire.steps_of, fastcgi_wire.CASE_NAMES)
    ] + [b"\x07" + encoded(USUAL)]


def scgi_seeds() -> list[bytes]:
    """Give the bytes of the wire cases, and the heads in them."""
    texts = [path.read_text("ascii") for path in sorted(SCGI_CASES.glob("*.scgi"))]
    wires = [
        text.replace("\n", "").encode().decode("unicode_escape").encode("latin-1")
        for text in texts
    ]
    return [b"\x07" + wire for wire in wires] + [
        b"\x07" + wire.partition(b":")[2].rpartition(b",")[0] for wire in wires
    ]


TARGETS = {"fastcgi": fastcgi, "scgi": scgi}
SEEDS = {"fastcgi": fastcgi_seeds, "scgi": scgi_seeds}
