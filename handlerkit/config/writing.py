"""Values as TOML 1.0 text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_ESCAPES = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}
_DELETE = 0x7F


def to_toml(table: Mapping[str, Any]) -> str:
    """Give a table as a TOML document.

    Raises:
        TypeError: it holds what TOML has no word for.
    """
    return "\n".join(_blocks(table, ()))


def _blocks(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Give the lines of a table, then those of each table in it."""
    inner = {key: item for key, item in table.items() if isinstance(item, Mapping)}
    plain = {key: item for key, item in table.items() if key not in inner}
    if plain or not inner:
        lines = [f"[{dotted(path)}]"] if path else []
        lines += [f"{key_text(k)} = {value_text(item)}" for k, item in plain.items()]
        yield "".join(f"{line}\n" for line in lines)
    for key, item in inner.items():
        yield from _blocks(item, (*path, key))


def dotted(path: Iterable[str | int]) -> str:
    """Give a path as TOML writes it: dots, and quotes where a key needs them."""
    return ".".join(key_text(str(part)) for part in path)


def subject_of(path: Sequence[str | int]) -> str:
    """Give the last name of a path, with the indices that follow it."""
    tail = ""
    for part in reversed(path):
        if isinstance(part, str):
            return f"{part or string_text(part)}{tail}"
        tail = f"[{part}]{tail}"
    return tail or "the configuration"


def key_text(key: str) -> str:
    """Give a key, bare where it may be."""
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare or (key and not key.strip("-_")) else string_text(key)


def value_text(value: Any) -> str:
    """Give a value on one line.

    Raises:
        TypeError: TOML has no word for it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{key_text(k)} = {value_text(item)}" for k, item in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    return _number_text(value)


def _number_text(value: Any) -> str:
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"TOML has no word for {type(value).__name__}")


def is_toml(value: object) -> bool:
    """Say whether TOML has a word for a value, and for all that it holds."""
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and is_toml(item) for k, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_toml, value))
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int | float | datetime | date | time)


def string_text(text: str) -> str:
    """Give a basic string: everything that is not printable escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character < " " or ord(character) == _DELETE:
        return f"\\u{ord(character):04x}"
    return character
