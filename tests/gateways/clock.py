"""A clock for the servers of this process, which goes on at a test's word.

So a time limit is long enough for any machine, and is over when a test says so.
"""

import fcntl
import sys
import termios
import time

PATIENCE = 60.0  # seconds, for what must happen; nothing waits this long when it does


def wait_for(condition):
    """Poll for what nothing tells of; give what came of it."""
    latest = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < latest, "it did not happen"
        time.sleep(0.001)
    return found


def wait_until_taken(sock):
    """Wait until the other end of a unix socket has read all."""
    wait_for(lambda: not any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))))


def wait_until_at_rest(server, count):
    """Wait until nobody has one of so many connections in hand."""
    idle = ["idle"] * count
    wait_for(lambda: [each.stands for each in tuple(server._open)] == idle)


class Clock:
    """Goes as ever, and leaps."""

    def __init__(self, monkeypatch):
        self.ahead = 0.0
        for name, module in list(sys.modules.items()):
            if name.startswith("handlerkit.gateways.") and hasattr(module, "monotonic"):
                monkeypatch.setattr(module, "monotonic", self)

    def __call__(self):
        return time.monotonic() + self.ahead

    def leap(self, server, seconds):
        """Let time pass, and a server look who is late by now."""
        self.ahead += seconds
        now = self()
        server.wake()
        wait_for(lambda: server._due > now)
