"""Faults as text: the place, what is wrong, the line, carets under what it is about.

Below the exceptions, which draw themselves with this; imported when one is shown.

A place is a line and a column, both from 1; columns count characters (code points), as
editors do. Carets are as wide as what is over them: two columns for a wide character,
none for a combining one; a tab stays a tab.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Protocol, TypeAlias, TypeVar

    TomlPath: TypeAlias = tuple[str | int, ...]
    Span: TypeAlias = tuple[int, int]
    # Gives a text as it is to look; the first argument says what it is.
    Paint: TypeAlias = Callable[[str, str], str]

    class Source(Protocol):
        """The text that faults are in, and what is where in it."""

        text: str  # its lines end in LF

        def span(self, path: TomlPath, on: str, *, exact: bool = False) -> Span | None:
            """Give the start and end of the key or value at a path.

            What is not there has the place of the table that lacks it; if ``exact``,
            none.
            """

        def hidden(self, starts: Iterable[int]) -> Sequence[Span]:
            """Give what must not be shown of the lines that these places are in."""

    class Fault(Protocol):
        """What is drawn: `handlerkit.errors.Fault`."""

        code: str
        message: str
        hint: str
        severity: str
        file: str
        path: TomlPath
        source: Source | None

        def found(self) -> Span | None:
            """Give the start and end of what is at fault."""

        def others(self) -> Iterator[tuple[Span, TomlPath, str]]:
            """Give span, path and label of other places."""

    _Fault = TypeVar("_Fault", bound=Fault)

MASK = "***"

_WIDEST = 160  # characters of a line that are shown
_BEFORE = 60  # so many of them before the carets
_UNPRINTABLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
_LAST = 1 << 62


class Where(NamedTuple):
    """Where a fault begins, and the place after its last character."""

    line: int
    column: int
    end_line: int
    end_column: int


class _Mark(NamedTuple):
    start: int
    end: int
    sign: str
    label: str


def where(fault: Fault) -> Where | None:
    """Give the place of a fault in its file; None: it has none."""
    span = fault.found()
    if span is None or fault.source is None:
        return None
    return whereabouts(fault.source.text, *span)


def whereabouts(text: str, start: int, end: int) -> Where:
    """Give the place of a stretch of text."""
    return Where(*_line_and_column(text, start), *_line_and_column(text, end))


def in_order(faults: Iterable[_Fault]) -> list[_Fault]:
    """Sort faults by their place; those without one come last, as they came."""
    nowhere = Where(_LAST, 0, 0, 0)
    return sorted(faults, key=lambda fault: where(fault) or nowhere)


def headline(fault: Fault, paint: Paint | None = None) -> str:
    """Give a fault in one line: ``file:line:column: error[CODE]: message: hint``."""
    paint = paint or _plain
    place = where(fault)
    if place:
        told = f"{fault.file}:{place.line}:{place.column}"
    else:
        path = ".".join(str(part) for part in fault.path)
        told = ": ".join(part for part in (fault.file, path) if part)
    said = fault.message.partition("\n")[0]
    if fault.hint:
        said = f"{said}: {fault.hint}"
    kind = paint(fault.severity, f"{fault.severity}[{fault.code}]")
    line = f"{kind}: {paint('message', printable(said))}"
    return f"{paint('place', printable(told))}: {line}" if told else line


def drawn(fault: Fault, paint: Paint | None = None) -> str:
    """Give a fault with the lines that it is about, and what else it has to say."""
    lines = [headline(fault, paint)]
    span = fault.found()
    if span is not None and fault.source is not None:
        marks = [_Mark(*span, "^", "")]
        marks += (_Mark(*other, "-", label) for other, _, label in fault.others())
        hidden = fault.source.hidden(mark.start for mark in marks)
        lines += _excerpt(fault.source.text, marks, hidden, paint or _plain)
    more = fault.message.partition("\n")[2]
    lines += map(printable, more.expandtabs().split("\n") if more else ())
    return "\n".join(lines)


def printable(text: str) -> str:
    """Give a text with escapes for what would not print as itself."""
    return "".join(map(_cell, text))


def _excerpt(
    text: str,
    marks: Sequence[_Mark],
    hidden: Sequence[Span],
    paint: Paint,
) -> Iterator[str]:
    """Give the lines of the marks, in order, each mark in a row of its own."""
    numbers = sorted({_line_and_column(text, mark.start)[0] for mark in marks})
    width = len(str(numbers[-1]))
    yield paint("gutter", f"{'':{width}} |")
    before = numbers[0]
    for number in numbers:
        if number > before + 1:
            yield paint("gutter", "...")
        before = number
        mine = [m for m in marks if _line_and_column(text, m.start)[0] == number]
        line, rows = _line(text, mine, hidden)
        yield f"{paint('gutter', f'{number:{width}} |')} {line}".rstrip()
        for mark, row in zip(mine, rows, strict=True):
            carets = row.lstrip(" \t")
            indent = row[: len(row) - len(carets)]
            kind = "caret" if mark.sign == "^" else "also"
            gutter = paint("gutter", f"{'':{width}} |")
            yield f"{gutter} {indent}{paint(kind, carets)}"


def _line(
    text: str, marks: Sequence[_Mark], hidden: Sequence[Span]
) -> tuple[str, list[str]]:
    """Give the line that marks begin in, and a row of carets for each."""
    first, last = _bounds(text, marks[0].start)
    length = last - first
    low = max(0, min(marks[0].start - first - _BEFORE, length - _WIDEST))
    high = min(low + _WIDEST, length)
    shown = text[first + low : first + high]
    cells = [_cell(char) if char != "\t" else char for char in shown]
    secret = {
        at
        for start, end in hidden
        for at in range(max(start - first, low - 1, 0), min(end - first, high))
    }
    for at in range(low, high):
        if at in secret:
            cells[at - low] = "" if at - 1 in secret else MASK
    head, tail = "…" * (low > 0), "…" * (high < length)
    rows = []
    for mark in marks:
        start = min(max(mark.start - first, low), high) - low
        end = min(max(mark.end - first - low, start), len(cells))
        indent = "".join(
            cell if cell == "\t" else " " * _width(cell) for cell in cells[:start]
        )
        carets = mark.sign * max(1, sum(map(_width, cells[start:end])))
        label = f" {mark.label}" if mark.label else ""
        rows.append(f"{' ' * len(head)}{indent}{carets}{label}")
    return f"{head}{''.join(cells)}{tail}", rows


def _bounds(text: str, at: int) -> tuple[int, int]:
    """Give the start and the end of the line that a character is in."""
    first = text.rfind("\n", 0, at) + 1
    last = text.find("\n", at)
    return first, len(text) if last < 0 else last


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _cell(char: str) -> str:
    """Give a character, or an escape for what does not print or moves the rest."""
    if char.isascii() and char.isprintable():
        return char
    if unicodedata.category(char) in _UNPRINTABLE:
        return char.encode("unicode_escape", "surrogatepass").decode()
    return char


def _width(cell: str) -> int:
    """Give the columns that a cell takes."""
    if cell.isascii():
        return len(cell)
    return sum(
        0
        if unicodedata.category(char) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in cell
    )


def _plain(kind: str, text: str) -> str:  # noqa: ARG001 - a Paint
    return text
