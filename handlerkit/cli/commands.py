"""The commands, each a function of its options that gives an exit code."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from handlerkit.kit.assembly import load
from handlerkit.kit.describing import describe_plugins

if TYPE_CHECKING:
    from argparse import Namespace

    from handlerkit.config.crosschecks import Entry
    from handlerkit.kit.assembly import Kit


def serve(options: Namespace) -> int:
    """Listen, and say what runs where."""
    # Each command imports what it runs: a CGI process does not pay for sockets.
    from handlerkit.kit.serving import serve as run

    return run(options.config, bind=options.bind, announce=_say)


def cgi(options: Namespace) -> int:
    """Serve the one request of this CGI process."""
    from handlerkit.kit import run_cgi

    return run_cgi(options.config)


def plugins(options: Namespace) -> int:
    """List the plugins that a file names: state, origin, hooks in order."""
    rows = describe_plugins(load_quietly(options))
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        origin = " ".join(
            part for part in (row["distribution"], row["version"]) if part
        )
        hooks = ", ".join(row["hooks"]) or "-"
        print(f"{row['name']:<20} {row['status']:<10} {origin:<32} {hooks}")
    return 0


def _say(line: str) -> None:
    """Announce to who reads it; a server serves without being read, too."""
    try:
        print(line, flush=True)
    except OSError:
        _drop_output()


def _drop_output() -> None:
    """Lose what standard output could not take: it would fail again at the end."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        sys.stdout.flush()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def load_quietly(options: Namespace, entry: Entry = "handler") -> Kit:
    """Load what a listing needs; what a plugin prints meanwhile is not part of it."""
    with redirect_stdout(sys.stderr):
        return load(options.config, app=_no_application, entry=entry)


def _no_application(*_: object) -> list[bytes]:
    """Stand for an application that a listing does not need."""
    return []
