"""The engine granian: it speaks HTTP in Rust, and runs us in its workers."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
import signal
import sys
import threading
from functools import partial
from importlib import import_module
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit.errors import Fault, HandlerkitError
from handlerkit.gateways.hosting import may_reload
from handlerkit.gateways.listening import close_all, listen
from handlerkit.hooks.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.gateways.hosting import Hosted

_PATH = ("server", "granian")

# What handlerkit sets, and where a user sets it.
_OURS = {
    "app": "set target in [app]",
    "backlog": "set backlog in [server]",
    "blocking_threads": "set threads in [server]",
    "factory": "set target in [app]",
    "host": "set bind in [server]",
    "interface": "an application of handlerkit is WSGI",
    "port": "set bind in [server]",
    "uds": "set bind in [server]",
    "uds_permissions": "set unix_mode in [server]",
    "version": "it is no setting",
    "websockets": "an application of handlerkit is WSGI",
    "workers": "set workers in [server]",
    "workers_kill_timeout": "set graceful_timeout in [server]",
    "working_dir": "set path in [app]",
}

# The command line's names, where the keywords of granian's Server are others.
_KEYWORDS = {
    "log_access_enabled": "log_access",
    "log_access_fmt": "log_access_format",
    "log_config": "log_dictconfig",
    "ssl_certificate": "ssl_cert",
    "ssl_keyfile": "ssl_key",
    "ssl_keyfile_password": "ssl_key_password",
}

_SPELLINGS = {keyword: name for name, keyword in _KEYWORDS.items()}

_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "boolean": ("true or false", (bool,)),
    "integer": ("an integer", (int,)),
    "integer range": ("an integer", (int,)),
    "float": ("a number", (int, float)),
    "duration": ('seconds, or a duration as "30s"', (int, str)),
}


def check_options(options: Mapping[str, object]) -> list[Fault]:
    """Hold ``[server.granian]`` against the options of the granian that is installed.

    Names are those of granian's command line, with ``_`` for ``-``; values are
    checked as its command line checks them.
    """
    known = _parameters()
    faults = []
    for name, value in options.items():
        path = (*_PATH, name)
        parameter = known.get(name)
        if parameter is None:
            free = [each for each in known if each not in _OURS]
            said = f'granian has no option "{name}"'
            hint = did_you_mean(_SPELLINGS.get(name, name), free)
            faults.append(Fault("HK201", said, path=path, hint=hint, on="key"))
        elif parameter.name in _OURS:
            said = f'"{name}" of granian is set by handlerkit'
            hint = _OURS[parameter.name]
            faults.append(Fault("HK205", said, path=path, hint=hint, on="key"))
        else:
            try:
                _convert(parameter, value)
            except ValueError as exc:
                said = f"{name}: {str(exc).rstrip('.')}"
                faults.append(Fault("HK204", said, path=path))
    return faults


def check_bind(bind: str) -> str:
    """Say why granian cannot listen there, or nothing."""
    if bind == "systemd" or bind.startswith("fd:"):
        return "granian cannot take over a socket"
    if bind.endswith(":0") and not bind.startswith("unix:"):
        return "granian does not say which port it got for port 0"
    return ""


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
) -> int:
    """Serve on granian, as `engines.run` describes.

    ``load`` must be picklable where processes are spawned. The port must be given;
    granian takes no backlog below 128.

    Raises:
        HandlerkitError: also where workers are spawned, and ``load`` cannot be sent.
    """
    chosen: dict[str, Any] = {
        "websockets": False,
        "respawn_failed_workers": True,
        **_keywords(options),
        **_address(bind, unix_mode),
        "interface": import_module("granian.constants").Interfaces.WSGI,
        "workers": workers,
        "blocking_threads": threads,
        "backlog": backlog,
        "workers_kill_timeout": max(1, math.ceil(graceful_timeout)),
    }
    _check_portable(load)
    server = import_module("granian.server").Server("handlerkit", **chosen)
    listens()
    server.signal_handler_reload = partial(_reload, load, server.signal_handler_reload)
    try:
        server.serve(target_loader=partial(_load, load), wrap_loader=False)
    except import_module("granian.errors").FatalError:
        return 1  # it has logged why
    except SystemExit as exc:
        return 1 if exc.code else 0
    return 0


def _check_portable(load: Callable[[], Hosted]) -> None:
    if multiprocessing.get_start_method() == "fork":
        return
    try:
        pickle.dumps(load)
    except (pickle.PicklingError, AttributeError, TypeError) as exc:
        raise HandlerkitError(
            "granian starts its workers afresh on this platform, so they must import "
            f"the application: set target in [app], in place of app= ({exc})"
        ) from exc


def _load(load: Callable[[], Hosted]) -> Hosted:
    """Load and start in a worker, where nothing catches what is raised.

    Until granian takes the signals, a worker has inherited the handlers of the main
    process, which lose them: the end of it all would wait for `graceful_timeout`.
    """
    _on_signals(signal.SIG_DFL)
    try:
        hosted = load()
        Finalize(None, hosted.close, exitpriority=0)
        _on_signals(_leave)
        hosted.start()
    except HandlerkitError as exc:
        _say(str(exc))
        raise SystemExit(1) from exc
    return hosted


def _on_signals(action: Callable[..., None] | signal.Handlers) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, action)
        signal.signal(signal.SIGINT, action)


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _reload(
    load: Callable[[], Hosted], accept: Callable[..., None], *received: object
) -> None:
    if may_reload(load, _say):
        accept(*received)


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"handlerkit: {text}\n")
        sys.stderr.flush()


def _parameters() -> dict[str, Any]:
    """Give granian's command line options, each under all of its names."""
    known = {}
    for parameter in import_module("granian.cli").cli.params:
        known[parameter.name] = parameter
        for spelling in parameter.opts:
            known[spelling.lstrip("-").replace("-", "_")] = parameter
    return known


