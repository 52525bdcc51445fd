"""What a reload cannot change: the tables that are read once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlerkit.config.references import fields
from handlerkit.config.writing import dotted, is_toml, value_text
from handlerkit.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from handlerkit.config.model import Config
    from handlerkit.config.sources import Document, TomlPath
    from handlerkit.config.table import Table

_CODES = {"app": "HK522", "server": "HK523"}


class Written:
    """A configuration, and the document that it is from."""

    def __init__(self, document: Document, config: Config) -> None:
        self.document = document
        self.config = config

    def table(self, name: str) -> dict[TomlPath, Any]:
        """Give the values of a table by their paths, through its inner tables."""
        table: Table = getattr(self.config, name)
        found: dict[TomlPath, Any] = {}
        for key, _ in fields(type(table)):
            value = getattr(table, key)
            if isinstance(value, Mapping):
                found |= {(name, key, inner): value[inner] for inner in value}
            else:
                found[name, key] = value
        return found

    def shown(self, path: TomlPath, value: Any) -> str:
        """Give a value as the file may show it: where it is from, if from outside."""
        for at, source in self.document.references.items():
            if at[: len(path)] == path:
                return source
        if value is None:
            return "not set"
        return value_text(value) if is_toml(value) else str(value)


def restarts(
    before: Written, now: Written, *, but: Collection[TomlPath] = ()
) -> list[Fault]:
    """Give a warning for each key of ``[app]`` and ``[server]`` that has changed.

    Args:
        before: what the server started with.
        now: what is read now.
        but: paths of keys that something else decides, or whole tables.
    """
    return [
        fault
        for table, code in _CODES.items()
        if (table,) not in but
        for fault in _changed(code, before, now, table)
        if fault.path not in but
    ]


def _changed(code: str, before: Written, now: Written, table: str) -> Iterator[Fault]:
    old, new = before.table(table), now.table(table)
    for path in dict.fromkeys((*old, *new)):
        was, is_ = old.get(path), new.get(path)
        if was == is_:
            continue
        said = before.shown(path, was), now.shown(path, is_)
        change = (
            f"from {said[0]} to {said[1]}" if said[0] != said[1] else f"({said[0]})"
        )
        text = f"{dotted(path)} has changed {change}: that takes a restart"
        yield Fault(code, text, path=path)
