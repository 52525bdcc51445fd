"""Every error code has its meaning in one table, and no other."""

import re
from pathlib import Path

import handlerkit
from handlerkit.config import CODES

PACKAGE = Path(handlerkit.__file__).parent


def used() -> set[str]:
    sources = [path for path in PACKAGE.rglob("*.py") if path.name != "codes.py"]
    return {
        code
        for path in sources
        for code in re.findall(r'"(HK\d+)"', path.read_text(encoding="utf-8"))
    }


def test_every_code_that_is_raised_has_a_meaning():
    assert used() - set(CODES) == set()


def test_every_meaning_is_of_a_code_that_is_raised():
    assert set(CODES) - used() == set()


def test_codes_are_in_order():
    assert list(CODES) == sorted(CODES)
