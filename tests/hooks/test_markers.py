"""`hookimpl`: what pluggy's own marker does, without pluggy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pluggy import HookimplMarker, PluginManager

from handlerkit.hooks.markers import PROJECT, hookimpl

ROOT = Path(__file__).parents[2]

OPTIONS = [
    {},
    {"wrapper": True},
    {"tryfirst": True},
    {"trylast": True},
    {"optionalhook": True},
    {"specname": "setup_environ"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_it_marks_as_pluggys_own_marker_does(options):
    def ours():
        pass

    def theirs():
        pass

    assert hookimpl(**options)(ours) is ours
    HookimplMarker(PROJECT)(**options)(theirs)
    assert vars(ours) == vars(theirs)


def test_it_may_be_used_bare():
    def bare():
        pass

    def called():
        pass

    assert vars(hookimpl(bare)) == vars(hookimpl()(called))


def test_pluggy_finds_marked_methods_of_every_kind():
    class Plugin:
        @hookimpl
        def first(self):
            return "method"

        @hookimpl
        @staticmethod
        def second():
            return "static"

        @hookimpl
        @classmethod
        def third(cls):
            return cls.__name__

    manager = PluginManager(PROJECT)
    manager.register(Plugin())
    called = [manager.hook.first(), manager.hook.second(), manager.hook.third()]
    assert called == [["method"], ["static"], ["Plugin"]]


def test_importing_it_imports_neither_pluggy_nor_pydantic():
    code = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {str(ROOT)!r});"
        "from handlerkit.hooks.markers import hookimpl;"
        "print(*(set(sys.modules) - before))"
    )
    python = [sys.executable, "-I", "-c", code]
    names = set(subprocess.check_output(python, text=True).split())
    assert "handlerkit.hooks.markers" in names
    assert not names & {"pluggy", "pydantic", "typing", "inspect", "re", "collections"}
