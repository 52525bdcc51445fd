"""The plain report: an id, the exception, its traceback as text."""

from __future__ import annotations

from handlerkit.plan import Report
from handlerkit.reports.ids import new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


class _Plain:
    """What the plain report has to read."""

    frames = ()
    fingerprint = request_line = ""

    def __init__(self, text: str) -> None:
        self.text = text
        self.message = text.rstrip().rpartition("\n")[2]

    def to_dict(self) -> dict[str, object]:
        """Give nothing more."""
        return {}


def make_report(
    exc_info: ExcInfo,
    limit: int | None,
    handler: object = None,  # noqa: ARG001 - others ask it for the request
    phase: str = "",
) -> Report:
    """Make the report of an exception; never raises, nor does its text.

    Args:
        exc_info: type, exception and traceback, as sys.exc_info() gives them.
        limit: how many frames the text has, None for all (``traceback_limit``).
        handler: of the exchange that failed.
        phase: of the exchange.
    """

    def describe() -> _Plain:
        text = _encodable(_traceback(exc_info, limit))
        return _Plain(text if text.endswith("\n") else f"{text}\n")

    return Report(new_id(), _name(exc_info[0]), describe, phase=phase)


def _traceback(exc_info: ExcInfo, limit: int | None) -> str:
    # Imported when it fails: traceback costs what a CGI process takes in all.
    from traceback import format_exception, format_tb

    try:
        return "".join(format_exception(*exc_info, limit=limit))
    except Exception as exc:  # noqa: BLE001 - e.g. __notes__ is a property that raises
        frames = "".join(format_tb(exc_info[2], limit=limit))
        return (
            f"Traceback (most recent call last):\n{frames}{_name(exc_info[0])}: "
            f"<cannot be shown: {_name(type(exc))}>\n"
        )


def _name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot carry, so that any log can be written to."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
