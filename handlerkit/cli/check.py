"""`check`: every mistake of a file, at three levels, and what is dangerous in it."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from handlerkit.cli.arguments import error_code
from handlerkit.cli.telling import add_format, tell
from handlerkit.kit.checking import check as find

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--load", action="store_true", help="import the application and plugins too"
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="load, and let plugins check their own means: servers, directories",
    )
    parser.add_argument(
        "--for",
        dest="entry",
        choices=("serve", "cgi", "wsgi"),
        help="the way of running (without it, what serve refuses is a warning)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="end with 1 if there is a warning"
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        type=error_code,
        metavar="CODE",
        help="say nothing of warnings with this code; as often as needed",
    )
    add_format(parser)


def check(options: Namespace) -> int:
    """Print every mistake, every warning, and what the plugins say of their means."""
    with redirect_stdout(sys.stderr):  # what is imported may print
        found = find(
            options.config,
            entry=options.entry,
            loading=options.load,
            probing=options.probe,
        )
    warnings = [each for each in found.warnings if each.code not in options.allow]
    tell([*warnings, *found.failed], options.format)
    for name in found.sound if options.format == "text" else ():
        print(f"{options.config}: {name}: its means are in order")
    if found.failed or (warnings and options.strict):
        return 1
    if options.format == "text":
        print(f"{options.config}: fine")
    return 0
