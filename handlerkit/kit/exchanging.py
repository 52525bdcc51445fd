"""Single exchanges in process: a kit's real handlers, with streams of memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from handlerkit.handlers import BaseCGIHandler, CGIHandler, HostedHandler
from handlerkit.kit.classes import instance_attributes
from handlerkit.protocols.http1_environ import environ as cgi_variables
from handlerkit.protocols.http1_request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from handlerkit.kit.assembly import Kit

    # Is given the handler; what it returns is entered while the handler serves.
    Watch: TypeAlias = Callable[[Any], AbstractContextManager[None]]


class Answer:
    """What a client got, and what was written to ``wsgi.errors`` meanwhile.

    ``status`` is "" where there was no head; ``body`` is without its framing.
    """

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.errors = ""

    def header(self, name: str) -> str | None:
        """Give a header's value, in any case; repeated ones joined; None if absent."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ", ".join(values) if values else None

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


def drive(
    kit: Kit, answer: Answer, environ: dict[str, Any], body: bytes, watch: Watch
) -> None:
    """Have a started kit serve one request; the answer is noted as far as it came.

    Streams of memory for a handler that has streams, a server as PEP 3333 has it for
    one that is hosted. The ``__init__`` of a CGI class reads the process, and so is
    not called.

    Raises:
        ResponseAborted: a hosted response broke off after its head was out.
        BaseException: what is no Exception passes on, as it does from a handler.
    """
    hosted = issubclass(kit.handler_class, HostedHandler)
    (_host if hosted else _stream)(kit, answer, environ, body, watch)


def _stream(
    kit: Kit, answer: Answer, environ: dict[str, Any], body: bytes, watch: Watch
) -> None:
    """Run a handler over streams."""
    stdout, stderr = io.BytesIO(), io.StringIO()
    streams = (io.BytesIO(body), stdout, stderr, environ)
    if issubclass(kit.handler_class, CGIHandler):
        handler: Any = _cgi_handler(kit, streams)
    else:
        handler = kit.handler(*streams)
    try:
        with watch(handler):
            handler.run(kit.application)
    finally:
        answer.errors = stderr.getvalue()
        line = bool(handler.origin_server)
        answer.take_response(stdout.getvalue(), status_line=line)


def _cgi_handler(kit: Kit, streams: tuple[Any, ...]) -> CGIHandler:
    """Make a handler of a CGI process, which takes what the process has, without it."""
    kind: Any = kit.handler_class
    handler: CGIHandler = kind.__new__(kind)
    BaseCGIHandler.__init__(handler, *streams)
    handler.wsgi_multithread, handler.wsgi_multiprocess = False, True
    for name, value in instance_attributes(kit.config, "cgi").items():
        setattr(handler, name, value)
    return handler


def _host(
    kit: Kit, answer: Answer, environ: dict[str, Any], body: bytes, watch: Watch
) -> None:
    """Be the server that a hosted handler is in (PEP 3333)."""
    stderr = io.StringIO()
    chunks: list[bytes] = []
    environ = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **environ,
    }

    def start_response(
        status: str, headers: list[tuple[str, str]]
    ) -> Callable[[bytes], None]:
        answer.status, answer.headers = status, list(headers)
        return chunks.append

    handler: Any = kit.handler(environ, start_response)
    try:
        with watch(handler):
            result = handler.run(kit.application)
            try:
                chunks.extend(result)
            finally:
                getattr(result, "close", bool)()
    finally:
        answer.errors = stderr.getvalue()
        answer.body = b"".join(chunks)


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
