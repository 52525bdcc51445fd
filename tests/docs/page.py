"""A page of documentation as a sequence of blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\S*)$")
_NAMED = re.compile(r"`([\w./-]+)`:$")
_COMMENT = re.compile(r"^<!-- ([a-z ]+?)(?:: (.+))? -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``name`` is the file it shows, where the line before says so.

    ``marks`` are the HTML comments right before it, ``<!-- mark: text -->``.
    """

    page: Path
    line: int
    language: str
    text: str
    name: str
    marks: dict[str, str]

    def __str__(self) -> str:
        where = "/".join(self.page.parts[-2:])
        return f"{where}:{self.line} ({self.name or self.language})"


def blocks(page: Path) -> list[Block]:
    """Give the blocks of a page, in order."""
    found: list[Block] = []
    name, marks = "", {}
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    for number, line in lines:
        fence = _FENCE.match(line)
        comment = _COMMENT.match(line)
        if fence:
            text = "".join(f"{each}\n" for _, each in iter_until_fence(lines))
            found.append(Block(page, number, fence[1], text, name, marks))
            name, marks = "", {}
        elif comment:
            marks = {**marks, comment[1]: comment[2] or ""}
        elif line:
            named = _NAMED.search(line)
            name, marks = (named[1] if named else ""), {}
    return found


def iter_until_fence(lines):
    for number, line in lines:
        if line == "```":
            return
        yield number, line
    raise ValueError("a block without an end")
