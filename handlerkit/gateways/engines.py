"""Engines: servers by others that host a kit, started with their own settings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from handlerkit.errors import Fault
from handlerkit.gateways import granian, gunicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.gateways.hosting import Hosted

_ENGINE = ("server", "engine")


def check_engine(engine: str, bind: str) -> list[Fault]:
    """Check that an engine is installed, and can listen at an address."""
    missing = _missing(engine)
    if missing is not None:
        return [missing]
    said = granian.check_bind(bind) if engine == "granian" else ""
    if not said:
        return []
    also = [(_ENGINE, "value", "which is to listen there")]
    return [Fault("HK411", said, path=("server", "bind"), also=also)]


def check_options(engine: str, options: Mapping[str, object]) -> list[Fault]:
    """Check ``[server.<engine>]`` against the engine that is installed.

    One that is not installed is no mistake of its options: see `check_engine`.
    """
    if _missing(engine) is not None:
        return []
    plain = _thaw(options)
    if engine == "granian":
        return granian.check_options(plain)
    return gunicorn.check_options(plain)


def run(
    engine: str,
    load: Callable[[], Hosted],
    *,
    options: Mapping[str, object],
    listens: Callable[[], None],
    **listening: Any,
) -> int:
    """Serve on an engine until it is told to stop; give the exit code, 0 or 1.

    Args:
        engine: granian or gunicorn.
        load: makes the kit, in each worker; in a child of its own before a reload,
            which is refused where it raises.
        options: ``[server.<engine>]``, checked by `check_options`.
        listens: is called once the address is had, before anything is served.
        listening: from ``[server]``: ``bind``, an address; ``workers``, processes;
            ``threads`` of each; ``backlog``, connections that may wait;
            ``graceful_timeout``, seconds that running exchanges get at a stop, rounded
            up; ``unix_mode``, permissions of a unix socket.

    Raises:
        ListenError: the address is not to be had.
        HandlerkitError: the engine cannot start.
        SystemExit: in a worker of gunicorn, at its end.
    """
    serve = granian.run if engine == "granian" else gunicorn.run
    return serve(load, options=_thaw(options), listens=listens, **listening)


def _thaw(value: Any) -> Any:
    """Give a frozen table as the dicts and lists that an engine expects."""
    if hasattr(value, "items"):
        return {key: _thaw(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_thaw(each) for each in value]
    return value


def _missing(engine: str) -> Fault | None:
    try:
        import_module(engine)
        import_module(f"{engine}.config" if engine == "gunicorn" else "granian.cli")
    except ModuleNotFoundError as exc:
        if exc.name == engine:
            said = f"{engine} is not installed"
            hint = f"pip install 'handlerkit[{engine}]'"
            return Fault("HK410", said, path=_ENGINE, hint=hint)
        return Fault("HK410", f"{engine} cannot be used: {exc}", path=_ENGINE)
    except ImportError as exc:
        return Fault("HK410", f"{engine} cannot be used: {exc}", path=_ENGINE)
    return None
