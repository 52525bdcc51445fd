"""`check`: every mistake of a file, also those that one way of running would find."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handlerkit import config
from handlerkit.errors import ConfigError, Fault
from handlerkit.kit.assembly import assemble, check_engines
from handlerkit.kit.classes import handler_class
from handlerkit.kit.describing import review
from handlerkit.kit.plugins import probe
from handlerkit.kit.schemas import check_named_schema

if TYPE_CHECKING:
    from handlerkit.config.crosschecks import Entry
    from handlerkit.kit.assembly import Kit, Source


class Checked(NamedTuple):
    """What `check` found in a file that is valid.

    ``warnings`` are of the file, ``failed`` of plugins whose means are not in order,
    ``sound`` the names of those that say theirs are.
    """

    warnings: list[Fault]
    failed: list[Fault]
    sound: list[str]


def check(
    source: Source,
    *,
    entry: Entry | None = None,
    loading: bool = False,
    probing: bool = False,
) -> Checked:
    """Find every mistake; give what does not make the file invalid.

    Args:
        source: as for `load`.
        entry: the way of running to check for; without it, what `serve` would
            refuse is a warning that says so.
        loading: import the application, plugins and classes, too.
        probing: load, and ask the plugins that can to check their own means.

    Raises:
        ConfigError: with every mistake found.
    """
    kit = None
    if loading or probing:
        kit = assemble(source, None, entry=entry or "handler", complete=True)
        document, settings, warnings = kit.document, kit.config, review(kit)
        warnings += document.arrange(check_named_schema(document), "warning")
    else:
        document, settings, warnings = _unloaded(source, entry or "handler")
    records = {} if kit is None else kit.plugins.records
    warnings += config.lint(document, settings, entry, records)
    refused = []
    if entry is None:
        nearest = None if kit is None else handler_class(settings, "serve")[1]
        refused = config.check_entry(settings, "serve", nearest)[0]
    if entry in (None, "serve"):
        refused += _check_engine(settings)
    for fault in refused if entry is None else ():
        fault.message = f"serve would refuse this: {fault.message}"
    refused = document.arrange(refused, "error" if entry else "warning")
    if refused and entry is not None:
        raise ConfigError(refused)
    failed, sound = _probed(kit) if kit is not None and probing else ([], [])
    return Checked([*warnings, *refused], failed, sound)


def _probed(kit: Kit) -> tuple[list[Fault], list[str]]:
    """Have the plugins check their means; give what is wrong, and whose are sound."""
    told = probe(kit.plugins)
    failed = [
        Fault(
            "HK501",
            f'plugin "{name}" says that its means are not in order: {wrong}',
            path=("plugins", name),
            on="key",
        )
        for name, wrong in told
        if wrong
    ]
    return kit.document.arrange(failed), [name for name, wrong in told if not wrong]


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
    return document, settings, document.arrange(warnings, "warning")


def _check_engine(settings: config.Config) -> list[Fault]:
    server = settings.server
    if server.engine == "builtin":
        return []
    # Only here: it imports the engine, which nobody else needs.
    from handlerkit.gateways import engines

    return engines.check_engine(server.engine, server.bind)
