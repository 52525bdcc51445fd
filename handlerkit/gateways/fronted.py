"""The servers of FastCGI and SCGI: what a web server in front speaks to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways import fastcgi, scgi
from handlerkit.gateways.log import log_to_stderr
from handlerkit.gateways.server import Server
from handlerkit.gateways.settings import Settings
from handlerkit.gateways.signals import stopping_on_signals
from handlerkit.handlers.environ import process_variables
from handlerkit.protocols.fastcgi_limits import Limits as FastCGILimits
from handlerkit.protocols.scgi import Limits as SCGILimits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.kits import Kits
    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log


def serve(
    protocol: str,
    kits: Kits,
    listeners: Sequence[Listener],
    *,
    ready: Callable[[], object] | None = None,
    log: Log = log_to_stderr,
    **settings: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs; a second one cuts it off.

    Args:
        protocol: FastCGI or SCGI.
        kits: what to run; started before ``ready`` and closed at the end.
        listeners: where; they are closed in the end.
        ready: is called once requests are answered.
        log: is given what no exchange can report.
        settings: see `Settings`, and the limits of the protocol.
    """
    server = make_server(protocol, kits, listeners, log=log, **settings)
    with stopping_on_signals(server):
        server.serve(ready)


def make_server(
    protocol: str,
    kits: Kits,
    listeners: Sequence[Listener],
    *,
    log: Log = log_to_stderr,
    stderr: Any = None,
    **settings: Any,
) -> Server:
    """Make the server that `serve` runs; ``stderr`` is wsgi.errors."""
    limits = {name: settings.pop(name) for name in _LIMITS}
    options = Settings(**settings)
    if protocol == "FastCGI":
        limits["max_params_size"] = limits.pop("max_header_size")
        converse = fastcgi.conversing(
            FastCGILimits(**limits), options.max_connections, _web_servers()
        )
    else:
        del limits["max_requests"]
        converse = scgi.conversing(SCGILimits(**limits))
    return Server(kits, listeners, converse, options, log=log, stderr=stderr)


def _web_servers() -> tuple[str, ...]:
    """Give the addresses that may connect, as the front that spawned us says."""
    given = process_variables().get("FCGI_WEB_SERVER_ADDRS", "")
    return tuple(each.strip() for each in given.split(",") if each.strip())


_LIMITS = ("max_header_size", "max_params", "max_requests", "max_body")
