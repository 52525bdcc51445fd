"""``handlerkit freeze``: what CGI processes take instead of looking again."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit.cli.telling import add_format, tell
from handlerkit.kit import drift, freezing
from handlerkit.kit.frozen import frozen_name

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; say what has changed since (exit code 1 if anything has)",
    )
    add_format(parser)


def freeze(options: Namespace) -> int:
    """Write the frozen file beside the configuration, or hold it against what is."""
    path = Path(options.config)
    if not options.check:
        with redirect_stdout(sys.stderr):  # what a plugin prints is not part of it
            file = freezing.freeze(path)
        print(file)
        return 0
    with redirect_stdout(sys.stderr):
        changes = drift.check(path)
    tell(changes, options.format)
    if not changes and options.format == "text":
        print(f"{path.with_name(frozen_name(path.name))}: fresh")
    return 1 if changes else 0
