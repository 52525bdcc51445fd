"""Fingerprints: equal for what is probably one and the same fault."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from types import FrameType, TracebackType

    from handlerkit.reports.model import Error

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120 - pathlib is slow to import
_STDLIB = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
_INSTALLED = ("site-packages", "dist-packages")
_LONGEST = 500
_MOST_FRAMES = 1000

# What differs between two cases of one fault: quoted values, ids, numbers.
_VARYING = (
    r"(?<!\w)'[^'\n]{0,200}'|(?<!\w)\"[^\"\n]{0,200}\""
    r"|(?<![A-Za-z0-9])(?:0[xX][0-9a-fA-F]++|(?=[A-Za-z_.\-]{0,40}\d)[\w.\-]++)"
)
_compiled: list[re.Pattern[str]] = []

# Of the last errors, for a flood has the same again and again.
_REMEMBERED = 256
_made: dict[tuple[str, ...], str] = {}


def fingerprint(error: Error, tb: TracebackType | None) -> str:
    """Give 16 hex digits, the same in every process and whatever line it is on.

    Args:
        error: the exception; its message is redacted already.
        tb: its traceback.
    """
    where = _where(tb)
    kinds = sorted({member.type for member in error.members or ()})
    told = (error.type, where, error.message[:_LONGEST], *kinds)
    found = _made.get(told)
    if found is None:
        if len(_made) >= _REMEMBERED:
            _made.clear()
        found = _made[told] = _digest(*told)
    return found


def _digest(kind: str, where: str, message: str, *kinds: str) -> str:
    from hashlib import blake2b  # it would cost a CGI process that serves well

    parts = (kind, where, _normalised(message), *kinds)
    data = "\n".join(parts).encode("utf-8", "backslashreplace")
    return blake2b(data, digest_size=8).hexdigest()


def _where(tb: TracebackType | None) -> str:
    """Give module and function of the innermost frame of the application.

    Of libraries, those installed count where there is no other; the standard library
    and handlerkit only where there is nothing else at all.
    """
    frames: list[FrameType] = []
    while tb is not None and len(frames) < _MOST_FRAMES:
        frames.append(tb.tb_frame)
        tb = tb.tb_next
    found = frames[-1] if frames else None
    outside = False
    for frame in reversed(frames):
        file = frame.f_code.co_filename
        if not _is_ours_or_pythons(file):
            if not any(name in file for name in _INSTALLED):
                found = frame
                break
            if not outside:
                found, outside = frame, True
    if found is None:
        return ""
    module = found.f_globals.get("__name__")
    known = module if type(module) is str else ""
    return f"{known}:{found.f_code.co_qualname}"


def _is_ours_or_pythons(file: str) -> bool:
    if file.startswith(("<frozen ", _HERE)):
        return True
    return file.startswith(_STDLIB) and not any(name in file for name in _INSTALLED)


def _normalised(message: str) -> str:
    import re

    if not _compiled:
        _compiled.append(re.compile(_VARYING))
    return " ".join(_compiled[0].sub("#", message).split())
