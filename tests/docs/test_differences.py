"""Each departure from wsgiref is explained, with the tests that show it."""

import re

import pytest

from tests.conformance.cases import CASES

NUMBERS = range(1, 19)


@pytest.fixture(scope="module")
def sections(root):
    page = root / "docs" / "explanation" / "differences.md"
    parts = re.split(r"^## D(\d+): .+$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {
        int(number): text.partition("\n## ")[0]
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def cases_of(number):
    return {case.id for case in CASES if re.search(rf"\bD{number}\b", str(case.source))}


def test_all_are_explained_in_order(sections):
    assert list(sections) == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_cases_that_show_a_departure_are_named(sections, number):
    [told] = re.findall(r"\nCases: ((?:.|\n)+?)\.\s", sections[number])
    named = set(re.findall(r"`([^`]+)`", told))

    assert named
    assert named <= cases_of(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_departure_has_a_test_of_the_old_fault(root, number):
    text = (root / "tests" / "handlers" / "test_departures.py").read_text("utf-8")
    [body] = re.findall(
        rf"^class TestD{number}:\n((?:    .*\n|\n)+)", text, re.MULTILINE
    )

    assert "def test_old" in body
    assert re.search(r"def test_(?!old)", body)


def test_cases_that_are_named_elsewhere_are_there(root):
    page = (root / "docs" / "explanation" / "differences.md").read_text("utf-8")
    named = re.findall(r"Case: `([^`]+)`", page)

    assert named
    assert set(named) <= {case.id for case in CASES}
