"""The one request of this process, with a frozen kit where there is one."""

from __future__ import annotations

import os
import sys

from handlerkit.errors import ConfigError, HandlerkitError
from handlerkit.gateways import cgi
from handlerkit.handlers.environ import process_variables
from handlerkit.kit import frozen
from handlerkit.kit.thawed import ThawedKit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Source
    from handlerkit.kit.frozen import Constants


def run(source: Source, app: WSGIApplication | None) -> int:
    """Serve the request as `run_cgi` has to; give the exit code."""
    streams = cgi.Streams()
    try:
        kit: Any = _frozen(source, app) or _loaded(source, app)
        kit.start()
    except HandlerkitError as exc:
        return cgi.refuse(streams, f"handlerkit: {exc}")
    except BaseException:
        from traceback import format_exc  # as it fails

        cgi.refuse(streams, format_exc())
        raise
    return cgi.run(kit, streams)


def _loaded(source: Source, app: WSGIApplication | None) -> Any:
    from handlerkit.kit.assembly import load  # the dear way

    kit = load(source, app, entry="cgi")
    kit.require_application()
    return kit


def _frozen(source: Source, app: WSGIApplication | None) -> Any:
    """Give the frozen kit of a file, a loaded one where that is stale; else None.

    Raises:
        ConfigError: it is stale, or the application cannot be loaded.
    """
    if not isinstance(source, (str, os.PathLike)) or _is_safe():
        return None
    directory, config = os.path.split(os.path.abspath(source))
    constants = _constants(directory, frozen.frozen_name(config))
    if constants is None:
        return None
    try:
        if frozen.is_fresh(constants, directory, config):
            return ThawedKit(constants, directory, source, app)
    except ConfigError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001, S110 - loading says it better
        pass
    from handlerkit.kit import changes  # as it fails

    changed = changes.since(constants, directory, config)
    try:
        from handlerkit.kit import drift
    except ImportError as exc:  # another Python, without what loading needs
        raise HandlerkitError("; ".join([*changed, str(exc)])) from exc
    if not drift.is_to_be_rebuilt(changed, source):
        return None
    kit = _loaded(source, app)
    drift.rebuild(kit, source)
    return kit


def _is_safe() -> bool:
    return process_variables().get("HANDLERKIT_SAFE", "0") not in ("", "0")


def _constants(directory: str, name: str) -> Constants | None:
    """Give what a frozen file holds; None, and words, where it is not to be taken."""
    if not os.path.lexists(os.path.join(directory, name)):
        return None
    try:
        return frozen.read(directory, name)
    except Exception as exc:  # noqa: BLE001 - a file may hold anything
        sys.stderr.write(f"handlerkit: {name} is not used: {exc}\n")
        return None
