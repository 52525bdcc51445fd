"""Combinations that are valid, and dangerous: `check` warns of them.

Each is about who can reach what: a public address, a file that everybody may read or
write, a peer whose word is taken.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from ipaddress import collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit.config.hiding import is_typed, names_other
from handlerkit.config.references import described
from handlerkit.config.writing import dotted
from handlerkit.errors import Fault
from handlerkit.reports.known import url_password
from handlerkit.reports.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handlerkit.carets import TomlPath
    from handlerkit.config.crosschecks import Entry
    from handlerkit.config.model import Config
    from handlerkit.config.sources import Document

_DIAGNOSTICS = ("debug", "diagnostics", "show_details", "show_traceback")
# Of gunicorn, 0 means that there is no limit.
_GUNICORN_LIMITS = ("limit_request_line", "limit_request_field_size")

_PUBLIC = [(("server", "bind"), "value", "public")]


def lint(document: Document, config: Config, entry: Entry | None) -> list[Fault]:
    """Give a warning for each dangerous combination.

    Args:
        document: what the configuration was made from; it knows what the models of
            plugins type as secret, where those were loaded.
        config: the configuration.
        entry: the way of running; None: any that fits.
    """
    warnings = [
        *_everybody(config),
        *_secrets(document, config),
        *_locals(config),
        *_status(config),
        *_writable(document, config),
    ]
    if _listens(config, entry):
        warnings += [
            *_limits(config),
            *_underscores(config),
            *_process(config),
            *_diagnostics(config),
            *_open_socket(config),
            *_gateway(config),
        ]
    return document.arrange(warnings, "warning")


def _listens(config: Config, entry: Entry | None) -> bool:
    """Say whether this is, or may be, a server that is ours to start."""
    fits = config.handler.class_ not in ("CGIHandler", "IISCGIHandler")
    return entry == "serve" or (entry is None and fits)


def _is_public(config: Config) -> bool:
    """Say whether another machine can connect; who passes a socket on is not known."""
    bind = config.server.bind
    if bind.startswith(("unix:", "fd:")) or bind == "systemd":
        return False
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host.lower() != "localhost"


def _is_behind(config: Config) -> bool:
    """Say whether a front server alone is to connect: it says all of a request."""
    return config.handler.class_ in ("FastCGIHandler", "SCGIHandler")


def _gateway(config: Config) -> Iterator[Fault]:
    if _is_behind(config) and _is_public(config):
        name = config.handler.class_.removesuffix("Handler")
        yield Fault(
            "HK511",
            f"{name} at {config.server.bind}: whoever can connect says who the client "
            "is, and who is logged in",
            path=("server", "bind"),
            hint='"unix:/path", or an address that only the front server reaches',
        )


def _everybody(config: Config) -> Iterator[Fault]:
    path: TomlPath = ("proxies", "trusted")
    given = [ip_network(each) for each in config.proxies.trusted if each != "unix"]
    for version in (4, 6):
        nets = [each for each in given if each.version == version]
        if any(each.prefixlen == 0 for each in collapse_addresses(nets)):  # type: ignore[type-var]  # of one version
            yield Fault(
                "HK502",
                f"every IPv{version} address is trusted as a proxy: "
                "any client can pose as any other",
                path=path,
                hint="name the addresses that your proxies connect from",
            )
    gunicorn = config.server.gunicorn
    for name in ("forwarded_allow_ips", "proxy_allow_ips"):
        if name == "proxy_allow_ips" and not gunicorn.get("proxy_protocol"):
            continue
        if "*" in str(gunicorn.get(name, "")):
            yield Fault(
                "HK502",
                f"gunicorn takes everybody's word: {name} has *",
                path=("server", "gunicorn", name),
                hint="name the addresses that your proxies connect from",
            )


def _limits(config: Config) -> Iterator[Fault]:
    server = config.server
    if not _is_public(config):
        return
    off: list[TomlPath] = []
    if (server.engine == "builtin" or _is_behind(config)) and server.max_body == 0:
        off.append(("server", "max_body"))
    if server.engine == "gunicorn":
        off += [
            ("server", "gunicorn", name)
            for name in _GUNICORN_LIMITS
            if server.gunicorn.get(name) == 0
        ]
    for path in off:
        text = f"{path[-1]} = 0 is no limit at all, and {server.bind} is public"
        hint = "any client can fill the memory, or the disk, of this machine"
        yield Fault("HK503", text, path=path, hint=hint, also=_PUBLIC)


def _underscores(config: Config) -> Iterator[Fault]:
    for name, entry in config.plugins.items():
        active = entry.enabled and entry.use == "proxy-headers"
        if active and config.proxies.trusted and config.server.engine == "granian":
            yield Fault(
                "HK504",
                "granian takes a header with underscores, X_Forwarded_For, in place "
                "of the proxy's X-Forwarded-For",
                path=("plugins", name),
                on="key",
                also=[(("server", "engine"), "value", "this engine")],
                hint="have the proxy drop such headers, as nginx does unless "
                "underscores_in_headers is on; then: check --allow HK504",
            )


def _process(config: Config) -> Iterator[Fault]:
    if config.handler.os_environ == "inherit":
        yield Fault(
            "HK507",
            "the whole process environment is in every environ, secrets too",
            path=("handler", "os_environ"),
            hint='name the variables that the application needs: ["LANG"]',
        )


def _diagnostics(config: Config) -> Iterator[Fault]:
    if not _is_public(config):
        return
    for name, entry in config.plugins.items():
        for key, value in entry.settings.items() if entry.enabled else ():
            if value is True and key in _DIAGNOSTICS:
                yield Fault(
                    "HK508",
                    f"{key} is on, and {config.server.bind} is public",
                    path=("plugins", name, key),
                    hint="what it shows is for developers only",
                    also=_PUBLIC,
                )


def _open_socket(config: Config) -> Iterator[Fault]:
    server = config.server
    open_to_all = int(server.unix_mode, 8) & stat.S_IWOTH
    believed = "unix" in config.proxies.trusted or _is_behind(config)
    if server.bind.startswith("unix:") and open_to_all and believed:
        yield Fault(
            "HK509",
            f"every user of this machine may connect (unix_mode {server.unix_mode}), "
            "and whoever does is believed what a request is",
            path=("server", "unix_mode"),
            hint='"660", and a group that the proxy is in',
            also=[(("proxies", "trusted"), "value", "trusted here")],
        )


def _locals(config: Config) -> Iterator[Fault]:
    if config.redact.locals and not config.redact.enabled:
        text = "reports show local variables, and nothing is redacted"
        also = [(("redact", "enabled"), "value", "nothing is")]
        yield Fault("HK506", text, path=("redact", "locals"), also=also)


def _status(config: Config) -> Iterator[Fault]:
    status = config.handler.error_status
    if status[0] not in "45":
        yield Fault(
            "HK512",
            f'"{status}" does not say that anything failed',
            path=("handler", "error_status"),
            hint="a status of an error begins with 4 or 5",
        )


# --- Files --------------------------------------------------------------------


def _mode(path: Path) -> int:
    """Give the permissions of a file; none where the system has no such thing."""
    if os.name != "posix":
        return 0
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _writable(document: Document, config: Config) -> Iterator[Fault]:
    """Warn of code, and of what names code, that everybody may write."""
    places: list[tuple[TomlPath, Path]] = []
    if document.file:
        places.append(((), Path(document.file)))
    places += [
        (("app", "path", at), document.base / directory)
        for at, directory in enumerate(config.app.path)
    ]
    for name, entry in config.plugins.items():
        file, found, _ = (entry.use or "").partition(".py")
        if found and entry.enabled:
            places.append((("plugins", name), document.base / f"{file}.py"))
    for path, place in places:
        if _mode(place) & stat.S_IWOTH:
            text = f"everybody may write to {place.name or place}, and so run code here"
            yield Fault("HK510", text, path=path, hint=f"chmod o-w {place}")


def _secrets(document: Document, config: Config) -> Iterator[Fault]:
    redactor = Redactor(keys=config.redact.keys, allow_keys=config.redact.allow_keys)

    def is_secret(path: TomlPath, value: str) -> bool:
        if is_typed(path, document.concealed) or url_password(value):
            return True
        return any(
            redactor.sensitive(name) and not names_other(name)
            for name in _names(path, value)
        )

    if document.file and _mode(Path(document.file)) & stat.S_IROTH:
        for path in _inline(document.raw, is_secret):
            yield Fault(
                "HK505",
                f"{dotted(path)} is a secret, and everybody may read this file",
                path=path,
                hint='{ env = "NAME" }, or chmod o-r',
            )
    for path, source in document.references.items():
        kind, _, name = source.partition(" ")
        file = document.base / name
        if kind == "file" and is_secret(path, "") and _mode(file) & stat.S_IROTH:
            text = f"{dotted(path)} is a secret, and everybody may read {name}"
            yield Fault("HK505", text, path=path, hint=f"chmod o-r {name}")


def _names(path: TomlPath, value: str) -> Iterator[str]:
    """Give what a value is named by: its key, or its array's; NAME in NAME=value."""
    yield next(part for part in reversed(path) if isinstance(part, str))
    name, _, rest = value.partition("=")
    if isinstance(path[-1], int) and rest and name.isidentifier():
        yield name


def _inline(
    raw: Mapping[str, Any], is_secret: Callable[[TomlPath, str], bool]
) -> Iterator[TomlPath]:
    """Give the paths of strings that are secrets, of plugins and engines."""
    for top in (("plugins",), ("server", "granian"), ("server", "gunicorn")):
        node: Any = raw
        for part in top:
            node = node.get(part) if isinstance(node, Mapping) else None
        for path, value in _strings(node, top):
            if is_secret(path, value):
                yield path


def _strings(node: Any, path: TomlPath) -> Iterator[tuple[TomlPath, str]]:
    """Give the strings of a value by their paths, but for those of references."""
    if isinstance(node, Mapping) and not described(node):
        for key, item in node.items():
            yield from _strings(item, (*path, key))
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield from _strings(item, (*path, at))
    elif isinstance(node, str) and node:
        yield path, node
