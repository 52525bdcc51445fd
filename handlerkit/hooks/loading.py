"""Find the plugins that the configuration names, and make them.

Only what is named is imported. Installed plugins are entry points of the group
``handlerkit.plugins``; the metadata of what is installed is read for those only.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import isclass, ismodule
from typing import TYPE_CHECKING

from handlerkit.errors import PluginError, named
from handlerkit.hooks.local import LOCAL, file_of, import_file
from handlerkit.hooks.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.metadata import EntryPoint
    from pathlib import Path
    from types import ModuleType
    from typing import Any

GROUP = "handlerkit.plugins"

# Plugins of our own that are distributions of their own.
KNOWN = {
    "json-log": "handlerkit-json-log",
    "problem-json": "handlerkit-problem-json",
}

_NOT_THE_PLUGIN = (
    __file__,
    import_file.__code__.co_filename,
    import_module.__code__.co_filename,
)


@dataclass(frozen=True)
class Found:
    """A plugin that was found and imported, and is not made yet.

    ``factory`` is the class or, for a plugin without settings, the module;
    ``settings`` its ``Settings``: a pydantic model, or where to import one from,
    ``"package.module:Class"``. ``reference`` says the same of the plugin itself, or
    the file of a local one. ``version`` is None where no distribution is known, and
    for what handlerkit brings along.
    """

    use: str
    factory: type[Any] | ModuleType
    reference: str
    distribution: str | None = None
    version: str | None = None

    @property
    def settings(self) -> type[Any] | str | None:
        """The plugin's ``Settings``, if it takes any."""
        return (
            None if ismodule(self.factory) else getattr(self.factory, "Settings", None)
        )

    def __str__(self) -> str:
        return _described(self.use, self.distribution, self.version)


def find(use: str, *, base: Path, builtins: Mapping[str, str]) -> Found:
    """Import the plugin that ``use`` names.

    Args:
        use: a built-in's or an entry point's name, ``package.module:attr``, or a
            file, ``./file.py`` or ``./file.py:Class``.
        base: the directory that files are relative to.
        builtins: references of the built-in plugins, by name.

    Raises:
        PluginError: it cannot be imported, or is no plugin; names the distribution,
            its version and the cause, and has a ``hint`` where there is one.
    """
    if use in builtins:
        return _from_reference(use, builtins[use], "handlerkit", None)
    file = file_of(use)
    if file is not None:
        return _from_file(use, base / file[0], file[1])
    if ":" in use:
        return _from_reference(use, use, None, None)
    return _from_entry_point(use, builtins)


def look(use: str, *, base: Path, builtins: Iterable[str]) -> None:
    """Look for the plugin that ``use`` names, without importing anything of it.

    What is named as ``package.module:attr`` is not looked for.

    Raises:
        PluginError: there is no such file, or nothing of that name.
    """
    file = file_of(use)
    if file is not None:
        _place(_described(use, None, None), base / file[0])
    elif use not in builtins and ":" not in use:
        _entry_points(use, builtins)


