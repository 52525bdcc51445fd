"""``handlerkit init``: a first configuration, and what servers need to run one."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.cli.snippets import Snippet, snippets, ways
from handlerkit.config.grammar import check_target
from handlerkit.config.model import TABLES
from handlerkit.config.references import Resolver
from handlerkit.errors import ConfigError, Fault, HandlerkitError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

    from handlerkit.config import Document

_WAYS = ways()
_VIAS = sorted({via for vias in _WAYS.values() for via in vias})
# What needs no quotes, and means nothing more, in any file that is written.
_PLAIN = re.compile(r"[\w./+,=~:-]+")
_URL = re.compile(r"(/[\w.~-]+)+|/", re.ASCII)
_TARGET = "myproject.wsgi:application"
# The handler classes that each way is for; "auto" is made for the first two.
_CLASSES = {
    "http": ("SimpleHandler", "HostedHandler"),
    "cgi": ("CGIHandler", "IISCGIHandler"),
    "fastcgi": ("FastCGIHandler",),
    "scgi": ("SCGIHandler",),
}
_PROTOCOLS = {"http": "HTTP", "cgi": "CGI", "fastcgi": "FastCGI", "scgi": "SCGI"}
_SCHEMES = {"http": "http", "fastcgi": "fcgi", "scgi": "scgi"}  # httpd's


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--target",
        type=_target,
        metavar="MODULE:NAME",
        help=f"the application of a first configuration (default: {_TARGET})",
    )
    parser.add_argument(
        "--for",
        dest="server",
        choices=list(_WAYS),
        help="not a configuration, but what this server needs to run one",
    )
    parser.add_argument(
        "--via",
        choices=sorted(_VIAS, key=list(_CLASSES).index),
        help="how the server is to ask (default: as [handler] class has it, or the "
        "first that it has of these)",
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="with --for: the configuration"
    )
    parser.add_argument(
        "--url",
        type=_url,
        default="/",
        metavar="PATH",
        help="with --for: where the application is to be, as /app (default: /)",
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        help="with --via cgi: the script (default: beside the configuration)",
    )
    parser.add_argument(
        "--socket",
        metavar="FILE",
        help="where handlerkit listens, but for --via cgi (default: [server] bind)",
    )
    parser.add_argument(
        "--group",
        default="www-data",
        help="with --for systemd: who may connect, the group of the web server "
        "(default: www-data)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write it there, not to standard output; systemd's units: a directory",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over a file that is there"
    )


def init(options: Namespace) -> int:
    """Print or write a configuration, or what a server needs."""
    if options.server is None:
        given = [name for name in ("via", "script", "socket") if getattr(options, name)]
        if given:
            options.wrong_use(f"--{given[0]} is for --for SERVER")
        text = config.initial(options.target or _TARGET)
        _write([Snippet("handlerkit.toml", text, 0o644)], options)
        return 0
    document = _document(options.config)
    resolver = Resolver(document) if document else None
    options.via = _via(options, document, _table(resolver, "handler").get("class"))
    server = _table(resolver, "server")
    values = _values(options, server)
    words = _words(options, values, server)
    listens = options.via != "cgi" and options.socket is None
    if resolver and listens and not _is_spawned(options, server):
        _tell_bind(resolver, server.get("bind"), values["bind"])
    _write(snippets(options.server, options.via, values, words), options)
    return 0


def _via(options: Namespace, document: Document | None, given: Any) -> str:
    """Give the way that is asked for, or that the handler class of the file is for."""
    known = _WAYS[options.server]
    fitting = [way for way in known if given in _CLASSES[way]]
    via: str = options.via or (fitting or known)[0]
    if via not in known:
        ways = " or ".join(", ".join(known).rsplit(", ", 1))
        options.wrong_use(f"--for {options.server} is --via {ways}, not {via}")
    of_ours = [name for names in _CLASSES.values() for name in names]
    if document and given in of_ours and given not in _CLASSES[via]:
        text = f"{given} does not fit --via {via}"
        hint = f'class = "{_CLASSES[via][0]}"'
        if fitting:
            hint += f", or --via {fitting[0]}"
        fault = Fault("HK407", text, path=("handler", "class"), hint=hint)
        raise ConfigError(document.arrange([fault]))
    return via


def _target(text: str) -> str:
    try:
        return check_target(text)
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from None


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ArgumentTypeError('must be "/", or like "/app"')
    return text


def _values(options: Namespace, server: Mapping[str, Any]) -> dict[str, str]:
    """Give what stands for each name in a template."""
    file = os.path.abspath(options.config)  # noqa: PTH100 - Path.resolve follows links
    directory = os.path.dirname(file)  # noqa: PTH120 - of that text
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(directory).name).strip("-") or "app"
    script = os.path.abspath(options.script or f"{directory}/{name}.cgi")  # noqa: PTH100 - likewise
    values = {
        "python": sys.executable,
        "config": file,
        "directory": directory,
        "name": name,
        "script": script,
        "script_directory": str(Path(script).parent),
        "script_name": Path(script).name,
        "url": options.url,
        "url/": options.url.rstrip("/") + "/",
        "url_pattern": options.url.rstrip("/").replace(".", r"\."),
        "group": options.group,
        "via": options.via,
        "protocol": _PROTOCOLS[options.via],
        "scheme": _SCHEMES.get(options.via, ""),
        "class": _CLASSES[options.via][0],
        **_address(options, name, server),
    }
    for key in ("python", "config", "script", "group", "bind"):
        if not _PLAIN.fullmatch(values[key].removeprefix("[").replace("]:", ":")):
            raise HandlerkitError(
                f'"{values[key]}" has characters that servers take for their own: '
                "use a path of letters, digits and ./+,=~:-_"
            )
    return values


def _document(file: str) -> Document | None:
    """Read the file; there need not be one yet."""
    try:
        return config.read(file)
    except ConfigError as exc:
        if [fault.code for fault in exc.faults] == ["HK101"]:
            return None
        raise


def _table(resolver: Resolver | None, name: str) -> Mapping[str, Any]:
    """Give a table of the file, with the values that it refers to."""
    table = resolver.document.raw.get(name) if resolver else None
    if resolver is None or not isinstance(table, dict):
        return {}
    return resolver.table(table, TABLES[name], (name,))


def _tell_bind(resolver: Resolver, found: Any, taken: str) -> None:
    """Tell of an address that is not in the file: a server may have another one."""
    path = ("server", "bind")
    if path in resolver.references:
        said = f'from {resolver.references[path]}, which has "{found}" here'
    elif found is None or isinstance(found, str):
        return
    else:
        why = [fault.message for fault in resolver.faults if fault.path == path]
        why.append("handlerkit check says why")
        said = f"not known here, {taken} stands for it: {why[0]}"
    print(f"handlerkit: [server] bind is {said}", file=sys.stderr)


def _address(
    options: Namespace, name: str, server: Mapping[str, Any]
) -> dict[str, str]:
    """Give where handlerkit listens, and whom it is to trust there."""
    bind = server.get("bind")
    if _is_spawned(options, server):
        bind = f"unix:/run/lighttpd/{name}.sock"
    if options.socket is not None:
        bind = f"unix:{os.path.abspath(options.socket)}"  # noqa: PTH100 - as above
    if not isinstance(bind, str) or bind == "systemd" or bind.startswith("fd:"):
        bind = "127.0.0.1:8000"
    if bind.isdigit():
        bind = f"127.0.0.1:{bind}"
    if bind.startswith("unix:"):
        return {"bind": bind, "socket": bind.removeprefix("unix:"), "trusted": "unix"}
    host, _, port = bind.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        v6 = ipaddress.ip_address(host).version == 6  # noqa: PLR2004 - the protocol's name
        authority = f"[{host}]:{port}" if v6 else f"{host}:{port}"
    except ValueError as exc:
        raise HandlerkitError(
            f'"{bind}" in [server] is no address that a server could be told'
        ) from exc
    return {
        "bind": bind,
        "host": host,
        "port": port,
        "authority": authority,
        "trusted": "::1" if v6 else "127.0.0.1",
    }


def _is_spawned(options: Namespace, server: Mapping[str, Any]) -> bool:
    """Say whether the web server is to start the application, with a socket."""
    able = options.server == "lighttpd" and options.via in ("fastcgi", "scgi")
    return able and server.get("bind") == "fd:0"


def _words(
    options: Namespace, values: Mapping[str, str], server: Mapping[str, Any]
) -> set[str]:
    """Give the conditions that hold for lines of a template."""
    granian = server.get("engine") == "granian"
    return {
        "root" if options.url == "/" else "prefix",
        "unix" if "socket" in values else "tcp",
        "own" if granian else "activated",  # granian takes over no sockets
        "spawned" if _is_spawned(options, server) else "connected",
    }


def _write(found: list[Snippet], options: Namespace) -> None:
    if options.output is None:
        for snippet in found:
            title = f"# --- {snippet.name}\n" if len(found) > 1 else ""
            print(f"{title}{snippet.text}", end="")
        return
    place = Path(options.output)
    if len(found) > 1 or place.is_dir():
        files = {place / snippet.name: snippet for snippet in found}
    else:
        files = {place: found[0]}
    for file in files:
        if (file.exists() or file.is_symlink()) and not options.force:
            raise HandlerkitError(f"{file} is there already: --force writes over it")
    for file, snippet in files.items():
        _write_file(file, snippet)


def _write_file(file: Path, snippet: Snippet) -> None:
    try:
        file.write_text(snippet.text, encoding="utf-8")
        if snippet.mode & 0o111:
            file.chmod(snippet.mode)
    except OSError as exc:
        said = exc.strerror or type(exc).__name__
        raise HandlerkitError(f"{file} cannot be written: {said}") from exc
