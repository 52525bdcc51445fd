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
from handlerkit.errors import ConfigError, HandlerkitError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

_WAYS = ways()
_VIAS = sorted({via for vias in _WAYS.values() for via in vias})
# What needs no quotes, and means nothing more, in any file that is written.
_PLAIN = re.compile(r"[\w./+,=~:-]+")
_URL = re.compile(r"(/[\w.~-]+)+|/", re.ASCII)
_TARGET = "myproject.wsgi:application"


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.set_defaults(wrong_use=parser.error)
    parser.add_argument(
        "--target",
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
        choices=_VIAS,
        help="how the server is to ask (default: the first that it has of these)",
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
        help="with --via http: where handlerkit listens (default: [server] bind)",
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
        text = config.initial(options.target or _TARGET)
        _write([Snippet("handlerkit.toml", text, 0o644)], options)
        return 0
    via = options.via or _WAYS[options.server][0]
    if via not in _WAYS[options.server]:
        known = " or ".join(_WAYS[options.server])
        options.wrong_use(f"--for {options.server} is --via {known}, not {via}")
    values = _values(options)
    _write(snippets(options.server, via, values, _words(options, values)), options)
    return 0


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ArgumentTypeError('must be "/", or like "/app"')
    return text


def _values(options: Namespace) -> dict[str, str]:
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
        **_address(options, _server_table(options.config)),
    }
    for key in ("python", "config", "script", "group", "bind"):
        if not _PLAIN.fullmatch(values[key].removeprefix("[").replace("]:", ":")):
            raise HandlerkitError(
                f'"{values[key]}" has characters that servers take for their own: '
                "use a path of letters, digits and ./+,=~:-_"
            )
    return values


def _server_table(file: str) -> Mapping[str, Any]:
    """Give ``[server]`` as the file has it; there need not be a file yet."""
    try:
        table = config.read(file).raw.get("server")
    except ConfigError as exc:
        if [fault.code for fault in exc.faults] == ["HK101"]:
            return {}
        raise
    return table if isinstance(table, dict) else {}


def _address(options: Namespace, server: Mapping[str, Any]) -> dict[str, str]:
    """Give where handlerkit listens, and whom it is to trust there."""
    bind = server.get("bind")
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
        "engine": str(server.get("engine")),
    }


def _words(options: Namespace, values: Mapping[str, str]) -> set[str]:
    """Give the conditions that hold for lines of a template."""
    granian = _server_table(options.config).get("engine") == "granian"
    return {
        "root" if options.url == "/" else "prefix",
        "unix" if "socket" in values else "tcp",
        "own" if granian else "activated",  # granian takes over no sockets
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
