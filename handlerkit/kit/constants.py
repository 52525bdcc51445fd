"""Values as Python source: what a frozen file holds of settings.

Plain values are written as they are. A tuple that begins with ``...`` stands for what
has no literal: ``(..., "record", {…})``, ``(..., "reference", 0)``,
``(..., "call", "pathlib:Path", "/srv")``, ``(..., "object", "module:attribute")``.
`handlerkit.kit.thawing` makes values of it again.
"""

from __future__ import annotations

import math
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from handlerkit.errors import HandlerkitError
from handlerkit.settings import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handlerkit.carets import TomlPath

# By type: what makes it again, and of what.
_MAKERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    datetime: ("datetime:datetime.fromisoformat", datetime.isoformat),
    date: ("datetime:date.fromisoformat", date.isoformat),
    time: ("datetime:time.fromisoformat", time.isoformat),
    float: ("builtins:float", str),  # infinity, and what is no number
    Decimal: ("decimal:Decimal", str),
    UUID: ("uuid:UUID", str),
    IPv4Address: ("ipaddress:IPv4Address", str),
    IPv4Interface: ("ipaddress:IPv4Interface", str),
    IPv4Network: ("ipaddress:IPv4Network", str),
    IPv6Address: ("ipaddress:IPv6Address", str),
    IPv6Interface: ("ipaddress:IPv6Interface", str),
    IPv6Network: ("ipaddress:IPv6Network", str),
}
_WIDTH = 88


class NoConstant(HandlerkitError):
    """A value that cannot be written; ``path`` says which."""

    def __init__(self, path: TomlPath, value: object) -> None:
        self.path = path
        super().__init__(f"holds {type(value).__name__}, which is no constant")


class Encoder:
    """Encodes the settings of one plugin.

    ``references`` maps the paths that were taken from outside to their numbers;
    ``placed`` are those that were met.
    """

    def __init__(self, references: Mapping[TomlPath, int]) -> None:
        self._references = references
        self.placed: set[TomlPath] = set()

    def record(self, record: Record, path: TomlPath) -> dict[str, Any]:
        """Encode a record of settings; ``path`` is by the keys of the file.

        Raises:
            NoConstant: a value in it cannot be written.
        """
        keys = record._keys  # noqa: SLF001 - the other half of the class
        return {
            "values": {
                name: self.value(value, (*path, keys.get(name, name)))
                for name, value in record.__dict__.items()
            },
            "secrets": tuple(sorted(record._secrets | record._hushed)),  # noqa: SLF001 - likewise
            "keys": keys,
        }

    def value(self, value: Any, path: TomlPath) -> Any:
        """Encode one value.

        Raises:
            NoConstant: it cannot be written.
        """
        if path in self._references:
            self.placed.add(path)
            return (..., "reference", self._references[path])
        kind = type(value)
        if value is None or kind in (bool, int, str, bytes):
            return value
        if kind is float and math.isfinite(value):
            return value
        return self._nested(value, path)

    def _nested(self, value: Any, path: TomlPath) -> Any:
        kind = type(value)
        if kind is Record:
            return (..., "record", self.record(value, path))
        if kind is tuple:
            return tuple(self.value(v, (*path, at)) for at, v in enumerate(value))
        if kind is dict:
            return {
                self._key(key, path): self.value(v, (*path, key))
                for key, v in value.items()
            }
        return self._made(value, path)

    def _key(self, key: Any, path: TomlPath) -> Any:
        if type(key) in (str, int, bool, bytes) or key is None:
            return key
        raise NoConstant(path, key)

    def _made(self, value: Any, path: TomlPath) -> Any:
        """Encode what is made by a call, or is to be found in a module."""
        kind = type(value)
        if kind in (set, frozenset):
            items = sorted((self.value(v, (*path, "")) for v in value), key=repr)
            return (..., "call", f"builtins:{kind.__name__}", tuple(items))
        if kind is timedelta:
            parts = (value.days, value.seconds, value.microseconds)
            return (..., "call", "datetime:timedelta", *parts)
        if isinstance(value, PurePath):
            return (..., "call", f"pathlib:{kind.__name__}", str(value))
        if kind in _MAKERS:
            maker, told = _MAKERS[kind]
            return (..., "call", maker, told(value))
        return (..., "object", _reference(value, path))


def _reference(value: Any, path: TomlPath) -> str:
    """Give where a member of an enum, a class or a function is to be found."""
    if isinstance(value, Enum):
        kind = type(value)
        module, name = kind.__module__, f"{kind.__qualname__}.{value.name}"
    else:
        module = getattr(value, "__module__", "")
        name = getattr(value, "__qualname__", "")
    found: Any = sys.modules.get(str(module))
    for part in str(name).split("."):
        found = getattr(found, part, None)
    if found is not value or found is None:
        raise NoConstant(path, value)
    return f"{module}:{name}"


def source(value: Any, indent: str = "") -> str:
    """Write a value of constants, over several lines where it is long.

    Dicts keep their order, so that the same is always written the same.
    """
    line = _line(value)
    if (
        len(indent) + len(line) < _WIDTH
        or type(value) not in (dict, tuple)
        or not value
    ):
        return line
    inner = f"{indent}    "
    if type(value) is dict:
        items = [
            f"{inner}{_line(key)}: {source(v, inner)}," for key, v in value.items()
        ]
        return "\n".join(["{", *items, f"{indent}}}"])
    items = [f"{inner}{source(item, inner)}," for item in value]
    return "\n".join(["(", *items, f"{indent})"])


def _line(value: Any) -> str:
    if value is ...:
        return "..."
    if type(value) is dict:
        return (
            "{" + ", ".join(f"{_line(k)}: {_line(v)}" for k, v in value.items()) + "}"
        )
    if type(value) is tuple:
        comma = "," if len(value) == 1 else ""
        return "(" + ", ".join(map(_line, value)) + comma + ")"
    text = repr(value)
    if type(value) is str and text[0] == "'" and '"' not in value:
        return f'"{text[1:-1]}"'
    return text
