"""`check`: every mistake of a file, also those that one way of running would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.errors import ConfigError, Fault
from handlerkit.kit.assembly import check_engines, load
from handlerkit.kit.classes import handler_class
from handlerkit.kit.describing import review

if TYPE_CHECKING:
    from handlerkit.config.crosschecks import Entry
    from handlerkit.kit.assembly import Source


def check(
    source: Source, *, entry: Entry | None = None, loading: bool = False
) -> list[Fault]:
    """Find every mistake; give what is a warning only.

    Args:
        source: as for `load`.
        entry: the way of running to check for; without it, what `serve` would
            refuse is a warning that says so.
        loading: import the application, plugins and classes, too.

    Raises:
        ConfigError: with every mistake found.
    """
    if loading:
        kit = load(source, entry=entry or "handler")
        kit.require_application()
        document, settings, warnings = kit.document, kit.config, review(kit)
    else:
        document, settings, warnings = _unloaded(source, entry or "handler")
    refused = []
    if entry is None:
        nearest = handler_class(settings, "serve")[1] if loading else None
        refused = config.check_entry(settings, "serve", nearest)[0]
    if entry in (None, "serve"):
        refused += _check_engine(settings)
    for fault in refused if entry is None else ():
        fault.message = f"serve would refuse this: {fault.message}"
    refused = document.arrange(refused)
    if refused and entry is not None:
        raise ConfigError(refused)
    return [*warnings, *refused]


def _unloaded(
    source: Source, entry: Entry
) -> tuple[config.Document, config.Config, list[Fault]]:
    document = config.read(source)
    settings, faults = config.validate(document)
    if settings is None:  # what is sound may hold more mistakes
        settings, _ = config.validate(document.without(faults))
    if settings is None:
        raise ConfigError(faults)
    found, warnings = config.check_entry(settings, entry)
    faults += found
    if entry in ("serve", "handler"):
        faults += check_engines(settings)
    if faults:
        raise ConfigError(document.arrange(faults))
    return document, settings, document.arrange(warnings)


def _check_engine(settings: config.Config) -> list[Fault]:
    server = settings.server
    if server.engine == "builtin":
        return []
    # Only here: it imports the engine, which nobody else needs.
    from handlerkit.gateways import engines

    return engines.check_engine(server.engine, server.bind)
