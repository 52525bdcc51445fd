"""A kit on one of the built-in servers: HTTP, FastCGI or SCGI."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from handlerkit.gateways import listening, serving
from handlerkit.gateways.hangups import Hangups
from handlerkit.gateways.kits import Kits
from handlerkit.gateways.log import log_to_stderr
from handlerkit.gateways.notify import READY, notify
from handlerkit.kit.assembly import load
from handlerkit.kit.classes import protocol
from handlerkit.kit.describing import describe
from handlerkit.kit.reloading import Reloading

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Source

# What of [server] is the built-in servers' own, under the same names.
_OURS = (
    "threads",
    "max_connections",
    "max_request_line",
    "max_header_size",
    "max_headers",
    "max_params",
    "max_param_name",
    "max_param_value",
    "max_requests",
    "max_unread",
    "max_idle_records",
    "max_body",
    "header_timeout",
    "keep_alive_timeout",
    "read_timeout",
    "write_timeout",
    "graceful_timeout",
)


def run_builtin(
    source: Source,
    app: WSGIApplication | None,
    bind: str | None,
    say: Callable[[str], None],
) -> int:
    """Serve until SIGTERM or SIGINT, reload on SIGHUP; give the exit code.

    ``bind`` is an address in place of that of the file.

    Raises:
        ConfigError: with every mistake found.
        HandlerkitError: the address cannot be had, or a plugin does not start.
    """
    with Hangups() as hangups:
        kits = _kits(source, app, bind)
        hangups.tell(kits.reload)
        _serve(kits, bind, say)
    return 0


def _kits(source: Source, app: WSGIApplication | None, bind: str | None) -> Kits:
    """Load the first kit, in a frame that ends: nobody but the server is to keep it."""
    kit = load(source, app, entry="serve")
    kit.require_application()
    given = [("server", "bind")] if bind else []
    given += [("app", "target")] if app else []
    reloading = Reloading(source, kit, given=given, say=log_to_stderr)
    return Kits(kit, reloading, log=log_to_stderr)


def _serve(kits: Kits, bind: str | None, say: Callable[[str], None]) -> None:
    server = kits.current.config.server
    listeners = listening.listen(
        bind or server.bind,
        backlog=server.backlog,
        unix_mode=int(server.unix_mode, 8),
        unix_owner=server.unix_owner or "",
    )
    speaks = protocol(kits.current.handler_class)

    def announce() -> None:
        scheme = f"{speaks.lower()}:"
        urls = [each.url.replace("http:", scheme, 1) for each in listeners]
        for line in describe(kits.current, ", ".join(urls)):
            say(line)
        notify(READY)
        kits.heed()

    settings = server_settings(partial(getattr, server))
    serving.serve(speaks, kits, listeners, ready=announce, **settings)


def server_settings(value: Callable[[str], Any]) -> dict[str, Any]:
    """Give what of [server] is set, or has a default for every built-in server."""
    given = {name: value(name) for name in _OURS}
    return {name: value for name, value in given.items() if value is not None}
