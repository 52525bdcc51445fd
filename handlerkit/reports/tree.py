"""Make the model of an error from its exception: redacted, and bounded.

From `traceback.TracebackException`, which alone knows of everything: causes, contexts,
groups, notes, the columns of a failing expression.
"""

from __future__ import annotations

import sys
from time import monotonic

from handlerkit.reports.model import Error, Frame
from handlerkit.reports.showing import (
    SECONDS,
    TOO_LONG,
    class_name,
    in_time,
    plainly_said,
    said,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from traceback import FrameSummary, StackSummary
    from types import FrameType, TracebackType
    from typing import Any, TypeAlias

    from handlerkit.reports.redaction import Redaction

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
    Drawings: TypeAlias = dict[tuple[object, ...], list[str]]

_MOST_ERRORS = 100
_MOST_FRAMES = 100
_MOST_WALKED = 2000
_MOST_NOTES = 50
_MOST_LOCALS = 50
_MOST_DRAWINGS = 1000
_LOCAL = 80
_SAME = 3  # equal frames that are shown, as in CPython
_MOST_TEXT = 262_144  # characters of all messages and notes


class Builder:
    """Makes the model of one exception."""

    def __init__(
        self,
        redaction: Redaction,
        limit: int | None,
        drawings: Drawings,
        *,
        with_locals: bool = False,
    ) -> None:
        self._redaction = redaction
        self._drawings = drawings
        self._limit = limit
        self._most = _MOST_FRAMES if limit is None else max(abs(limit), _MOST_FRAMES)
        self._locals = with_locals
        self._room = _MOST_TEXT
        self._until = monotonic() + SECONDS

    def build(self, exc_info: ExcInfo) -> Error:
        """Make the model."""
        # Imported when it fails: traceback costs what a CGI process takes in all.
        from traceback import TracebackException

        exc = exc_info[1]
        linked = related(exc)
        limit = self._limit
        if limit is None and any(
            _longer(each.__traceback__, _MOST_WALKED) for each in linked
        ):
            limit = -_MOST_FRAMES

        def make() -> TracebackException:
            return TracebackException(*exc_info, limit=limit, compact=True)

        if len(linked) < _MOST_ERRORS:
            try:
                known = make() if self._can_be_asked(linked) else None
                if known is not None:
                    return self._converted(known, exc, exc_info[2])
            except BaseException:  # noqa: BLE001, S110 - e.g. __notes__ that raises
                pass
        return self._by_hand(linked[:_MOST_ERRORS], exc_info)

    def _can_be_asked(self, related: Sequence[BaseException]) -> bool:
        """Say whether each says what it is before its time is up."""
        for each in related:
            if not plainly_said(each) and self._said(each) == TOO_LONG:
                return False
            for kind in type(each).__mro__:
                if "__notes__" in vars(kind):
                    return False
        return True

    def _said(self, value: object) -> str:
        """Give what an object says, if there is time left to ask."""
        if type(value) is str:
            return value
        left = self._until - monotonic()
        if left <= 0:
            return TOO_LONG
        return in_time(lambda: said(value), left)

    def _converted(
        self, known: Any, exc: BaseException, tb: TracebackType | None
    ) -> Error:
        """Convert what the standard library knows, with the exception beside it."""
        error = Error(class_name(type(exc)), "")
        notes, known.__notes__ = known.__notes__, None
        if issubclass(type(exc), SyntaxError):
            *details, last = known.format_exception_only()
            error.details = tuple(map(self._source, details))
            error.message = self._text(last.removeprefix(f"{error.type}: ")[:-1])
        else:
            error.message = self._text(str(known))
        error.notes = self._notes(notes)
        error.frames = self._frames(known.stack, tb)
        cause, context, members = _linked(exc)
        if known.__cause__ is not None and cause is not None:
            error.cause = self._converted(known.__cause__, cause, cause.__traceback__)
        elif known.__context__ is not None and context is not None:
            error.context = self._converted(
                known.__context__, context, context.__traceback__
            )
        if known.exceptions is not None:
            pairs = zip(known.exceptions, members, strict=False)
            error.members = tuple(
                self._converted(each, member, member.__traceback__)
                for each, member in pairs
            )
        return error

    def _by_hand(self, related: Sequence[BaseException], exc_info: ExcInfo) -> Error:
        """Do without: of too many exceptions, or one that refuses to be looked at."""
        made = {id(each): self._alone(each) for each in related}
        top = exc_info[1]
        made[id(top)].frames = self._frames(self._extracted(exc_info[2]), exc_info[2])
        used = {id(top)}
        for each in related:
            error = made[id(each)]
            cause, context, members = _linked(each)
            if cause is not None and id(cause) in made and id(cause) not in used:
                used.add(id(cause))
                error.cause = made[id(cause)]
            elif (
                context is not None and id(context) in made and id(context) not in used
            ):
                used.add(id(context))
                error.context = made[id(context)]
            if members or issubclass(type(each), BaseExceptionGroup):
                fresh = [m for m in members if id(m) in made and id(m) not in used]
                used.update(map(id, fresh))
                error.members = tuple(made[id(member)] for member in fresh)
                error.missing = len(members) - len(fresh)
        return made[id(top)]

    def _alone(self, exc: BaseException) -> Error:
        message = said(exc) if plainly_said(exc) else self._said(exc)
        error = Error(class_name(type(exc)), self._text(message))
        # Where the class has a property of that name, it is not asked.
        error.notes = self._notes(vars(exc).get("__notes__"))
        tb = exc.__traceback__
        error.frames = self._frames(self._extracted(tb), tb)
        return error

    def _extracted(self, tb: TracebackType | None) -> StackSummary:
        from traceback import StackSummary, walk_tb

        limit = self._limit
        if limit is None and _longer(tb, _MOST_WALKED):
            limit = -_MOST_FRAMES
        return StackSummary.extract(walk_tb(tb), limit=limit)

    def _text(self, text: str) -> str:
        """Redact a text, as long as there is room for it."""
        if self._room <= 0:
            return "<left out: the report is too long>"
        text = self._redaction.text(encodable(text))
        self._room -= len(text)
        return text

    def _notes(self, notes: object) -> tuple[str, ...]:
        if notes is None:
            return ()
        if not issubclass(type(notes), (list, tuple)):
            return (self._text(f"<__notes__ is no list: {class_name(type(notes))}>"),)
        first = list(notes)[:_MOST_NOTES]  # type: ignore[call-overload]
        return tuple(self._text(self._said(note)) for note in first)

    def _source(self, line: str) -> str:
        return self._redaction.code(encodable(line.rstrip("\n")))

    def _frames(
        self, stack: StackSummary, tb: TracebackType | None
    ) -> tuple[Frame, ...]:
        if not stack:
            return ()
        frames: list[Frame] = []
        last: tuple[object, ...] = ()
        same = 0
        beside = self._beside(len(stack), tb)
        for summary, found in zip(stack, beside, strict=True):
            here = (summary.filename, summary.lineno, summary.name)
            same = same + 1 if here == last else 1
            last = here
            if same > _SAME:
                frames[-1].repeated += 1
                continue
            frames.append(self._frame(stack, summary, found))
        if len(frames) > self._most:
            half = self._most // 2
            skipped = len(frames) - self._most
            frames = frames[:half] + frames[len(frames) - half :]
            frames[half - 1].skipped = skipped
        return tuple(frames)

    def _beside(self, count: int, tb: TracebackType | None) -> list[FrameType | None]:
        """Give the frames of what was extracted, to tell modules and locals by."""
        found: list[FrameType | None] = [
            each.tb_frame for each in _walked(tb, sys.maxsize)
        ]
        limit = self._limit
        if limit is not None and limit >= 0:
            found = found[:limit]
        elif len(found) != count:
            found = found[len(found) - count :]
        return found if len(found) == count else [None] * count

    def _frame(
        self, stack: StackSummary, summary: FrameSummary, found: FrameType | None
    ) -> Frame:
        frame = Frame(encodable(summary.filename), summary.lineno, summary.name)
        lines = self._drawn(stack, summary)
        if lines:
            self._show(frame, lines)
        if found is not None:
            module = found.f_globals.get("__name__")
            frame.module = module if type(module) is str else ""
            if self._locals:
                frame.locals = self._shown_locals(found)
        return frame

    def _drawn(self, stack: StackSummary, summary: FrameSummary) -> list[str]:
        """Give source and carets; they are remembered, to draw them is slow."""
        head = f'  File "{summary.filename}", line {summary.lineno}, in {summary.name}'
        columns = summary.colno, summary.end_colno, summary.end_lineno
        key = head, summary.line, columns
        lines = self._drawings.get(key)
        if lines is None:
            # The one public door to the carets, which each Python draws better.
            told = stack.format_frame_summary(summary).rstrip("\n")
            if len(told) > len(head) and told.startswith(head):
                lines = [line[4:] for line in told[len(head) + 1 :].split("\n")]
            lines = lines or []
            if len(self._drawings) < _MOST_DRAWINGS:
                self._drawings[key] = lines
        return lines

    def _show(self, frame: Frame, lines: list[str]) -> None:
        shown = []
        whole = True
        for line in lines:
            if _is_carets(line):
                if whole:  # they would point beside what they mean
                    shown.append(line)
                    frame.carets = frame.carets or line
                continue
            source = self._source(line)
            whole = source == encodable(line)
            frame.source = frame.source or source
            shown.append(source)
        frame.shown = tuple(shown)

    def _shown_locals(self, frame: FrameType) -> dict[str, str]:
        """Give the locals, each short; no method of theirs is called."""
        from json import dumps

        shown = {}
        for name, value in list(frame.f_locals.items())[:_MOST_LOCALS]:
            data = self._redaction.data({name: _bounded(value)})
            text = dumps(next(iter(data.values())), ensure_ascii=False)
            shown[name] = text if len(text) <= _LOCAL else f"{text[: _LOCAL - 1]}…"
        return shown


def _bounded(value: object) -> object:
    """Cut what is large before it is looked at; strings stay whole to be redacted."""
    kind = type(value)
    if issubclass(kind, dict):
        return dict(list(dict.items(value))[:_LOCAL])  # type: ignore[arg-type]
    if issubclass(kind, (list, tuple)):
        base: Any = list if issubclass(kind, list) else tuple
        return base.__getitem__(value, slice(_LOCAL))
    return value


def encodable(text: str) -> str:
    """Escape what UTF-8 cannot carry, so that any log can be written to."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _is_carets(line: str) -> bool:
    marks = line.strip()
    return bool(marks) and not marks.strip("~^")


def _walked(tb: TracebackType | None, most: int) -> Iterator[TracebackType]:
    while tb is not None and most > 0:
        yield tb
        tb = tb.tb_next
        most -= 1


def _longer(tb: TracebackType | None, length: int) -> bool:
    return sum(1 for _ in _walked(tb, length + 1)) > length


def _linked(
    exc: BaseException,
) -> tuple[BaseException | None, BaseException | None, tuple[BaseException, ...]]:
    """Give cause, context and members, past whatever a class puts in their place."""
    members: tuple[BaseException, ...] = ()
    if issubclass(type(exc), BaseExceptionGroup):
        members = BaseExceptionGroup.exceptions.__get__(exc)
    cause = _CAUSE(exc)
    context = None if _IS_HIDDEN(exc) else _CONTEXT(exc)
    return cause, context, members


# Past whatever a class puts in their place, too.
_CAUSE, _CONTEXT, _IS_HIDDEN = (
    vars(BaseException)[name].__get__
    for name in ("__cause__", "__context__", "__suppress_context__")
)


def related(exc: BaseException) -> list[BaseException]:
    """Give an exception and all that hangs on it, each once, the nearest first."""
    found = [exc]
    seen = {id(exc)}
    for each in found:
        cause, context, members = _linked(each)
        for other in (cause, context, *members):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                found.append(other)
        if len(found) > _MOST_ERRORS:
            break
    return found
