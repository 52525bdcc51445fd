"""What a FastCGI front sends first in each request, read at once instead of in pairs.

A front begins with the variables of its configuration: the same names in the same
order, and most of them with the same values, whatever the client sends.
"""

from __future__ import annotations

import re
from struct import Struct

from handlerkit.protocols.fastcgi_records import (
    BEGIN_BODY,
    BEGIN_REQUEST,
    KEEP_CONN,
    PARAMS,
    RESPONDER,
    STDIN,
    header,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How fronts begin a request, up to the lengths of the first PARAMS, and whether they
# keep the connection; then the ends of PARAMS and of an empty STDIN. All number it 1.
BEGINNINGS = {
    header(BEGIN_REQUEST, 1, BEGIN_BODY.size)
    + BEGIN_BODY.pack(RESPONDER, keep)
    + header(PARAMS, 1, 0)[:4]: bool(keep)
    for keep in (0, KEEP_CONN)
}
LENGTHS = Struct("!20xHBx")  # of the content and the padding, after the beginning
PARAMS_END = header(PARAMS, 1, 0)
ENDS = PARAMS_END + header(STDIN, 1, 0)

_LESSONS = 200  # requests, at the most, that are learnt from
_FEWEST = 4  # variables that are worth it
_MOST = 64
_SHORT = 127  # bytes of a value whose length is one byte
# What may be the same twice without being the same always.
_OF_THE_REQUEST = frozenset(
    (
        *("QUERY_STRING", "REQUEST_METHOD", "REQUEST_URI", "DOCUMENT_URI"),
        *("CONTENT_TYPE", "CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED"),
        *("SCRIPT_FILENAME", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_USER"),
    )
)


class Opening:
    """The parameters that every request of a front begins with, up to its HTTP_ ones.

    They are `learn`-ed from requests that were read without; `match` finds them. One
    for all connections, from any thread.
    """

    __slots__ = ("_before", "_known", "_left")

    def __init__(self) -> None:
        self._left = _LESSONS
        self._before: tuple[tuple[str, ...], dict[str, str]] = (), {}
        # A pattern, what it stands for, and the names of what it captures.
        self._known: tuple[Any, dict[str, str], tuple[str, ...]] | None = None

    def match(self, text: str) -> tuple[dict[str, str], int]:
        """Give the parameters that ``text`` begins with, and where the others do.

        None, at 0, where it does not begin as it did before. The lengths of what was
        captured are compared with those in the text: so this is what reading pair by
        pair comes to, and no guess.
        """
        if self._known is not None:
            pattern, same, names = self._known
            found = pattern.match(text)
            if found is not None:
                groups = found.groups()
                values = groups[1::2]
                if "".join(groups[::2]).encode("latin-1") == bytes(map(len, values)):
                    environ = same.copy()
                    environ.update(zip(names, values))  # noqa: B905 - as many as captured
                    return environ, found.end()
        return {}, 0

    def learn(self, environ: dict[str, str]) -> None:
        """Look at parameters that `match` did not find; no name was repeated."""
        if not self._left:
            return
        self._left -= 1
        names: list[str] = []
        for name in environ:
            if name.startswith("HTTP_") or len(names) == _MOST:
                break
            names.append(name)
        opening = tuple(names)
        before, same = self._before
        if opening != before:
            self._before = (
                opening,
                {
                    name: environ[name]
                    for name in opening
                    if name not in _OF_THE_REQUEST and len(environ[name]) <= _SHORT
                },
            )
            return
        still = {name: value for name, value in same.items() if environ[name] == value}
        self._before = opening, still
        if len(still) >= _FEWEST and (self._known is None or self._known[1] != still):
            self._known = _compile(opening, still)


def _compile(
    names: tuple[str, ...], same: dict[str, str]
) -> tuple[Any, dict[str, str], tuple[str, ...]]:
    """Give what matches these names, up to the last one that has the same value.

    A value is taken to go on until the length of the next name: if it holds that
    byte itself, nothing is found.
    """
    while names[-1] not in same:
        names = names[:-1]
    parts = []
    for name, following in zip(names, (*names[1:], ""), strict=True):
        length = chr(len(name))
        if name in same:
            pair = f"{length}{chr(len(same[name]))}{name}{same[name]}"
            parts.append(re.escape(pair))
        else:
            end = re.escape(chr(len(following)))
            parts.append(f"{re.escape(length)}([\0-\x7f]){re.escape(name)}")
            parts.append(f"([^{end}]{{0,{_SHORT}}}+)")
    varying = tuple(name for name in names if name not in same)
    return re.compile("".join(parts)), same, varying
