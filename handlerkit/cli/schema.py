"""``handlerkit schema``: the file as JSON Schema, for editors."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit.errors import HandlerkitError
from handlerkit.kit.schemas import schema as make

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--output", metavar="FILE", help="write it there, not to standard output"
    )
    parser.add_argument(
        "--core",
        action="store_true",
        help="of handlerkit alone: plugins that are not built in may hold anything",
    )


def schema(options: Namespace) -> int:
    """Print the schema, or write it to a file."""
    with redirect_stdout(sys.stderr):  # what a plugin prints is no part of it
        found, warnings = make(core=options.core)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if options.output is None:
        print(text, end="")
        return 0
    try:
        Path(options.output).write_text(text, encoding="utf-8")
    except OSError as exc:
        said = exc.strerror or type(exc).__name__
        raise HandlerkitError(f"{options.output} cannot be written: {said}") from exc
    return 0
