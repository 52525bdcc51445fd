"""The import budget: a CGI process lives for one request, and pays for each module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Nothing else may be loaded. Python itself loads most of these before any program,
# and they cost next to nothing; -S only keeps this environment's own start-up out.
STANDARD = {
    "__future__",
    "_collections_abc",
    "_stat",
    "genericpath",
    "os",
    "os.path",
    "posixpath",
    "stat",
    "warnings",
    "wsgiref",
    "wsgiref.util",
}
ALL_OF_A_HANDLER = {
    "handlerkit",
    "handlerkit.errors",
    "handlerkit.handlers",
    "handlerkit.handlers.base",
    "handlerkit.handlers.cgi",
    "handlerkit.handlers.environ",
    "handlerkit.handlers.input",
    "handlerkit.handlers.recovery",
    "handlerkit.handlers.reporting",
    "handlerkit.handlers.response",
    "handlerkit.handlers.simple",
    "handlerkit.hooks",
    "handlerkit.hooks.markers",
    "handlerkit.pep3333",
    "handlerkit.plan",
    "handlerkit.records",
}

SHOW = """
import sys
before = set(sys.modules)
sys.path.insert(0, {root!r})
{statement}
print(repr(sorted(set(sys.modules) - before)).replace("'", '"'))
"""


def loaded(statement: str) -> set[str]:
    """Tell what a statement loads into an interpreter that has loaded nothing."""
    program = SHOW.format(root=str(ROOT), statement=statement)
    output = subprocess.check_output([sys.executable, "-I", "-S", "-c", program])
    return set(json.loads(output))


def test_a_handler_and_hookimpl_load_this_and_nothing_else() -> None:
    """Not pluggy, pydantic, tomli; not typing, inspect, re, json, email, http, …"""
    modules = loaded("from handlerkit import CGIHandler, hookimpl")

    assert modules - STANDARD == ALL_OF_A_HANDLER


@pytest.mark.parametrize(
    "module",
    [
        "handlerkit",
        "handlerkit.builtin.environ",
        "handlerkit.builtin.error_page",
        "handlerkit.builtin.proxy_headers",
        "handlerkit.builtin.request_id",
        "handlerkit.builtin.text_log",
        "handlerkit.builtin.trace_context",
        "handlerkit.gateways.cgi",
        "handlerkit.hooks.markers",
        "handlerkit.protocols",
        "handlerkit.reports",
    ],
)
def test_what_a_frozen_cgi_process_may_need_loads_nothing_dear(module: str) -> None:
    modules = loaded(f"import {module}")

    ours = {name for name in modules if name.split(".")[0] == "handlerkit"}
    assert modules - ours <= STANDARD
    assert not ours & {"handlerkit.cli", "handlerkit.config", "handlerkit.kit"}


def test_the_package_is_what_is_under_test() -> None:
    """Not a copy that was installed beside it."""
    import handlerkit

    assert Path(handlerkit.__file__).parent == ROOT / "handlerkit"
