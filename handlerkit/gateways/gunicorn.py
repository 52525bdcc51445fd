"""The engine gunicorn: its arbiter manages the processes, its workers run us."""

from __future__ import annotations

import math
import os
from importlib import import_module
from typing import TYPE_CHECKING

from handlerkit.errors import Fault, HandlerkitError
from handlerkit.gateways.listening import listen
from handlerkit.handlers.environ import process_environ
from handlerkit.hooks.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.gateways.hosting import Hosted

_PATH = ("server", "gunicorn")

# What handlerkit sets, or gunicorn heeds from its own command line only.
_OURS = {
    "backlog": "set backlog in [server]",
    "bind": "set bind in [server]",
    "chdir": "set path in [app]",
    "check_config": "run: handlerkit check",
    "config": "this file is the configuration",
    "daemon": "let a process manager do it",
    "default_proc_name": "set proc_name",
    "graceful_timeout": "set graceful_timeout in [server]",
    "paste": "set target in [app]",
    "print_config": "run: handlerkit show",
    "pythonpath": "set path in [app]",
    "raw_paste_global_conf": "set target in [app]",
    "reuse_port": "handlerkit opens the sockets",
    "threads": "set threads in [server]",
    "umask": "set unix_mode in [server]",
    "workers": "set workers in [server]",
    "wsgi_app": "set target in [app]",
}


def check_options(options: Mapping[str, object]) -> list[Fault]:
    """Hold ``[server.gunicorn]`` against the settings of the gunicorn installed.

    Names and values are those of its configuration file; a function of a server
    hook is named as ``module.function``.
    """
    known = import_module("gunicorn.config").make_settings()
    faults = []
    for name, value in options.items():
        path = (*_PATH, name)
        if name not in known:
            said = f'gunicorn has no setting "{name}"'
            hint = did_you_mean(name, [each for each in known if each not in _OURS])
            faults.append(Fault("HK201", said, path=path, hint=hint, on="key"))
        elif name in _OURS:
            said = f'"{name}" of gunicorn is not for this table'
            hint = _OURS[name]
            faults.append(Fault("HK205", said, path=path, hint=hint, on="key"))
        else:
            try:
                known[name].set(value)
            except Exception as exc:  # noqa: BLE001 - a validator may import, and raise anything
                faults.append(
                    Fault("HK204", f"{name}: gunicorn refuses it: {exc}", path=path)
                )
    return faults


def run(  # noqa: PLR0913 - the table [server], an argument for each key
    load: Callable[[], Hosted],
    *,
    bind: str,
    workers: int,
    threads: int,
    backlog: int,
    graceful_timeout: float,
    unix_mode: int,
    options: Mapping[str, object],
    listens: Callable[[], None],
    unix_owner: str = "",
    worker_class: str = "",
) -> int:
    """Serve on gunicorn, as `engines.run` describes; threads > 1 make it gthread.

    ``worker_class`` is one of ours, in place of gunicorn's own; ``unix_owner`` owns a
    unix socket.

    Raises:
        HandlerkitError: also where the settings contradict each other.
        SystemExit: in a worker, at its end: it is forked off in here.
    """
    settings: dict[str, Any] = {
        "control_socket_disable": not _wants_control(options),
        **options,
        "workers": workers,
        "threads": threads,
        "backlog": backlog,
        "graceful_timeout": math.ceil(graceful_timeout),
    }
    if "GUNICORN_FD" not in process_environ():  # else this is its own successor
        settings["bind"] = _sockets(bind, backlog, unix_mode, unix_owner)
    if worker_class:
        settings["worker_class"] = worker_class
    listens()
    arbiter = import_module("handlerkit.gateways.arbiter")
    us = os.getpid()
    try:
        arbiter.run(load, settings)
    except import_module("gunicorn.errors").ConfigError as exc:
        raise HandlerkitError(f"gunicorn: {exc}") from exc
    except SystemExit as exc:
        if os.getpid() != us:
            raise
        return 1 if exc.code else 0
    return 0


def _sockets(bind: str, backlog: int, unix_mode: int, unix_owner: str) -> list[str]:
    """Listen, and give the sockets as gunicorn takes them.

    Its own way retries a taken port for five seconds, and where systemd passed
    nothing, it listens at its default port.
    """
    listeners = listen(
        bind, backlog=backlog, unix_mode=unix_mode, unix_owner=unix_owner
    )
    found = [each.socket.detach() for each in listeners]
    # Those of systemd it finds by itself, and then does not remove the path.
    return [] if bind == "systemd" else [f"fd://{number}" for number in found]


def _wants_control(options: Mapping[str, object]) -> bool:
    """Tell whether its control socket is asked for: by itself it is in the home."""
    return any(name.startswith("control_socket") for name in options)
