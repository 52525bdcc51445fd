"""The entry points: one kit, run by CGI, under a WSGI server, or listening."""

from __future__ import annotations

import atexit
from threading import Lock
from traceback import format_exc
from typing import TYPE_CHECKING

from handlerkit.errors import HandlerkitError
from handlerkit.gateways import cgi
from handlerkit.kit.assembly import load

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
    except HandlerkitError as exc:
        return cgi.refuse(streams, f"handlerkit: {exc}")
    except BaseException:
        cgi.refuse(streams, format_exc())
        raise
    return cgi.run(kit, streams)


def wsgi(
    source: Source, app: WSGIApplication | None = None
) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Give a WSGI callable that any server can host.

    Raises:
        ConfigError: with every mistake found.
    """
    return Hosted(load(source, app, entry="wsgi"))


class Hosted:
    """The WSGI callable of a kit; starts the plugins with its first exchange.

    Not when it is made: an engine may make it before it forks.
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
        if not self._started:
            self._start()
        result: Iterable[bytes] = self._class(environ, start_response).run(
            self._application
        )
        return result

    def _start(self) -> None:
        with self._lock:
            if not self._started:
                self.kit.start()
                atexit.register(self.kit.close)
                self._started = True


def serve(
    source: Source,
    app: WSGIApplication | None = None,
    *,
    bind: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Listen and serve until SIGTERM or SIGINT, then finish what runs.

    Args:
        source: as for `load`.
        app: the application, in place of ``[app] target``.
        bind: an address, in place of ``[server] bind``.
        announce: is given, line by line, what runs where.

    Raises:
        ConfigError: with every mistake found.
        HandlerkitError: the address cannot be had, or the engine failed.
    """
    raise HandlerkitError("not yet")
