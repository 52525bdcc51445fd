"""What of a source line must not be shown: secrets that stand in the file itself.

A value is hidden whose model types it as secret, or whose key is one that `[redact]`
takes for sensitive, in a plugin's or an engine's table or where no table is known;
so is, anywhere, what has the form of a secret, and what came from outside as one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import tomli

from handlerkit.reports.redaction import Redactor
from handlerkit.reports.rules import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.config.locator import Span
    from handlerkit.config.source_text import Source
    from handlerkit.config.sources import TomlPath

# Tables whose keys are handlerkit's own, none of them a secret.
_OURS = ("app", "freeze", "handler", "hooks", "proxies", "redact")
_EMBEDDED = ("tool", "handlerkit")
# What a name like a secret's may stand for besides the secret itself.
_NO_SECRETS = (
    *("file", "path", "dir", "_name", "_header", "_prefix", "_field", "_url", "_id"),
    *("_sock", "_algorithm", "_timeout", "_type", "_format"),
)
# The keys of a line that may not be TOML, and the parts of a dotted one. What has
# matched is not tried in other ways: they are as many as 2 to the length of a word.
_ASSIGNED = re.compile(
    r"""(?<![\w\-])((?:[\w\-]++|"[^"]*"|'[^']*'|[ \t.])++)=[ \t]*"""
)
_PARTS = re.compile(r"[\w\-]+")
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
    if path[:1] and path[0] in _OURS:
        return False
    names = path[2:] if path[0] in ("plugins", "server") else path
    if path[-1] in ("env", "file") and any(map(_is_sensitive, names[:-1])):
        return False
    return any(map(_is_sensitive, names))


def _is_sensitive(name: str | int) -> bool:
    if not isinstance(name, str) or names_other(name):
        return False
    return _redactor().sensitive(name)


def names_other(name: str) -> bool:
    """Say whether a name only speaks of a secret: its file, its header."""
    return name.lower().replace("-", "_").endswith(_NO_SECRETS)


def secrets_in(source: Source, first: int, last: int) -> list[Span]:
    """Give the secrets between two places of a text, a line of it."""
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
    harmless = [place for path, place in source.places.items() if path[-1] == "default"]
    defaults = [place.value for place in harmless if place.value]
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
    for path, place in source.places.items():
        if place.value is None or place.value[0] >= last or place.value[1] <= first:
            continue
        holds_more = source.text[place.value[0] : place.value[0] + 1] in ("[", "{")
        if not holds_more and (_is_concealed(source, path) or is_secret(path)):
            yield place.value


def values_in(source: Source) -> set[str]:
    """Give the strings of a text that are secrets, for what others say of them."""
    found = set()
    for path, place in source.places.items():
        if place.value is None or not (_is_concealed(source, path) or is_secret(path)):
            continue
        raw = source.text[slice(*place.value)]
        if raw[:1] in ("'", '"'):
            found.add(str(tomli.loads(f"it = {raw}")["it"]))
    return {value for value in found if len(value) >= SHORTEST}


def _is_concealed(source: Source, path: TomlPath) -> bool:
    """Say whether a value is, or is in, one that a model types as secret."""
    return path[-1] not in ("env", "file") and any(
        path[: len(each)] == each for each in source.concealed
    )


def _comment(source: Source, first: int, last: int) -> int:
    """Give where the comment of a line begins, counted from the line's start."""
    at = first
    for place in source.places.values():
        for span in (place.key, place.value, place.header):
            if span and first <= span[0] < last and source.text[span[0]] not in "[{":
                at = max(at, min(span[1], last))
    begin = source.text.find("#", at, last)
    return (last if begin < 0 else begin) - first
