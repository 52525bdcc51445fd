"""``handlerkit redact``: what would leave, and which rule took what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handlerkit import config
from handlerkit.cli.arguments import content
from handlerkit.errors import ConfigError
from handlerkit.kit.reporting import redactor

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from handlerkit.reports.redaction import Taken


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", metavar="FILE", help="a text, or JSON; - for stdin")
    parser.add_argument(
        "--explain", action="store_true", help="say what went, and by which rule"
    )
    parser.add_argument(
        "--json", action="store_true", help="for a machine to read; explains, too"
    )


def redact(options: Namespace) -> int:
    """Print a file as it would leave the process."""
    document = config.read(options.config)
    settings, faults = config.validate(document)
    if settings is None or faults:
        raise ConfigError(faults)
    redaction = redactor(settings, document.secrets).begin()
    redaction.recording = True
    text = content(options.file).decode("utf-8", "backslashreplace")
    data = _parsed(text)
    if data is None:
        shown = redaction.text(text, limit=None)
    else:
        shown = json.dumps(redaction.data(data), indent=2, ensure_ascii=False) + "\n"
    if options.json:
        found = {"text": shown, "taken": [_row(each) for each in redaction.taken]}
        print(json.dumps(found, indent=2))
        return 0
    print(shown, end="" if shown.endswith("\n") else "\n")
    if options.explain:
        _explain(redaction.taken)
    return 0


def _parsed(text: str) -> Any:
    """Give the value of a JSON document; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _explain(taken: list[Taken]) -> None:
    print(f"--- taken out: {len(taken)}")
    rows = [_row(each) for each in taken]
    width = max((len(row["place"]) for row in rows), default=0)
    for row in rows:
        length = f"{row['length']} characters" if row["length"] else "a value"
        print(f"{row['place']:<{width}}  {length}: {', '.join(row['rules'])}")


def _row(taken: Taken) -> dict[str, Any]:
    return {
        "place": taken.place,
        "length": taken.length,
        "rules": list(taken.rules),
    }
