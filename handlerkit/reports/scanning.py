"""Find values by the names that stand before them in any text.

``password=x``, ``"token": "x"``, ``X-Api-Key: x``, ``('cookie', 'x')``,
``--secret x``, ``<pwd>x</pwd>``, ``key%3Dx``, ``user[password]=x``: in messages, logs,
reprs, JSON inside of JSON, query strings. No parser would take all of these. A name
with a colon and no quotes takes the rest of its line. Linear in the text's length.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

# A whole word, then what stands between a name and its value.
NAME = (
    r"(?<![\w.\-])(?P<name>[\w.\-]++)"
    r"(?P<close>(?:\\{0,8}[\"'`]|\]){0,3})\s{0,8}"
    r"(?P<mark>=>|:=|={1,2}|:|,|>|%3[DdAa]|(?<=\s))\s{0,8}"
)

_OPEN = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'`"
_ENDS = " \t\r\n&;"
_AFTER = frozenset(",;)]}> \t\r\n")
_WHOLE_LINE = ("cookie", "authorization")

Span = tuple[str, int, int]


def values(
    text: str,
    pattern: re.Pattern[str],
    sensitive: Callable[[str], bool],
    *,
    code: bool = False,
) -> Iterator[Span]:
    """Give name, start and end of each value that a sensitive name stands before.

    With ``code``, only string literals are values.
    """
    at = 0
    while found := pattern.search(text, at):
        name, close, mark = found["name"], found["close"], found["mark"]
        at = found.end("name")
        if not _separates(name, close, mark) or not sensitive(name):
            continue
        start = found.end()
        if code:
            start = _literal(text, start)
        if start < 0:
            continue
        first, last, end = value_at(text, start, name, close, mark)
        if last > first:
            yield name, first, last
        at = max(at, end)


def _separates(name: str, close: str, mark: str) -> bool:
    if mark == ",":
        return close.endswith(tuple(_QUOTES))
    if mark == "":
        return name.startswith("--")
    return True


def _literal(text: str, at: int) -> int:
    """Give where a string literal starts, past an annotation; -1 if there is none."""
    end = min(len(text), at + 80)
    for index in range(at, end):
        char = text[index]
        if char in _QUOTES:
            return at if index - at <= 2 else index  # noqa: PLR2004 - a prefix, as rb
        if not (char.isalnum() or char in "_.[]|= "):
            return -1
    return -1


def value_at(
    text: str, start: int, name: str, close: str, mark: str
) -> tuple[int, int, int]:
    """Give start and end of the value at ``start``, and where to look on."""
    if mark == ">":
        return _until(text, start, "<")
    line = mark == ":" and not close
    quote = _quote_at(text, start)
    if quote >= 0 and not (line and name.lower().endswith(_WHOLE_LINE)):
        return _quoted(text, quote)
    if not line and text[start : start + 1] in _OPEN:
        end = balanced(text, start)
        return start, end, end
    if mark in (":", ","):
        return _until(text, start, "\n" if line else "\n,}])")
    return _run(text, start)


def _until(text: str, start: int, stops: str) -> tuple[int, int, int]:
    end = start
    if len(stops) == 1:
        end = text.find(stops, start)
        end = len(text) if end < 0 else end
    while end < len(text) and text[end] not in stops:
        end += 1
    return start, end, end


def _run(text: str, start: int) -> tuple[int, int, int]:
    end = start
    while end < len(text) and text[end] not in _ENDS:
        if text[end] in _QUOTES and (end + 1 == len(text) or text[end + 1] in _AFTER):
            break
        end += 1
    last = end
    while last > start and text[last - 1] in ",)}>":
        last -= 1
    return start, last, end


def _quote_at(text: str, start: int) -> int:
    """Give where the quote is that a value starts with; -1 where there is none."""
    at = start
    while at < start + 2 and text[at : at + 1].lower() in tuple("bruf"):
        at += 1
    while text[at : at + 1] == "\\":
        at += 1
    return at if text[at : at + 1] in tuple(_QUOTES) else -1


def _quoted(text: str, at: int) -> tuple[int, int, int]:
    """Give what stands between the quote at ``at`` and the one that closes it.

    A quote with backslashes before it is one of a string inside a string (in JSON, in
    a repr): what closes it has as many, and what it escapes itself has more.
    """
    quote, depth = text[at], _slashes(text, at, 0)
    if depth == 0 and text.startswith(quote * 3, at):
        end = text.find(quote * 3, at + 3)
        if end >= 0:
            return at + 3, end, end + 3
    begin = end = at + 1
    while True:
        end = text.find(quote, end)
        if end < 0:
            return begin, len(text), len(text)
        slashes = _slashes(text, end, begin)
        if slashes % (2 * depth + 2) == depth:
            return begin, end - depth, end + 1
        end += 1


def _slashes(text: str, at: int, begin: int) -> int:
    back = at
    while back > begin and text[back - 1] == "\\":
        back -= 1
    return at - back


def balanced(text: str, start: int) -> int:
    """Give the end of a bracketed value; the end of the text if it has none."""
    waiting: list[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if char in _OPEN:
            waiting.append(_OPEN[char])
        elif char in "\"'":
            at = _quoted(text, at)[2]
            continue
        elif waiting and char == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at + 1
        at += 1
    return len(text)
