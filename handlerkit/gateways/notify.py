"""What systemd is told of a service, where it asks for it: sd_notify(3)."""

from __future__ import annotations

import socket
import time
from typing import Any

from handlerkit.handlers.environ import process_environ

READY = "READY=1"
STOPPING = "STOPPING=1"

_AF_UNIX: Any = getattr(socket, "AF_UNIX", None)


def reloading() -> str:
    """Give the state of a service that has begun to reload; READY ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def notify(state: str) -> None:
    """Send a state, if the process has been told where to (``NOTIFY_SOCKET``)."""
    place = process_environ().get("NOTIFY_SOCKET")
    if not place or _AF_UNIX is None:
        return
    if place.startswith("@"):  # an abstract one
        place = f"\0{place[1:]}"
    try:
        with socket.socket(_AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1.0)
            sock.sendto(state.encode(), place)
    except OSError:  # nobody is there to be told, or no descriptor is left
        return
