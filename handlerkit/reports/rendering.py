"""The model as text: as Python prints a traceback, with no value able to forge a line.

Control characters are escaped; the further lines of a message or note stand indented
behind a bar.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.reports.model import Error, Frame

CAUSE = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)

_WIDEST = 15  # members of a group that are shown, as in CPython
_DEEPEST = 10
_FURTHER = "  | "


def text_of(error: Error, *, frames: bool = True) -> str:
    """Give the traceback as text, ending in a newline; or only what it says."""
    return "\n".join([*_chain(error, _Margin(frames=frames)), ""])


def escaped(text: str) -> str:
    r"""Escape what a terminal or a log reader would act upon; one line stays one.

    Control characters become ``\xNN``, invisible and direction-changing ones
    ``\uNNNN``.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def lines_of(text: str) -> Iterator[str]:
    """Give the lines of a message: no line but the first starts where a line may."""
    first, *rest = text.split("\n")
    yield escaped(first)
    for line in rest:
        yield _FURTHER + escaped(line)


class _Margin:
    """How far in we are in groups of groups, drawn as CPython draws it."""

    def __init__(self, *, frames: bool) -> None:
        self.frames = frames
        self.depth = 0
        self.need_close = False

    def indent(self) -> str:
        return " " * (2 * self.depth)

    def put(self, line: str, bar: str = "|") -> str:
        return f"{self.indent()}{bar} {line}" if self.depth else line


def _chain(error: Error, margin: _Margin) -> Iterator[str]:
    linked: list[tuple[str, Error]] = []
    at: Error | None = error
    while at is not None:
        link = CAUSE[0] if at.cause is not None else CAUSE[1]
        linked.append((link, at))
        at = at.cause or at.context
    for index in range(len(linked) - 1, -1, -1):
        link, each = linked[index]
        if index < len(linked) - 1:
            yield from map(margin.put, ("", link, ""))
        if each.members is None:
            lines = _single(each, margin)
            yield from map(margin.put, lines) if margin.depth else lines
        elif margin.depth > _DEEPEST:
            yield margin.put(f"... (max_group_depth is {_DEEPEST})")
        else:
            yield from _group(each, each.members, margin)


def _single(error: Error, margin: _Margin) -> Iterator[str]:
    if error.frames and margin.frames:
        yield "Traceback (most recent call last):"
        yield from _stack(error)
    yield from _last(error)


def _group(error: Error, members: tuple[Error, ...], margin: _Margin) -> Iterator[str]:
    top = margin.depth == 0
    if top:
        margin.depth += 1
    if error.frames and margin.frames:
        title = "Exception Group Traceback (most recent call last):"
        yield margin.put(title, "+" if top else "|")
        yield from (margin.put(line) for line in _stack(error))
    yield from (margin.put(line) for line in _last(error))
    yield from _members(members, error.missing, margin)
    if top:
        margin.depth = 0


def _members(
    members: tuple[Error, ...], missing: int, margin: _Margin
) -> Iterator[str]:
    count = len(members) + missing
    shown = min(len(members), _WIDEST)
    boxes = shown + (count > shown)
    margin.need_close = False
    for index in range(boxes):
        last = index == boxes - 1
        if last:
            margin.need_close = True  # who is in it may close it
        title = str(index + 1) if index < shown else "..."
        corner = "+-" if index == 0 else "  "
        yield f"{margin.indent()}{corner}+---------------- {title} ----------------"
        margin.depth += 1
        if index < shown:
            yield from _chain(members[index], margin)
        else:
            rest = count - shown
            yield margin.put(f"and {rest} more exception{'s' if rest > 1 else ''}")
        if last and margin.need_close:
            yield f"{margin.indent()}+------------------------------------"
            margin.need_close = False
        margin.depth -= 1


def _stack(error: Error) -> Iterator[str]:
    for frame in error.frames:
        yield from _frame(frame)


def _frame(frame: Frame) -> Iterator[str]:
    where = f'  File "{frame.file}", line {frame.line}, in {frame.function}'
    yield escaped(where)
    for line in frame.shown:
        yield "    " + escaped(line)
    for name, value in sorted(frame.locals.items()):
        yield escaped(f"    {name} = {value}")
    if frame.repeated:
        times = "times" if frame.repeated > 1 else "time"
        yield f"  [Previous line repeated {frame.repeated} more {times}]"
    if frame.skipped:
        yield f"  [{frame.skipped} frames left out]"


def _last(error: Error) -> Iterator[str]:
    """Give type and message, and the notes."""
    for line in error.details:
        yield escaped(line)
    if error.message:
        yield from lines_of(f"{error.type}: {error.message}")
    else:
        yield escaped(error.type)
    for note in error.notes:
        yield from lines_of(note)
