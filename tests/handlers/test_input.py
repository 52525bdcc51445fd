"""BoundedInput is a file of just the body, whatever the stream beneath it does."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.errors import ClientDisconnected
from handlerkit.handlers.input import NOTHING, BoundedInput, Unbounded

sizes = st.one_of(st.none(), st.integers(-2, 12))
calls = st.lists(
    st.one_of(
        st.tuples(st.just("read"), sizes),
        st.tuples(st.just("readline"), sizes),
        st.tuples(st.just("readlines"), sizes),
        st.just(("read",)),
        st.just(("readline",)),
        st.just(("readlines",)),
        st.just(("next",)),
    ),
    max_size=12,
)
bodies = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\0\xff"])).map(
    b"".join
)


class Grudging:
    """A stream that gives less than it was asked for, and only through read(n)."""

    def __init__(self, data, pieces):
        self._data = io.BytesIO(data)
        self._pieces = pieces
        self.asked = 0

    def read(self, size, /):
        self.asked += size
        give = self._pieces.pop(0) if self._pieces else size
        return self._data.read(min(size, give))


def call(stream, name, *arguments):
    if name == "next":
        return next(iter(stream), b"")
    try:
        return getattr(stream, name)(*arguments)
    except ValueError as exc:
        return str(exc)


@given(
    body=bodies,
    after=st.sampled_from([b"", b"NEXT", b"\nNEXT"]),
    pieces=st.lists(st.integers(1, 3)),
    made=calls,
    kind=st.sampled_from(["bounded", "to the end", "opened late"]),
)
def test_it_reads_as_a_file_of_the_body_does(body, after, pieces, made, kind):
    bounded = kind == "bounded"
    below = Grudging(body + after if bounded else body, pieces)
    ours = BoundedInput(below, len(body) if bounded else None)
    if kind == "opened late":
        ours = Unbounded(below)
    theirs = io.BufferedReader(io.BytesIO(body))

    for name, *arguments in made:
        assert call(ours, name, *arguments) == call(theirs, name, *arguments)


@given(body=bodies, made=calls)
def test_it_never_asks_past_the_end(body, made):
    below = Grudging(body * 2, [])
    ours = BoundedInput(below, len(body))
    for name, *arguments in made:
        call(ours, name, *arguments)

    assert below.asked <= len(body)


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: stream.read(4),
        lambda stream: stream.readline(),
        lambda stream: stream.readlines(),
        list,
    ],
    ids=["all", "some", "line", "lines", "iteration"],
)
def test_a_body_that_breaks_off_is_never_taken_for_whole(read):
    with pytest.raises(ClientDisconnected, match="1 bytes before its CONTENT_LENGTH"):
        read(BoundedInput(io.BytesIO(b"abc"), 4))


@pytest.mark.parametrize("length", [3, None])
def test_an_error_of_the_stream_is_the_client_gone(length):
    class Broken:
        def read(self, size, /):
            raise ConnectionResetError("by peer")

    with pytest.raises(ClientDisconnected, match="by peer"):
        BoundedInput(Broken(), length).read()
    with pytest.raises(ClientDisconnected, match="by peer"):
        Unbounded(Broken()).readline()


def test_a_request_without_a_body_has_an_input_at_its_end():
    assert NOTHING.read() == NOTHING.read(5) == NOTHING.readline() == b""
    assert NOTHING.readlines() == list(NOTHING) == []
