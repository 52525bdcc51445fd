"""What is written as TOML reads as the same."""

import math
from datetime import timedelta, timezone

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.config import to_toml

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=2)))),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_a_table_reads_as_it_was(table):
    assert tomli.loads(to_toml(table)) == table


def test_nan_reads_as_nan():
    assert math.isnan(tomli.loads(to_toml({"a": math.nan}))["a"])


def test_it_is_toml_of_every_version():
    text = to_toml({"a": "\x00\x1b\x7f\u2028\U0001f600"})

    assert text == 'a = "\\u0000\\u001b\\u007f\u2028\U0001f600"\n'


def test_tables_are_headed_in_their_order():
    text = to_toml({"b": {"c": {"d": 1}, "e": (1, 2)}, "a": {}})

    assert text == "[b]\ne = [1, 2]\n\n[b.c]\nd = 1\n\n[a]\n"


@pytest.mark.parametrize("value", [None, b"a", {1, 2}, object()])
def test_what_toml_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError, match="TOML has no word"):
        to_toml({"a": value})
