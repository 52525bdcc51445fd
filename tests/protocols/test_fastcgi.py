"""FastCGI by wire cases kept as files, and in pieces of any size.

A case is two files in fastcgi_cases: NAME.fcgi has the records, as `fastcgi_wire`
says; NAME.toml has what to expect, and its source. What it does not name is not
looked at; answers are written as records.
"""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlerkit.errors import ProtocolError
from handlerkit.protocols import fastcgi_states as states
from handlerkit.protocols.fastcgi import Broken, Connection, Limits, Request
from handlerkit.protocols.fastcgi_params import read_params, write_pairs
from tests.protocols.fastcgi_wire import (
    CASE_NAMES,
    SMALL,
    Front,
    Step,
    begin,
    cut,
    drive,
    expected_of,
    feed_greedily,
    read_wire,
    record,
    steps_of,
)

PLACES = st.lists(st.integers(0, 100_000), max_size=8)


def limits_of(name: str) -> Limits:
    return Limits(**expected_of(name).get("limits", {}))


@pytest.mark.parametrize("name", CASE_NAMES)
def test_a_wire_case_reads_as_its_file_says(name: str) -> None:
    expected = expected_of(name)
    limits = Limits(**expected.pop("limits", {}))
    assert expected.pop("source")
    if "answers" in expected:
        (expected["answers"],) = read_wire(expected["answers"]) or [b""]

    result = drive(steps_of(name), limits).result()

    for many in ("requests", "refused"):
        wanted = expected.pop(many, None)
        if wanted is not None:
            found = result.pop(many)
            assert [
                got | want for got, want in zip(found, wanted, strict=True)
            ] == found
    assert result | expected == result


@pytest.mark.parametrize("name", CASE_NAMES)
def test_a_wire_case_reads_the_same_byte_by_byte(name: str) -> None:
    steps = steps_of(name)
    pieces: list[Step] = []
    for step in steps:
        pieces += [step] if isinstance(step, int) else [bytes((one,)) for one in step]

    assert_same(drive(pieces, limits_of(name)), drive(steps, limits_of(name)))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CASE_NAMES), PLACES)
def test_a_wire_case_reads_the_same_whatever_the_pieces(
    name: str, places: list[int]
) -> None:
    steps = steps_of(name)

    assert_same(
        drive(cut(steps, places), limits_of(name)), drive(steps, limits_of(name))
    )


def assert_same(one: Front, other: Front) -> None:
    assert one.result() == other.result()


DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.binary(max_size=2) | st.sampled_from([b"\1", b"\1\5\0\1\0\0\0\0"]),
        st.integers(0, 2),
    ),
    max_size=4,
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(CASE_NAMES), DAMAGE, PLACES)
def test_a_damaged_case_reads_the_same_whatever_the_pieces(
    name: str, damage: list[tuple[int, bytes, int]], places: list[int]
) -> None:
    steps = steps_of(name)
    for at, put, length in damage:
        for index, step in enumerate(steps):
            if not isinstance(step, int):
                steps[index] = step[:at] + put + step[at + length :]

    assert_same(
        drive(cut(steps, places), limits_of(name)), drive(steps, limits_of(name))
    )


TEXT = st.binary(max_size=20) | st.binary(min_size=120, max_size=200)
NAME = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=140)
PAIRS = st.dictionaries(NAME, TEXT, max_size=8)


@given(PAIRS)
def test_pairs_are_read_as_they_were_written(pairs: dict[str, bytes]) -> None:
    wire = write_pairs([(name.encode(), value) for name, value in pairs.items()])

    assert read_params(wire, Limits()) == {
        name: value.decode("latin-1") for name, value in pairs.items()
    }


PIECES = st.lists(st.integers(0, 300), max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """What a request says, and its records in order."""
    number = draw(st.integers(1, 65535))
    pairs = draw(PAIRS)
    pairs.pop("CONTENT_LENGTH", None)
    body = draw(st.binary(max_size=300))
    content = write_pairs([(name.encode(), value) for name, value in pairs.items()])
    wire = [begin(number)]
    for kind, data in ((4, content), (5, body)):
        pieces = [piece for piece in cut([data], draw(PIECES)) if piece]
        wire += [
            *(record(kind, number, piece, len(piece) % 9) for piece in pieces),
            record(kind, number),
        ]
    environ = {name: value.decode("latin-1") for name, value in pairs.items()}
    return {"id": number, "environ": environ, "body": body, "wire": wire}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(requests(), max_size=5, unique_by=lambda request: request["id"]),
    st.lists(st.integers(0, 4), max_size=60),
    PLACES,
)
def test_requests_interleaved_in_any_way_are_kept_apart(
    asked: list[dict[str, Any]], order: list[int], places: list[int]
) -> None:
    queues = [list(request["wire"]) for request in asked]
    wire = b""
    for turn in itertools.chain(order, itertools.cycle(range(5))):
        if not any(queues):
            break
        if turn < len(queues) and queues[turn]:
            wire += queues[turn].pop(0)

    front = drive(cut([wire], places), Limits())

    assert not front.broken
    found = {
        request["id"]: (request["environ"], request["body"].encode("latin-1"))
        for request in front.result()["requests"]
    }
    assert found == {
        request["id"]: (request["environ"], request["body"]) for request in asked
    }
    assert all(request.ended for request in front.requests)


