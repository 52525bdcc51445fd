"""What has changed since a kit was frozen, in words, and what is done about it."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit import __version__, config
from handlerkit.config.objects import said
from handlerkit.errors import ConfigError, Fault, HandlerkitError
from handlerkit.kit import frozen, targets
from handlerkit.kit.freezing import write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handlerkit.kit.assembly import Kit, Source

_CODE = "HK603"
_HINT = 'freeze again, or set on_drift = "rebuild" in [freeze]'


def check(path: Path) -> list[Fault]:
    """Give what keeps the frozen file of a configuration from being taken.

    Raises:
        ConfigError: there is no such configuration.
    """
    directory, name = path.absolute().parent, frozen.frozen_name(path.name)
    document = config.read(path)
    try:
        constants = frozen.read(str(directory), name)
    except FileNotFoundError:
        return [Fault(_CODE, "it is not there: nothing is frozen", file=name)]
    except Exception as exc:  # noqa: BLE001 - a file may hold anything
        return [Fault(_CODE, f"it is not used: {exc}", file=name)]
    settings, _ = config.validate(document)
    if settings is not None:
        targets.join_path(document, settings.app)
    return _faults(constants, path)


def _faults(constants: Mapping[str, Any], path: Path) -> list[Fault]:
    directory, name = path.absolute().parent, frozen.frozen_name(path.name)
    try:
        changes = list(differences(constants, directory, path.name))
    except (LookupError, TypeError, AttributeError):
        changes = ["it is nothing that freeze has written"]
    return [Fault(_CODE, change, file=name) for change in changes]


def differences(
    constants: Mapping[str, Any], directory: Path, name: str
) -> Iterator[str]:
    """Give each thing that is not as it was frozen, in words."""
    if constants.get("FORMAT") != frozen.FORMAT:
        yield "it was frozen by a handlerkit that wrote another form"
        return
    made_from = constants["MADE_FROM"]
    if made_from["python"] != sys.implementation.cache_tag:
        now = _python(sys.implementation.cache_tag)
        yield f"Python: {_python(made_from['python'])} -> {now}"
    if made_from["handlerkit"] != __version__:
        yield f"handlerkit: {made_from['handlerkit']} -> {__version__}"
    elif made_from["files"] not in (
        None,
        frozen.file_hash(frozen.place_of("handlerkit")),
    ):
        yield f"handlerkit {__version__}: its files have changed"
    if made_from["config"] != frozen.file_hash(str(directory / name)):
        yield f"{name} has changed"
    for plugin in constants["PLUGINS"]:
        for origin in plugin["made_from"]:
            yield from _changed(plugin["name"], origin, directory)


def _python(tag: str | None) -> str:
    """Give a cache tag for people: ``cpython-311`` is 3.11."""
    name, _, digits = (tag or "?").partition("-")
    version = f"{digits[:1]}.{digits[1:]}" if digits.isdecimal() else digits
    return version if name == "cpython" else f"{name} {version}"


def _changed(plugin: str, origin: Mapping[str, Any], directory: Path) -> Iterator[str]:
    who = f'plugin "{plugin}"'
    if "version" in origin:
        now = _installed(origin["distribution"])
        if now != origin["version"]:
            yield f"{who}: {origin['distribution']} {origin['version']} -> {now}"
            return
    try:
        import_module(origin.get("module", "sys"))
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
        yield f"{who}: {origin['module']} cannot be imported: {said(exc)}"
        return
    if "metadata" in origin:
        if not frozen.is_unchanged(dict(origin), str(directory)):
            where = frozen.home(origin["module"])
            yield f"{who}: {origin['distribution']} is not installed in {where}"
        return
    yield from (f"{who}: {text}" for text in _changed_files(origin, directory))


def _changed_files(origin: Mapping[str, Any], directory: Path) -> Iterator[str]:
    base = Path(frozen.place_of(origin["module"])) if "module" in origin else directory
    for file, found in origin["files"].items():
        shown = file or origin["distribution"]
        if not (base / file).exists():
            yield f"{shown} is gone"
        elif frozen.file_hash(str(base / file)) != found:
            yield f"{shown} has changed"


def _installed(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def is_to_be_rebuilt(constants: Mapping[str, Any], source: Source) -> bool:
    """Say whether a frozen file that was not taken is stale, and may be made anew.

    Where it is not stale, or the configuration is invalid, loading says what is wrong.

    Raises:
        ConfigError: it is stale, and to be an error: with everything that changed.
    """
    path = Path(str(source))
    faults = _faults(constants, path)
    settings, _ = config.validate(config.read(path))
    if not faults or settings is None:
        return False
    if settings.freeze.on_drift == "rebuild":
        return True
    faults[-1].hint = _HINT
    raise ConfigError(faults)


def rebuild(kit: Kit, source: Source) -> None:
    """Freeze anew what was just loaded; where that cannot be, say so, and go on."""
    try:
        write(kit, Path(str(source)))
    except (HandlerkitError, OSError) as exc:
        name = frozen.frozen_name(Path(str(source)).name)
        sys.stderr.write(f"handlerkit: {name} is stale, and stays so: {exc}\n")


def not_loaded(source: Source, target: str, exc: BaseException) -> ConfigError:
    """Make the error for an application that does not import."""
    return _of_file(source, targets.not_loaded(target, exc))


def not_callable(source: Source, target: str, application: object) -> ConfigError:
    """Make the error for an application that is none."""
    return _of_file(source, targets.not_callable(target, application))


def _of_file(source: Source, fault: Fault) -> ConfigError:
    return ConfigError(config.read(source).arrange([fault]))
