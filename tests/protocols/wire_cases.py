"""Wire cases kept as files, and bytes in pieces, for the protocols that read a head.

A case is two files: NAME.http or NAME.scgi has the bytes, backslash escapes for what is
not plain text, line breaks only for the eye; NAME.toml has what to expect, and its
source.
"""

import itertools
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Mutation = tuple[int, bytes, int]


class Cases:
    """The cases in a directory, of a kind of file."""

    def __init__(self, directory: str, kind: str) -> None:
        self.directory = Path(__file__).parent / directory
        self.kind = kind
        self.names = sorted(path.stem for path in self.directory.glob(f"*.{kind}"))

    def wire(self, name: str) -> bytes:
        text = (self.directory / f"{name}.{self.kind}").read_text("ascii")
        text = text.replace("\n", "")
        return text.encode("ascii").decode("unicode_escape").encode("latin-1")

    def expected(self, name: str) -> dict[str, Any]:
        return tomllib.loads((self.directory / f"{name}.toml").read_text("utf-8"))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def bytewise(data: bytes) -> list[bytes]:
    return cut(data, list(range(1, len(data))))


def mutations(size: int, pieces: list[bytes]) -> st.SearchStrategy[list[Mutation]]:
    """Give places up to ``size``, what to put there, in place of how many bytes."""
    one = st.tuples(st.integers(0, size), st.sampled_from(pieces), st.integers(0, 2))
    return st.lists(one, max_size=3)


def damaged(wire: bytes, changes: list[Mutation]) -> bytes:
    for at, put, length in changes:
        wire = wire[:at] + put + wire[at + length :]
    return wire
