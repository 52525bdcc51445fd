"""`serve`: listen, on the built-in server or on an engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.carets import headline
from handlerkit.errors import ConfigError, Fault
from handlerkit.gateways import engines
from handlerkit.gateways.hosting import in_child
from handlerkit.handlers import HostedHandler
from handlerkit.kit.assembly import load
from handlerkit.kit.builtin_server import run_builtin, server_settings
from handlerkit.kit.classes import protocol
from handlerkit.kit.describing import describe
from handlerkit.kit.running import Fronted, Hosted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.config.model import ServerSettings
    from handlerkit.kit.assembly import Source

# By its name: only who has gunicorn can import it.
_WORKER = "handlerkit.gateways.gunicorn_worker.FrontedWorker"


def serve(
    source: Source,
    app: WSGIApplication | None = None,
    *,
    bind: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> int:
    """Listen and serve until SIGTERM or SIGINT, then finish what runs.

    In the main thread, SIGHUP has it read the configuration again, plugins included;
    one with mistakes changes nothing. Code, ``[app]`` and ``[server]`` take a restart.

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
    if server.engine == "builtin" and server.workers == 1:
        return run_builtin(source, app, given, say)
    address = given or server.bind
    # The application is imported in children only: workers are forked off this
    # process, and could not reload what it had imported.
    faults = _check_engine(server.engine, address)
    lines: list[str] = []
    try:
        lines = in_child(partial(_described, source, app, address))
    except ConfigError as exc:
        faults += exc.faults
    if faults:
        raise ConfigError(document.arrange(faults))
    if isinstance(source, (str, PurePath)):
        source = Path(source).absolute()
    started = config.Written(document, settings)
    told = [("app",), *([("server", "bind")] if given else [])]
    hosted = partial(_hosted, source, app, started, told)
    return _run_engine(server, hosted, address, partial(_announce, say, lines))


def _announce(say: Callable[[str], None], lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def _run_engine(
    server: ServerSettings,
    hosted: partial[Hosted],
    address: str,
    listens: Callable[[], None],
) -> int:
    options = server.granian if server.engine == "granian" else server.gunicorn
    more: dict[str, Any] = {}
    if server.engine == "builtin":
        more["worker_class"] = _WORKER
        more["unix_owner"] = server.unix_owner or ""
    return engines.run(
        "gunicorn" if more else server.engine,
        hosted,
        options=options,
        listens=listens,
        bind=address,
        workers=server.workers,
        threads=server.threads,
        backlog=server.backlog,
        graceful_timeout=server.graceful_timeout,
        unix_mode=int(server.unix_mode, 8),
        **more,
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
    warnings = [headline(each) for each in kit.document.arrange(changes, "warning")]
    if server["server", "engine"] != "builtin":
        return Hosted(kit, warnings)
    fronted = Fronted(kit, warnings)
    fronted.speaks = protocol(kind)
    fronted.settings = {
        **server_settings(lambda name: server["server", name]),
        "multiprocess": True,
    }
    return fronted


def _check_engine(engine: str, address: str) -> list[Fault]:
    """Check the engine; more workers of FastCGI or SCGI are gunicorn's business."""
    if engine != "builtin":
        return engines.check_engine(engine, address)
    if not engines.check_engine("gunicorn", address):
        return []
    text = "more workers than one are run by gunicorn, which is not installed"
    hint = "pip install 'handlerkit[gunicorn]'"
    return [Fault("HK421", text, path=("server", "workers"), hint=hint)]


def _described(source: Source, app: WSGIApplication | None, address: str) -> list[str]:
    kit = load(source, app, entry="serve")
    kit.require_application()
    return describe(kit, address)


def _say_nothing(_: str) -> None:
    """Announce to nobody."""