@settings(max_examples=200, deadline=None)
@given(PAIRS, st.binary(max_size=60), st.integers(0, 9), st.integers(0, 60))
def test_a_request_in_one_piece_reads_as_one_cut_anywhere(
    pairs: dict[str, bytes], body: bytes, padding: int, number: int
) -> None:
    """The short cut for a whole request comes to what the long way comes to."""
    content = write_pairs([(name.encode(), value) for name, value in pairs.items()])
    wire = begin(number) + record(4, number, content, padding) + record(4, number)
    wire += (record(5, number, body) if body else b"") + record(5, number)
    small = Limits(max_params=4, max_params_size=400, max_param_value=127)

    for limits in (Limits(), small):
        whole = drive([wire], limits)
        assert_same(whole, drive(cut([wire], [1]), limits))
        assert_same(whole, drive(cut([wire], [len(wire) // 2]), limits))


@pytest.mark.parametrize("name", [n for n in CASE_NAMES if n.startswith("front_")])
def test_what_fronts_send_takes_the_short_cut(name: str) -> None:
    wire = steps_of(name)[0]
    assert isinstance(wire, bytes)

    taken = Connection(Limits())._read_whole(wire, [])

    body = wire.index(b"\1\5\0\1")
    assert taken == (len(wire) if wire[body:] == record(5, 1) else body)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("padding", [0, 5])
def test_a_request_in_one_piece_takes_the_short_cut(keep: bool, padding: int) -> None:
    content = write_pairs([(b"REQUEST_METHOD", b"GET")])
    wire = begin(keep=keep) + record(4, 1, content, padding) + record(4, 1)

    for end in (b"", record(5, 1)):
        taken = Connection(Limits())._read_whole(wire + end, [])
        assert taken == len(wire + end)


RECORDS = st.builds(
    record,
    st.sampled_from([1, 1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 8, 9, 10, 99]),
    st.integers(0, 4),
    st.just(b"") | st.just(b"\0\1\1\0\0\0\0\0") | st.binary(max_size=80),
    st.integers(0, 3),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS | st.binary(max_size=10), max_size=60), st.integers(1, 64))
def test_no_records_raise_or_are_kept_beyond_the_limits(
    pieces: list[bytes], size: int
) -> None:
    feed_greedily(b"".join(pieces), size)


def test_a_broken_connection_says_so_again() -> None:
    connection = Connection(Limits())
    (event,) = connection.feed(b"GET / HTTP/1.1")
    assert isinstance(event, Broken)

    with pytest.raises(ProtocolError, match="version 71"):
        connection.feed(begin())


def test_a_connection_is_full_until_what_waits_is_taken() -> None:
    connection = Connection(SMALL)
    connection.feed(begin() + record(4, 1) + record(5, 1, bytes(99)))
    (request,) = connection.open
    assert not connection.full

    connection.feed(record(5, 1, b"x"))
    assert connection.full
    assert request.unread == 100

    assert request.take(1) == b"\0"
    assert not connection.full
    assert request.take(1000) == bytes(98) + b"x"
    assert request.take(1000) == b""


def test_events_tell_of_a_body_once_for_each_feed() -> None:
    connection = Connection(Limits())
    (request,) = connection.feed(begin() + record(4, 1))
    assert isinstance(request, Request)

    events = connection.feed(record(5, 1, b"a") + record(5, 1, b"b") + record(5, 1))

    assert [(type(event).__name__, event.request) for event in events] == [
        ("Body", request)
    ]
    assert connection.feed(b"") == []


def test_a_front_that_is_gone_is_a_disconnect_to_who_reads() -> None:
    connection = Connection(Limits())
    (request,) = connection.feed(begin() + record(4, 1) + record(5, 1, b"half"))

    connection.lose()

    assert request.aborted
    assert request.take(10) == b"half"
    with pytest.raises(ConnectionAbortedError):
        request.take(10)


def test_every_record_has_its_place_in_the_table() -> None:
    known = {*Connection._TAKE, *Connection._END, states.SKIP}
    rows = [*itertools.chain(*states.APPLICATION.values()), *states.OTHER_TYPES]

    assert {task for row in rows for task in row} <= known | states.OUT_OF_PLACE
    assert {*states.MANAGEMENT.values(), states.OTHER_MANAGEMENT} <= known
    assert len(rows) == 2 * (len(states.APPLICATION) + 1)


def test_a_request_shows_its_id() -> None:
    assert repr(Request(3, keep=True)) == "Request(3, keep=True)"
