"""handlerkit-json-log: one JSON line per exception."""

from __future__ import annotations

import os

from handlerkit import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from handlerkit.hooks.specs import ExcInfo, Handler
    from handlerkit.plan import Report
    from handlerkit_json_log import settings as table

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class JsonLog:
    """Write each exception as a line of JSON, to a file or to wsgi.errors."""

    Settings = "handlerkit_json_log.settings:Settings"

    def __init__(self, settings: table.Settings) -> None:
        self._path = settings.path

    def start(self) -> None:
        """Fail now, rather than at the first error, where the file cannot be written.

        Raises:
            OSError: as opening it does.
        """
        if self._path is not None:
            os.close(os.open(self._path, _FLAGS, 0o640))

    @hookimpl
    def log_exception(
        self, handler: Handler, exc_info: ExcInfo, report: Report | None
    ) -> None:
        """Write one line.

        Raises:
            OSError: the file cannot be written to; the handler notes it.
        """
        line = _line(exc_info, report, handler.environ or {})
        if self._path is not None:
            _append(self._path, line.encode("ascii"))
            return
        stderr = handler.get_stderr()
        stderr.write(line)
        stderr.flush()


def _append(path: str, line: bytes) -> None:
    """Append in one write: so the lines of several processes do not mix."""
    file = os.open(path, _FLAGS, 0o640)
    try:
        while line:
            line = line[os.write(file, line) :]
    finally:
        os.close(file)


def _line(exc_info: ExcInfo, report: Report | None, environ: dict[str, Any]) -> str:
    # Imported when it fails: a CGI process that serves well does without.
    import json
    from datetime import UTC, datetime

    kind, exception, _ = exc_info
    now = datetime.now(UTC)
    fields = {
        "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "error",
        "id": None if report is None else report.id,
        "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "message": _text(exception),
        "traceback": None if report is None else report.text,
        "method": _text(environ.get("REQUEST_METHOD", "")),
        "path": _path(environ),
    }
    if "handlerkit.request_id" in environ:
        fields["request_id"] = _text(environ["handlerkit.request_id"])
    return json.dumps(fields) + "\n"


def _text(value: object) -> str:
    """Give anything as text that is valid in JSON."""
    try:
        text = str(value)
    except Exception as exc:  # noqa: BLE001 - an exception may fail to say what it is
        text = f"<{type(value).__name__}: cannot be shown: {type(exc).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _path(environ: dict[str, Any]) -> str:
    """Give the path as it was asked for: environ has its bytes as latin-1."""
    path = _text(environ.get("SCRIPT_NAME", "")) + _text(environ.get("PATH_INFO", ""))
    try:
        return path.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return path
