"""FastCGI bodies on their way to the applications that wait for them."""

from __future__ import annotations

from math import inf
from threading import Condition, Lock
from time import monotonic
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways.channels import BLOCK
from handlerkit.gateways.fastcgi_sending import RecordSender
from handlerkit.gateways.uploads import too_late

if TYPE_CHECKING:
    import socket
    from typing import Any

    from handlerkit.gateways.fastcgi_gathering import Gathering
    from handlerkit.gateways.server import Server
    from handlerkit.gateways.uploads import Pace
    from handlerkit.protocols.fastcgi import Connection, Request

_LARGE = 4 * BLOCK  # what an application that waits for a body reads at once


class BodyReader(RecordSender):
    """A connection on which a thread that waits for a body reads for itself."""

    __slots__ = (
        "_arrival",
        "_gathering",
        "_is_over",
        "_is_paused",
        "_lock",
        "_protocol",
    )

    def __init__(
        self, sock: socket.socket, peer: Any, server: Server, protocol: Connection
    ) -> None:
        super().__init__(sock, peer, server)
        self._protocol = protocol
        self._lock = Lock()  # of the protocol, and of all that follows
        self._arrival: Condition | None = None
        self._gathering: Gathering | None = None
        self._is_paused = False
        self._is_over = False

    def _advance(self, data: bytes) -> Any:
        """Take what was read, b"" for the end, and let the connection go again."""
        raise NotImplementedError

    def _give_time(self) -> bool:
        """Set how long the front has; say whether anything is under way."""
        raise NotImplementedError

    def _rest(self, *, begun: bool) -> None:
        """Have the connection polled."""
        raise NotImplementedError

    def take(self, request: Request, size: int, pace: Pace | None) -> bytes:
        """Give some of a body, b"" at its end; wait for it.

        Raises:
            RequestError: the body is too long, or does not come.
            ClientDisconnected: the front left, or aborted the request.
        """
        while True:
            with self._lock:
                ended = request.ended  # by now: more may come after the lock is let go
                data = request.take(size)
                resumes = self._resumes()
                begun = resumes and self._give_time()
            if resumes:
                self._rest(begun=begun)
            if data or ended or pace is None:
                return data
            self._fetch(request, pace)

    def _resumes(self) -> bool:
        """Say whether a pause has come to its end just now."""
        if not self._is_paused or self._is_over or self._protocol.full:
            return False
        self._is_paused = False
        if self._gathering is not None:
            self._gathering.let_wait()
        return True

    def _fetch(self, request: Request, pace: Pace) -> None:
        """Wait until there may be more of a body; read, unless another thread does."""
        patience = pace.wait()
        try:
            if self._may_read(request, patience):
                self._read_on(patience)
        finally:
            pace.waited(request.received)

    def _may_read(self, request: Request, patience: float) -> bool:
        """Take the connection in hand, or wait for who has it to read something."""
        with self._lock:
            if request.unread or request.ended or request.aborted or request.error:
                return False
            if not self._is_paused and self.server.claim(self):
                return True
            if self._arrival is None:
                self._arrival = Condition(self._lock)
            if not self._arrival.wait(patience):
                raise too_late()
            return False

    def _read_on(self, patience: float) -> None:
        """Wait for what comes next, but not longer than any body may be waited for."""
        with self._lock:
            deadline = self._gathering.deadline() if self._gathering else inf
        soonest = max(0.0, deadline - monotonic())
        try:
            data = self.receive(_LARGE, min(patience, soonest))
        except TimeoutError as exc:
            with self._lock:
                if self._arrival is not None:
                    self._arrival.notify_all()
            self.late()
            if patience <= soonest:
                raise too_late() from exc
            return
        except ClientDisconnected:
            data = b""
        job = self._advance(data)
        if job is not None:
            self.server.add_job(job)
