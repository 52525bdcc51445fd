"""access-log: one line per exchange, to wsgi.errors or to a file."""

from __future__ import annotations

import os
from time import monotonic

from handlerkit.builtin.access_lines import combined, json_line, path_of, query_of
from handlerkit.hooks.markers import hookimpl
from handlerkit.reports.plain import make_report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.builtin.access_lines import Fields
    from handlerkit.builtin.settings import AccessLogSettings
    from handlerkit.hooks.specs import Handler
    from handlerkit.plan import Outcome
    from handlerkit.reports.redaction import Redaction

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_FRESH = 1.0  # seconds until a file is looked for again: it may have been rotated
_WORD = 256  # characters, of a method, a protocol, a name
_LONG = 2048  # characters, of what a client can make as long as it likes


class AccessLog:
    """Log each exchange in one line, when it has ended.

    Status and bytes are what was sent, whatever became of it. The request is taken
    down before the application gets its environ, and after all other plugins: the
    client is who proxy-headers says it is. What is logged is redacted, as reports are.
    """

    Settings = "handlerkit.builtin.settings:AccessLogSettings"

    def __init__(self, settings: AccessLogSettings) -> None:
        self._line: Callable[[Fields, float], str] = (
            json_line if settings.format == "json" else combined(settings.extras)
        )
        self._query = settings.query
        self._file = None if settings.path is None else _File(settings.path)
        self._slot = f"_access_log_{id(self):x}"
        self._failing = False

    def start(self) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        if self._file is not None:
            self._file.open()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def probe(self) -> None:
        """See whether this user may write the file, and make none.

        Raises:
            OSError: it, or its directory, is not there or not writable.
        """
        if self._file is not None:
            self._file.probe()

    @hookimpl(trylast=True)
    def setup_environ(self, handler: Handler, environ: dict[str, Any]) -> None:
        """Keep the request as it is before the application may change it."""
        setattr(handler, self._slot, environ.copy())

    @hookimpl
    def request_finished(self, handler: Handler, outcome: Outcome) -> None:
        """Write the line; where the file cannot take it, to wsgi.errors."""
        now = handler.environ or {}
        request = vars(handler).pop(self._slot, now)
        # An application that knows its users says so in environ.
        user = request.get("REMOTE_USER") or now.get("REMOTE_USER")
        maker = getattr(handler, "make_report", None)
        redactor = getattr(maker, "redactor", make_report.redactor)
        # Only a query repeats what headers hide; to look for it takes a while.
        redaction = redactor.begin(request if self._query else None)
        fields = _request(request, user, redaction, query=self._query)
        fields |= _response(outcome, sent=handler.headers_sent)
        line = f"{self._line(fields, outcome.started)}\n"
        note = ""
        if self._file is not None:
            try:
                self._file.write(line.encode("ascii"))
            except OSError as exc:
                if not self._failing:
                    note = f"access-log: {self._file.path}: {exc.strerror or exc}\n"
                self._failing = True
            else:
                self._failing = False
                return
        stderr = handler.get_stderr()
        stderr.write(note + line)
        stderr.flush()


def _request(
    environ: Mapping[str, Any], user: object, redaction: Redaction, *, query: bool
) -> Fields:
    """Give the fields of the request."""
    trace = environ.get("handlerkit.trace")
    agent = _text(environ.get("HTTP_USER_AGENT"))
    referer = _text(environ.get("HTTP_REFERER"))
    if referer is not None:
        referer = redaction.text(_referer(referer, query=query), limit=_LONG)
    protocol = _text(environ.get("SERVER_PROTOCOL"), _WORD) or ""
    name, _, version = protocol.partition("/")
    return {
        "client.address": _text(environ.get("REMOTE_ADDR"), _WORD),
        "user.name": _text(user, _WORD),
        "http.request.method": _text(environ.get("REQUEST_METHOD"), _WORD),
        "url.path": _path(environ, redaction),
        "url.query": _query(environ, redaction) if query else None,
        "network.protocol.name": name.lower() or None,
        "network.protocol.version": version or None,
        "http.request.header.referer": None if referer is None else [referer],
        "user_agent.original": agent and redaction.text(agent, limit=_LONG),
        "handlerkit.request_id": _text(environ.get("handlerkit.request_id"), _WORD),
        "trace_id": _text(trace.get("trace_id")) if isinstance(trace, dict) else None,
    }


def _response(outcome: Outcome, *, sent: bool) -> Fields:
    """Give the fields of the response, as far as there was one."""
    status = outcome.status[:3] if sent and outcome.status else ""
    return {
        "http.response.status_code": int(status) if status.isdecimal() else None,
        "http.response.body.size": outcome.bytes_sent if sent else 0,
        "handlerkit.time_to_first_byte": outcome.first_byte,
        "handlerkit.duration": outcome.duration,
        "handlerkit.outcome": outcome.kind,
        "handlerkit.report_id": outcome.report_id,
    }


def _text(value: object, limit: int | None = None) -> str | None:
    return value[:limit] if isinstance(value, str) and value else None


def _path(environ: Mapping[str, Any], redaction: Redaction) -> str | None:
    script, info = environ.get("SCRIPT_NAME"), environ.get("PATH_INFO")
    if script is None and info is None:
        return None
    text = f"{_text(script) or ''}{_text(info) or ''}"
    return path_of(redaction.text(text, limit=_LONG)) or "/"


def _query(environ: Mapping[str, Any], redaction: Redaction) -> str | None:
    text = _text(environ.get("QUERY_STRING"))
    return None if text is None else query_of(redaction.text(text, limit=_LONG))


def _referer(url: str, *, query: bool) -> str:
    """Cut what a browser does not send, or the log is not to have."""
    url = url.partition("#")[0]
    return url if query else url.partition("?")[0]


class _File:
    """A file that lines are appended to, each by one write."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None
        self._torn = False
        self._looked = 0.0

    def open(self) -> None:
        if self._fd is None:
            self._fd = os.open(self.path, _FLAGS, 0o640)
            self._looked = monotonic()

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def probe(self) -> None:
        path = self.path
        if os.path.isdir(path):  # noqa: PTH112 - pathlib costs a CGI process its time
            raise IsADirectoryError(f"{path} is a directory")
        there = os.path.exists(path)  # noqa: PTH110 - likewise
        place = path if there else os.path.dirname(path)  # noqa: PTH120 - likewise
        os.stat(place)  # noqa: PTH116 - likewise
        if not os.access(place, os.W_OK if there else os.W_OK | os.X_OK):
            raise PermissionError(f"{place} is not writable")

    def write(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OSError: the file does not take it, or is not open.
        """
        fd = self._fd
        if fd is None:
            raise OSError("not open")
        now = monotonic()
        if now - self._looked > _FRESH:
            self._follow(fd)
            self._looked = now
        if self._torn:
            line = b"\n" + line
        written = os.write(fd, line)
        self._torn = written < len(line)
        if self._torn:
            raise OSError("took a part of a line only")

    def _follow(self, fd: int) -> None:
        """Go on in a new file where the path no longer leads to the one that is open.

        The descriptor stays the same: other threads may be writing to it.
        """
        here = os.fstat(fd)
        try:
            there = os.stat(self.path)  # noqa: PTH116 - pathlib costs a CGI process its time
        except FileNotFoundError:
            pass
        else:
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return
        new = os.open(self.path, _FLAGS, 0o640)
        try:
            os.dup2(new, fd, inheritable=False)
        finally:
            os.close(new)
