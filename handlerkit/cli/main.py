"""`main`: parse the arguments, run a command, turn errors into lines and codes.

Exit codes: 0 fine, 1 the thing itself failed, 2 wrong use or invalid configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit import __version__, config
from handlerkit.cli import (
    check,
    commands,
    explain,
    explain_proxy,
    freeze,
    init,
    redact,
    schema,
    show,
    trace,
    why,
)
from handlerkit.cli.telling import tell
from handlerkit.errors import ConfigError, HandlerkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

_CONFIG = "handlerkit.toml"
_EMBEDDED = "pyproject.toml"
# What declares the options of a command that has a module of its own.
_ADDED: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "check": check.add_options,
    "explain": explain.add_options,
    "explain-proxy": explain_proxy.add_options,
    "freeze": freeze.add_options,
    "init": init.add_options,
    "redact": redact.add_options,
    "schema": schema.add_options,
    "show": show.add_options,
    "trace": trace.add_options,
    "why": why.add_options,
}
_NO_CONFIG = "name one with --config, or: handlerkit init > handlerkit.toml"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; always ends in SystemExit."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit code."""
    if isinstance(
        sys.stdout, TextIOWrapper
    ):  # a file's name may be beyond its encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:  # parse_args would give the usage of no command
        options.wrong_use(f"unrecognized arguments: {' '.join(unknown)}")
    code = 0
    try:
        code = _command(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except HandlerkitError as exc:
        print(f"handlerkit: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as exc:
        _lose(1)
        if not isinstance(exc, BrokenPipeError):  # who reads us may stop at any time
            print(f"handlerkit: {exc}", file=sys.stderr)
        return code or 1
    return code


def _command(options: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = options.command
    unnamed = _find_config(options)
    try:
        return command(options)
    except ConfigError as exc:
        faults = (_hinted(exc) if unnamed else exc).faults
        try:
            tell(faults, getattr(options, "format", "text"))
        except OSError:  # it is wrong, whether anybody reads so or not
            _lose(2)
        return 2


def _lose(descriptor: int) -> None:
    """Lose what could not be written: it is still there, to fail on at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _find_config(options: argparse.Namespace) -> bool:
    """Choose the file of this directory if none is named; say whether it was so."""
    if getattr(options, "config", "") is not None:
        return False
    options.config = _CONFIG if Path(_CONFIG).exists() or not _embeds() else _EMBEDDED
    return True


def _embeds() -> bool:
    try:
        config.read(_EMBEDDED)
    except ConfigError:  # what is wrong with it is not for us to tell: it is not ours
        return False
    return True


def _hinted(error: ConfigError) -> ConfigError:
    for fault in error.faults:
        if fault.code == "HK101":
            fault.hint = _NO_CONFIG
    return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="handlerkit",
        description="Run any WSGI application behind any web server.",
        epilog="example: handlerkit init > handlerkit.toml && handlerkit serve",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, function, text, example in (
        ("serve", commands.serve, "listen, and serve", "--config shop.toml"),
        (
            "cgi",
            commands.cgi,
            "serve the one request of this CGI process",
            "--config shop.toml",
        ),
        ("check", check.check, "find every mistake in a file", "--probe --strict"),
        ("show", show.show, "print every value in force, and its source", "--json"),
        (
            "freeze",
            freeze.freeze,
            "write what CGI processes take instead of loading it",
            "--config shop.toml --check",
        ),
        ("plugins", commands.plugins, "list the plugins of a file", "--json"),
        (
            "explain-proxy",
            explain_proxy.explain_proxy,
            "say what proxy-headers makes of a request, and why",
            "--peer 10.0.0.5 --header 'X-Forwarded-For: 203.0.113.9'",
        ),
        (
            "why",
            why.why,
            "say who is called for a hook, in which order, and why",
            "log_exception",
        ),
        (
            "trace",
            trace.trace,
            "run one exchange in process, and print its way through the hooks",
            "GET /cart -H 'Accept: text/html'",
        ),
        (
            "redact",
            redact.redact,
            "print a file as it would leave, without its secrets",
            "--explain error.log",
        ),
        (
            "schema",
            schema.schema,
            "print a JSON Schema of the file, with the plugins that are installed",
            "--output handlerkit.schema.json",
        ),
        (
            "explain",
            explain.explain,
            "say what an error code means, and how to mend it",
            "HK203",
        ),
        (
            "init",
            init.init,
            "write a commented handlerkit.toml, or what a server needs to run one",
            "--for nginx --config /srv/shop/handlerkit.toml --url /shop",
        ),
    ):
        sub = subparsers.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example: handlerkit {name} {example}",
        )
        sub.set_defaults(command=function, wrong_use=sub.error)
        if name not in ("explain", "init", "schema"):
            sub.add_argument(
                "-c",
                "--config",
                metavar="FILE",
                help=f"a TOML file, or a pyproject.toml (default: {_CONFIG}, else "
                f"{_EMBEDDED} if it has [tool.handlerkit])",
            )
        _options(name, sub)
    return parser


def _options(name: str, parser: argparse.ArgumentParser) -> None:
    if name in _ADDED:
        _ADDED[name](parser)
    if name == "serve":
        parser.add_argument(
            "--bind", metavar="ADDRESS", help="in place of [server] bind"
        )
    if name == "plugins":
        parser.add_argument("--json", action="store_true", help="for a machine to read")
