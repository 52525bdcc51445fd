"""`handlerkit explain`: what an error code means."""

import json

import pytest

from handlerkit.cli.main import run
from handlerkit.config import CODES


@pytest.fixture
def explain(capsys):
    def command(*arguments):
        code = run(["explain", *arguments])
        return code, *capsys.readouterr()

    return command


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_told_with_cause_example_and_mend(explain, code):
    status, out, err = explain(code)

    assert (status, err) == (0, "")
    assert out.startswith(f"{code}\n\n{CODES[code][0].upper()}")
    assert "```console\n$ " in out


@pytest.mark.parametrize("spelled", ["hk203", "203", " HK203 "])
def test_a_code_may_be_spelled_loosely(explain, spelled):
    assert explain(spelled) == explain("HK203")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("HK2O3", 'did you mean "HK203"?'),
        ("oops", "handlerkit explain --list has all"),
    ],
)
def test_a_code_that_is_none_is_told_with_the_nearest(explain, capsys, given, hint):
    with pytest.raises(SystemExit, match="2"):
        explain(given)

    assert capsys.readouterr().err.endswith(f'no code "{given}": {hint}\n')


@pytest.mark.parametrize("arguments", [[], ["--list"]])
def test_all_codes_are_listed_with_their_meaning(explain, arguments):
    status, out, _ = explain(*arguments)

    expected = [f"{code}  {meaning}" for code, meaning in CODES.items()]
    assert (status, out.splitlines()) == (0, expected)


def test_json_is_for_programs(explain):
    told = json.loads(explain("HK203", "--json")[1])

    assert told["code"] == "HK203"
    assert told["meaning"] == CODES["HK203"]
    assert told["files"] == {"handlerkit.toml": '[handler]\ntraceback_limit = "ten"\n'}
    assert len(json.loads(explain("--list", "--json")[1])) == len(CODES)