def _keywords(options: Mapping[str, object]) -> dict[str, Any]:
    """Turn checked options into keywords of granian's Server."""
    known = _parameters()
    keywords: dict[str, Any] = {}
    http: dict[str, dict[str, Any]] = {"http1": {}, "http2": {}}
    for given, value in options.items():
        name = known[given].name
        converted = _convert(known[given], value)
        version, _, field = name.partition("_")
        if version in http:
            field = "max_buffer_size" if name == "http1_buffer_size" else field
            http[version][field] = converted
        else:
            keywords[_KEYWORDS.get(name, name)] = converted
    settings = import_module("granian.http")
    keywords["http1_settings"] = settings.HTTP1Settings(**http["http1"])
    keywords["http2_settings"] = settings.HTTP2Settings(**http["http2"])
    return keywords


def _convert(parameter: Any, value: object) -> Any:
    """Give what granian's command line would make of a value.

    Raises:
        ValueError: it would refuse it.
    """
    if parameter.name == "log_config":
        return _log_config(parameter, value)
    if parameter.multiple:
        if not isinstance(value, (list, tuple)):
            raise ValueError("must be an array of strings")
        return [_convert_one(parameter, each) for each in value]
    return _convert_one(parameter, value)


def _convert_one(parameter: Any, value: object) -> Any:
    said, kinds = _KINDS.get(parameter.type.name, ("a string", (str,)))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"must be {said}")
    try:
        return parameter.type.convert(value, parameter, None)
    except import_module("click").BadParameter as exc:
        raise ValueError(exc.message) from None


def _log_config(parameter: Any, value: object) -> Any:
    """Take logging's dictionary as a table; the command line takes a JSON file."""
    if not isinstance(value, str):
        if isinstance(value, dict):
            return value
        raise ValueError("must be a table, or the name of a JSON file")
    path: Path = _convert_one(parameter, value)
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as exc:
        raise ValueError(f"{value} is not JSON: {exc}") from None


def _address(bind: str, unix_mode: int) -> dict[str, Any]:
    """Give the keywords for an address, once it is known to be free.

    granian's own error would be a backtrace, its sockets share a port with another
    server of the same user, and it stops at a socket left by a server that died.
    It knows no host names, and listens at one address.
    """
    listeners = listen(bind, backlog=None)
    addresses = [each.socket.getsockname() for each in listeners]
    close_all(listeners)
    if bind.startswith("unix:"):
        path = Path(bind.removeprefix("unix:"))
        return {"uds": path, "uds_permissions": unix_mode}
    host, port = min(addresses, key=len)[:2]  # that of IPv4, where there are both
    return {"address": host, "port": port}
