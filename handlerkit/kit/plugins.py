"""The plugins of a kit: found, validated, made, and their life cycle."""

from __future__ import annotations

from inspect import isclass
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.builtin import BUILTINS
from handlerkit.errors import ConfigError, Fault, HandlerkitError, PluginError, named
from handlerkit.hooks import loading, registry
from handlerkit.kit.lifecycle import LifeCycle

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlerkit.config import Config, Document, PluginEntry
    from handlerkit.plan import Impl

# There unasked; ``[plugins.text-log] enabled = false`` takes it away.
UNASKED = "text-log"


class Loaded:
    """One plugin of a kit: its name in the TOML, the object, where it came from.

    ``settings`` is what it was given, None if it takes none.
    """

    def __init__(
        self,
        name: str,
        found: loading.Found,
        plugin: object,
        entry: PluginEntry,
        settings: config.Record | None,
    ) -> None:
        self.name = name
        self.found = found
        self.plugin = plugin
        self.entry = entry
        self.required = entry.required
        self.settings = settings


class Plugins(LifeCycle):
    """The plugins of a kit, in the order of the file.

    ``before`` are those of the kit that this one is to replace: what was found for it
    is not looked for again.
    """

    loaded: list[Loaded]

    def __init__(
        self,
        mask: Callable[[str], str],
        *,
        safe: bool = False,
        before: Plugins | None = None,
    ) -> None:
        super().__init__(mask, before)
        self.safe = safe
        self._known = {} if before is None else before.found()
        self.warnings: list[Fault] = []

    @property
    def named(self) -> list[registry.Named]:
        """The plugins as their hooks are resolved."""
        return [
            registry.Named(each.name, each.plugin, each.entry.on_error)
            for each in self.loaded
        ]

    def found(self) -> dict[tuple[str, str], loading.Found]:
        """Give what was found, by the plugin's name and by what it uses."""
        return {(each.name, each.found.use): each.found for each in self.loaded}

    def known(self, name: str, use: str) -> loading.Found | None:
        """Give what the kit before has found for a plugin, if it did."""
        classes = (
            each
            for (_, used), each in self._known.items()
            if used == use and isclass(each.factory)
        )
        return self._known.get((name, use)) or next(classes, None)


def load_plugins(
    document: Document, settings: Config, before: Plugins | None = None
) -> tuple[Plugins, list[Impl], list[Fault]]:
    """Load what ``[plugins]`` names; give the plugins, their hooks, all mistakes.

    With those of the kit ``before``, from the code that was imported for it.
    """
    plugins = Plugins(document.mask, safe=config.safe_mode(), before=before)
    if plugins.safe:
        return plugins, [], []
    faults: list[Fault] = []
    # Of several trylast, pluggy calls the first in the file last of all.
    entries = {UNASKED: config.PluginEntry(), **settings.plugins}
    for name, entry in entries.items():
        if not entry.enabled:
            plugins.inactive[name] = "disabled"
            continue
        faults += _load(document, settings, plugins, (name, entry))
    try:
        impls = registry.resolve(
            plugins.named,
            {hook: table.order for hook, table in settings.hooks.items()},
            {hook: table.exclude for hook, table in settings.hooks.items()},
        )
    except ConfigError as exc:
        return plugins, [], [*faults, *exc.faults]
    return plugins, impls, faults


def _load(
    document: Document,
    settings: Config,
    plugins: Plugins,
    named: tuple[str, PluginEntry],
) -> list[Fault]:
    name, entry = named
    use = entry.use or name
    told = not_found
    try:
        found = plugins.known(name, use)
        if found is None:
            found = loading.find(use, base=document.base, builtins=BUILTINS)
        told = _not_made
        record, faults = config.settings(document, name, found.settings)
        if faults:
            return faults
        plugin = loading.make(found, record, proxies=settings.proxies.trusted)
    except PluginError as exc:
        fault = told(name, use, exc)
        if entry.required:
            return [fault]
        plugins.warnings.append(fault)
        plugins.inactive[name] = document.mask(f"failed: {exc}")
        return []
    plugins.loaded.append(Loaded(name, found, plugin, entry, record))
    return []


def not_found(name: str, use: str, exc: PluginError) -> Fault:
    """Make the fault of a plugin that is not there, shown where the file names it."""
    path: tuple[str, ...] = ("plugins", name)
    if use != name:
        return Fault("HK309", str(exc), path=(*path, "use"), hint=exc.hint)
    return Fault("HK309", str(exc), path=path, hint=exc.hint, on="key")


def _not_made(name: str, use: str, exc: PluginError) -> Fault:  # noqa: ARG001 - as above
    return Fault("HK309", str(exc), path=("plugins", name), hint=exc.hint, on="key")


def probe(plugins: Plugins) -> list[tuple[str, str]]:
    """Ask each plugin that can to check its own means.

    Gives (name, what is wrong) in the order of the file, "" where nothing is. A
    plugin is asked before its ``start``; what one raises keeps none from being asked.
    """
    told = []
    for loaded in plugins.loaded:
        check = getattr(loaded.plugin, "probe", None)
        if check is None:
            continue
        wrong = ""
        try:
            check()
        except HandlerkitError as exc:
            wrong = plugins.mask(str(exc)) or "it does not say what is wrong"
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever its means raise
            wrong = plugins.mask(named(exc))
        told.append((loaded.name, wrong))
    return told
