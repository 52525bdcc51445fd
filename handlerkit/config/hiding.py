"""What of a source line must not be shown: secrets that stand in the file itself.

A value is hidden whose model types it as secret, or whose key is one that `[redact]`
takes for sensitive, and none of handlerkit's own; so is, anywhere, what has the form
of a secret, and what came from outside as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from handlerkit.config.fields import fields
from handlerkit.config.model import TABLES, HookSettings
from handlerkit.reports.redaction import Redactor
from handlerkit.reports.rules import SHORTEST
from handlerkit.settings import MASK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Protocol

    from handlerkit.carets import Span, TomlPath
    from handlerkit.config.locator import Place

    class Source(Protocol):
        """The text of a file: `handlerkit.config.source_text.Source`."""

        text: str
        valid: bool
        secrets: set[str]
        concealed: set[TomlPath]

        def on_line(self, first: int) -> list[tuple[TomlPath, Place]]:
            """Give every key, item and table that has a part of a line."""


# handlerkit's own keys, none of them a secret, by table.
_OURS = {name: {key for key, _ in fields(table)} for name, table in TABLES.items()}
_OF_HOOKS = {key for key, _ in fields(HookSettings)}
_EMBEDDED = ("tool", "handlerkit")
# What a name like a secret's may stand for besides the secret itself.
_NO_SECRETS = (
    *("file", "path", "dir", "_name", "_header", "_prefix", "_field", "_url", "_id"),
    *("_sock", "_algorithm", "_timeout", "_type", "_format"),
)
# The keys of a line that may not be TOML, and the parts of a dotted one. What has
# matched is not tried in other ways: they are as many as 2 to the length of a word.
_ASSIGNED = re.compile(r"""(?<![\w\-])((?:[\w\-]++|"[^"]*"|'[^']*'|[ \t.])++)=[ \t]*""")
_PARTS = re.compile(r"[\w\-]+")
_VARIABLE = re.compile(r"\w+=")
_LEAST = 4  # characters: what is shorter is in too many words, and no secret


@cache
def _redactor() -> Redactor:
    return Redactor()


def is_secret(path: TomlPath) -> bool:
    """Say whether the value at a path, by the names of its keys, is a secret.

    What a reference names is none: it is the name of a variable, or a path.
    """
    if path[:2] == _EMBEDDED:
        path = path[2:]
    names = _others(path) if path else ()
    if path[-1:] in (("env",), ("file",)) and any(map(_is_sensitive, names[:-1])):
        return False
    return any(map(_is_sensitive, names))


def _others(path: TomlPath) -> TomlPath:
    """Give the part of a path that is not of handlerkit's own names."""
    table, *rest = path
    if table == "plugins":
        return tuple(rest[1:])
    if table == "hooks":
        return tuple(rest[2:] if rest[1:2] and rest[1] in _OF_HOOKS else rest[1:])
    ours = _OURS.get(str(table), ())
    return tuple(rest[1:]) if rest[:1] and rest[0] in ours else path


def _is_sensitive(name: str | int) -> bool:
    if not isinstance(name, str) or names_other(name):
        return False
    return _redactor().sensitive(name)


def names_other(name: str) -> bool:
    """Say whether a name only speaks of a secret: its file, its header."""
    return name.lower().replace("-", "_").endswith(_NO_SECRETS)


def secrets_in(source: Source, first: int, last: int) -> list[Span]:
    """Give the secrets of a line, by its start and its end."""
    found = list(_by_place(source, first, last))
    line = source.text[first:last]
    if not source.valid:  # where such a string ends is anybody's guess
        found += [
            (first + match.end(), last)
            for match in _ASSIGNED.finditer(line)
            if any(map(_is_sensitive, _PARTS.findall(match[1])))
        ]
    comment = _comment(source, first, last)
    for rule, start, end in _redactor().by_rule(line):
        inside = not source.valid or rule.startswith("pattern") or start >= comment
        if inside:
            found.append((first + start, first + end))
    defaults = [
        place.value
        for path, place in source.on_line(first)
        if path[-1] == "default" and place.value
    ]
    for secret in source.secrets:
        at = line.find(secret) if len(secret) >= _LEAST else -1
        while at >= 0:
            span = (first + at, first + at + len(secret))
            # A default stands in the file for everybody to see, if its name is none of
            # a secret; those have been found by it.
            if not any(start <= span[0] and span[1] <= end for start, end in defaults):
                found.append(span)
            at = line.find(secret, span[1] - first)
    return found


def _by_place(source: Source, first: int, last: int) -> Iterator[Span]:
    for path, place in source.on_line(first):
        if place.value is None or place.value[0] >= last or place.value[1] <= first:
            continue
        raw = source.text[slice(*place.value)]
        if raw[:1] in ("[", "{"):
            continue
        if is_typed(path, source.concealed) or is_secret(path):
            yield place.value
        elif raw[:1] in ("'", '"'):
            begin = place.value[0] + len(raw) - len(raw.lstrip("\"'"))
            for start, end in _forms(raw.strip("\"'")):
                yield begin + start, begin + end


def values_in(raw: Mapping[str, Any], concealed: Collection[TomlPath]) -> set[str]:
    """Give the texts in a file that are secrets, for what others say of them.

    ``raw`` is handlerkit's table, ``concealed`` the paths of what is typed as secret.
    """
    found: set[str] = set()
    for path, value in _texts(raw, ()):
        if is_typed(path, concealed) or is_secret(path):
            found.add(value)
        else:
            found |= {value[start:end] for start, end in _forms(value)}
    return {value for value in found if len(value) >= SHORTEST}


def holds_secret(value: object, path: TomlPath) -> bool:
    """Say whether a value is, or holds, a text that is a secret by name or form."""
    return any(
        is_secret(where) or any(_forms(text)) for where, text in _texts(value, path)
    )


def without_forms(text: str) -> str:
    """Give a text with ``***`` for what has the form of a secret: as in a URL."""
    for start, end in sorted(_forms(text), reverse=True):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return text


def _forms(text: str) -> Iterator[Span]:
    """Give what is secret by its form, or as the value in ``NAME=value``."""
    for rule, start, end in _redactor().by_rule(text):
        if rule.startswith("pattern") or _VARIABLE.fullmatch(text[:start]):
            yield start, end


def _texts(value: object, path: TomlPath) -> Iterator[tuple[TomlPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def is_typed(path: TomlPath, concealed: Collection[TomlPath]) -> bool:
    """Say whether a value is, or is in, one that a model types as secret."""
    return path[-1:] not in (("env",), ("file",)) and any(
        path[: len(each)] == each for each in concealed
    )


def _comment(source: Source, first: int, last: int) -> int:
    """Give where the comment of a line begins, counted from the line's start."""
    at = first
    for _, place in source.on_line(first):
        for span in (place.key, place.value, place.header):
            if span and first <= span[0] < last and source.text[span[0]] not in "[{":
                at = max(at, min(span[1], last))
    begin = source.text.find("#", at, last)
    return (last if begin < 0 else begin) - first
