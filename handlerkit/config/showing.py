"""The configuration in force, as TOML, with where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlerkit.config.references import described, fields
from handlerkit.config.writing import dotted, is_toml, key_text, value_text
from handlerkit.settings import MASK, MASKED, Record, by_key

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handlerkit.config.model import Config
    from handlerkit.config.sources import Document, TomlPath


def effective(
    document: Document, config: Config, records: Mapping[str, Record] | None = None
) -> str:
    """Give every value as TOML, its origin as a comment, secrets as ``"***"``.

    ``records`` are the settings of the plugins as they were validated; without them
    there are only those that the file has.
    """
    sheet = _Sheet(document)
    for name in ("app", "handler", "server", "proxies", "redact", "freeze"):
        sheet.table(getattr(config, name), (name,))
    for hook, table in config.hooks.items():
        sheet.table(table, ("hooks", hook))
    for name, entry in config.plugins.items():
        path = ("plugins", name)
        sheet.table(entry, path)
        sheet.settings(entry.settings, (records or {}).get(name), path)
    title = document.file or "a configuration without a file"
    return "\n".join([f"# {title}", *sheet.lines, ""])


class _Sheet:
    """The lines written so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.lines: list[str] = []
        self._written = "file" if document.file else "given"

    def table(self, table: BaseModel, path: TomlPath) -> None:
        """Write a table of handlerkit's own, tables of engines after it."""
        inner: dict[str, Mapping[str, Any]] = {}
        self.lines += ["", f"[{dotted(path)}]"]
        for key, field in fields(type(table)):
            name = next(n for n, f in type(table).model_fields.items() if f is field)
            value = getattr(table, name)
            if isinstance(value, Mapping):
                inner[key] = value
            else:
                self._line((*path, key), value, "default")
        for key, values in inner.items():
            if values:
                self.lines += ["", f"[{dotted((*path, key))}]"]
            for name, value in values.items():
                self._line((*path, key, name), value, "default")

    def settings(
        self, given: Mapping[str, Any], record: Record | None, path: TomlPath
    ) -> None:
        """Write a plugin's own settings; what the file lacks is from the plugin."""
        values = {
            key: MASKED if described(value) else value for key, value in given.items()
        }
        if record is not None:
            values |= by_key(record)
        for key, value in values.items():
            self._line((*path, key), value, "plugin")

    def _line(self, path: TomlPath, value: Any, origin: str) -> None:
        origin = self._origin(path) or origin
        key = key_text(str(path[-1]))
        if value is None:
            self.lines.append(f"# {key}  # {origin}: not set")
        else:
            shown = value_text(self._shown(value, path))
            self.lines.append(f"{key} = {shown}  # {origin}")

    def _origin(self, path: TomlPath) -> str:
        """Give where a value is from, nothing if it is not in the file."""
        references = self.document.references
        sources = [references[at] for at in references if at[: len(path)] == path]
        node: Any = self.document.raw
        for part in path:
            if not isinstance(node, Mapping) or part not in node:
                return ""
            node = node[part]
        return ", ".join(dict.fromkeys(sources)) or described(node) or self._written

    def _shown(self, value: Any, path: TomlPath) -> Any:
        """Give a value as TOML can write it, what is secret masked."""
        if value is MASKED or path in self.document.references:
            return MASK
        if isinstance(value, Record):
            value = by_key(value)
        if isinstance(value, Mapping):
            shown = {str(k): self._shown(item, (*path, k)) for k, item in value.items()}
            return {key: item for key, item in shown.items() if item is not None}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._shown(item, (*path, at)) for at, item in enumerate(value)]
        return value if is_toml(value) or value is None else str(value)
