"""The parsers survive any bytes: those that fuzzing found, and some seconds of it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import SEEDS, TARGETS

HERE = Path(__file__).parent
SECONDS = 20 if os.environ.get("CI") else 2
# As hypothesis does there: what CI says is of the commit, and new ground is for others.
SEED = ("-seed=1",) if os.environ.get("CI") else ()
FOUND = sorted(HERE.glob("corpus/*/*"))


@pytest.mark.parametrize(
    "path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_fuzzing_found_is_read(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus_and_seeds() -> None:
    assert {path.parent.name for path in FOUND} == set(TARGETS) == set(SEEDS)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.timeout(SECONDS + 600)
def test_some_seconds_of_fuzzing_find_nothing(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        missing = "atheris is not installed: it has no wheel for this platform"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)

    result = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, f"-max_total_time={SECONDS}", *SEED],
        cwd=HERE.parent.parent,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )

    assert result.returncode == 0, result.stderr[-5000:]
    assert "\nDone " in result.stderr
