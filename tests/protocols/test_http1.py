"""HTTP/1.x heads and bodies, by wire cases kept as files, and in pieces of any size.

The cases are in http1_cases; `tests.protocols.wire_cases` says how.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlerkit.errors import RequestError
from handlerkit.protocols.http1 import RequestParser
from handlerkit.protocols.http1_body import MAX_CHUNK_LINE, ChunkedBody, body_of
from handlerkit.protocols.http1_environ import environ, unquote
from handlerkit.protocols.http1_request import Limits, Request
from tests.protocols.wire_cases import (
    Cases,
    Mutation,
    bytewise,
    cut,
    damaged,
    mutations,
)

CASES = Cases("http1_cases", "http")
HEAD = (
    *("method", "target", "path", "query", "version", "headers", "length"),
    *("chunked", "keep_alive", "expects_continue"),
)


def read(pieces: list[bytes], limits: Limits) -> dict[str, Any]:
    """Read one request and its body; the error is part of the result."""
    parser = RequestParser(limits)
    request: Request | None = None
    pieces = list(pieces)
    while pieces and request is None:
        try:
            request = parser.feed(pieces.pop(0))
        except RequestError as error:
            return {"error": error.status, "says": str(error)}
    if request is None:
        return {"incomplete": True, "begun": parser.begun}
    result = {name: getattr(request, name) for name in HEAD}
    result["headers"] = [list(pair) for pair in request.headers]
    result["environ"] = environ(request)
    return result | read_body(request, limits, [parser.rest, *pieces])


def read_body(request: Request, limits: Limits, pieces: list[bytes]) -> dict[str, Any]:
    body = body_of(request, limits)
    found = b""
    try:
        for piece in pieces:
            found += body.decode(piece)
        if not body.done:
            body.decode(b"")
    except RequestError as error:
        return {
            "body": found.decode("latin-1"),
            "body_error": error.status,
            "says": str(error),
        }
    return {
        "body": found.decode("latin-1"),
        "left": body.left,
        "rest": body.rest.decode("latin-1"),
    }


def feed_on(take: Callable[[bytes], object], piece: bytes, bound: int) -> None:
    for _ in range(bound // len(piece) + 1):
        take(piece)


@pytest.mark.parametrize("name", CASES.names)
def test_a_wire_case_reads_as_its_file_says(name: str) -> None:
    expected = CASES.expected(name)
    limits = Limits(**expected.pop("limits", {}))
    assert expected.pop("source")

    result = read([CASES.wire(name)], limits)

    assert result | expected == result
    assert ("error" in expected) == ("error" in result)
    assert ("body_error" in expected) == ("body_error" in result)


@pytest.mark.parametrize("name", CASES.names)
def test_a_wire_case_reads_the_same_byte_by_byte(name: str) -> None:
    wire = CASES.wire(name)
    limits = Limits(**CASES.expected(name).get("limits", {}))

    assert read(bytewise(wire), limits) == read([wire], limits)


MUTATIONS = mutations(
    400, [b"", b"\r", b"\n", b"\r\n", b" ", b"\0", b":", b";", b"0", b"a"]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CASES.names),
    MUTATIONS,
    st.lists(st.integers(0, 10_000), max_size=8),
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
    small = Limits(max_request_line=40, max_header_size=120, max_headers=4, max_body=20)

    read(cut(data, places), small)
    read(cut(b"GET / HTTP/1.1\r\n" + data, places), small)
    read(
        cut(
            b"POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:chunked\r\n\r\n" + data,
            places,
        ),
        small,
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50)), st.lists(st.integers(0, 3000)))
def test_a_chunked_body_decodes_to_what_was_encoded(
    chunks: list[bytes], places: list[int]
) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    body = ChunkedBody(Limits())

    found = b"".join(map(body.decode, cut(wire + b"0\r\n\r\nnext", places)))

    assert (found, body.done, body.rest) == (b"".join(chunks), True, b"next")


@pytest.mark.parametrize(
    ("start", "piece", "bound"),
    [
        (b"", b"G", 100),
        (b"GET / HTTP/1.1\r\n", b"a", 300),
        (b"GET / HTTP/1.1\r\n", b"a:b\r\n", 300),
        (b"", b"\r\n", 20),
    ],
)
def test_a_head_without_end_is_refused_within_its_limits(
    start: bytes, piece: bytes, bound: int
) -> None:
    parser = RequestParser(
        Limits(max_request_line=90, max_header_size=290, max_headers=1000)
    )
    parser.feed(start)

    with pytest.raises(RequestError):
        feed_on(parser.feed, piece, bound)


@pytest.mark.parametrize(
    ("start", "piece", "bound"),
    [
        (b"", b"0", MAX_CHUNK_LINE + 1),
        (b"1;", b"x", MAX_CHUNK_LINE + 1),
        (b"", b"1;xxxxxxxxxxxxxxxx\r\na\r\n", 24_000),
        (b"0\r\n", b"a", 300),
        (b"0\r\n", b"a:b\r\n", 300),
    ],
)
def test_a_chunked_body_that_brings_no_bytes_is_refused_within_bounds(
    start: bytes, piece: bytes, bound: int
) -> None:
    body = ChunkedBody(Limits(max_header_size=290))
    body.decode(start)

    with pytest.raises(RequestError):
        feed_on(body.decode, piece, bound)


def test_an_error_is_raised_again_by_every_further_call() -> None:
    parser = RequestParser(Limits())

    for data in (b"\0", b"GET / HTTP/1.0\r\n\r\n"):
        with pytest.raises(RequestError, match="begin with a method"):
            parser.feed(data)


@pytest.mark.parametrize(
    ("data", "begun"), [(b"", False), (b"\r", False), (b"\r\n\r", False), (b"G", True)]
)
def test_empty_lines_do_not_begin_a_request(data: bytes, begun: bool) -> None:
    parser = RequestParser(Limits())
    parser.feed(data)

    assert parser.begun is begun


def test_the_method_is_known_once_the_request_line_is() -> None:
    parser = RequestParser(Limits())
    assert parser.method == ""

    parser.feed(b"HEAD / HTTP/1.1\r\n")

    assert parser.method == "HEAD"


@given(st.binary())
def test_unquote_decodes_what_was_percent_encoded(data: bytes) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in data)

    assert unquote(encoded).encode("latin-1") == data


def test_a_request_shows_its_request_line() -> None:
    assert repr(Request("GET", "/", "1.1")) == "Request('GET', '/', '1.1')"
