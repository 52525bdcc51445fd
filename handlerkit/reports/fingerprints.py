"""Fingerprints: equal for what is probably one and the same fault."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from handlerkit.reports.model import Error, Place

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120 - pathlib is slow to import
_STDLIB = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
_INSTALLED = ("site-packages", "dist-packages")
_LONGEST = 500

# What differs between two cases of one fault: quoted values, ids, numbers.
_VARYING = (
    r"(?<!\w)'[^'\n]{0,200}'|(?<!\w)\"[^\"\n]{0,200}\""
    r"|(?<![A-Za-z0-9])(?:0[xX][0-9a-fA-F]++|(?=[A-Za-z_.\-]{0,40}\d)[\w.\-]++)"
)
_compiled: list[re.Pattern[str]] = []


def fingerprint(error: Error, places: Sequence[Place]) -> str:
    """Give 16 hex digits, the same in every process and whatever line it is on.

    Args:
        error: the exception; its message is redacted already.
        places: its frames, the innermost last.
    """
    from hashlib import blake2b  # it would cost a CGI process that serves well

    place = _application_place(places)
    where = f"{place.module}:{place.function}" if place else ""
    kinds = sorted({member.type for member in error.members or ()})
    parts = (error.type, where, _normalised(error.message), *kinds)
    data = "\n".join(parts).encode("utf-8", "backslashreplace")
    return blake2b(data, digest_size=8).hexdigest()


def _application_place(places: Sequence[Place]) -> Place | None:
    """Give the innermost frame of the application.

    Of libraries, those installed count where there is no other; the standard library
    and handlerkit only where there is nothing else at all.
    """
    outside = [each for each in places if not _is_ours_or_pythons(each.file)]
    own = [
        each for each in outside if not any(name in each.file for name in _INSTALLED)
    ]
    found = own or outside or places
    return found[-1] if found else None


def _is_ours_or_pythons(file: str) -> bool:
    if file.startswith(("<frozen ", _HERE)):
        return True
    return file.startswith(_STDLIB) and not any(name in file for name in _INSTALLED)


def _normalised(message: str) -> str:
    import re

    if not _compiled:
        _compiled.append(re.compile(_VARYING))
    return " ".join(_compiled[0].sub("#", message[:_LONGEST]).split())
