"""What the servers of handlerkit are told: so many threads, so much time."""

from __future__ import annotations

# Seconds; the system takes no more than 2**31 milliseconds for one wait.
_LONGEST = 1e6


class Settings:
    """How the server serves; times are in seconds, a million of them at the most.

    ``header_timeout`` is for the head of a request; ``keep_alive_timeout`` for an idle
    connection; ``read_timeout`` and ``write_timeout`` for a body that makes no
    progress; ``drain_timeout`` for all that the application left of a body that a
    connection is kept for; ``farewell_timeout`` for a peer to take its last answer;
    ``graceful_timeout`` is what running exchanges get at a stop, ``parting_timeout``
    who has connected and not said anything by then. More than ``max_connections`` wait
    to be accepted.
    """

    def __init__(  # noqa: PLR0913 - one flat table of the configuration
        self,
        *,
        threads: int = 8,
        max_connections: int = 1000,
        header_timeout: float = 10.0,
        keep_alive_timeout: float = 75.0,
        read_timeout: float | None = None,
        write_timeout: float = 60.0,
        drain_timeout: float = 2.0,
        farewell_timeout: float = 5.0,
        graceful_timeout: float = 30.0,
        parting_timeout: float = 0.5,
        multiprocess: bool = False,
    ) -> None:
        self.threads = threads
        self.max_connections = max_connections
        self.header_timeout = min(header_timeout, _LONGEST)
        self.keep_alive_timeout = min(keep_alive_timeout, _LONGEST)
        read_timeout = write_timeout if read_timeout is None else read_timeout
        self.read_timeout = min(read_timeout, _LONGEST)
        self.write_timeout = min(write_timeout, _LONGEST)
        self.drain_timeout = min(drain_timeout, _LONGEST)
        self.farewell_timeout = min(farewell_timeout, _LONGEST)
        self.graceful_timeout = min(graceful_timeout, _LONGEST)
        self.parting_timeout = min(parting_timeout, _LONGEST)
        self.multiprocess = multiprocess

    @property
    def shortest(self) -> float:
        """The shortest time that a polled connection may have."""
        return min(
            self.header_timeout,
            self.keep_alive_timeout,
            self.read_timeout,
            self.farewell_timeout,
        )
