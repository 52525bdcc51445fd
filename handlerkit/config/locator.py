"""Where in a TOML text each key and value is: for the carets of faults.

No library for TOML 1.1 tells places of values. This walks a text that tomli has read,
and is imported only where there is a fault to show. It checks nothing: of a text that
is not TOML it gives what it happens to see.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import tomli

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handlerkit.carets import Span, TomlPath

_BLANK = " \t"
_SPACE = " \t\r\n"
_AFTER_VALUE = f"{_SPACE},]}}#"
_AFTER_KEY = f"{_SPACE}.=]"
_DATE = len("1979-05-27")
_MOST_QUOTES = 2  # that a multi-line string may end with, before its delimiter


class Place(NamedTuple):
    """Where one thing is: its key, its value, and the header of a table.

    ``key`` is one part of a dotted key, quotes included; ``value`` is what stands
    after the equals sign, or an item of an array; ``header`` has its brackets.
    """

    key: Span | None = None
    value: Span | None = None
    header: Span | None = None


def locate(text: str) -> dict[TomlPath, Place]:
    """Give the place of every key, item and table of a document, by path."""
    return _walk(text).places


def by_line(
    text: str, places: Mapping[TomlPath, Place]
) -> dict[int, list[tuple[TomlPath, Place]]]:
    """Give what each line has a part of, by where the line begins."""
    starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")]
    found: dict[int, list[tuple[TomlPath, Place]]] = {start: [] for start in starts}
    for path, place in places.items():
        lines: set[int] = set()
        for start, end in filter(None, place):
            first = bisect_right(starts, start) - 1
            lines.update(range(first, bisect_right(starts, max(start, end - 1))))
        for line in lines:
            found[starts[line]].append((path, place))
    return found


def last_statement(text: str) -> tuple[TomlPath, Span]:
    """Give the path and the place of the pair or header that ends last.

    For a text up to where tomli stopped, which is right after what it did not take.
    """
    # Of a pair and the inline table that it is in, the pair ends first.
    return max(
        _walk(text).statements, key=lambda each: each[1][1], default=((), (0, 0))
    )


def find(places: Mapping[TomlPath, Place], path: TomlPath, on: str) -> Span | None:
    """Give the span that a fault at ``path`` is shown at; None: there is none.

    What is not there is shown at the table that lacks it. ``on`` is "key" or "value".
    """
    place = places.get(path)
    if place is not None:
        key = place.key or place.header
        value = place.value or place.header
        return key or value if on == "key" else value or key
    while path:
        path = path[:-1]
        place = places.get(path)
        if place is not None:
            return place.header or place.value or place.key
    return None


def _walk(text: str) -> _Walk:
    walk = _Walk(text)
    # Compiled, tomli goes deeper than Python may; and it may be no TOML.
    with suppress(RecursionError, tomli.TOMLDecodeError):
        walk.document()
    return walk


class _Walk:
    """One pass over a text; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[TomlPath, Place] = {}
        self.table: TomlPath = ()
        self.last: dict[TomlPath, int] = {}  # index of the last [[table]]
        self.statements: list[tuple[TomlPath, Span]] = []

    def document(self) -> None:
        self.skip(_SPACE)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                self.header()
            else:
                self.pair(self.table)
            self.skip(_SPACE)

    def skip(self, characters: str) -> None:
        """Step over space, and over comments where lines may end."""
        while self.at < len(self.text):
            if self.text[self.at] in characters:
                self.at += 1
            elif self.text[self.at] == "#" and "\n" in characters:
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def sees(self, what: str) -> bool:
        """Step over ``what``, if it is next."""
        found = self.text.startswith(what, self.at)
        if found:
            self.at += len(what)
        return found

    def note(
        self, path: TomlPath, key: Span | None = None, header: Span | None = None
    ) -> None:
        """Note where a key is first, or where a table has a header of its own."""
        before = self.places.get(path)
        if before is None or (header and not before.header):
            value = before.value if before else None
            self.places[path] = Place(key, value, header)

    def header(self) -> None:
        start = self.at
        brackets = "]]" if self.sees("[[") else "]"
        self.at = start + len(brackets)
        keys = list(self.keys())
        self.sees(brackets)
        span = (start, self.at)
        path: TomlPath = ()
        for name, key in keys[:-1]:
            path = (*path, name)
            self.note(path, key)
            if path in self.last:
                path = (*path, self.last[path])
        for name, key in keys[-1:]:
            path = (*path, name)
            if brackets == "]":
                self.note(path, key, span)
                continue
            self.note(path, key)
            self.last[path] = self.last.get(path, -1) + 1
            path = (*path, self.last[path])
            self.note(path, key, span)
        self.table = path
        self.statements.append((path, span))

    def pair(self, path: TomlPath) -> None:
        start = self.at
        for name, key in self.keys():
            path = (*path, name)
            self.note(path, key)
        self.sees("=")
        self.skip(_BLANK)
        self.value(path)
        self.statements.append((path, (start, self.at)))
        if self.at == start:  # no TOML
            self.at += 1

    def keys(self) -> Iterator[tuple[str, Span]]:
        """Give the parts of a dotted key, as tomli reads them."""
        more = True
        while more:
            self.skip(_BLANK)
            start = self.at
            if self.text[start : start + 1] in ("'", '"'):
                self.string()
                raw = self.text[start : self.at]
                name = tomli.loads(f"key = {raw}")["key"]
            else:
                self.until(_AFTER_KEY)
                name = self.text[start : self.at]
            yield name, (start, self.at)
            self.skip(_BLANK)
            more = self.sees(".")

    def until(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] not in characters:
            self.at += 1

    def value(self, path: TomlPath) -> None:
        start = self.at
        first = self.text[start : start + 1]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        elif first in ("'", '"'):
            self.string()
        else:
            self.bare()
        place = self.places.get(path, Place())
        self.places[path] = place._replace(value=(start, self.at))

    def bare(self) -> None:
        """Step over a number, a boolean, or a date, with or without a time."""
        start = self.at
        self.until(_AFTER_VALUE)
        after = self.text[self.at : self.at + 2]
        is_date = self.at - start == _DATE and self.text[start + 4] == "-"
        if is_date and after[:1] == " " and after[1:].isdigit():
            self.at += 1
            self.until(_AFTER_VALUE)

    def string(self) -> None:
        quote = self.text[self.at]
        escapes = quote == '"'
        end = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(end)
        while self.at < len(self.text) and not self.sees(end):
            self.at += 2 if escapes and self.text[self.at] == "\\" else 1
        self.at = min(self.at, len(self.text))
        if len(end) > 1:
            for _ in range(_MOST_QUOTES):
                self.sees(quote)

    def array(self, path: TomlPath) -> None:
        self.at += 1
        self.skip(_SPACE)
        index = 0
        while self.at < len(self.text) and not self.sees("]"):
            start = self.at
            self.value((*path, index))
            self.separator()
            index += 1
            if self.at == start:  # no TOML
                return

    def inline_table(self, path: TomlPath) -> None:
        self.at += 1
        self.skip(_SPACE)
        while self.at < len(self.text) and not self.sees("}"):
            self.pair(path)
            self.separator()

    def separator(self) -> None:
        self.skip(_SPACE)
        self.sees(",")
        self.skip(_SPACE)
