"""A worker of gunicorn's arbiter that speaks FastCGI or SCGI.

Sockets, signals and restarts are gunicorn's; between them runs a server of ours.
"""

from __future__ import annotations

import os
import select
import sys
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING

from gunicorn.workers.base import Worker

from handlerkit.gateways.kits import Kits
from handlerkit.gateways.listening import Listener
from handlerkit.gateways.serving import make_server

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.gateways.kits import Kit

_HEARTBEAT = 1.0  # seconds; the arbiter ends a worker that is silent for its timeout
_LAST_WORD = 2.0  # seconds for a server that stops at once


class FrontedWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves the kit of a `HostedApplication` behind a web server.

    The application has ``kit``, ``speaks``, a protocol, and ``settings``, those of
    `make_server`. ``max_requests`` of gunicorn is heeded.
    """

    def run(self) -> None:
        """Serve until the arbiter says to stop, or is gone."""
        kit = _Counted(self.wsgi.kit, self.max_requests)
        server = make_server(
            self.wsgi.speaks,
            Kits(kit),
            [Listener(each.sock, own=False) for each in self.sockets],
            log=self._log,
            **self.wsgi.settings,
        )
        thread = Thread(target=self._serve, args=(server,), name="watch", daemon=True)
        thread.start()
        try:
            self._attend(thread, kit)
            server.stop()
            while thread.is_alive():
                self.notify()
                thread.join(_HEARTBEAT)
        finally:  # SIGINT and SIGQUIT raise SystemExit, wherever we are
            server.stop(at_once=True)
            thread.join(_LAST_WORD)

    def _attend(self, thread: Thread, kit: _Counted) -> None:
        """Come back when it is time to stop."""
        while (
            self.alive  # until a signal says otherwise
            and thread.is_alive()
            and self.ppid == os.getppid()
            and not kit.is_spent
        ):
            self._beat()

    def _beat(self) -> None:
        """Show that we live, and sleep until a signal comes."""
        self.notify()
        if select.select([self.PIPE[0]], [], [], _HEARTBEAT)[0]:
            os.read(self.PIPE[0], 4096)

    def _serve(self, server: Any) -> None:
        try:
            server.serve()
        except BaseException:  # the arbiter starts another worker
            self.log.exception("handlerkit: the server failed")

    def _log(self, message: str) -> None:
        self.log.error("handlerkit: %s", message)


class _Counted:
    """A kit that gunicorn's application has started, and will close.

    ``is_spent`` says that it has had as many exchanges as it may.
    """

    def __init__(self, kit: Kit, most: int) -> None:
        self._kit = kit
        self.application = kit.application
        self._most = most
        self._numbers = count(1)  # many threads take one, and no two the same
        self.is_spent = False

    def handler(self, *args: Any) -> Any:
        """Make a handler, and count it."""
        if next(self._numbers) >= self._most:
            self.is_spent = True
        return self._kit.handler(*args)

    def start(self) -> None:
        """Do nothing: it is started."""

    def close(self) -> None:
        """Write out what is buffered; closing is the application's."""
        sys.stderr.flush()
