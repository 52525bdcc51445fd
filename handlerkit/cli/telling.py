"""Print faults: as text with carets, as JSON, or as annotations of GitHub Actions."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from handlerkit.carets import drawn, in_order, where, whereabouts
from handlerkit.errors import summary

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, TextIO

    from handlerkit.errors import Fault

FORMATS = ("text", "json", "github")
_RESET = "\x1b[0m"
_COLOURS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "message": "\x1b[1m",
    "gutter": "\x1b[34m",
    "caret": "\x1b[1;31m",
    "also": "\x1b[1;34m",
}


def add_format(parser: ArgumentParser) -> None:
    """Declare ``--format``."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="text with carets; json and github (annotations) go to stdout",
    )


def tell(faults: Sequence[Fault], form: str = "text") -> None:
    """Print faults in the order of their places: text to stderr, else to stdout."""
    faults = in_order(faults)
    if form == "json":
        print(json.dumps([facts(fault) for fault in faults], indent=2))
    elif form == "github":
        for fault in faults:
            print(annotation(fault))
    elif sys.stderr is not None:
        colours = wants_colour(sys.stderr)
        for fault in faults:
            print(drawn(fault, _paint if colours else None), file=sys.stderr)
        errors = [fault for fault in faults if fault.severity == "error"]
        if errors:
            print(summary(errors), file=sys.stderr)


def facts(fault: Fault) -> dict[str, Any]:
    """Give what is known of a fault, for a machine.

    Lines and columns are from 1, columns count characters, ``end_column`` is right
    after the last; all four are null where a fault has no place in a file.
    """
    return {
        "file": fault.file,
        **_place(fault, fault.found()),
        "code": fault.code,
        "severity": fault.severity,
        "message": fault.message,
        "hint": fault.hint,
        "path": list(fault.path),
        "also": [
            {**_place(fault, span), "label": label, "path": list(path)}
            for span, path, label in fault.others()
        ],
    }


def _place(fault: Fault, span: tuple[int, int] | None) -> dict[str, int | None]:
    names = ("line", "column", "end_line", "end_column")
    if span is None or fault.source is None:
        return dict.fromkeys(names)
    return dict(zip(names, whereabouts(fault.source.text, *span), strict=True))


def annotation(fault: Fault) -> str:
    """Give a fault as a workflow command of GitHub Actions."""
    place = where(fault)
    properties = {"file": fault.file}
    if place:
        properties |= {
            "line": str(place.line),
            "endLine": str(place.end_line),
            "col": str(place.column),
        }
        if place.line == place.end_line:  # across lines GitHub takes no columns
            properties["endColumn"] = str(place.end_column)
    properties["title"] = fault.code
    said = f"{fault.message}: {fault.hint}" if fault.hint else fault.message
    told = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{fault.severity} {told}::{_data(said)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def wants_colour(stream: TextIO) -> bool:
    """Say whether to colour what goes to a stream (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def _paint(kind: str, text: str) -> str:
    colour = _COLOURS.get(kind)
    return f"{colour}{text}{_RESET}" if colour and text else text
