"""The locator sees in a text what tomli reads from it, and each value in its place."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.config.locator import find, locate

CORPUS = sorted((Path(__file__).parent / "toml").glob("*.toml"))


def paths(value, path=()):
    """Give every path of what tomli has read, and what is there."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def same(one, other):
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return one == other and type(one) is type(other)


def agree(text):
    """Hold the locator to tomli: equal paths, and each span is its key or value."""
    read = dict(paths(tomli.loads(text)))
    places = locate(text)

    assert places.keys() == read.keys()
    for path, value in read.items():
        place = places[path]
        if not isinstance(value, dict | list):
            start, end = place.value
            assert same(tomli.loads(f"it = {text[start:end]}")["it"], value), path
        elif place.value:
            start, end = place.value
            assert tomli.loads(f"it = {text[start:end]}").keys() == {"it"}, path
        if place.header:
            assert text[place.header[0]] == "["
            assert text[place.header[1] - 1] == "]"
        if isinstance(path[-1], str):
            start, end = place.key
            assert tomli.loads(f"{text[start:end]} = 1") == {path[-1]: 1}


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_every_value_of_the_corpus_is_found(file):
    agree(file.read_bytes().decode("utf-8-sig"))


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_the_corpus_is_found_with_either_end_of_line(file):
    text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")

    agree(text)
    agree(text.replace("\n", "\r\n"))


# --- generated documents ------------------------------------------------------

SPACE = st.sampled_from(["", " ", "\t", "  "])
END = st.sampled_from(["\n", "\r\n", " # comment\n", "\n\n", "\t# ] } \" '\r\n"])
# Between the parts of what may go over lines.
GAP = st.sampled_from(["", " ", "\n", " # [ { \" '\n", "\r\n\t", "\n# x\n  "])
LETTERS = st.text("ab1-_", min_size=1, max_size=3)
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"])
ESCAPES = st.sampled_from(
    [r"\b", r"\t", r"\n", r"\e", r"\"", r"\\", r"\x41", r"\u00e9", r"\U0001F600"]
)
PLAIN = CHARACTERS.filter(lambda char: char not in "\"'\\")


@st.composite
def strings(draw):
    kind = draw(st.sampled_from(['"', "'", '"""', "'''"]))
    parts = [PLAIN, st.sampled_from(["#", "]", "}", ",", " ", "\t"])]
    if kind[0] == '"':
        parts += [ESCAPES, st.just("'")]
    else:
        parts += [st.sampled_from(['"', "\\"])]
    if len(kind) > 1:
        parts += [st.sampled_from(["\n", "\r\n", f"{kind[0]}x", f"{kind[:2]}x"])]
        parts += [st.just("\\\n  ")] if kind[0] == '"' else []
    body = "".join(draw(st.lists(st.one_of(parts), max_size=6)))
    ends = draw(st.sampled_from(["", kind[0], kind[0] * 2])) if len(kind) > 1 else ""
    return f"{kind}{body}{ends}{kind}"


DATES = st.dates(min_value=date(1, 1, 1)).map(date.isoformat)
TIMES = st.times().map(time.isoformat)
OFFSETS = st.integers(-1439, 1439).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
DATETIMES = st.builds(
    datetime.isoformat,
    st.datetimes(timezones=st.one_of(st.none(), OFFSETS)),
    st.sampled_from([" ", "T"]),
)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(0, 2**40).map(hex),
    st.integers(0, 2**40).map(oct),
    st.floats().map(lambda number: repr(number).replace("e+", "e")),
    st.sampled_from(["true", "false", "+1_000", "1_0.0_1e+1_0", "+inf"]),
)
SCALARS = st.one_of(strings(), NUMBERS, DATES, TIMES, DATETIMES)
QUOTED = strings().filter(
    lambda text: text[:3] not in ('"""', "'''") and "\n" not in text
)
KEY_PARTS = st.one_of(LETTERS, QUOTED)


@st.composite
def keys(draw, most=3):
    parts = draw(st.lists(KEY_PARTS, min_size=1, max_size=most))
    dot = f"{draw(SPACE)}.{draw(SPACE)}"
    return dot.join(parts)


@st.composite
def arrays(draw, values):
    items = draw(st.lists(values, max_size=3))
    gap = draw(GAP)
    body = "".join(f"{gap}{item}{draw(GAP)}," for item in items)
    return f"[{body}{gap}]"


@st.composite
def inline_tables(draw, values):
    gap = draw(GAP)
    body = ""
    for value in draw(st.lists(values, max_size=3)):
        body += f"{gap}{draw(keys())}{draw(SPACE)}={draw(SPACE)}{value}{draw(GAP)},"
    return f"{{{body}{gap}}}"


VALUES = st.recursive(
    SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6
)


@st.composite
def documents(draw):
    """Give lines of which not all may stand together: whether they may, tomli says."""
    text = draw(SPACE)
    for kind in draw(st.lists(st.sampled_from("kkkta"), max_size=8)):
        if kind == "k":
            text += f"{draw(keys())}{draw(SPACE)}={draw(SPACE)}{draw(VALUES)}"
        elif kind == "t":
            text += f"[{draw(SPACE)}{draw(keys())}{draw(SPACE)}]"
        else:
            text += f"[[{draw(SPACE)}{draw(keys(2))}{draw(SPACE)}]]"
        text += draw(SPACE) + draw(END)
    return text


@given(documents())
def test_every_value_of_a_generated_document_is_found(text):
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    agree(text)


@given(VALUES)
def test_every_value_within_a_generated_value_is_found(value):
    text = f"it = {value}"
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    agree(text)


@given(st.one_of(documents(), st.text("[]{}=.,#'\"\\ \n\tab1-")))
def test_a_text_that_is_not_toml_ends_the_walk(text):
    """Of a file with a mistake, the part before it is asked."""
    for place in locate(text[: len(text) // 2]).values():
        for span in filter(None, place):
            assert 0 <= span[0] <= span[1] <= len(text)


# --- where a fault is shown -----------------------------------------------------

SHOP = """\
[app]
target = "shop:app"

[plugins]
mail = { to = "x", "on error" = 'y' }
note.level = [1, 22]

[[list]]
x = 1
"""


def shown(path, on="value"):
    span = find(locate(SHOP), path, on)
    return SHOP[slice(*span)] if span else None


def test_a_key_or_its_value_is_shown_as_the_fault_says():
    assert shown(("app", "target"), "key") == "target"
    assert shown(("app", "target")) == '"shop:app"'
    assert shown(("plugins", "mail", "on error"), "key") == '"on error"'
    assert shown(("plugins", "note", "level", 1)) == "22"


def test_a_table_is_shown_by_its_name_or_by_its_header():
    assert shown(("app",), "key") == "app"
    assert shown(("app",)) == "[app]"
    assert shown(("list", 0)) == "[[list]]"
    assert shown(("plugins", "note")) == "note"


def test_what_is_missing_is_shown_at_the_table_that_lacks_it():
    assert shown(("app", "path")) == "[app]"
    assert shown(("plugins", "mail", "from")) == """{ to = "x", "on error" = 'y' }"""
    assert shown(("plugins", "note", "from")) == "note"
    assert shown(("list", 0, "y")) == "[[list]]"


def test_what_is_missing_altogether_is_shown_nowhere():
    assert shown(("server", "bind")) is None
