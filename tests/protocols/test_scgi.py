"""SCGI heads, by wire cases kept as files, and in pieces of any size.

The cases are in scgi_cases; `tests.protocols.wire_cases` says how.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlerkit.errors import RequestError
from handlerkit.protocols.scgi import Limits, RequestParser
from tests.protocols.wire_cases import (
    Cases,
    Mutation,
    bytewise,
    cut,
    damaged,
    mutations,
)

CASES = Cases("scgi_cases", "scgi")


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


@pytest.mark.parametrize("name", CASES.names)
def test_a_wire_case_reads_as_its_file_says(name: str) -> None:
    expected = CASES.expected(name)
    limits = Limits(**expected.pop("limits", {}))
    assert expected.pop("source")
    environ = expected.pop("environ", {})

    result = read([CASES.wire(name)], limits)

    assert result | expected == result
    assert result.get("environ", {}) | environ == result.get("environ", {})
    assert ("error" in expected) == ("error" in result)


@pytest.mark.parametrize("name", CASES.names)
def test_a_wire_case_reads_the_same_byte_by_byte(name: str) -> None:
    wire = CASES.wire(name)
    limits = Limits(**CASES.expected(name).get("limits", {}))

    assert read(bytewise(wire), limits) == read([wire], limits)


MUTATIONS = mutations(100, [b"", b"\0", b":", b",", b"0", b"9", b"-", b" ", b"a"])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CASES.names), MUTATIONS, st.lists(st.integers(0, 1000), max_size=8)
)
def test_a_damaged_request_reads_the_same_whatever_the_pieces(
    name: str, changes: list[Mutation], places: list[int]
) -> None:
    wire = damaged(CASES.wire(name), changes)
    limits = Limits(**CASES.expected(name).get("limits", {}))

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
