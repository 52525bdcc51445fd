"""Every message, as it is printed; a change of any is seen in review.

``golden/NAME.toml`` is a file with mistakes, ``golden/NAME.txt`` what is said of it. A
first line ``# handlerkit check …`` is the command; ``golden/*.py`` are beside it. The
examples of the explanations are cases, too: ``golden/HK203.txt``.

To write the expected texts anew, and then read what `git diff` shows of them:
``make golden``.
"""

import os
import re
from pathlib import Path

import pytest

from handlerkit.config import CODES

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.toml"))
BESIDE = {path.name: path.read_text("utf-8") for path in GOLDEN.glob("*.py")}


@pytest.fixture
def compared(tmp_path):
    """Hold what was said to the file, or write the file."""

    def compare(said: str, expected: Path) -> None:
        said = said.replace(str(tmp_path), "DIRECTORY").replace("\r", "")
        if os.environ.get("GOLDEN") == "write":
            expected.write_text(said, encoding="utf-8")
        assert expected.exists(), "make golden, and read what it has written"
        assert said == expected.read_text("utf-8")

    return compare


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_code_is_told_like_this(code, example, compared):
    compared(example(code), GOLDEN / f"{code}.txt")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_file_with_mistakes_is_told_like_this(case, printed, compared):
    # As bytes: ends of lines, and what is not UTF-8, are among the cases.
    text = case.read_bytes().decode()
    command = re.match(r"# (handlerkit .*)", text)
    name = "pyproject.toml" if case.stem.startswith("pyproject") else "handlerkit.toml"

    said = printed(
        {name: text, **BESIDE}, [command[1] if command else "handlerkit check"]
    )

    compared(said, case.with_suffix(".txt"))


def test_every_expected_text_has_its_case():
    names = {path.stem for path in GOLDEN.glob("*.txt")}

    assert names == {*CODES, *(case.stem for case in CASES)}
