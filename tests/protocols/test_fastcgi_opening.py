"""What a front begins its requests with is learnt, and changes nothing that is read."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlerkit.errors import RequestError
from handlerkit.protocols.fastcgi import Connection, Limits
from handlerkit.protocols.fastcgi_opening import Opening
from handlerkit.protocols.fastcgi_params import read_params, write_pairs
from tests.protocols.fastcgi_wire import record

LIMITS = Limits()
USUAL = {
    "QUERY_STRING": "",
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/",
    "DOCUMENT_ROOT": "/srv",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_SCHEME": "http",
    "REMOTE_PORT": "50000",
    "SERVER_PORT": "80",
    "SERVER_NAME": "example.org",
    "PATH_INFO": "/",
    "HTTP_HOST": "example.org",
}


def encoded(environ: dict[str, str]) -> bytes:
    return write_pairs(
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
    )


def read(content: bytes, limits: Limits, opening: Opening | None) -> Any:
    try:
        return read_params(content, limits, opening)
    except RequestError as error:
        return error.status, str(error)


def taught(*environs: dict[str, str]) -> Opening:
    opening = Opening()
    for environ in environs:
        read_params(encoded(environ), LIMITS, opening)
    return opening


def found(opening: Opening, environ: dict[str, str]) -> dict[str, str]:
    return opening.match(encoded(environ).decode("latin-1"))[0]


VALUE = st.text(st.characters(max_codepoint=255), max_size=20) | st.sampled_from(
    ["x" * 127, "x" * 128, "a\x0fb", "/\x0b", "\x80\0\0\x01"]
)
CHANGES = st.dictionaries(st.sampled_from([*USUAL]), VALUE, max_size=4)
MORE = st.dictionaries(
    st.sampled_from(["HTTP_COOKIE", "HTTP_ACCEPT", "SERVER_NAME", "X", ""]), VALUE
)
DAMAGE = st.lists(
    st.tuples(st.integers(0, 250), st.integers(0, 2), st.binary(max_size=2)), max_size=2
)


@given(CHANGES, CHANGES, MORE, DAMAGE, st.sampled_from([3, 10, 11, 12, 250]))
@example({}, {}, {"SERVER_NAME": "again"}, [], 250)
@example({}, {"REQUEST_URI": "x" * 128}, {}, [], 250)
@example({}, {"REQUEST_URI": "\x0d"}, {}, [], 250)
def test_what_was_learnt_changes_nothing_that_is_read(
    lesson: dict[str, str],
    changes: dict[str, str],
    more: dict[str, str],
    damage: list[tuple[int, int, bytes]],
    most: int,
) -> None:
    opening = taught(USUAL, USUAL | lesson, USUAL | lesson)
    content = encoded(USUAL | changes) + encoded(more)
    for at, size, bytes_ in damage:
        content = content[:at] + bytes_ + content[at + size :]
    limits = Limits(max_params=most)

    assert read(content, limits, opening) == read(content, limits, None)
    assert read(content, limits, opening) == read(content, limits, None)


def test_a_front_is_known_by_its_second_request() -> None:
    other = USUAL | {"REMOTE_PORT": "1", "REQUEST_URI": "/a", "QUERY_STRING": "b=c"}

    assert not found(taught(USUAL), USUAL)
    assert found(taught(USUAL, USUAL), other) == {
        name: value
        for name, value in other.items()
        if name not in ("PATH_INFO", "HTTP_HOST")
    }


def test_what_changes_is_no_part_of_what_is_known() -> None:
    elsewhere = USUAL | {"REQUEST_SCHEME": "https"}

    opening = taught(USUAL, USUAL, elsewhere)

    assert found(opening, elsewhere)["REQUEST_SCHEME"] == "https"
    assert found(opening, USUAL)["REQUEST_SCHEME"] == "http"


def test_another_front_takes_the_place_of_the_first() -> None:
    other = {"GATEWAY_INTERFACE": "CGI/1.1", **USUAL}

    assert found(taught(USUAL, USUAL, other, other), other)


def test_a_front_that_is_never_the_same_is_not_learnt_from_for_ever() -> None:
    opening = taught(*({f"A{n}": "", **USUAL} for n in range(300)), USUAL, USUAL)

    assert not found(opening, USUAL)


@pytest.mark.parametrize("few", [{}, {"REQUEST_METHOD": "GET"}, {"HTTP_HOST": "x"}])
def test_a_front_that_sends_little_is_not_learnt(few: dict[str, str]) -> None:
    assert not found(taught(few, few, few), few)


def test_connections_learn_together() -> None:
    opening = Opening()
    wire = (
        record(1, 1, b"\0\1\0\0\0\0\0\0")
        + record(4, 1, encoded(USUAL))
        + record(4, 1)
        + record(5, 1)
    )

    events = [Connection(LIMITS, {}, opening).feed(wire) for _ in range(3)]

    assert found(opening, USUAL)
    assert [event.environ for (event,) in events] == [USUAL] * 3
