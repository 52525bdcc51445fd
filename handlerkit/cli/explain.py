"""`explain`: cause, example and mend of an error code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlerkit.cli.arguments import error_code
from handlerkit.config import CODES

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "code", nargs="?", type=error_code, metavar="CODE", help="as HK203, or 203"
    )
    parser.add_argument(
        "--list", action="store_true", help="every code, with its meaning in one line"
    )
    parser.add_argument("--json", action="store_true", help="for a machine to read")


def explain(options: Namespace) -> int:
    """Print what is known of a code, or of all codes."""
    if options.list or options.code is None:
        _print_all(as_json=options.json)
        return 0
    code = options.code
    from handlerkit.config import explanations

    if options.json:
        print(json.dumps(_facts(code), indent=2))
    else:
        print("\n".join([code, "", *explanations.explain(code)]))
    return 0


def _print_all(*, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_facts(code) for code in CODES], indent=2))
        return
    for code, meaning in CODES.items():
        print(f"{code}  {meaning}")


def _facts(code: str) -> dict[str, Any]:
    from handlerkit.config import explanations

    told = explanations.explanations()[code]
    return {
        "code": code,
        "meaning": CODES[code],
        "cause": told.cause,
        "mend": told.mend,
        "files": told.files,
        "commands": list(told.commands),
    }