def installed() -> list[str]:
    """Give the names of all entry points; a scan of everything that is installed."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=GROUP)})


def make(found: Found, settings: object = None, *, proxies: Sequence[str] = ()) -> Any:
    """Make a plugin: an instance of its class, or the module as it is.

    A class that has ``Settings`` is called with the settings' record, else without
    arguments. One that declares ``proxies: tuple[str, ...] = ()`` has it set, after
    ``__init__``, to whom the deployer trusts (``[proxies] trusted``).

    Raises:
        PluginError: the class does not take what it is given, or raised.
    """
    factory: Any = found.factory
    if ismodule(factory):
        return factory
    try:
        plugin = factory() if found.settings is None else factory(settings)
        if hasattr(factory, "proxies"):
            plugin.proxies = tuple(proxies)
    except PluginError as exc:  # it says itself what it needs
        raise PluginError(f"{found} cannot be made: {exc}", hint=exc.hint) from exc
    except (Exception, SystemExit) as exc:
        said = f"{found} cannot be made: {_cause(exc)}"
        raise PluginError(said, hint=_hint_of_call(found, exc)) from exc
    return plugin


def _hint_of_call(found: Found, exc: BaseException) -> str:
    """Say how a class is called that does not take what it is called with."""
    trace = exc.__traceback__
    of_call = trace is not None and trace.tb_next is None  # raised by none of its code
    if not (of_call and isinstance(exc, TypeError) and "argument" in str(exc)):
        return ""
    if found.settings is None:
        return "without Settings, it is called without arguments"
    return "with Settings, it is called with their record"


def _from_reference(
    use: str, reference: str, distribution: str | None, version: str | None
) -> Found:
    who = _described(use, distribution, version)
    module_name, _, qualname = reference.partition(":")
    with_module = f"{who} cannot be imported from {module_name}"
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise PluginError(f'{who}: "{module_name}" is not the name of a module')
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as exc:
        raise PluginError(f"{with_module}: {_cause(exc)}") from exc
    factory = _attribute(who, module, qualname)
    return Found(use, _plugin(who, factory), reference, distribution, version)


def _from_file(use: str, path: Path, qualname: str) -> Found:
    """Import a file under a name of its own, with sys.path as it was."""
    who = _described(use, None, None)
    place = _place(who, path)
    try:
        module = import_file(str(place))
    except (Exception, SystemExit) as exc:
        raise PluginError(f"{who} cannot be imported: {_cause(exc)}") from exc
    return Found(use, _plugin(who, _attribute(who, module, qualname)), use)


def _place(who: str, path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except OSError as exc:
        said = _file_problem(exc)
        raise PluginError(f"{who}: {said}: {path}") from exc
    except ValueError as exc:  # it has a NUL
        raise PluginError(f"{who}: {path!r} is no file: {exc}") from exc


def _from_entry_point(use: str, builtins: Iterable[str]) -> Found:
    entry = _entry_points(use, builtins)[0]
    return _from_reference(use, entry.value, *_distribution(entry))


def _entry_points(use: str, builtins: Iterable[str]) -> Sequence[EntryPoint]:
    # The metadata library is slow to import; built-ins and files do without.
    from importlib.metadata import entry_points

    entries = tuple(entry_points(group=GROUP, name=use))
    if len({(_distribution(entry)[0], entry.value) for entry in entries}) > 1:
        who = " and ".join(sorted(" ".join(_distribution(entry)) for entry in entries))
        raise PluginError(
            f'plugin "{use}" is in two distributions: {who}',
            hint="uninstall one, or name what you mean as module:attr",
        )
    if not entries:
        raise _unknown(use, [*builtins, *installed()])
    return entries


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")


def _unknown(use: str, names: Iterable[str]) -> PluginError:
    """Say that nothing has this name, and what may have been meant."""
    name = use.removeprefix("handlerkit-")
    if name != use and name in names:
        return PluginError(f'no plugin "{use}"', hint=f'did you mean "{name}"?')
    if name in KNOWN:
        return PluginError(
            f'no plugin "{use}"', hint=f"not installed: pip install {KNOWN[name]}"
        )
    hint = did_you_mean(use, {*names, *KNOWN})
    if not hint and name != use and name.replace("-", "").isalnum():
        # Only where the file has the name of a distribution: to guess one, and have
        # it installed, would serve who registers what others mistype.
        hint = f"not installed, or without a plugin of that name: pip install {use}"
    return PluginError(f'no plugin "{use}"', hint=hint or _how_to_name(use))


def _how_to_name(use: str) -> str:
    if "." in use:
        return 'a class of your own is "package.module:Class"'
    return 'one of your own is "./file.py" or "package.module:Class"'


def _attribute(who: str, module: ModuleType, qualname: str) -> Any:
    """Look an attribute up, dots allowed; no name at all is the module itself."""
    value: Any = module
    for part in qualname.split(".") if qualname else ():
        try:
            value = getattr(value, part)
        except AttributeError as exc:
            said = module_said(getattr(value, "__name__", str(value)))
            raise PluginError(
                f'{who}: {said} has no "{part}"',
                hint=did_you_mean(part, [n for n in dir(value) if n[:1] != "_"]),
            ) from exc
    return value


def _file_problem(exc: OSError) -> str:
    if isinstance(exc, FileNotFoundError):
        return "no such file"
    return f"cannot be read, {exc.strerror}"


def module_said(name: str) -> str:
    """Give a module's name for people: that of its file, where it is a local one."""
    if not name.startswith(LOCAL):
        return name
    return f"{name.removeprefix(LOCAL).partition('_')[2]}.py"


def _plugin(who: str, value: Any) -> Any:
    if isclass(value) or ismodule(value):
        return value
    raise PluginError(
        f"{who} is {type(value).__name__} {value!r:.80}, "
        "a plugin is a class or a module"
    )


def _described(use: str, distribution: str | None, version: str | None) -> str:
    origin = " ".join(part for part in (distribution, version) if part)
    return f'plugin "{use}" ({origin})' if origin else f'plugin "{use}"'


def _cause(exc: BaseException) -> str:
    """Say what was raised, and where in the plugin's own code."""
    place = ""
    trace = exc.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file not in _NOT_THE_PLUGIN:
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{named(exc)}{place}"
