"""The configuration as JSON Schema (draft 2020-12), made from the models.

For editors, that complete and check a file while it is written. Tables are keyed by
name, so there is no ``oneOf`` and no ``discriminator``: of such alternatives an editor
has to guess which is meant. The schema refuses nothing that the models take; what it
has no words for (a plugin in ``order`` that is not there) it lets pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from handlerkit.config.model import TABLES, HookSettings, PluginEntry
from handlerkit.config.schema_table import REFERENCE, REFERENCES, table_schema
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "handlerkit.toml"

# An editor that makes a table writes these keys with it.
_FIRST_KEYS = {"app": ["target"]}
_UNUSUAL = re.compile(r"[^A-Za-z0-9.-]")


class PluginTable(NamedTuple):
    """A plugin, as the schema tells it: what it does, and its ``Settings`` if any."""

    description: str
    settings: type[BaseModel] | None


def json_schema(
    plugins: Mapping[str, PluginTable | None], *, lenient: bool = False
) -> dict[str, Any]:
    """Give the schema of the whole file.

    ``plugins`` are those that tables may be named after; of one that is None, nothing
    is known. A table of another name must have ``use``, unless ``lenient``.
    """
    defs: dict[str, Any] = {"reference": REFERENCES}
    tables = {
        name: table_schema(table, f"[{name}]", defs) for name, table in TABLES.items()
    }
    for name, keys in _FIRST_KEYS.items():
        tables[name]["x-taplo"] = {"initKeys": keys}
    tables["hooks"] = _hooks(defs)
    tables["plugins"] = _plugins(plugins, defs, lenient=lenient)
    return {
        "$schema": DIALECT,
        "title": TITLE,
        "description": "The configuration of handlerkit.",
        "x-tombi-toml-version": "v1.1.0",
        "x-tombi-table-keys-order": "schema",
        "type": "object",
        "properties": tables,
        "additionalProperties": False,
        "$defs": dict(sorted(defs.items())),
    }


def _hooks(defs: dict[str, Any]) -> dict[str, Any]:
    table = table_schema(HookSettings, "", defs)
    properties = {
        hook.name: {
            **table,
            "title": f"[hooks.{hook.name}]",
            "description": f"The plugins on the hook {hook.name} ({hook.kind}).",
        }
        for hook in HOOKS.values()
    }
    return {
        "title": "[hooks]",
        "description": "Per hook, who is called.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _plugins(
    plugins: Mapping[str, PluginTable | None],
    defs: dict[str, Any],
    *,
    lenient: bool,
) -> dict[str, Any]:
    """Give the table of plugins. Their order has a meaning: no order of keys here."""
    entry = table_schema(PluginEntry, "[plugins.<name>]", defs)
    known = {name: table for name, table in sorted(plugins.items()) if table}
    for name, table in known.items():
        defs[_place(name)] = _plugin(name, table, entry, defs)
    defs["plugin-by-use"] = {
        "anyOf": [
            *(_by_use(name) for name in known),
            _of_another_kind(entry, list(known)),
            _not_loaded(entry),
        ]
    }
    by_use = {"$ref": "#/$defs/plugin-by-use"}
    properties = dict.fromkeys(sorted(plugins), entry) | {
        name: {"anyOf": [_named(name), by_use]} for name in known
    }
    return {
        "title": "[plugins]",
        "description": "The plugins, in order.",
        "type": "object",
        "properties": properties,
        "additionalProperties": {"anyOf": [by_use, _unnamed(entry, lenient=lenient)]},
        "x-tombi-additional-key-label": "name",
    }


def _named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{_place(name)}"}


def _by_use(name: str) -> dict[str, Any]:
    # The last for Tombi, that takes what stands beside $ref for a table of its own.
    return {**_named(name), "required": ["use"], "additionalProperties": True}


def _place(name: str) -> str:
    """Give the name of a plugin's definition: safe in a JSON pointer in a URI."""
    return f"plugin-{_UNUSUAL.sub(lambda found: f'_{ord(found[0]):x}_', name)}"


def _plugin(
    name: str, table: PluginTable, entry: dict[str, Any], defs: dict[str, Any]
) -> dict[str, Any]:
    """Give the table of one plugin: what every plugin has, and its settings."""
    taken: dict[str, Any] = {**entry["properties"]}
    taken["use"] = {"const": name, "description": taken["use"]["description"]}
    own: dict[str, Any] = {"properties": {}, "additionalProperties": False}
    if table.settings is not None:
        own = table_schema(table.settings, "", defs, prefix=_place(name))
    needed = [key for key in own.get("required", ()) if key not in taken]
    schema = {
        **own,
        "title": f"[plugins.{name}]",
        "description": table.description.replace("``", "`"),
        "type": "object",
        "properties": {**own["properties"], **taken},
        "required": needed,
    }
    if not needed:
        del schema["required"]
    return schema


def _of_another_kind(entry: dict[str, Any], known: list[str]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "not": {"enum": known}}
    use = {"anyOf": [text, REFERENCE]}
    schema = _open(entry, {"use": use}, "A plugin of your own, or of this name.")
    return {**schema, "required": ["use"]}


def _not_loaded(entry: dict[str, Any]) -> dict[str, Any]:
    disabled = {"anyOf": [{"const": False}, REFERENCE]}
    schema = _open(entry, {"enabled": disabled}, "A plugin that is not loaded.")
    return {**schema, "required": ["enabled"]}


def _unnamed(entry: dict[str, Any], *, lenient: bool) -> dict[str, Any]:
    """Give the table of a plugin that is not in this environment, and need not be."""
    unnamed = {**entry, "not": {"required": ["use"]}}
    if lenient:
        return unnamed
    spared = {"anyOf": [{"const": False}, REFERENCE]}
    schema = _open(unnamed, {"required": spared}, "A plugin that may be missing.")
    return {**schema, "required": ["required"]}


def _open(
    entry: dict[str, Any], changed: dict[str, Any], description: str
) -> dict[str, Any]:
    properties = {
        key: {"description": value["description"], **changed[key]}
        if key in changed
        else value
        for key, value in entry["properties"].items()
    }
    return {**entry, "description": description, "properties": properties}
