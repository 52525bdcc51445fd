"""The plain report: the standard library's text, whatever the exception is like."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from handlerkit.reports.plain import make_report

ROOT = Path(__file__).parents[2]


def raised(exception):
    def deep(levels):
        if levels:
            deep(levels - 1)
        raise exception

    try:
        deep(5)
    except BaseException:
        return sys.exc_info()


def chained():
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None
    except ValueError:
        try:
            raise LookupError("third")
        except LookupError as exc:
            exc.add_note("with a note")
            return exc


EXCEPTIONS = {
    "plain": ValueError("said"),
    "exit": SystemExit(3),
    "noted": chained(),
    "group": ExceptionGroup("two", [ValueError("one"), chained()]),
    "syntax": SyntaxError("wrong", ("file.py", 3, 5, "a b c", 3, 6)),
}


@pytest.mark.parametrize("name", EXCEPTIONS)
@pytest.mark.parametrize("limit", [None, 0, 2, 50])
def test_the_text_is_the_traceback_cut_by_the_limit(name, limit):
    exc_info = raised(EXCEPTIONS[name])
    expected = "".join(traceback.format_exception(*exc_info, limit=limit))
    report = make_report(exc_info, limit)
    assert report.text == expected
    assert len(report.id) == 32


class UnprintableError(Exception):
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


class NotesError(Exception):
    @property
    def __notes__(self):
        raise ZeroDivisionError


class OddNotesError(Exception):
    __notes__ = UnprintableError()


@pytest.mark.parametrize("kind", [UnprintableError, NotesError, OddNotesError])
def test_an_exception_that_cannot_be_shown_has_a_text_all_the_same(kind):
    text = make_report(raised(kind("x")), None).text
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in deep" in text
    assert kind.__name__ in text
    assert text.endswith("\n")


def test_what_utf_8_cannot_carry_is_escaped():
    text = make_report(raised(ValueError("a\udcffb")), None).text
    assert text.endswith("ValueError: a\\udcffb\n")
    text.encode()


def test_the_traceback_module_is_imported_when_the_text_is_read():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from handlerkit.reports.plain import make_report\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: report = make_report(sys.exc_info(), None)\n"
        "before = 'traceback' in sys.modules\n"
        "report.text\n"
        "print(before, 'traceback' in sys.modules)\n"
    )
    python = [sys.executable, "-I", "-S", "-c", code]
    assert subprocess.check_output(python, text=True).split() == ["False", "True"]
