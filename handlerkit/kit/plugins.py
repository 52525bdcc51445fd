"""The plugins of a kit: found, validated, made, and their life cycle."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.builtin import BUILTINS
from handlerkit.errors import ConfigError, Fault, HandlerkitError, PluginError
from handlerkit.hooks import loading, registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlerkit.config import Config, Document, PluginEntry
    from handlerkit.plan import Impl

# There unasked; ``[plugins.text-log] enabled = false`` takes it away.
_UNASKED = "text-log"


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
        self.settings = settings


class Plugins:
    """The plugins of a kit, in the order of the file.

    ``mask`` takes the secrets of the file out of what plugins raise.
    """

    def __init__(self, mask: Callable[[str], str], *, safe: bool = False) -> None:
        self.mask = mask
        self.safe = safe
        self.loaded: list[Loaded] = []
        self.inactive: dict[str, str] = {}
        self.warnings: list[Fault] = []
        self._started: list[Loaded] = []

    @property
    def records(self) -> dict[str, config.Record]:
        """The settings of each plugin that has any, by its name."""
        loaded = {each.name: each.settings for each in self.loaded}
        return {name: record for name, record in loaded.items() if record is not None}

    def start(self) -> set[str]:
        """Call each plugin's ``start``, once; give the names of those that failed.

        Raises:
            PluginError: a required plugin did not start; those before it are closed.
        """
        failed: set[str] = set()
        if self._started:
            return failed
        for loaded in list(self.loaded):
            self._started.append(loaded)
            start = getattr(loaded.plugin, "start", None)
            if start is None:
                continue
            try:
                start()
            except (Exception, SystemExit) as exc:
                said = self.mask(f"{loaded.found} did not start: {_named(exc)}")
                if loaded.entry.required:
                    self.close()
                    raise PluginError(said) from exc
                self._take_out(loaded, said)
                failed.add(loaded.name)
        return failed

    def _take_out(self, loaded: Loaded, said: str) -> None:
        self._started.remove(loaded)
        self.loaded.remove(loaded)
        self.inactive[loaded.name] = f"failed: {said}"
        _warn(f"{said}; none of its hooks is called")
        self._close(loaded)

    def close(self) -> None:
        """Call each started plugin's ``close``, the last started first."""
        while self._started:
            self._close(self._started.pop())

    def _close(self, loaded: Loaded) -> None:
        close = getattr(loaded.plugin, "close", None)
        try:
            if close is not None:
                close()
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - the others are to be closed too
            _warn(self.mask(f"{loaded.found} did not close: {_named(exc)}"))


def _named(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"


def _warn(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"handlerkit: {text}\n")


def load_plugins(
    document: Document, settings: Config
) -> tuple[Plugins, list[Impl], list[Fault]]:
    """Load what ``[plugins]`` names; give the plugins, their hooks, all mistakes."""
    plugins = Plugins(document.mask, safe=config.safe_mode())
    if plugins.safe:
        return plugins, [], []
    faults: list[Fault] = []
    # Of several trylast, pluggy calls the first in the file last of all.
    entries = {_UNASKED: config.PluginEntry(), **settings.plugins}
    for name, entry in entries.items():
        if not entry.enabled:
            plugins.inactive[name] = "disabled"
            continue
        faults += _load(document, settings, plugins, (name, entry))
    try:
        impls = registry.resolve(
            [
                registry.Named(each.name, each.plugin, each.entry.on_error)
                for each in plugins.loaded
            ],
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
    path = ("plugins", name)
    try:
        found = loading.find(entry.use or name, base=document.base, builtins=BUILTINS)
        record, faults = config.settings(document, name, found.settings)
        if faults:
            return faults
        plugin = loading.make(found, record, proxies=settings.proxies.trusted)
    except PluginError as exc:
        fault = Fault("HK309", str(exc), path=path, hint=exc.hint, on="key")
        if entry.required:
            return [fault]
        plugins.warnings.append(fault)
        plugins.inactive[name] = document.mask(f"failed: {exc}")
        return []
    plugins.loaded.append(Loaded(name, found, plugin, entry, record))
    return []


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
            wrong = plugins.mask(_named(exc))
        told.append((loaded.name, wrong))
    return told
