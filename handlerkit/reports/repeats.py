"""Errors that come again and again from one place: which of them are told whole.

A flood of one error costs what its tracebacks cost, and hides all else in a log. None
of its errors is dropped here: whoever logs is told which of them need no frames, for
another just before had the very same.
"""

from __future__ import annotations

from _thread import allocate_lock

from handlerkit.reports.showing import class_name
from handlerkit.reports.tree import related

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    Place: TypeAlias = tuple[object, ...]
    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_MOST_PLACES = 128
_MOST_ERRORS = 10
_MOST_FRAMES = 200


def place_of(exc: BaseException, tb: TracebackType | None) -> Place | None:
    """Give where an error came from: equal where all its frames are.

    Of the exception, and of each that hangs on it, its class, and of each frame file,
    line and instruction. No message, no value, nothing that is alive. None
    where it is too large to be told from others.
    """
    found: list[object] = []
    errors = related(exc)
    if len(errors) > _MOST_ERRORS:
        return None
    for each in errors:
        found.append(class_name(type(each)))
        at = tb if each is exc else each.__traceback__
        left = _MOST_FRAMES
        while at is not None:
            left -= 1
            if not left:
                return None
            file = at.tb_frame.f_code.co_filename
            found += (file, at.tb_lineno, at.tb_lasti)
            at = at.tb_next
    return tuple(found)


class Repeat:
    """An error that needs no frames.

    It is the ``number``-th from its place in ``seconds``, and the report ``like`` was
    told with the frames that it has, too.
    """

    __slots__ = ("like", "number", "seconds")

    def __init__(self, like: str, number: int, seconds: float) -> None:
        self.like = like
        self.number = number
        self.seconds = seconds


class Repeats:
    """Counts errors by their place; for any number of threads.

    From one place the first ``whole`` errors are told whole, and again the first ones
    when ``interval`` seconds have passed; 0 for all of them. What came from more
    places than are remembered is told whole.
    """

    def __init__(self, whole: int, interval: float) -> None:
        self._whole = whole
        self._interval = interval
        # Since when, how many, and the last that was told whole; the oldest first.
        self._places: dict[Place, tuple[float, int, str]] = {}
        self._lock = allocate_lock()

    def met(self, exc_info: ExcInfo, report_id: str, now: float) -> Repeat | None:
        """Count an error by where it came from, as `note` does."""
        if not self._whole:
            return None
        return self.note(place_of(exc_info[1], exc_info[2]), report_id, now)

    def note(self, place: Place | None, report_id: str, now: float) -> Repeat | None:
        """Count an error; None if it is to be told whole.

        Args:
            place: as `place_of` gives it.
            report_id: of its report.
            now: in seconds, of a clock that never goes back.
        """
        if place is None:
            return None
        with self._lock:
            since, number, like = self._places.get(place, (now, 0, report_id))
            if now - since >= self._interval:
                since, number = now, 0
            number += 1
            if number == 1:
                self._places.pop(place, None)  # to stand behind all others
                if len(self._places) >= _MOST_PLACES:
                    del self._places[next(iter(self._places))]
            whole = number <= self._whole
            self._places[place] = since, number, report_id if whole else like
        return None if whole else Repeat(like, number, now - since)
