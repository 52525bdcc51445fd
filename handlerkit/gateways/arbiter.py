"""gunicorn's arbiter with our application in it; imported only where it runs."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError, HaltServer

from handlerkit.errors import HandlerkitError
from handlerkit.gateways.hosting import may_reload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.gateways.hosting import Hosted

_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def run(load: Callable[[], Hosted], settings: Mapping[str, Any]) -> None:
    """Run gunicorn; does not return.

    Raises:
        SystemExit: in the arbiter and in each worker, with the exit code.
    """
    CheckedArbiter(HostedApplication(load, settings)).run()


class HostedApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """A kit as gunicorn's application: loaded and started in each worker."""

    def __init__(self, load: Callable[[], Hosted], settings: Mapping[str, Any]) -> None:
        self.load_hosted = load
        self._settings = settings
        super().__init__(prog="handlerkit")

    def load_config(self) -> None:
        """Set gunicorn's settings, with our start and close beside its hooks."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)
        post_fork = self.cfg.post_fork
        post_worker_init = self.cfg.post_worker_init
        worker_exit = self.cfg.worker_exit

        def begin(server: Any, worker: Any) -> None:
            for number in _ENDINGS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
            post_fork(server, worker)

        def start(worker: Any) -> None:
            try:
                self.callable.start()
            except HandlerkitError as exc:
                raise AppImportError(f"handlerkit: {exc}") from exc
            post_worker_init(worker)

        def close(server: Any, worker: Any) -> None:
            try:
                worker_exit(server, worker)
            finally:
                if self.callable is not None:
                    self.callable.close()

        self.cfg.set("post_fork", begin)
        self.cfg.set("post_worker_init", start)
        self.cfg.set("worker_exit", close)

    def load(self) -> Hosted:
        """Load the kit: in a worker, unless ``preload_app`` is set.

        Raises:
            AppImportError: for every mistake; it ends gunicorn, with the text.
        """
        try:
            return self.load_hosted()
        except HandlerkitError as exc:
            raise AppImportError(f"handlerkit: {exc}") from exc


class CheckedArbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """An arbiter that keeps its workers where new ones could not load."""

    def __init__(self, app: HostedApplication) -> None:
        super().__init__(app)
        # What USR2 runs again; sys.argv, which gunicorn takes, has no "-m handlerkit".
        self.START_CTX["args"] = [sys.executable, *sys.orig_argv[1:]]

    def spawn_worker(self) -> Any:
        """Fork a worker that a signal ends at once, until it has begun to heed them.

        It would take them for the arbiter's own before that, and go on.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002 - gunicorn's
        """Stop, also where one worker more is found to have failed meanwhile."""
        while True:
            try:
                super().stop(graceful)
            except HaltServer:  # it has one worker less each time
                continue
            return

    def reload(self) -> None:
        """Reload, once a child process has shown that loading works."""
        if may_reload(self.app.load_hosted, self._warn):
            super().reload()

    def _warn(self, text: str) -> None:
        self.log.warning("handlerkit: %s", text)
