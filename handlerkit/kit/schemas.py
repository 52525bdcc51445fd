"""The JSON Schema of a file, with the plugins that are installed here."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit import config
from handlerkit.builtin import BUILTINS
from handlerkit.config.schema import TITLE, PluginTable, json_schema
from handlerkit.errors import Fault, PluginError
from handlerkit.hooks import loading

if TYPE_CHECKING:
    from handlerkit.config import Document

# Editors look for it in the comments above the first key.
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#.*)?\n)*?#:schema[ \t]+(.+?)[ \t]*(?:\n|\Z)")


def schema(*, core: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Give the schema, and a warning for each plugin that it cannot describe.

    With ``core``, of the built-in plugins only: tables of other names may hold
    anything.
    """
    tables: dict[str, PluginTable | None] = {}
    warnings: list[str] = []
    for name in BUILTINS if core else {*BUILTINS, *loading.installed()}:
        try:
            tables[name] = _table(name)
        except (PluginError, ValueError) as exc:
            tables[name] = None
            warnings.append(f"[plugins.{name}] may hold anything: {exc}")
    return json_schema(tables, lenient=core), sorted(warnings)


def _table(name: str) -> PluginTable:
    """Describe one plugin.

    Raises:
        PluginError: it cannot be imported.
        ValueError: its ``Settings`` cannot.
    """
    found = loading.find(name, base=Path(), builtins=BUILTINS)
    told = (inspect.getdoc(found.factory) or "").partition("\n\n")[0]
    reference = found.settings
    model = None if reference is None else config.model_of(reference)
    return PluginTable(" ".join(told.split()), model)


def check_named_schema(document: Document) -> list[Fault]:
    """Warn where the file names a schema of ours that is not of this environment.

    One that is not there is no mistake: editors alone need it.
    """
    named = _DIRECTIVE.match(document.text)
    if named is None or "://" in named[1]:
        return []
    try:
        found = json.loads((document.base / named[1]).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    ours = isinstance(found, dict) and found.get("title") == TITLE
    if not ours or found in (schema()[0], schema(core=True)[0]):
        return []
    text = f"{named[1]} is not the schema of this version, with these plugins"
    hint = f"run: handlerkit schema --output {named[1]}"
    return [Fault("HK701", text, hint=hint, span=named.span(1))]
