"""Faults of files that are not TOML, or not UTF-8: where, and what may be meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handlerkit.config.locator import last_statement, locate
from handlerkit.config.source_text import Source
from handlerkit.config.writing import dotted
from handlerkit.errors import Fault

if TYPE_CHECKING:
    import tomli


# How tomli begins to say that something is there already.
_TWICE = (
    *("Cannot declare", "Cannot overwrite", "Cannot redefine", "Cannot mutate"),
    "Duplicate inline table key",
)
_UNENDED = ("Unclosed array", "Unclosed inline table", "Unterminated string")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WORD = re.compile(r"[^\s,\]}#=]+")
_BOOLEANS = {"true": "true", "yes": "true", "on": "true"} | dict.fromkeys(
    ("false", "no", "off"), "false"
)
_NOTHING = ("none", "null", "nil", "undefined")


def not_utf8(data: bytes, file: str) -> Fault:
    """Make the fault of a file that is not UTF-8."""
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    text = data.decode("utf-8", "replace")
    at = text.index("\ufffd")
    while data.startswith(text[: at + 1].encode()):  # one that is really there
        at = text.index("\ufffd", at + 1)
    byte = data[len(text[:at].encode())]
    utf16 = data[:2] in _UTF16
    return Fault(
        "HK103",
        f"not UTF-8: byte 0x{byte:02x}",
        file=file,
        hint="it is UTF-16, save it as UTF-8" if utf16 else "save it as UTF-8",
        source=Source(text, set(), valid=False),
        span=(at, at + 1),
    )


def not_toml(error: tomli.TOMLDecodeError, text: str, file: str) -> Fault:
    """Make the fault of a text that tomli does not take."""
    source = Source(text, set(), valid=False)
    if error.msg.startswith(_TWICE):
        return _twice(source, error, file)
    at = error.pos
    if error.msg.startswith(_UNENDED):
        at = _opening(source)
    elif at >= len(text) or text[at] == "\n":  # shown at the end of what is there
        at = max(len(text[:at].rstrip()) - 1, 0)
    word = _WORD.match(text, at)
    end = word.end() if word else at + 1
    return Fault(
        "HK104",
        f"not TOML: {_said(error.msg)}",
        file=file,
        hint=_hint(error.msg, text, at, word[0] if word else ""),
        source=source,
        span=(at, end),
    )


def _said(message: str) -> str:
    if message.startswith("Illegal character '\\n'"):
        return "the string does not end in its line"
    return f"{message[:1].lower()}{message[1:]}".replace("'", '"')


def _twice(source: Source, error: tomli.TOMLDecodeError, file: str) -> Fault:
    """Show both places of what is there twice."""
    path, (start, end) = last_statement(source.text[: error.pos])
    before = locate(source.text[:start])
    while path and path not in before:
        path = path[:-1]
    is_table = source.text[start] == "["
    if is_table:
        end = source.text.find("]", start) + 1 or end
    else:
        end = start + len(source.text[start:end].partition("=")[0].rstrip())
    place = before.get(path)
    name = dotted(path)
    what = f"[{name}]" if place and place.header and is_table else f'"{name}"'
    return Fault(
        "HK104",
        f"not TOML: {what} is there twice",
        file=file,
        hint="one table has all its keys" if what.startswith("[") else "",
        source=source,
        span=(start, end),
        also=[(path, "value" if what.startswith("[") else "key", "first here")],
    )


def _opening(source: Source) -> int:
    """Give where what is not ended begins: the innermost."""
    spans = [place.value for place in source.places.values() if place.value]
    starts = [
        start
        for start, end in spans
        if end >= len(source.text.rstrip()) and source.text[start] in "[{\"'"
    ]
    return max(starts, default=max(len(source.text.rstrip()) - 1, 0))


def _hint(message: str, text: str, at: int, word: str) -> str:
    """Say what may be meant, where that is likely."""
    if message == "Invalid value":
        return _hint_of_value(word)
    if message.startswith("Unescaped"):
        return "in '…' a backslash is a backslash"
    if message.startswith("Expected '='"):
        return 'write: key = "value"' if text[at : at + 1] != ":" else "not a colon"
    if message.startswith("Expected newline") and _is_number_like(text, at):
        return "strings are in quotes"
    return ""


def _hint_of_value(word: str) -> str:
    plain = word.lower()
    if plain in _BOOLEANS:
        return f'write {_BOOLEANS[plain]}, or "{word}" for a string'
    if plain in _NOTHING:
        return "leave the key out"
    return "strings are in quotes" if word else "a value must follow"


def _is_number_like(text: str, at: int) -> bool:
    """Say whether a value that began as a number goes on as something else."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before[-1:].isdigit() and text[at : at + 1] not in " \t"
