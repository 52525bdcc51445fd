"""SCGI heads, by wire cases kept as files, and in pieces of any size.

A case is two files in scgi_cases: NAME.scgi has the bytes, backslash escapes for what
is not plain text, line breaks only for the eye; NAME.toml has what to expect, and its
source.
"""

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlerkit.errors import RequestError
from handlerkit.protocols.scgi import Limits, RequestParser

CASES = Path(__file__).parent / "scgi_cases"
NAMES = sorted(path.stem for path in CASES.glob("*.scgi"))


def wire_of(name: str) -> bytes:
    text = (CASES / f"{name}.scgi").read_text("ascii").replace("\n", "")
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def expected_of(name: str) -> dict[str, Any]:
    return tomllib.loads((CASES / f"{name}.toml").read_text("utf-8"))


def read(pieces: list[bytes], limits: Limits) -> dict[str, Any]:
    """Read one head; the error is part of the result."""
    parser = RequestParser(limits)
    pieces = list(pieces)
    environ = None
    while pieces and environ is None:
        try:
            environ = parser.feed(pieces.pop(0))
        except RequestError as error:
            return {"error": error.status, "says": str(error)}
    if environ is None:
        return {"incomplete": True, "begun": parser.begun}
    rest = parser.rest + b"".join(pieces)
    return {
        "environ": environ,
        "length": parser.length,
        "size": parser.size,
        "rest": rest.decode("latin-1"),
    }


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("name", NAMES)
def test_a_wire_case_reads_as_its_file_says(name: str) -> None:
    expected = expected_of(name)
    limits = Limits(**expected.pop("limits", {}))
    assert expected.pop("source")
    environ = expected.pop("environ", {})

    result = read([wire_of(name)], limits)

    assert result | expected == result
    assert result.get("environ", {}) | environ == result.get("environ", {})
    assert ("error" in expected) == ("error" in result)


@pytest.mark.parametrize("name", NAMES)
def test_a_wire_case_reads_the_same_byte_by_byte(name: str) -> None:
    wire = wire_of(name)
    limits = Limits(**expected_of(name).get("limits", {}))

    bytewise = read([wire[at : at + 1] for at in range(len(wire))], limits)

    assert bytewise == read([wire], limits)


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.sampled_from([b"", b"\0", b":", b",", b"0", b"9", b"-", b" ", b"a"]),
        st.integers(0, 2),
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), MUTATIONS, st.lists(st.integers(0, 1000), max_size=8))
def test_a_damaged_request_reads_the_same_whatever_the_pieces(
    name: str, mutations: list[tuple[int, bytes, int]], places: list[int]
) -> None:
    wire = wire_of(name)
    limits = Limits(**expected_of(name).get("limits", {}))
    for at, put, length in mutations:
        wire = wire[:at] + put + wire[at + length :]

    assert read(cut(wire, places), limits) == read([wire], limits)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
@example(b"\x16\x03\x01\x02", [])
def test_garbage_raises_nothing_but_request_errors(
    data: bytes, places: list[int]
) -> None:
    small = Limits(max_header_size=120, max_params=4, max_body=20)

    read(cut(data, places), small)
    read(cut(b"%d:%b," % (len(data), data), places), small)
    read(cut(b"%d:CONTENT_LENGTH\0" % (len(data) + 15) + data + b",", places), small)


NAME = st.text("ABCXYZ_019-.!~", min_size=1)
VALUE = st.text(st.characters(min_codepoint=1, max_codepoint=255))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAME, VALUE), st.binary(), st.lists(st.integers(0, 3000)))
def test_what_was_encoded_is_read(
    params: dict[str, str], body: bytes, places: list[int]
) -> None:
    params = {"CONTENT_LENGTH": str(len(body)), "SCGI": "1"} | params
    params |= {"CONTENT_LENGTH": str(len(body)), "SCGI": "1"}
    head = "".join(f"{n}\0{v}\0" for n, v in params.items()).encode("latin-1")

    result = read(cut(b"%d:%b,%b" % (len(head), head, body), places), Limits())

    assert (result["environ"], result["rest"]) == (params, body.decode("latin-1"))


def test_a_head_without_end_is_refused_within_its_limits() -> None:
    parser = RequestParser(Limits(max_header_size=200))

    with pytest.raises(RequestError):
        parser.feed(b"201:")


def test_an_error_is_raised_again_by_every_further_call() -> None:
    parser = RequestParser(Limits())

    for data in (b"G", b"24:CONTENT_LENGTH\x000\0SCGI\x001\0,"):
        with pytest.raises(RequestError, match="begin with the length"):
            parser.feed(data)
