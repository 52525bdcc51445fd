"""What a reload cannot change: the tables that are read once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlerkit.config.fields import fields
from handlerkit.config.hiding import holds_secret
from handlerkit.config.writing import dotted, is_toml, value_text
from handlerkit.errors import Fault
from handlerkit.settings import MASK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from handlerkit.carets import TomlPath
    from handlerkit.config.model import Config
    from handlerkit.config.sources import Document
    from handlerkit.config.table import Table

_CODES = {"app": "HK522", "server": "HK523"}
_NOT_SET = "not set"


class Written:
    """What a configuration has in the tables that are read once; for any process.

    ``values`` by path, ``shown`` as they may be told.
    """

    def __init__(self, document: Document, config: Config) -> None:
        self.values = {
            path: value
            for name in _CODES
            for path, value in _values(getattr(config, name), name)
        }
        self.shown = {
            path: _shown(document, path, value) for path, value in self.values.items()
        }


def _values(table: Table, name: str) -> Iterator[tuple[TomlPath, Any]]:
    for key, _ in fields(type(table)):
        value = getattr(table, key)
        if isinstance(value, Mapping):
            yield from (((name, key, inner), value[inner]) for inner in value)
        else:
            yield (name, key), value


def _shown(document: Document, path: TomlPath, value: Any) -> str:
    """Give a value as a log may have it: where it is from, if from outside."""
    for at, source in document.references.items():
        if at[: len(path)] == path:
            return source
    if value is None:
        return _NOT_SET
    if holds_secret(value, path):
        return MASK
    return value_text(value) if is_toml(value) else str(value)


def restarts(
    before: Written, now: Written, *, but: Collection[TomlPath] = ()
) -> list[Fault]:
    """Give a warning for each key of ``[app]`` and ``[server]`` that has changed.

    Args:
        before: what the server started with.
        now: what is read now.
        but: paths of keys that something else decides, or of whole tables.
    """
    paths = dict.fromkeys((*before.values, *now.values))
    return [
        _change(path, before, now)
        for path in paths
        if before.values.get(path) != now.values.get(path)
        and path not in but
        and path[:1] not in but
    ]


def _change(path: TomlPath, before: Written, now: Written) -> Fault:
    was, is_ = before.shown.get(path, _NOT_SET), now.shown.get(path, _NOT_SET)
    change = f"from {was} to {is_}" if was != is_ else f"({was})"
    text = f"{dotted(path)} has changed {change}: that takes a restart"
    return Fault(_CODES[str(path[0])], text, path=path)
