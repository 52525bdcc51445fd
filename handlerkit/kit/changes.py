"""What has changed since a kit was frozen, in words.

Without pydantic: where it is Python that has changed, there may be none.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit import __version__
from handlerkit.errors import named
from handlerkit.kit import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def since(constants: Mapping[str, Any], directory: str, name: str) -> list[str]:
    """Give each thing that is not as it was frozen, in words."""
    try:
        return list(_differences(constants, Path(directory), name))
    except (LookupError, TypeError, AttributeError):
        return ["it is nothing that freeze has written"]


def _differences(
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
    files = {name: made_from["config"], **made_from["modules"]}
    yield from _changed_files({"files": files}, directory)
    for who, origin in _origins(constants):
        yield from _changed(who, origin, directory)


def _origins(constants: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give where the handler and each plugin come from, after who that is."""
    yield from (("[handler]", each) for each in constants["HANDLER"]["made_from"])
    for plugin in constants["PLUGINS"]:
        who = f'plugin "{plugin["name"]}"'
        yield from ((who, each) for each in plugin["made_from"])


def _python(tag: str | None) -> str:
    """Give a cache tag for people: ``cpython-311`` is 3.11."""
    name, _, digits = (tag or "?").partition("-")
    version = f"{digits[:1]}.{digits[1:]}" if digits.isdecimal() else digits
    return version if name == "cpython" else f"{name} {version}"


def _changed(who: str, origin: Mapping[str, Any], directory: Path) -> Iterator[str]:
    if "version" in origin:
        now = _installed(origin["distribution"])
        if now != origin["version"]:
            yield f"{who}: {origin['distribution']} {origin['version']} -> {now}"
            return
    try:
        import_module(origin.get("module", "sys"))
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
        yield f"{who}: {origin['module']} cannot be imported: {named(exc)}"
        return
    if "metadata" in origin:
        if not frozen.is_unchanged(dict(origin), str(directory)):
            where = frozen.home(origin["module"])
            several = frozen.versions(where, origin["metadata"])
            text = f"{origin['distribution']} is not installed in {where}"
            if len(several) > 1:
                text = f"{' and '.join(several)} are both in {where}: remove the older"
            yield f"{who}: {text}"
        return
    yield from (f"{who}: {text}" for text in _changed_files(origin, directory))


def _changed_files(origin: Mapping[str, Any], directory: Path) -> Iterator[str]:
    base = Path(frozen.place_of(origin["module"])) if "module" in origin else directory
    for file, found in origin["files"].items():
        shown = file or origin["distribution"]
        try:
            if frozen.file_hash(str(base / file)) != found:
                yield f"{shown} has changed"
        except FileNotFoundError:
            yield f"{shown} is gone"
        except OSError as exc:
            yield f"{shown} cannot be read: {exc.strerror}"


def _installed(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
