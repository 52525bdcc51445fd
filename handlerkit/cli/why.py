"""``handlerkit why HOOK``: who is called, in which order, and why."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from handlerkit.cli.commands import load_quietly
from handlerkit.hooks.nearest import did_you_mean
from handlerkit.kit.explaining import why as explain
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("hook", type=_hook, metavar="HOOK", help="as log_exception")
    parser.add_argument(
        "--for",
        dest="entry",
        choices=("serve", "cgi", "wsgi"),
        default="handler",
        help="the way of running, which may decide the handler class",
    )
    parser.add_argument("--json", action="store_true", help="for a machine to read")


def why(options: Namespace) -> int:
    """Print the candidates of a hook, each with the reason of its place."""
    told = explain(load_quietly(options, options.entry), options.hook)
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(_lines(told)))
    return 0


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['hook']} ({told['kind']}): {told['means']}"
    if told["overridden_by"]:
        name = told["overridden_by"]
        yield f"nobody    {name} overrides it, and does not call super()"
    count = 0
    for row in told["called"]:
        count += not row["wrapper"]
        skip = told["kind"] == "enrich" and row["on_error"] == "skip"
        said = ', on_error = "skip"' if skip else ""
        yield _line("around" if row["wrapper"] else str(count), row) + said
    for row in told["not_called"]:
        yield _line("-", row)
    yield f"default   {told['default']}"


def _line(mark: str, row: dict[str, Any]) -> str:
    at = f" ({row['at']})" if row["at"] else ""
    return f"{mark:<9} {row['plugin']:<16} {row['reason']}{at}"


def _hook(text: str) -> str:
    if text not in HOOKS:
        hint = did_you_mean(text, HOOKS) or f"the hooks are {', '.join(HOOKS)}"
        raise ArgumentTypeError(f'no hook "{text}": {hint}')
    return text
