"""The hooks' specifications are what the plan runs, and are documented."""

from __future__ import annotations

import inspect

import pytest
from pluggy import PluginManager

from handlerkit.handlers import BaseHandler
from handlerkit.hooks import specs
from handlerkit.hooks.markers import PROJECT
from handlerkit.plan import HOOKS

SPECS = {
    name: value
    for name, value in vars(specs).items()
    if hasattr(value, f"{PROJECT}_spec")
}


def test_every_hook_of_the_plan_has_a_spec_in_the_same_order():
    assert list(SPECS) == list(HOOKS)


def test_pluggy_takes_them():
    manager = PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    assert {name for name in vars(manager.hook) if name[0] != "_"} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_spec_takes_the_hooks_arguments(hook):
    assert tuple(inspect.signature(SPECS[hook]).parameters) == HOOKS[hook].arguments


@pytest.mark.parametrize("hook", HOOKS)
def test_the_first_result_ends_only_hooks_that_answer(hook):
    options = getattr(SPECS[hook], f"{PROJECT}_spec")
    assert options["firstresult"] is (HOOKS[hook].kind == "answer")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_spec_is_typed(hook):
    annotations = SPECS[hook].__annotations__
    assert set(annotations) == {*HOOKS[hook].arguments, "return"}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_spec_says_its_kind_its_moment_and_what_it_stands_for(hook):
    text = " ".join(SPECS[hook].__doc__.split())
    assert f"Kind: {HOOKS[hook].kind}." in text
    assert "Called" in text or "called" in text or "Call " in text
    _, _, rest = text.partition("Stands for ``BaseHandler.")
    assert hasattr(BaseHandler, rest.partition("``")[0])


def test_the_rule_for_threads_is_said_once_for_all():
    assert "thread" in specs.__doc__
