"""The built-in HTTP/1.1 server, on the standard library: for development and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways.http_server import HTTPServer, Settings
from handlerkit.gateways.log import log_to_stderr
from handlerkit.gateways.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.kits import Kits
    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log

__all__ = ["HTTPServer", "Settings", "serve"]


def serve(
    kits: Kits,
    listeners: Sequence[Listener],
    *,
    ready: Callable[[], object] | None = None,
    log: Log = log_to_stderr,
    **settings: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs; a second one cuts it off.

    Signals are taken where Python lets us: in the main thread.

    Args:
        kits: what to run; started before ``ready`` and closed at the end.
        listeners: where; they are closed in the end.
        ready: is called once requests are answered.
        log: is given what no exchange can report.
        settings: see `Settings` and `Limits`.
    """
    server = HTTPServer(kits, listeners, Settings(**settings), log=log)
    with stopping_on_signals(server):
        server.serve(ready)
