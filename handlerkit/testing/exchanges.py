"""One exchange, as a test makes it and looks at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlerkit.protocols.http1_environ import environ as cgi_variables
from handlerkit.protocols.http1_request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from handlerkit.plan import Outcome, Report
    from handlerkit.testing.recording import Call, Notes


class Exchange:
    """One request and its response, and what happened in between.

    * ``status``, ``headers`` (pairs), ``body``: what the client got; the status is ""
      if it got no head. The body is without its framing.
    * ``ended``: ``"ok"``, ``"error"``, ``"aborted"`` or ``"disconnected"``;
      ``outcome``: what request_finished was given.
    * ``environ``: as the application was given it; empty if it was never called.
    * ``errors``: the text written to ``wsgi.errors``.
    * ``calls``: the calls of hooks, in order.
    * ``reports``: of each error that was reported, in order; readable for good.
    * ``raised``: what came out of the handler: ResponseAborted, which tells a hosting
      server that the response broke off, or what is no Exception.
    """

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.ended: str | None = None
        self.environ: dict[str, Any] = {}
        self.errors = ""
        self.calls: list[Call] = []
        self.outcome: Outcome | None = None
        self.reports: list[Report] = []
        self.raised: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Exchange {self.ended}: {self.status}, {len(self.body)} bytes>"

    @property
    def report(self) -> Report | None:
        """The last error's report, the one that outcome and page name."""
        return self.reports[-1] if self.reports else None

    @property
    def text(self) -> str:
        """The body as text, by the charset of its Content-Type, else as UTF-8."""
        _, found, charset = (self.header("Content-Type") or "").partition("charset=")
        charset = charset.partition(";")[0].strip('" ')
        return self.body.decode(charset if found else "utf-8")

    def header(self, name: str) -> str | None:
        """Give a header's value, in any case; repeated ones joined; None if absent."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ", ".join(values) if values else None

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.body)

    def hooks(self, plugin: str | None = None) -> list[str]:
        """Name the hooks that were called, in order: of all plugins, or of one."""
        return [call.hook for call in self.calls if plugin in (None, call.plugin)]

    def take_notes(self, notes: Notes) -> None:
        """Take over what was seen inside the handler."""
        self.calls = notes.calls
        self.outcome = notes.outcome
        ids = notes.report_ids
        self.reports = [notes.reports[each] for each in ids if each in notes.reports]

    def take_response(self, data: bytes, *, status_line: bool) -> None:
        """Read what a handler has written to its stdout."""
        head, found, body = data.partition(b"\r\n\r\n")
        if not found:
            self.body = data  # HTTP/0.9, or nothing
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = first.partition(" ")[2]
        self.headers = [_pair(line) for line in lines]
        if not status_line:  # "Status: 200 OK", RFC 3875, 6.3.3
            self.headers = [pair for pair in self.headers if pair[0] != "Status"]
        coding = (self.header("Transfer-Encoding") or "").lower()
        self.body = _unchunked(body) if coding == "chunked" else body


def request_environ(
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Give the CGI variables of a request, as the built-in server gives them.

    Headers that it drops (names with an underscore, ``Proxy``) are dropped; ``extra``
    goes over all, and None there takes a variable away.
    """
    pairs = headers.items() if hasattr(headers, "items") else headers
    request = Request(method, path, "1.1")
    request.path, _, request.query = path.partition("?")
    request.headers = [(name, value.strip()) for name, value in pairs]
    environ: dict[str, Any] = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        **cgi_variables(request),
    }
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    environ.update(extra)
    return {name: value for name, value in environ.items() if value is not None}


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _unchunked(data: bytes) -> bytes:
    """Take the framing off a chunked body (RFC 9112, 7.1), whole or broken off."""
    body = b""
    while data:
        line, found, data = data.partition(b"\r\n")
        size = int(line, 16) if found else 0
        body += data[:size]
        data = data[size + 2 :]
        if not size:
            break
    return body
