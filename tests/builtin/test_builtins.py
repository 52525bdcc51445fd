"""The built-in plugins come through the same door as everybody's."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from handlerkit.builtin import BUILTINS
from handlerkit.hooks.loading import find, make
from handlerkit.hooks.registry import Named, resolve

ROOT = Path(__file__).parents[2]


def test_they_are_the_entry_points_of_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["handlerkit.plugins"] == BUILTINS


@pytest.mark.parametrize("name", BUILTINS)
def test_each_can_be_found_made_and_registered_with_its_defaults(name):
    found = find(name, base=ROOT, builtins=BUILTINS)
    record = None
    if found.settings is not None:
        module, _, model = found.settings.partition(":")
        record = getattr(__import__(module, fromlist=[model]), model)()
    assert resolve([Named(name, make(found, record))])


@pytest.mark.parametrize("reference", BUILTINS.values())
def test_each_is_imported_within_the_budget_of_a_cgi_process(reference):
    module = reference.partition(":")[0]
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    python = [sys.executable, "-I", "-S", "-c", code]
    loaded = set(subprocess.check_output(python, text=True).split())
    ours = {name for name in loaded if name.startswith("handlerkit")}
    assert module in ours
    assert loaded - ours <= {"__future__", "wsgiref", "wsgiref.util"}
