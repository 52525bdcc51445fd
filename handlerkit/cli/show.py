"""``handlerkit show``: the configuration in force, and where each value is from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.cli.commands import load_quietly
from handlerkit.config.showing import effective, rows

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    parser.add_argument(
        "--bind", metavar="ADDRESS", help="show it as serve with this option has it"
    )


def show(options: Namespace) -> int:
    """Print every key with its value and its source, as TOML or JSON."""
    kit = load_quietly(options)
    models = {
        each.name: config.settings_model(kit.document, each.name, each.found.settings)
        for each in kit.plugins.loaded
        if each.found.settings is not None
    }
    given: dict[tuple[str | int, ...], tuple[str, str]] = {}
    if options.bind is not None:
        given["server", "bind"] = (config.address(options.bind), "--bind")
    if not options.json:
        print(effective(kit.document, kit.config, models, given), end="")
        return 0
    found = [
        {"path": list(row.path), "value": row.told, "source": row.source}
        for row in rows(kit.document, kit.config, models, given)
    ]
    print(json.dumps(found, indent=2, default=str))
    return 0
