"""Where plugins come from: what a frozen file notes, to find that it has changed."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from inspect import isclass
from typing import TYPE_CHECKING, Any

from handlerkit.kit.frozen import file_hash, home, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handlerkit.hooks.loading import Found


def origins(found: Found, base: Path) -> tuple[dict[str, Any], ...]:
    """Give what the outcome of loading a plugin depends on.

    Of a plugin in an installed distribution: its name, its version, and the directory
    of its metadata, which has both in its name. Of one whose distribution is edited in
    place: a hash of its package. Of one without a distribution: hashes of its files.
    """
    path, dot, attribute = found.reference.rpartition(".py:")
    if dot or found.reference.endswith(".py"):
        name = f"{path}.py" if dot else attribute
        return ({"files": {name: file_hash(str(base / name))}},)
    module = found.reference.partition(":")[0]
    if module.startswith("handlerkit."):
        return ()  # noted once, for all of it
    distribution = of_module(module, found.distribution)
    if distribution is None:
        return tuple(_files(found, module))
    return _distributed(found, module, distribution)


def _distributed(
    found: Found, module: str, distribution: metadata.Distribution
) -> tuple[dict[str, Any], ...]:
    told = {"distribution": distribution.name, "version": distribution.version}
    package = module.partition(".")[0]
    directory = _metadata(distribution, package)
    if directory is not None:
        return ({"module": package, **told, "metadata": directory},)
    if not hasattr(sys.modules[package], "__path__"):
        return tuple({**told, **each} for each in _files(found, module))
    return ({"module": package, **told, "files": {"": file_hash(place_of(package))}},)


def own_files() -> str | None:
    """Give a hash of handlerkit itself, where it is no installed distribution."""
    distribution = of_module("handlerkit", "handlerkit")
    if distribution is not None and _metadata(distribution, "handlerkit"):
        return None
    return file_hash(place_of("handlerkit"))


def of_module(module: str, name: str | None) -> metadata.Distribution | None:
    """Give the distribution that an imported module is of, if there is one."""
    package = module.partition(".")[0]
    names = [name] if name else metadata.packages_distributions().get(package, [])
    for each in names:
        try:
            return metadata.distribution(each)
        except metadata.PackageNotFoundError:
            continue
    return None


def _metadata(distribution: metadata.Distribution, package: str) -> str | None:
    """Give the name of the metadata's directory, where it lies beside the package."""
    for file in distribution.files or ():
        directory = file.parts[0]
        if directory.endswith(".dist-info") and distribution.version in directory:
            beside = os.path.realpath(str(distribution.locate_file("")))
            return directory if beside == os.path.realpath(home(package)) else None
    return None


def _files(found: Found, module: str) -> Iterator[dict[str, Any]]:
    """Give the files that say what hooks and settings a plugin has."""
    modules = {module}
    for kind in (found.factory, found.settings):
        if isclass(kind):
            modules.update(base.__module__ for base in kind.__mro__)
    if isinstance(found.settings, str):
        modules.add(found.settings.partition(":")[0])
    here = place_of(module)
    files = {}
    for name in sorted(modules):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and not _is_library(name) and not name.startswith("handlerkit."):
            files[os.path.relpath(file, here)] = file_hash(file)
    yield {"module": module, "files": dict(sorted(files.items()))}


def _is_library(module: str) -> bool:
    """Say whether a module is Python's own, or installed: its version is another's."""
    file = getattr(sys.modules[module], "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    return installed or module.partition(".")[0] in sys.stdlib_module_names
