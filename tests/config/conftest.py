from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlerkit import config
from handlerkit.errors import Fault


def said(fault: Fault) -> str:
    """Give a fault on one line: path, code, message, hint."""
    place = ".".join(map(str, fault.path))
    hint = f": {fault.hint}" if fault.hint else ""
    return f"{place}: {fault.code} {fault.message}{hint}"


@pytest.fixture
def told() -> Callable[[list[Fault]], list[str]]:
    """Give faults as lines of text."""
    return lambda faults: [said(fault) for fault in faults]


@pytest.fixture
def complaints(tmp_path: Path) -> Callable[..., list[str]]:
    """Validate a table, or the text of a file; give its faults as lines of text."""

    def validate(source: str | dict[str, Any], **environ: str) -> list[str]:
        if isinstance(source, str):
            path = tmp_path / "handlerkit.toml"
            path.write_text(source, encoding="utf-8")
            document = config.read(path, environ=environ)
        else:
            document = config.read(source, base=tmp_path, environ=environ)
        found, faults = config.validate(document)
        assert (found is None) == bool(faults)
        return [said(fault) for fault in faults]

    return validate


@pytest.fixture
def valid(tmp_path: Path) -> Callable[..., config.Config]:
    """Validate a table without mistakes; give its `Config`."""

    def validate(table: dict[str, Any], **environ: str) -> config.Config:
        document = config.read(table, base=tmp_path, environ=environ)
        found, faults = config.validate(document)
        assert faults == []
        assert found is not None
        return found

    return validate
