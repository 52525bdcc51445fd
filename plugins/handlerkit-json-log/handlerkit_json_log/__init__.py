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

    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "error",
    }
    if report is None:  # making it has failed; what an exception says may be secret
        fields["type"] = exc_info[0].__qualname__
    else:
        fields |= report.to_dict()
        fields["traceback"] = report.text
    request_id = environ.get("handlerkit.request_id")
    if type(request_id) is str:
        fields["request_id"] = request_id
    return json.dumps(fields) + "\n"
