"""Every error code has one meaning and one explanation, whose example has the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import handlerkit
from handlerkit.config import CODES
from handlerkit.config.explanations import HUNDREDS, explain, explanations

PACKAGE = Path(handlerkit.__file__).parent


def used() -> set[str]:
    sources = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.name != "codes.py" and path.parent.name != "explanations"
    ]
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


def test_every_code_is_explained_and_nothing_else():
    assert list(explanations()) == list(CODES)


@pytest.mark.parametrize("hundred", HUNDREDS)
def test_the_codes_of_a_hundred_are_explained_together(hundred):
    """hk4.py has HK4xx: who adds a code knows where."""
    explanations()
    module = sys.modules[f"handlerkit.config.explanations.{hundred.lower()}"]

    assert {code[:3] for code in module.EXPLANATIONS} == {hundred}


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_code_has_that_code(code, example):
    assert re.findall(r"(?:error|warning)\[(\w+)\]", example(code)) == [code]


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_is_whole_sentences(code):
    told = explanations()[code]

    assert re.fullmatch(r"[A-Z`].+\.", told.cause)
    assert re.fullmatch(r"[A-Z`].+\.", told.mend)
    assert told.commands
    assert explain(code)


def test_no_run_pays_for_the_explanations(tmp_path):
    """Neither one that works, nor one that finds a mistake."""
    program = """
import sys
from handlerkit.cli.main import run
run(["check", "--config", "none.toml"])
print([name for name in sys.modules if "explanations" in name])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
