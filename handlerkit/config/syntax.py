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
_BROKEN_STRING = (
    "Illegal character '\\n'",
    "Found invalid character '\\n'",
    'Expected "\'"',
)
_KINDS = {"[": "the array", "{": "the table", '"': "the string", "'": "the string"}
# A header, or a key, that an array is not closed before.
_NEXT = re.compile(r"""\s*(?:\[+[\w.\-"' ]+\]+\s*(?:#.*)?$|[\w.\-"']+\s*=)""")
_UNENDED = (
    *("Unclosed array", "Unclosed inline table", "Unterminated string"),
    "Expected \"'''\"",
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WORD = re.compile(r"[^\s,\]}#=]+")
_BOOLEANS = {"true": "true", "yes": "true", "on": "true"} | dict.fromkeys(
    ("false", "no", "off"), "false"
)
_LINE = 'a line is key = "value" or [table]'
_CONTROL = 'a control character is written as in "\\u0000"'
_HINTS = {
    "Unescaped": "in '…' a backslash is a backslash",
    "Invalid statement": _LINE,
    "Illegal character": _CONTROL,
    "Found invalid character": _CONTROL,
}
# Of word processors, and of Markdown.
_QUOTES = ("\u201c", "\u201d", "\u201e", "\xab", "\xbb", "\u2018", "\u2019", "`")
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
    at, said = _place(error, text)
    word = _WORD.match(text, at)
    end = word.end() if word else at + 1
    return Fault(
        "HK104",
        f"not TOML: {_said(said)}",
        file=file,
        hint=_hint(said, text, at, word[0] if word else ""),
        source=source,
        span=(at, end),
    )


def _place(error: tomli.TOMLDecodeError, text: str) -> tuple[int, str]:
    """Give where to show what tomli says, and what to say in its place."""
    at, said = error.pos, error.msg
    if said.startswith(_BROKEN_STRING):
        return _opening(text[:at]), "the string does not end in its line"
    if text[at : at + 1] == "\r":
        return at, said
    if said.startswith("Unescaped"):
        at = text.rfind("\\", 0, at)
    elif said.startswith("Expected newline") and text[at - 1 : at].isdigit():
        at = max(map(text[:at].rfind, " \t=[,")) + 1
    elif said.startswith((*_UNENDED, "Invalid value")):
        return _place_of_unended(text, at, said)
    elif at >= len(text) or text[at] == "\n":  # shown after what is there
        at = len(text[:at].rstrip())
    return at, said


def _place_of_unended(text: str, at: int, said: str) -> tuple[int, str]:
    """Tell what is not closed from what is not right in it."""
    if said == "Unclosed array" and not _starts_line(text, at):
        said = "a comma is missing, or a bracket"
    elif said.startswith(_UNENDED):
        at = _opening(text[:at])
        said = f"{_KINDS.get(text[at : at + 1], 'what is opened here')} is not closed"
    elif _starts_anew(text, at):
        at, said = _opening(_lines_before(text, at)), "the array is not closed"
    if at >= len(text) or text[at] == "\n":
        at = len(text[:at].rstrip())
    return at, said


def _said(message: str) -> str:
    message = message.replace("Found invalid", "Illegal")
    if message.startswith("Expected newline"):
        return "the line should end here"
    if message == "Invalid statement":
        return "this is no key, and no table"
    return f"{message[:1].lower()}{message[1:]}".replace("'", '"')


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _starts_anew(text: str, at: int) -> bool:
    """Say whether a value is missed where the next key or header begins."""
    before = _lines_before(text, at)
    line = text[len(before) :].partition("\n")[0]
    return bool(_NEXT.match(line)) and text[_opening(before) : len(before)][:1] == "["


def _lines_before(text: str, at: int) -> str:
    return text[: text.rfind("\n", 0, at) + 1]


def _twice(source: Source, error: tomli.TOMLDecodeError, file: str) -> Fault:
    """Show both places of what is there twice."""
    path, (start, end) = last_statement(source.text[: error.pos])
    before = locate(source.text[:start])
    source.places.update(before)  # where it is first
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


def _opening(text: str) -> int:
    """Give where what a text does not close begins: the innermost, or the end."""
    text = f"{text.rstrip()} " if text[-1:].isspace() else text
    spans = [place.value for place in locate(text).values() if place.value]
    starts = [
        start
        for start, end in spans
        if end >= len(text) and text[start : start + 1] in ("[", "{", '"', "'")
    ]
    return max(starts, default=len(text))


def _hint(message: str, text: str, at: int, word: str) -> str:
    """Say what may be meant, where that is likely."""
    if text[at : at + 1] == "\r":
        return "a line ends in LF, or in CR LF"
    if message == "Invalid value":
        return _hint_of_value(word)
    if message.startswith("Expected '='"):
        return "write = for the colon" if text[at : at + 1] == ":" else _LINE
    if message.startswith("Expected newline"):
        return _hint_of_rest(text[at - 1 : at], word)
    return next(
        (hint for start, hint in _HINTS.items() if message.startswith(start)), ""
    )


def _hint_of_rest(before: str, word: str) -> str:
    """Say what is wrong with what stands where a line should end."""
    if word[:1].isdigit():
        return "no zeros in front" if word.isdigit() else "strings are in quotes"
    if before == "]" and not word:
        return "one bracket too many"
    return "nothing stands after a value" if word.strip(";") == "" else ""


def _hint_of_value(word: str) -> str:
    plain = word.lower()
    if plain in _BOOLEANS:
        return f'write {_BOOLEANS[plain]}, or "{word}" for a string'
    if plain in _NOTHING:
        return f"there is no {word}, leave the key out"
    if word.startswith(_QUOTES):
        return 'quotes are straight: "…"'
    return "strings are in quotes" if word else "a value must follow"
