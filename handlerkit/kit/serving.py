"""`serve`: listen, on the built-in server or on an engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.carets import headline
from handlerkit.errors import ConfigError
from handlerkit.gateways import engines
from handlerkit.gateways.hosting import in_child
from handlerkit.handlers import HostedHandler
from handlerkit.kit.assembly import load
from handlerkit.kit.builtin_server import run_builtin
from handlerkit.kit.describing import describe
from handlerkit.kit.running import Hosted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from wsgiref.types import WSGIApplication

    from handlerkit.config.model import ServerSettings
    from handlerkit.kit.assembly import Source


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
    document = config.read(source)
    settings, faults = config.validate(document)
    if settings is None:
        load(
            source, app, entry="serve"
        )  # raises with the mistakes of all the rest, too
        raise ConfigError(faults)
    given = None if bind is None else config.address(bind)
    say = announce or _say_nothing
    server = settings.server
    if server.engine == "builtin":
        return run_builtin(source, app, given, say)
    address = given or server.bind
    # The application is imported in children only: workers are forked off this
    # process, and could not reload what it had imported.
    faults = engines.check_engine(server.engine, address)
    lines: list[str] = []
    try:
        lines = in_child(partial(_described, source, app, address))
    except ConfigError as exc:
        faults += exc.faults
    if faults:
        raise ConfigError(document.arrange(faults))
    for line in lines:
        say(line)
    if isinstance(source, (str, PurePath)):
        source = Path(source).absolute()
    started = config.Written(document, settings)
    told = [("app",), *([("server", "bind")] if given else [])]
    return _run_engine(server, partial(_hosted, source, app, started, told), address)


def _run_engine(server: ServerSettings, hosted: partial[Hosted], address: str) -> int:
    options = server.granian if server.engine == "granian" else server.gunicorn
    return engines.run(
        server.engine,
        hosted,
        options=options,
        bind=address,
        workers=server.workers,
        threads=server.threads,
        backlog=server.backlog,
        graceful_timeout=server.graceful_timeout,
        unix_mode=int(server.unix_mode, 8),
    )


def _hosted(
    source: Source,
    app: WSGIApplication | None,
    started: config.Written,
    given: Collection[tuple[str, ...]],
) -> Hosted:
    """Load in a worker what the file has by now; of ``[server]`` what it had at first.

    Raises:
        ConfigError: with every mistake, and where the file has another engine.
    """
    kit = load(source, app, entry="serve")
    now = config.Written(kit.document, kit.config)
    changes = config.restarts(started, now, but=given)
    engine = [each for each in changes if each.path == ("server", "engine")]
    if engine:
        raise ConfigError(kit.document.arrange(engine))
    server, kind = started.values, kit.handler_class
    # granian says the same whatever its workers and threads are.
    if server["server", "engine"] == "granian" and issubclass(kind, HostedHandler):
        if kind.wsgi_multiprocess is None:
            kind.wsgi_multiprocess = server["server", "workers"] > 1
        if kind.wsgi_multithread is None:
            kind.wsgi_multithread = server["server", "threads"] > 1
    warnings = kit.document.arrange(changes, "warning")
    return Hosted(kit, [headline(each) for each in warnings])


def _described(source: Source, app: WSGIApplication | None, address: str) -> list[str]:
    kit = load(source, app, entry="serve")
    kit.require_application()
    return describe(kit, address)


def _say_nothing(_: str) -> None:
    """Announce to nobody."""
