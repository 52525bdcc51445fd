"""What is fuzzed: a function for each parser, that takes any bytes and must return.

The first byte says in what pieces the others are fed.
"""

from tests.protocols.fastcgi_wire import CASE_NAMES, SMALL, drive, feed_greedily
from tests.protocols.fastcgi_wire import steps_of as fastcgi_steps


def fastcgi(data: bytes) -> None:
    """Any bytes read the same in any pieces, and little is kept of them."""
    size, wire = data[0] % 64 + 1 if data else 1, data[1:]
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]

    assert drive([wire], SMALL).result() == drive([*pieces], SMALL).result()
    feed_greedily(wire, size)


def fastcgi_seeds() -> list[bytes]:
    """Give the bytes of the wire cases."""
    return [
        b"\x07"
        + b"".join(step for step in fastcgi_steps(name) if step.__class__ is bytes)
        for name in CASE_NAMES
    ]


TARGETS = {"fastcgi": fastcgi}
SEEDS = {"fastcgi": fastcgi_seeds}
