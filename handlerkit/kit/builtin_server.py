"""A kit on the built-in HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways import http, listening
from handlerkit.kit.describing import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlerkit.kit.assembly import Kit


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
    try:
        kit.start()
        for line in describe(kit, ", ".join(each.url for each in listeners)):
            say(line)
    except BaseException:
        listening.close_all(listeners)
        raise
    try:
        http.serve(kit, listeners, server)
    finally:
        kit.close()
    return 0
