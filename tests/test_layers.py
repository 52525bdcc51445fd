"""The layer contracts hold, and each of them can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the project in ``root``, of its own package only."""
    environ = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"}
    code = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # Other processes write bytecode at any time: it may be gone when it is copied.
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "handlerkit", tmp_path / "handlerkit", ignore=ignore)
    return tmp_path


def test_every_contract_is_kept() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("plan", "handlerkit.pep3333", "Top may import down"),
        ("errors", "handlerkit.plan", "Top may import down"),
        ("handlers/base", "handlerkit.hooks", "Top may import down"),
        ("handlers/base", "handlerkit.config", "Top may import down"),
        ("gateways/cgi", "handlerkit.kit", "Top may import down"),
        ("kit/__init__", "handlerkit.cli", "Top may import down"),
        ("stray", "handlerkit.errors", "Top may import down"),
        ("kit/__init__", "pluggy", "pluggy only in hooks"),
        ("__init__", "pluggy", "pluggy only in hooks"),
        ("kit/__init__", "pydantic", "pydantic and tomli only in config"),
        ("cli/__init__", "tomli", "pydantic and tomli only in config"),
        ("handlers/base", "socket", "Sockets only in gateways"),
        ("kit/__init__", "handlerkit.testing", "Top may import down"),
        ("testing/kits", "handlerkit.cli", "Top may import down"),
        ("testing/__init__", "pytest", "pytest only in the fixtures"),
        ("protocols/__init__", "time", "Protocols know no socket"),
        ("protocols/__init__", "logging", "Protocols know no socket"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    project: Path, module: str, imported: str, contract: str
) -> None:
    target = project / "handlerkit" / f"{module}.py"
    target.parent.mkdir(exist_ok=True)
    with target.open("a") as source:
        source.write(f"\nimport {imported}\n")

    result = lint_imports(project)

    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), result.stdout
    assert result.returncode == 1
