import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlerkit import config
from handlerkit.cli.main import run
from handlerkit.config.explanations import explanations
from handlerkit.errors import Fault
from handlerkit.kit.assembly import load
from handlerkit.kit.reloading import Reloading


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


@pytest.fixture
def printed(tmp_path, monkeypatch, capfd) -> Callable[..., str]:
    """Run commands in a directory with these files; give what they print on stderr.

    ``without`` is a module that is not there, ``then`` the files at a reload.
    """

    def shell(files, commands, without="", then=None) -> str:
        for name, text in files.items():
            (tmp_path / name).write_bytes(text.encode())
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path])
        if without:
            monkeypatch.setitem(sys.modules, without, None)
        for module in [Path(name).stem for name in files if name.endswith(".py")]:
            monkeypatch.setitem(sys.modules, module, None)
            del sys.modules[module]
        for line in () if then else commands:
            call(line)
        if then:
            reload_with(then)
        return capfd.readouterr().err

    return shell


def call(line: str) -> None:
    """Do a line of a shell; handlerkit itself in this process."""
    command, *arguments = shlex.split(line)
    if command == "handlerkit":
        run(arguments)
    else:
        subprocess.run(line, shell=True, check=True, timeout=100)


def reload_with(files: dict[str, str]) -> None:
    """Do what a server does that is sent SIGHUP when these files have changed."""
    kit = load("handlerkit.toml", entry="serve")
    reloading = Reloading(
        "handlerkit.toml", kit, given=(), say=lambda line: print(line, file=sys.stderr)
    )
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    reloading(kit)


@pytest.fixture
def example(printed) -> Callable[[str], str]:
    """Run the example of a code's explanation; give what is printed on stderr."""

    def told(code: str) -> str:
        each = explanations()[code]
        return printed(each.files, each.commands, each.without, each.then)

    return told
