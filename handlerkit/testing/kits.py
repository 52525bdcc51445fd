"""Kits that tests run: the real ones, with streams of memory for a server."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handlerkit.config import sources
from handlerkit.errors import ResponseAborted
from handlerkit.handlers import BaseCGIHandler, CGIHandler, HostedHandler
from handlerkit.kit.assembly import Kit, load
from handlerkit.kit.classes import instance_attributes
from handlerkit.testing.exchanges import Exchange, request_environ
from handlerkit.testing.recording import watch, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any, Literal, TypeAlias
    from wsgiref.types import WSGIApplication

    from handlerkit.config.crosschecks import Entry

    Source: TypeAlias = str | Path | Mapping[str, Any] | Kit
    Kind: TypeAlias = Literal["simple", "cgi", "hosted"]
    Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

_ENTRIES: dict[str, Entry] = {"simple": "handler", "cgi": "cgi", "hosted": "wsgi"}


class Running:
    """A kit whose plugins are started: `run` makes exchanges, in any thread.

    ``kit`` is the kit, ``exchanges`` all that it was asked, in the order of their end.
    """

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.exchanges: list[Exchange] = []
        self._plan = watched(kit.plan)

    def plugin(self, name: str) -> Any:
        """Give the plugin object that has a name in the configuration.

        Raises:
            KeyError: there is none.
        """
        return {each.name: each.plugin for each in self.kit.plugins.loaded}[name]

    def run(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
        environ: Mapping[str, Any] | None = None,
    ) -> Exchange:
        """Make one exchange, and give all that is to be seen of it.

        Args:
            path: what the request line has: percent-encoded, with the query.
            method: the request's method.
            headers: pairs or a mapping; ``Host: localhost`` unless given.
            body: its length is CONTENT_LENGTH unless a header says another.
            environ: CGI variables that go over those of the request, as REMOTE_ADDR;
                None takes one away.

        Raises:
            BaseException: what is no Exception passes on, as it does from a handler;
                the exchange is the last of ``exchanges``.
        """
        exchange = Exchange()
        variables = request_environ(method, path, headers, body, environ or {})
        drive = _host if self._hosted else _stream
        try:
            drive(self, exchange, variables, body)
        except ResponseAborted as exc:
            exchange.raised = exc
        except BaseException as exc:
            exchange.raised = exc
            raise
        finally:
            self.exchanges.append(exchange)
        return exchange

    @property
    def _hosted(self) -> bool:
        return issubclass(self.kit.handler_class, HostedHandler)

    @contextmanager
    def watching(self, handler: Any, exchange: Exchange) -> Iterator[None]:
        """Look into a handler while it serves an exchange."""
        notes = watch(handler, self._plan)
        begin: Callable[[], None] = handler._begin  # noqa: SLF001 - a wrapped application would be in tracebacks

        def begin_seen() -> None:
            begin()
            exchange.environ = dict(handler.environ)

        handler._begin = begin_seen  # noqa: SLF001 - likewise
        try:
            yield
        finally:
            exchange.ended = handler.ended
            exchange.take_notes(notes)


@contextmanager
def running(
    config: Source, app: WSGIApplication | None = None, *, kind: Kind = "simple"
) -> Iterator[Running]:
    """Start a kit, for exchanges that share their plugins; close it at the end.

    Args:
        config: TOML text, a path, a mapping of the same shape, or a `Kit`. A string
            that ends in ``.toml`` is a path. Paths in text or in a mapping are
            relative to the working directory.
        app: the application, in place of ``[app] target``.
        kind: what runs it where ``[handler] class`` is "auto": ``"simple"``,
            SimpleHandler; ``"cgi"``, CGIHandler, in streams of memory; ``"hosted"``,
            HostedHandler, in a server as PEP 3333 has it. A `Kit` has its class. The
            ``__init__`` of a CGI class reads the process, and so is not called.

    Raises:
        ConfigError: with every mistake found.
        PluginError: a plugin did not start.
    """
    if isinstance(config, Kit):
        kit = config
    else:
        kit = load(_source(config), app, entry=_ENTRIES[kind])
    kit.require_application()
    kit.start()
    try:
        yield Running(kit)
    finally:
        kit.close()


def run(
    config: Source,
    app: WSGIApplication | None = None,
    path: str = "/",
    *,
    kind: Kind = "simple",
    **request: Any,
) -> Exchange:
    """Make one exchange in a kit of its own: `running`, then `Running.run`.

    ``request`` is ``method``, ``headers``, ``body`` and ``environ`` of `Running.run`.
    """
    with running(config, app, kind=kind) as kit:
        return kit.run(path, **request)


def _source(config: str | Path | Mapping[str, Any]) -> Any:
    if not isinstance(config, str) or ("\n" not in config and config[-5:] == ".toml"):
        return config
    return sources.parse(config, "configuration")


def _stream(
    of: Running, exchange: Exchange, environ: dict[str, Any], body: bytes
) -> None:
    """Run a handler over streams."""
    kit, stdout, stderr = of.kit, io.BytesIO(), io.StringIO()
    streams = (io.BytesIO(body), stdout, stderr, environ)
    if issubclass(kit.handler_class, CGIHandler):
        handler: Any = _cgi_handler(kit, streams)
    else:
        handler = kit.handler(*streams)
    try:
        with of.watching(handler, exchange):
            handler.run(kit.application)
    finally:
        exchange.errors = stderr.getvalue()
        line = bool(handler.origin_server)
        exchange.take_response(stdout.getvalue(), status_line=line)


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
    of: Running, exchange: Exchange, environ: dict[str, Any], body: bytes
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
        exchange.status, exchange.headers = status, list(headers)
        return chunks.append

    handler: Any = of.kit.handler(environ, start_response)
    try:
        with of.watching(handler, exchange):
            result = handler.run(of.kit.application)
            try:
                chunks.extend(result)
            finally:
                getattr(result, "close", bool)()
    finally:
        exchange.errors = stderr.getvalue()
        exchange.body = b"".join(chunks)
