"""`check`: every mistake of a file, also those that one way of running would find."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handlerkit import config
from handlerkit.builtin import BUILTINS
from handlerkit.errors import ConfigError, Fault, PluginError
from handlerkit.hooks import loading
from handlerkit.kit.assembly import assemble, check_engines
from handlerkit.kit.classes import handler_class
from handlerkit.kit.describing import review
from handlerkit.kit.plugins import not_found, probe
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
        kit = _loaded(source, entry)
        document, settings = kit.document, kit.config
        warnings = review(kit)
        warnings += document.arrange(check_named_schema(document), "warning")
    else:
        document, settings, warnings = _unloaded(source, entry)
    warnings += config.lint(document, settings, entry)
    if entry is None:
        nearest = None if kit is None else handler_class(settings, "serve")[1]
        refused = config.check_entry(settings, "serve", nearest)[0]
        refused += _check_engine(settings)
        for fault in refused:
            fault.message = f"serve would refuse this: {fault.message}"
        warnings += document.arrange(refused, "warning")
    failed, sound = _probed(kit) if kit is not None and probing else ([], [])
    return Checked(warnings, failed, sound)


def _loaded(source: Source, entry: Entry | None) -> Kit:
    """Load a kit; what an engine refuses is told with everything else."""
    faults: list[Fault] = []
    kit = None
    try:
        kit = assemble(source, None, entry=entry or "handler", complete=True)
    except ConfigError as exc:
        faults += exc.faults
    document = config.read(source) if kit is None else kit.document
    settings = config.validate(document)[0] if kit is None else kit.config
    if entry == "serve" and settings is not None:
        faults += document.arrange(_check_engine(settings))
    if faults or kit is None:
        raise ConfigError(faults)
    return kit


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
    source: Source, entry: Entry | None
) -> tuple[config.Document, config.Config, list[Fault]]:
    """Check what can be without code of others; give what is sound, and warnings."""
    document = config.read(source)
    settings, faults = config.validate(document)
    if settings is None:  # what is sound may hold more mistakes
        settings, _ = config.validate(document.without(faults))
    if settings is None:
        raise ConfigError(faults)
    found, warnings = config.check_entry(settings, entry or "handler")
    faults += found
    if entry in ("serve", None):
        faults += check_engines(settings)
    if entry == "serve":
        faults += _check_engine(settings)
    faults += _builtin_settings(document, settings)
    if faults:
        raise ConfigError(document.arrange(faults))
    warnings += _not_there(document, settings)
    return document, settings, document.arrange(warnings, "warning")


def _not_there(document: config.Document, settings: config.Config) -> list[Fault]:
    """Look for plugins without importing them; they may be installed elsewhere."""
    faults = []
    for name, entry in settings.plugins.items():
        use = entry.use or name
        if not entry.enabled:
            continue
        try:
            loading.look(use, base=document.base, builtins=BUILTINS)
        except PluginError as exc:
            faults.append(not_found(name, use, exc))
    return faults


def _builtin_settings(
    document: config.Document, settings: config.Config
) -> list[Fault]:
    """Validate the settings of built-in plugins, whose models are ours."""
    faults: list[Fault] = []
    for name, entry in settings.plugins.items():
        if entry.enabled and entry.use in BUILTINS:
            found = loading.find(entry.use, base=document.base, builtins=BUILTINS)
            faults += config.settings(document, name, found.settings)[1]
    return faults


def _check_engine(settings: config.Config) -> list[Fault]:
    server = settings.server
    if server.engine == "builtin":
        return []
    # Only here: it imports the engine, which nobody else needs.
    from handlerkit.gateways import engines

    return engines.check_engine(server.engine, server.bind)
