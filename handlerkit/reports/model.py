"""The model of an error: an exception with all that belongs to it, as plain data.

All renderers show this. It holds no exception, no traceback and no frame, and what it
holds is redacted; `handlerkit.reports.tree` makes it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Frame:
    """One call on the way to the error.

    ``source`` is its line, ``carets`` what marks the failing part of it; ``shown``
    are the lines to print, which are more where the expression has several.
    ``repeated`` equal frames follow that are left out, and ``skipped`` others.
    """

    __slots__ = (
        *("carets", "file", "function", "line", "locals", "module"),
        *("repeated", "shown", "skipped", "source"),
    )

    def __init__(self, file: str, line: int | None, function: str) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.module = ""
        self.source = ""
        self.carets = ""
        self.shown: tuple[str, ...] = ()
        self.locals: dict[str, str] = {}
        self.repeated = 0
        self.skipped = 0

    def to_dict(self) -> dict[str, Any]:
        """Give what is not empty."""
        names = ("file", "line", "function", "module", "source", "carets", "locals")
        found = {name: getattr(self, name) for name in names}
        found |= {"repeated": self.repeated, "skipped": self.skipped}
        return {name: value for name, value in found.items() if value}


class Error:
    """One exception; ``cause``, ``context`` and ``members`` (of a group) are others.

    ``details`` are the lines that a SyntaxError has before its message, ``missing``
    how many members are left out. The context is None where the cause hides it.
    """

    __slots__ = (
        *("cause", "context", "details", "frames", "members", "message", "missing"),
        *("notes", "type"),
    )

    def __init__(self, kind: str, message: str) -> None:
        self.type = kind
        self.message = message
        self.notes: tuple[str, ...] = ()
        self.details: tuple[str, ...] = ()
        self.frames: tuple[Frame, ...] = ()
        self.cause: Error | None = None
        self.context: Error | None = None
        self.members: tuple[Error, ...] | None = None
        self.missing = 0

    def to_dict(self) -> dict[str, Any]:
        """Give it as values that JSON has; what is empty is left out."""
        found: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.notes:
            found["notes"] = list(self.notes)
        if self.details:
            found["details"] = list(self.details)
        found["frames"] = [frame.to_dict() for frame in self.frames]
        for name, error in (("cause", self.cause), ("context", self.context)):
            if error is not None:
                found[name] = error.to_dict()
        if self.members is not None:
            found["exceptions"] = [member.to_dict() for member in self.members]
            if self.missing:
                found["exceptions_left_out"] = self.missing
        return found
