"""Every exception of handlerkit, on one screen, split by who is at fault."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handlerkit.carets import Source


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
    is at fault, ``code`` is stable (``HK203``). ``also`` are other places that it is
    about, each a path, an ``on`` and a label, ``source`` the text of the file.
    ``span`` is set where there is no path; ``severity`` is ``error`` or ``warning``.
    """

    __slots__ = (
        *("also", "code", "file", "hint", "message", "on", "path"),
        *("severity", "source", "span"),
    )

    def __init__(  # noqa: PLR0913 - a record, every caller names its fields
        self,
        code: str,
        message: str,
        *,
        path: tuple[str | int, ...] = (),
        file: str = "",
        hint: str = "",
        on: str = "value",
        also: Iterable[tuple[tuple[str | int, ...], str, str]] = (),
        source: Source | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.path = path
        self.file = file
        self.hint = hint
        self.on = on
        self.also = tuple(also)
        self.source = source
        self.span = span
        self.severity = "error"

    def found(self) -> tuple[int, int] | None:
        """Give the start and end of what is at fault in the text, if it is there."""
        if self.span is not None or self.source is None:
            return self.span
        return self.source.span(self.path, self.on)

    def others(self) -> Iterator[tuple[tuple[int, int], tuple[str | int, ...], str]]:
        """Give span, path and label of each other place that is there."""
        for path, on, label in self.also:
            span = self.source.span(path, on, exact=True) if self.source else None
            if span is not None and span != self.found():
                yield span, path, label

    def __repr__(self) -> str:
        return f"Fault({self.code}, {self.path}, {self.message!r})"

    def __str__(self) -> str:
        from handlerkit.carets import drawn

        return drawn(self)


class ConfigError(HandlerkitError):
    """The configuration is invalid; ``faults`` holds every mistake found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        from handlerkit.carets import in_order

        self.faults = tuple(in_order(faults))
        super().__init__(self.faults)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults]
        return "\n".join([*lines, summary(self.faults)])


def named(exc: BaseException) -> str:
    """Give an exception as text, its type first; its own ``str`` may raise."""
    kind = type(exc).__name__
    try:
        said = str(exc)
    except Exception as broken:  # noqa: BLE001 - whatever it is, it says nothing
        said = f"<cannot be shown: {type(broken).__name__}>"
    return f"{kind}: {said}" if said else kind


def summary(faults: Sequence[Fault]) -> str:
    """Say how many errors there are, and what says more."""
    count = f"{len(faults)} error{'' if len(faults) == 1 else 's'}"
    return f"{count}; handlerkit explain {faults[0].code} says more"
