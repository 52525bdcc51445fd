"""The entry points: one kit, run by CGI, under a WSGI server, or listening."""

from __future__ import annotations

import atexit
from functools import partial
from pathlib import Path, PurePath
from threading import Lock
from traceback import format_exc
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.errors import ConfigError, HandlerkitError
from handlerkit.gateways import cgi, engines
from handlerkit.gateways.hosting import in_child
from handlerkit.kit.assembly import load
from handlerkit.kit.builtin_server import run_builtin
from handlerkit.kit.describing import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication

    from handlerkit.kit.assembly import Kit, Source


def run_cgi(source: Source, app: WSGIApplication | None = None) -> int:
    """Serve the one request of this CGI process; give the exit code (RFC 3875).

    File descriptor 1 goes to stderr from here on, so that nothing that is printed
    gets into the response. An invalid configuration answers 500, with the mistakes
    on stderr.
    """
    streams = cgi.Streams()
    try:
        kit = load(source, app, entry="cgi")
        kit.require_application()
        kit.start()
    except HandlerkitError as exc:
        return cgi.refuse(streams, f"handlerkit: {exc}")
    except BaseException:
        cgi.refuse(streams, format_exc())
        raise
    return cgi.run(kit, streams)


def wsgi(source: Source, app: WSGIApplication | None = None) -> Hosted:
    """Give a WSGI callable that any server can host.

    Raises:
        ConfigError: with every mistake found.
    """
    return Hosted(load(source, app, entry="wsgi"))


class Hosted:
    """The WSGI callable of a kit; starts the plugins with its first exchange.

    Not when it is made: an engine may make it before it forks. Whoever knows that
    there will be no fork may call `start` before.
    """

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._application = kit.application
        self._class: Any = kit.handler_class
        self._lock = Lock()
        self._started = False

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one exchange (PEP 3333)."""
        if not self._started:
            self.start()
        result: Iterable[bytes] = self._class(environ, start_response).run(
            self._application
        )
        return result

    def start(self) -> None:
        """Start the plugins, once; they are closed when the process ends.

        Raises:
            PluginError: a plugin that is required did not start.
        """
        with self._lock:
            if not self._started:
                self.kit.start()
                atexit.register(self.kit.close)
                self._started = True

    def close(self) -> None:
        """Close the plugins."""
        atexit.unregister(self.kit.close)
        self.kit.close()


def serve(
    source: Source,
    app: WSGIApplication | None = None,
    *,
    bind: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> int:
    """Listen and serve until SIGTERM or SIGINT, then finish what runs.

    Args:
        source: as for `load`.
        app: the application, in place of ``[app] target``.
        bind: an address, in place of ``[server] bind``.
        announce: is given, line by line, what runs where.

    Returns:
        The exit code: 0, or what the engine ended with.

    Raises:
        ConfigError: with every mistake found.
        HandlerkitError: the address cannot be had, or the engine failed.
    """
    if isinstance(source, (str, PurePath)):
        source = Path(source).absolute() if app is None else source
    document = config.read(source)
    settings, faults = config.validate(document)
    if settings is None:
        raise ConfigError(faults)
    address = settings.server.bind if bind is None else config.address(bind)
    say = announce or _say_nothing
    if settings.server.engine == "builtin":
        return run_builtin(load(source, app, entry="serve"), address, say)
    return _serve_engine(source, app, address, say)


def _serve_engine(
    source: Source,
    app: WSGIApplication | None,
    address: str,
    say: Callable[[str], None],
) -> int:
    """Have an engine serve; the application is imported in children only.

    Workers are forked off this process: what it had imported, they could not reload.
    """
    document = config.read(source)
    settings, _ = config.validate(document)
    if settings is None:
        raise ConfigError([])
    server = settings.server
    engine = server.engine
    options = server.granian if engine == "granian" else server.gunicorn
    faults = engines.check_engine(engine, address)
    faults += engines.check_options(engine, options)
    if faults:
        raise ConfigError(document.arrange(faults))
    for line in in_child(partial(_described, source, app, address)):
        say(line)
    return engines.run(
        engine,
        partial(_hosted, source, app),
        options=options,
        bind=address,
        workers=server.workers,
        threads=server.threads,
        backlog=server.backlog,
        graceful_timeout=server.graceful_timeout,
        unix_mode=int(server.unix_mode, 8),
    )


def _hosted(source: Source, app: WSGIApplication | None) -> Hosted:
    return Hosted(load(source, app, entry="serve"))


def _described(source: Source, app: WSGIApplication | None, address: str) -> list[str]:
    kit = load(source, app, entry="serve")
    kit.require_application()
    return describe(kit, address)


def _say_nothing(_: str) -> None:
    """Announce to nobody."""
