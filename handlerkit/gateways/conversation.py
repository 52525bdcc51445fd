"""A connection between a `Server` and its peer, whatever it is that they speak."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.gateways.channels import Channel

if TYPE_CHECKING:
    import socket
    from typing import Any

    from handlerkit.gateways.server import Server

# Where a connection stands: it is polled, has something to read, is in the hands of a
# thread, or is closed.
IDLE, READY, BUSY, CLOSED = "idle", "ready", "busy", "closed"


class Conversation(Channel):
    """A connection, and what is said on it; one thread at a time has it in hand.

    ``deadline`` is when its peer must have said something, while it is polled.
    """

    __slots__ = ("_latest", "deadline", "is_polled", "server", "stands")

    def __init__(self, sock: socket.socket, peer: Any, server: Server) -> None:
        super().__init__(sock, local=type(peer) is not tuple)
        self.server = server
        self.stands = READY
        self.is_polled = False
        self.deadline = inf
        self._latest = 0.0  # when a peer that still sends is listened to no more

    def read(self) -> Any:
        """Read what has come; give a job for `run`, or None; never raises.

        In the end it must `Server.rest` or `Server.close`, or give the job that will.
        """
        raise NotImplementedError

    @property
    def has_a_moment(self) -> bool:
        """Whether a stop leaves its peer a moment to speak: it has not done so yet."""
        return False

    def last(self) -> None:
        """Let what runs at a stop be the last; from any thread."""

    def late(self) -> None:
        """Go on after the deadline has passed."""
        self.server.close(self)

    def part(self) -> None:
        """Set the time for a peer to take its last answer, and to close.

        It may still send, and closing before all is read would take from it what it
        has not read of our answer. The time begins anew with what it sends, as httpd
        takes an answer only after it has sent all, but ``read_timeout`` is the limit.
        """
        now, settings = monotonic(), self.server.settings
        self.deadline = now + settings.farewell_timeout
        self._latest = max(self.deadline, now + settings.read_timeout)

    def go_on_parting(self) -> None:
        """Let the time begin anew, as the peer still sends."""
        if not self.server.stopping:
            farewell = monotonic() + self.server.settings.farewell_timeout
            self.deadline = min(farewell, self._latest)
