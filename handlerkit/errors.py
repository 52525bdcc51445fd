"""Every exception of handlerkit, on one screen, split by who is at fault."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class HandlerkitError(Exception):
    """Root of every exception that handlerkit defines."""


class ApplicationError(HandlerkitError, ValueError):
    """The application broke PEP 3333; the message names the fault."""


class RequestError(HandlerkitError, ValueError):
    """The request cannot be served as it stands; ``status`` says what to answer."""

    def __init__(self, message: str, status: str = "400 Bad Request") -> None:
        super().__init__(message)
        self.status = status


class ProtocolError(HandlerkitError, ValueError):
    """The peer does not speak the protocol; the connection cannot go on."""


class ClientDisconnected(HandlerkitError, ConnectionAbortedError):
    """The client went away: an outcome of the exchange, not an error of the app."""


class ResponseAborted(HandlerkitError, RuntimeError):
    """The response broke off after its head was out (raised to a hosting server)."""


class PluginError(HandlerkitError):
    """A plugin cannot be loaded, is not a valid plugin, or gave an invalid answer."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Fault:
    """One mistake in the configuration: where it is, what it is, how to mend it.

    ``file`` is the path as the user gave it, ``path`` the TOML path of the key
    (``("handler", "traceback_limit")``), ``on`` says whether the key or the value
    is at fault, ``code`` is stable (``HK203``).
    """

    __slots__ = ("code", "file", "hint", "message", "on", "path")

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: tuple[str | int, ...] = (),
        file: str = "",
        hint: str = "",
        on: str = "value",
    ) -> None:
        self.code = code
        self.message = message
        self.path = path
        self.file = file
        self.hint = hint
        self.on = on

    def __repr__(self) -> str:
        return f"Fault({self})"

    def __str__(self) -> str:
        place = ".".join(str(part) for part in self.path)
        where = ": ".join(part for part in (self.file, place) if part)
        said = f"error[{self.code}]: {self.message}"
        if self.hint:
            said = f"{said}: {self.hint}"
        return f"{where}: {said}" if where else said


class ConfigError(HandlerkitError):
    """The configuration is invalid; ``faults`` holds every mistake found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults]
        count = len(lines)
        return "\n".join([*lines, f"{count} error{'' if count == 1 else 's'}"])
