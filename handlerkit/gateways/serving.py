"""The built-in servers: HTTP, and what a web server in front speaks to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.gateways import fastcgi, http, scgi
from handlerkit.gateways.log import log_to_stderr
from handlerkit.gateways.server import Server
from handlerkit.gateways.settings import Settings
from handlerkit.gateways.signals import stopping_on_signals
from handlerkit.handlers.environ import process_variables
from handlerkit.protocols.fastcgi_limits import Limits as FastCGILimits
from handlerkit.protocols.http1_request import Limits as HTTPLimits
from handlerkit.protocols.scgi import Limits as SCGILimits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.gateways.kits import Kits
    from handlerkit.gateways.listening import Listener
    from handlerkit.gateways.log import Log

# Browsers hold connections that they do not need; a web server in front needs them.
_HTTP_KEEP_ALIVE = 5.0  # seconds


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

    Signals are taken where Python lets us: in the main thread.

    Args:
        protocol: HTTP, FastCGI or SCGI.
        kits: what to run; started before ``ready`` and closed at the end.
        listeners: where; they are closed in the end.
        ready: is called once requests are answered.
        log: is given what no exchange can report.
        settings: see `Settings`, and the limits of the protocols, of which those of
            others are passed over.
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
    known = _LIMITS[protocol]
    limits = {name: value for name, value in settings.items() if name in known}
    others = {name for names in _LIMITS.values() for name in names}
    given = {name: value for name, value in settings.items() if name not in others}
    if protocol == "HTTP":
        given.setdefault("keep_alive_timeout", _HTTP_KEEP_ALIVE)
    options = Settings(**given)
    converse = _conversing(protocol, limits, options)
    return Server(kits, listeners, converse, options, log=log, stderr=stderr)


_COMMON = ("max_body", "max_header_size")
_LIMITS = {
    "HTTP": (*_COMMON, "max_headers", "max_request_line"),
    "FastCGI": (
        *_COMMON,
        *("max_params", "max_param_name", "max_param_value"),
        *("max_requests", "max_unread", "max_idle_records"),
    ),
    "SCGI": (*_COMMON, "max_params"),
}


def _conversing(protocol: str, limits: dict[str, Any], settings: Settings) -> Any:
    if protocol == "HTTP":
        return http.conversing(HTTPLimits(**limits))
    if protocol == "SCGI":
        return scgi.conversing(SCGILimits(**limits))
    if "max_header_size" in limits:
        limits["max_params_size"] = limits.pop("max_header_size")
    return fastcgi.conversing(
        FastCGILimits(**limits), settings.max_connections, _web_servers()
    )


def _web_servers() -> tuple[str, ...]:
    """Give the addresses that may connect, as the front that spawned us says."""
    given = process_variables().get("FCGI_WEB_SERVER_ADDRS", "")
    return tuple(each.strip() for each in given.split(",") if each.strip())
