"""Make reports: what a handler calls when something fails."""

from __future__ import annotations

from time import perf_counter

from handlerkit.records import Report
from handlerkit.reports.ids import new_id
from handlerkit.reports.redaction import Redactor
from handlerkit.reports.showing import class_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TypeAlias

    from handlerkit.reports.model import Error
    from handlerkit.reports.redaction import Redaction
    from handlerkit.reports.tree import Drawings

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


class ReportMaker:
    """Makes the reports of one kit, by one set of rules."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._drawings: Drawings = {}

    def __call__(
        self,
        exc_info: ExcInfo,
        limit: int | None,
        handler: Any = None,
        phase: str = "",
    ) -> Report:
        """Make the report of an exception; neither this nor reading it raises.

        Args:
            exc_info: type, exception and traceback, as sys.exc_info() gives them.
            limit: how many frames each traceback has, None for all
                (``traceback_limit``).
            handler: of the exchange that failed; its ``environ`` is read now, its
                ``wsgi.input`` never.
            phase: of the exchange, as `Report.phase` has it.
        """
        environ = getattr(handler, "environ", None) or {}
        started = getattr(handler, "_started", None)
        duration = None if started is None else perf_counter() - started[1]
        request = _text(environ, "REQUEST_METHOD"), _path(environ), environ

        def describe(*, brief: bool = False) -> Description:
            return self._describe(exc_info, limit, request, brief=brief)

        kind = class_name(exc_info[0])
        return Report(new_id(), kind, describe, phase=phase, duration=duration)

    def _describe(
        self,
        exc_info: ExcInfo,
        limit: int | None,
        request: tuple[str, str, dict[str, Any]],
        *,
        brief: bool,
    ) -> Description:
        from handlerkit.reports.fingerprints import fingerprint
        from handlerkit.reports.model import Error
        from handlerkit.reports.rendering import text_of
        from handlerkit.reports.tree import Builder

        method, path, environ = request
        redaction = self.redactor.begin(environ)
        builder = Builder(
            redaction,
            0 if brief else limit,
            self._drawings,
            with_locals=self.redactor.locals,
        )
        try:
            error = builder.build(exc_info)
        except Exception as exc:  # noqa: BLE001 - a report is owed, whatever happens
            error = Error(class_name(exc_info[0]), "")
            error.notes = (f"<cannot be shown: {class_name(type(exc))}>",)
        found = Description(error, text_of(error), fingerprint(error, exc_info[2]))
        found.is_brief = brief
        found.set_request(method, path, _text(environ, "QUERY_STRING"), redaction)
        return found


class Description:
    """What a report has to read; plain text and numbers, all redacted."""

    def __init__(self, error: Error, text: str, fingerprint: str) -> None:
        self.error = error
        self.text = text
        self.fingerprint = fingerprint
        self.message = error.message
        self.frames = error.frames
        self.is_brief = False
        self.method = self.path = self.query = ""

    def set_request(
        self, method: str, path: str, query: str, redaction: Redaction
    ) -> None:
        """Note the request line, redacted."""
        self.method = redaction.text(method)
        self.path = redaction.text(path)
        self.query = redaction.query(query)

    @property
    def brief(self) -> str:
        """The text, less its frames."""
        if self.is_brief:
            return self.text
        from handlerkit.reports.rendering import text_of

        return text_of(self.error, frames=False)

    @property
    def request_line(self) -> str:
        """Method, path and query, in one line; "" where there was no request."""
        from handlerkit.reports.rendering import escaped

        target = f"{self.path}?{self.query}" if self.query else self.path
        return escaped(f"{self.method} {target}".strip())

    def to_dict(self) -> dict[str, Any]:
        """Give request and exception."""
        return {
            "request": {
                "method": self.method,
                "path": self.path,
                "query": self.query,
            },
            "exception": self.error.to_dict(),
        }


def _text(environ: dict[str, Any], name: str) -> str:
    value = environ.get(name)
    return value if type(value) is str else ""


def _path(environ: dict[str, Any]) -> str:
    """Give the path as it was asked for: environ has its bytes as latin-1."""
    path = _text(environ, "SCRIPT_NAME") + _text(environ, "PATH_INFO")
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return path.encode("utf-8", "backslashreplace").decode("utf-8")
