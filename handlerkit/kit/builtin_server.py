"""A kit on the built-in HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways import http, listening
from handlerkit.gateways.kits import Kits
from handlerkit.kit.describing import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlerkit.kit.assembly import Kit

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


def run_builtin(kit: Kit, address: str, say: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; give the exit code.

    Raises:
        HandlerkitError: the address cannot be had, or a plugin does not start.
    """
    server = kit.config.server
    kit.require_application()
    listeners = listening.listen(
        address, backlog=server.backlog, unix_mode=int(server.unix_mode, 8)
    )

    def announce() -> None:
        for line in describe(kit, ", ".join(each.url for each in listeners)):
            say(line)

    settings = {name: getattr(server, name) for name in _SETTINGS}
    http.serve(Kits(kit), listeners, ready=announce, **settings)
    return 0
