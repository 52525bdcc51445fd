"""What may have been meant: hints for values and keys that are not right."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

from handlerkit.config.grammar import closest
from handlerkit.config.writing import dotted, string_text, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlerkit.carets import TomlPath

_FROM_OUTSIDE = 'a value from outside is { env = "NAME" } or { file = "path" }'
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "0"), "false"),
}
# Keys that other programs have, and what is for them here.
_ELSEWHERE = {
    ("server", "address"): 'it is bind = "host:port"',
    ("server", "host"): 'it is bind = "host:port"',
    ("server", "listen"): 'it is bind = "host:port"',
    ("server", "port"): 'it is bind = "host:port"',
    ("server", "timeout"): "there are header_timeout, keep_alive_timeout, "
    "read_timeout, write_timeout and graceful_timeout",
    ("app", "module"): 'it is target = "module:attribute"',
    ("app", "callable"): 'it is target = "module:attribute"',
    ("app", "pythonpath"): "it is path = [...]",
}
_FEW = 4  # keys, that may all be named
_LONGEST = 60


def of_type(expected: str, value: object, path: TomlPath) -> str:
    """Say how a value of a wrong type is written right; ``expected`` as in messages."""
    if isinstance(value, Mapping):
        return "" if expected in ("an array", "a table") else _FROM_OUTSIDE
    if expected == "a table":
        return _of_table(value, path)
    written = _written(expected, value)
    # No number is a whole status; what is long is not for a hint.
    fits = written and len(written) <= _LONGEST and path[-1:] != ("error_status",)
    return f"write {written}" if fits else ""


def _written(expected: str, value: object) -> str:
    """Give a value as what it should be, where it can be."""
    if expected == "an array" and isinstance(value, str | int | float):
        return f"[{value_text(value)}]"
    if expected == "true or false":
        return _BOOLEANS.get(str(value).lower(), "")
    if expected == "a string" and type(value) in (int, float):
        return string_text(str(value))
    if expected in ("an integer", "a number"):
        return _number(value, whole=expected == "an integer")
    return ""


def _of_table(value: object, path: TomlPath) -> str:
    if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        return f"write [{dotted(path)}], in single brackets"
    if path in (("plugins",), ("hooks",)) or path[:-1] in (("plugins",), ("hooks",)):
        return f"each has a table of its own, [{path[0]}.NAME]"
    return ""


def _number(value: object, *, whole: bool) -> str:
    try:
        number = float(str(value))
    except ValueError:
        return ""
    if number.is_integer():
        return str(int(number))
    return "" if whole or not isfinite(number) else str(number)


def of_choice(value: object, choices: Sequence[str]) -> str:
    """Say which choice was probably meant."""
    if isinstance(value, str):
        return closest(value, choices)
    meant = str(value)
    return f'write "{meant}", in quotes' if meant in choices else ""


def of_key(table: Sequence[str | int], key: str, names: Sequence[str]) -> str:
    """Say which key of a table was probably meant, or all of them if they are few."""
    hint = closest(key, names) or _ELSEWHERE.get((str(table[0]), key), "")
    if not hint and 0 < len(names) <= _FEW and table[0] != "plugins":
        hint = f"it has {', '.join(names)}"
    return hint
