"""Kits that tests run: the real ones, with streams of memory for a server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from handlerkit.config import sources
from handlerkit.errors import ResponseAborted
from handlerkit.kit.assembly import Kit, load
from handlerkit.kit.exchanging import drive, request_environ
from handlerkit.testing.exchanges import Exchange
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
        try:
            drive(
                self.kit,
                exchange,
                variables,
                body,
                lambda handler: self.watching(handler, exchange),
            )
        except ResponseAborted as exc:
            exchange.raised = exc
        except BaseException as exc:
            exchange.raised = exc
            raise
        finally:
            self.exchanges.append(exchange)
        return exchange

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
