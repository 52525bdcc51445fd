"""The commands, each a function of its options that gives an exit code."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.errors import ConfigError
from handlerkit.kit.assembly import load
from handlerkit.kit.describing import describe_plugins, review

if TYPE_CHECKING:
    from argparse import Namespace


def serve(options: Namespace) -> int:
    """Listen, and say what runs where."""
    # Each command imports what it runs: a CGI process does not pay for sockets.
    from handlerkit.kit.serving import serve as run

    return run(options.config, bind=options.bind, announce=_say)


def cgi(options: Namespace) -> int:
    """Serve the one request of this CGI process."""
    from handlerkit.kit.running import run_cgi

    return run_cgi(options.config)


def check(options: Namespace) -> int:
    """Print every mistake, and every warning."""
    if options.load:
        warnings = review(load(options.config))
    else:
        settings, faults = config.validate(config.read(options.config))
        if settings is None or faults:
            raise ConfigError(faults)
        warnings = config.check_entry(settings, "handler")[1]
    for warning in warnings:
        print(str(warning).replace("error[", "warning[", 1), file=sys.stderr)
    print(f"{options.config}: fine")
    return 0


def show(options: Namespace) -> int:
    """Print the configuration in force, as TOML, with where each value is from."""
    kit = load(options.config, app=_no_application)
    records = {each.name: each.settings for each in kit.plugins.loaded if each.settings}
    print(config.effective(kit.document, kit.config, records), end="")
    return 0


def plugins(options: Namespace) -> int:
    """List the plugins that a file names: state, origin, hooks in order."""
    rows = describe_plugins(load(options.config, app=_no_application))
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        origin = " ".join(
            part for part in (row["distribution"], row["version"]) if part
        )
        hooks = ", ".join(row["hooks"]) or "-"
        print(f"{row['name']:<20} {row['status']:<10} {origin:<32} {hooks}")
    return 0


def init(options: Namespace) -> int:  # noqa: ARG001 - as every command
    """Print a commented configuration, made from the models."""
    print(config.initial(), end="")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _no_application(*_: object) -> list[bytes]:
    """Stand for an application that a listing does not need."""
    return []
