"""Requests of one FastCGI connection, mixed, cut, aborted and left off in any way."""

import itertools
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateways.fronted.conftest import LONG
from tests.gateways.fronted.wire import (
    ABORT,
    END,
    GET_VALUES,
    GET_VALUES_RESULT,
    STDIN,
    STDOUT,
    head,
    parse,
    record,
)

MOST = 3  # requests of a connection; for as many uploads there are threads
UNREAD = 2000  # bytes of a body that may wait; what has more is an upload
SIZES = [0, 5, UNREAD - 1, UNREAD, 3 * UNREAD]


@pytest.fixture
def serving(serve):
    served = serve(application, threads=MOST + 1, max_unread=UNREAD, read_timeout=LONG)
    yield served
    served.server.stop()
    served.join()
    assert served.log == []


def application(environ, start_response):
    """Answer with the length of the body; /early reads none of it."""
    size = 0
    if environ["PATH_INFO"] == "/whole":
        size = len(environ["wsgi.input"].read())
    elif environ["PATH_INFO"] == "/pieces":
        while piece := environ["wsgi.input"].read(100):
            size += len(piece)
    start_response("200 OK", [])
    return iter([str(size).encode()] * 2)


@st.composite
def requests(draw, number):
    """What is sent of a request, as records; its answer; and its fate."""
    size = draw(st.sampled_from(SIZES))
    path = draw(st.sampled_from(["/whole", "/pieces", "/early"]))
    length = {"CONTENT_LENGTH": str(size)} if draw(st.booleans()) else {}
    opening = head(number, keep=True, PATH_INFO=path, **length)
    piece = draw(st.sampled_from([700, UNREAD]))
    body = [b"x" * min(piece, size - at) for at in range(0, size, piece)]
    records = [opening[:16], opening[16:-8], opening[-8:]]
    records += [record(STDIN, number, each) for each in (*body, b"")]
    fate = draw(st.sampled_from(["answered", "answered", "aborted", "left off"]))
    if fate == "aborted":
        records.insert(draw(st.integers(1, len(records))), record(ABORT, number))
    elif fate == "left off":
        del records[draw(st.integers(0, len(records) - 1)) :]
    return records, str(0 if path == "/early" else size).encode() * 2, fate


@st.composite
def conversations(draw):
    """Some requests, and their records in turns; after some, the client waits."""
    asked = [draw(requests(n)) for n in range(1, draw(st.integers(1, MOST)) + 1)]
    left = [list(records) for records, *_ in asked]
    turns = draw(st.lists(st.integers(0, MOST - 1), max_size=30))
    mixed = []
    for turn in itertools.chain(turns, itertools.cycle(range(MOST))):
        if not any(left):
            break
        if turn < len(left) and left[turn]:
            mixed.append(left[turn].pop(0))
    waits = draw(st.sets(st.integers(0, len(mixed) - 1), max_size=6)) if mixed else ()
    return asked, mixed, waits


def send(client, data, place):
    """Send in two pieces."""
    for piece in (data[:place], data[place:]):
        if piece:
            client.send(piece)


def know(client):
    """Wait until the server has read all that it was sent; give what it says first."""
    client.send(record(GET_VALUES, 0))
    said = []
    while (found := client.record())[0] != GET_VALUES_RESULT:
        said.append(found)
    return said


def rest(client):
    """Read on to the end of the connection."""
    client.socket.shutdown(socket.SHUT_WR)
    client.ahead, how = client.rest()
    assert how == "end"
    said = []
    while client.ahead:
        said.append(client.record())
    return said


# The server is one for all, as in life: what it forgets of one, others miss.
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations(), st.integers(0, 5000), st.booleans())
def test_each_request_ends_once_whatever_becomes_of_others(
    serving, conversation, place, leaves
):
    asked, mixed, waits = conversation
    client = serving.client()
    said, unsent = [], b""
    for index, each in enumerate(mixed):
        unsent += each
        if index in waits:
            send(client, unsent, place)
            said += know(client)
            unsent = b""
    send(client, unsent, place)
    due = {number for number, each in enumerate(asked, 1) if each[2] != "left off"}
    while not leaves and not due <= {by for kind, by, _ in said if kind == END}:
        said.append(client.record())
    said += rest(client)
    client.close()

    for number, (_, answer, fate) in enumerate(asked, 1):
        own = [(kind, content) for kind, by, content in said if by == number]
        ends = [content for kind, content in own if kind == END]
        assert len(ends) in ([0, 1] if fate == "left off" else [1])
        assert ends == [content for _, content in own[-1:]]
        if fate == "answered":
            assert ends == [bytes(8)]
            body = b"".join(content for kind, content in own if kind == STDOUT)
            assert parse(body).body == answer
