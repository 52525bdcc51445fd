"""The built-in HTTP/1.1 server, on the standard library: for development and tests."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handlerkit.gateways.http_server import HTTPServer, Settings, log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import Any

    from handlerkit.gateways.http_server import Log
    from handlerkit.gateways.kits import Kits
    from handlerkit.gateways.listening import Listener

__all__ = ["HTTPServer", "Settings", "log_to_stderr", "serve"]


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
    with _stopping_on_signals(server):
        server.serve(ready)


@contextmanager
def _stopping_on_signals(server: HTTPServer) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop(at_once=server.stopping)

    # The kernel may give a signal to any thread, but Python handles it in the main
    # thread, which sleeps: it must be woken.
    waker = server.waker()
    old_waker = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    previous = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_waker)
        waker.close()
