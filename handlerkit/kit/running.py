"""`wsgi`: a kit run under a WSGI server."""

from __future__ import annotations

import atexit
from threading import Lock
from typing import TYPE_CHECKING

from handlerkit.kit.assembly import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication

    from handlerkit.kit.assembly import Kit, Source


def wsgi(source: Source, app: WSGIApplication | None = None) -> Hosted:
    """Give a WSGI callable that any server can host.

    Raises:
        ConfigError: with every mistake found.
    """
    return Hosted(load(source, app, entry="wsgi"))


class Hosted:
    """The WSGI callable of a kit; starts the plugins with its first exchange.

    Not when it is made: an engine may make it before it forks. Whoever knows that
    there will be no fork may call `start` before. ``warnings`` are for whoever has
    asked an engine for a reload.
    """

    def __init__(self, kit: Kit, warnings: Sequence[str] = ()) -> None:
        self.kit = kit
        self.warnings = warnings
        self._application = kit.application
        self._class: Any = kit.handler_class
        self._lock = Lock()
        self._started = False

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one exchange (PEP 3333)."""
        if not self._started:
            self.start()
        result: Iterable[bytes] = self._class(environ, start_response).run(
            self._application
        )
        return result

    def start(self) -> None:
        """Start the plugins, once; they are closed when the process ends.

        Raises:
            PluginError: a plugin that is required did not start.
        """
        with self._lock:
            if not self._started:
                self.kit.start()
                atexit.register(self.kit.close)
                self._started = True

    def close(self) -> None:
        """Close the plugins."""
        atexit.unregister(self.kit.close)
        self.kit.close()


class Fronted(Hosted):
    """The kit of a worker behind a web server.

    ``speaks`` is the protocol, ``settings`` are those of its server.
    """

    speaks: str
    settings: Mapping[str, Any]
