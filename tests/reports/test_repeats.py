"""Errors that come again and again: which of them are told whole."""

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.reports import repeats
from handlerkit.reports.repeats import Repeats, place_of

steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.floats(0, 40, allow_subnormal=False)
    ),
    max_size=60,
)


@given(steps=steps, whole=st.integers(1, 4))
def test_every_error_is_counted_and_each_interval_begins_with_whole_ones(steps, whole):
    counted = Repeats(whole, 60.0)
    now = 0.0
    told = {}  # per place: how many since when, and the last whole one
    for index, (place, later) in enumerate(steps):
        now += later
        number, since, like = told.get(place, (0, now, ""))
        if now - since >= 60.0:
            number, since = 0, now
        found = counted.note((place,), f"id {index}", now)
        if number < whole:
            assert found is None
            like = f"id {index}"
        else:
            assert (found.number, found.seconds) == (number + 1, now - since)
            assert found.like == like
        told[place] = number + 1, since, like


@given(steps=steps, whole=st.integers(1, 4), most=st.integers(1, 2))
def test_with_more_places_than_are_remembered_more_is_told_whole(steps, whole, most):
    """What is told in short names one of the same place, and of this interval."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "_MOST_PLACES", most)
        counted = Repeats(whole, 60.0)
        now = 0.0
        wholes = {}
        for index, (place, later) in enumerate(steps):
            now += later
            found = counted.note((place,), f"id {index}", now)
            if found is None:
                wholes[f"id {index}"] = place, now
            else:
                like, then = wholes[found.like]
                assert like == place
                assert now - then < 60.0
                assert found.number > whole
            assert len(counted._places) <= most


def test_of_more_places_than_are_remembered_the_oldest_is_forgotten():
    counted = Repeats(1, 60.0)
    for number in range(1000):
        assert counted.note((number,), "id", 0.0) is None

    assert len(counted._places) <= 128
    assert counted.note((0,), "id", 0.0) is None
    assert counted.note((999,), "id", 0.0) is not None


def raised(function, *arguments):
    try:
        function(*arguments)
    except BaseException:
        return place_of(*sys.exc_info()[1:])


def fail(kind, message="", cause=None):
    if message == "late":
        raise kind(message) from cause
    raise kind(message) from cause


def deep(depth):
    return deep(depth - 1) if depth else fail(ValueError)


def test_a_place_is_class_and_frames_and_no_message():
    same = raised(fail, ValueError, "a")

    assert same == raised(fail, ValueError, "b")
    assert same != raised(fail, LookupError, "a")
    assert same != raised(fail, ValueError, "late")
    assert same != raised(deep, 0)
    assert raised(deep, 3) != raised(deep, 4)


def test_what_caused_it_belongs_to_its_place():
    one, other = KeyError("x"), LookupError("x")

    assert raised(fail, ValueError, "", one) == raised(fail, ValueError, "", KeyError())
    assert raised(fail, ValueError, "", one) != raised(fail, ValueError, "", other)


def test_what_is_too_large_has_no_place():
    many = ExceptionGroup("", [ValueError() for _ in range(20)])

    assert raised(deep, 500) is None
    assert raised(fail, ValueError, "", many) is None


def test_a_class_that_cannot_say_its_name_has_a_place():
    class Meta(type):
        @property
        def __module__(cls):
            raise RuntimeError

    class Odd(Exception, metaclass=Meta):
        pass

    assert raised(fail, Odd) is not None


class Yielding:
    """What lets other threads in while it is looked for."""

    def __hash__(self):
        return sum(range(50))

    def __eq__(self, other):
        return type(other) is Yielding


def test_threads_lose_no_count():
    counted = Repeats(1, 60.0)
    found = []

    def note():
        found.extend(counted.note((Yielding(),), "id", 0.0) for _ in range(3000))

    threads = [threading.Thread(target=note) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(interval)

    numbers = sorted(each.number for each in found if each is not None)
    assert numbers == list(range(2, 12001))
