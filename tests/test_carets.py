"""How a fault is drawn: the line, and carets that stand under what they are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit.carets import drawn, headline, in_order, where
from handlerkit.errors import ConfigError, Fault


class Text:
    """A text, with what is to be hidden of it."""

    def __init__(self, text, *secrets):
        self.text = text
        self.secrets = secrets

    def span(self, path, on, *, exact=False):
        word = str(path[-1])
        at = self.text.find(word)
        return None if at < 0 else (at, at + len(word))

    def hidden(self, starts):
        return [
            (self.text.index(each), self.text.index(each) + len(each))
            for each in self.secrets
        ]


def fault(text, word, *secrets, **more):
    source = Text(text, *secrets)
    return Fault("HK203", "wrong", file="a.toml", path=(word,), source=source, **more)


def rows(told):
    """Give the lines after the first, without their gutter."""
    return [line.partition("|")[2][1:] for line in drawn(told).splitlines()[2:]]


@pytest.mark.parametrize(
    ("line", "carets"),
    [
        ("key = here", "      ^^^^"),
        ("\tkey\t= here", "\t   \t  ^^^^"),
        ("日本 = here", "       ^^^^"),
        ("e\u0301 = here", "    ^^^^"),
        ("\uff4b = here", "     ^^^^"),
        ("here", "^^^^"),
    ],
)
def test_carets_are_as_wide_as_what_is_above_them(line, carets):
    assert rows(fault(f"first\n{line}\nlast", "here")) == [line, carets]


def test_wide_characters_have_wide_carets():
    assert rows(fault("a = 日本", "日本"))[1] == "    ^^^^"


def test_columns_count_characters():
    """As editors do: not bytes, not the columns of a terminal."""
    assert where(fault("x\n日本 = here", "here"))[:2] == (2, 6)


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\x7f", "\u202e", "\u200b", "\u2028"])
def test_what_would_move_the_rest_is_shown_as_an_escape(char):
    line, carets = rows(fault(f"a{char} = here", "here"))

    assert line.isprintable()
    assert line[: len(carets) - 4] == line[:-4]
    assert carets.endswith("^^^^")


def test_a_message_cannot_forge_a_line():
    told = Fault("HK201", 'unknown key "a\x1b[31m"', file="x\n.toml")

    assert headline(told) == r'x\n.toml: error[HK201]: unknown key "a\x1b[31m"'


def test_a_long_line_is_cut_around_the_carets():
    line, carets = rows(fault(f"{'x' * 500} here {'y' * 500}", "here"))

    assert len(line) < 170
    assert line[carets.index("^") :].startswith("here y")
    assert (line[0], line[-1]) == ("…", "…")


def test_what_spans_lines_is_marked_to_the_end_of_its_first():
    told = fault('a = """\ntwo\n"""', "", span=(4, 15))

    assert rows(told) == ['a = """', "    ^^^"]
    assert where(told) == (1, 5, 3, 4)


def test_a_second_place_has_its_label_and_lines_their_order():
    told = fault("one\ntwo\nthree\nfour", "four", also=[(("one",), "key", "here")])

    assert drawn(told).splitlines()[1:] == [
        "  |",
        "1 | one",
        "  | --- here",
        "...",
        "4 | four",
        "  | ^^^^",
    ]


def test_a_second_place_that_is_not_there_is_left_out():
    told = fault("one", "one", also=[(("none",), "key", "here")])

    assert rows(told) == ["one", "^^^"]


def test_a_secret_is_masked_and_the_carets_move_along():
    told = fault('a = "hunter22", b = here', "here", "hunter22")

    assert rows(told) == ['a = "***", b = here', "               ^^^^"]


def test_what_a_message_has_besides_stands_below():
    told = fault("one", "one")
    told.message = "cannot load\nTraceback: 1\nTraceback: 2"

    lines = drawn(told).splitlines()

    assert lines[0] == "a.toml:1:1: error[HK203]: cannot load"
    assert lines[-2:] == ["Traceback: 1", "Traceback: 2"]


def test_faults_are_in_the_order_of_their_places_and_those_without_come_last():
    text = "one two\nthree"
    faults = [fault(text, "three"), Fault("HK401", "x"), fault(text, "two")]
    faults.append(fault(text, "one"))

    assert [each.path for each in in_order(faults)] == [
        ("one",),
        ("two",),
        ("three",),
        (),
    ]


def test_an_error_is_its_faults_their_number_and_what_says_more():
    error = ConfigError([fault("a\nb", "b"), fault("a\nb", "a")])

    lines = str(error).splitlines()

    assert [line for line in lines if "a.toml" in line] == [
        "a.toml:1:1: error[HK203]: wrong",
        "a.toml:2:1: error[HK203]: wrong",
    ]
    assert lines[-1] == "2 errors; handlerkit explain HK203 says more"


@given(st.text(), st.data())
def test_any_stretch_of_any_text_can_be_drawn(text, data):
    places = st.integers(0, len(text))
    start, end = sorted((data.draw(places), data.draw(places)))
    told = fault(text, "", span=(start, end))

    lines = drawn(told).splitlines()

    assert len(lines) == 4
    assert "^" in lines[3]
