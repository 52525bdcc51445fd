"""A kit on the built-in HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways import http, listening
from handlerkit.gateways.hangups import Hangups
from handlerkit.gateways.kits import Kits
from handlerkit.kit.assembly import load
from handlerkit.kit.describing import describe
from handlerkit.kit.reloading import Reloading

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Kit, Source

# What of [server] is the built-in server's own, under the same names.
_SETTINGS = (
    "threads",
    "max_connections",
    "max_request_line",
    "max_header_size",
    "max_headers",
    "max_body",
    "header_timeout",
    "keep_alive_timeout",
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
        kit = load(source, app, entry="serve")
        kit.require_application()
        given = [("server", "bind")] if bind else []
        given += [("app", "target")] if app else []
        say_on = http.log_to_stderr
        reloading = Reloading(source, kit, given=given, say=say_on)
        kits = Kits(kit, reloading, log=say_on)
        hangups.tell(kits.reload)
        _serve(kits, kit, bind or kit.config.server.bind, say)
    return 0


def _serve(kits: Kits, kit: Kit, bind: str, say: Callable[[str], None]) -> None:
    server = kit.config.server
    listeners = listening.listen(
        bind, backlog=server.backlog, unix_mode=int(server.unix_mode, 8)
    )

    def announce() -> None:
        for line in describe(kit, ", ".join(each.url for each in listeners)):
            say(line)

    settings = {name: getattr(server, name) for name in _SETTINGS}
    http.serve(kits, listeners, ready=announce, **settings)
