"""Where plugins and classes come from: what a frozen file notes, to find it changed."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlerkit.errors import HandlerkitError
from handlerkit.hooks.local import file_of
from handlerkit.kit.frozen import file_hash, home, place_of, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from handlerkit.kit.assembly import Kit

TICK = 10_000_000  # nanoseconds that the time of a file may lag behind the clock


class Origins:
    """What the outcome of loading a kit depends on, besides its configuration.

    ``modules`` are the site's own: each module that plugins, ``Settings`` and classes
    have brought with them, in a file below the configuration's directory, a directory
    of ``[app] path``, or one that a plugin's file is in. By their paths from the
    configuration, with a hash of the content. Not among them are Python's own and
    those of installed distributions.

    Raises:
        HandlerkitError: a file has changed since, so that its content may be another;
            or there is metadata of two versions.
    """

    def __init__(self, kit: Kit) -> None:
        self._since = kit.imported.since - TICK
        self._found: set[Path] = set()
        self.modules = dict(sorted(self._of_site(kit)))

    def of(
        self, reference: str, distribution: str | None = None, *kinds: object
    ) -> tuple[dict[str, Any], ...]:
        """Give what is not the site's of where ``module:attribute`` was found.

        Of an installed distribution: its name, its version, and the directory of its
        metadata, which has both in its name. Of one that is edited in place: a hash
        of its package. Of none: hashes of its files, and of those of ``kinds``.
        """
        module = reference.partition(":")[0]
        if file_of(reference) or module.startswith("handlerkit."):
            return ()  # the site's; noted once, for all of it
        found = of_module(module, distribution)
        if found is None:
            return tuple(self._files(module, kinds))
        told = {"distribution": found.name, "version": found.version}
        package = module.partition(".")[0]
        directory = _metadata(found, home(package))
        if directory is not None:
            several = versions(home(package), directory)
            if len(several) > 1:
                text = f"{' and '.join(several)} are both in {home(package)}"
                raise HandlerkitError(f"{text}: remove the older, and freeze again")
            return ({"module": package, **told, "metadata": directory},)
        if hasattr(sys.modules[package], "__path__"):
            files = {"": self._hash(Path(place_of(package)))}
            return ({"module": package, **told, "files": files},)
        return tuple({**told, **each} for each in self._files(module, kinds))

    def _of_site(self, kit: Kit) -> Iterator[tuple[str, str]]:
        base = kit.document.base
        uses = [each.found.reference for each in kit.plugins.loaded]
        local = [found[0] for use in uses if (found := file_of(use)) is not None]
        near = [str(Path(file).parent) for file in local]
        places = {  # a file may be a link to elsewhere
            (base / place).resolve(): place
            for place in (*local, *near, *kit.config.app.path, ".")
        }
        installed = _Installed()
        for name in kit.imported.modules:
            file = _file(name)
            place = next(_within(file, places), None) if file else None
            if file and place and not (_is_ours(name) or installed.has(name, file)):
                self._found.add(file)
                yield place, self._hash(file)

    def _files(self, module: str, kinds: Iterable[object]) -> Iterator[dict[str, Any]]:
        """Give the files that say what hooks and settings a plugin has."""
        modules = {module}
        for kind in kinds:
            if isclass(kind):
                modules.update(base.__module__ for base in kind.__mro__)
            elif isinstance(kind, str):
                modules.add(kind.partition(":")[0])
        files = {}
        for name in sorted(modules):
            file = _file(name)
            if file and not (
                file in self._found or _is_ours(name) or _is_library(file)
            ):
                files[os.path.relpath(file, place_of(module))] = self._hash(file)
        if files:
            yield {"module": module, "files": dict(sorted(files.items()))}

    def _hash(self, path: Path) -> str:
        for each in path.rglob("*.py") if path.is_dir() else (path,):
            if each.stat().st_ctime_ns > self._since:
                text = f"{each} changed while it was loaded: freeze again"
                raise HandlerkitError(text)
        return file_hash(str(path))


def own_files() -> str | None:
    """Give a hash of handlerkit itself, where it is no installed distribution."""
    distribution = of_module("handlerkit", "handlerkit")
    if distribution is not None and _metadata(distribution, home("handlerkit")):
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


def _metadata(distribution: metadata.Distribution, place: str) -> str | None:
    """Give the name of the metadata's directory, where it lies in this place."""
    for file in distribution.files or ():
        directory = file.parts[0]
        if directory.endswith(".dist-info") and distribution.version in directory:
            beside = os.path.realpath(str(distribution.locate_file("")))
            return directory if beside == os.path.realpath(place) else None
    return None


class _Installed:
    """Which modules are Python's own, or of an installed distribution."""

    def __init__(self) -> None:
        self._packages: dict[str, list[str]] | None = None

    def has(self, module: str, file: Path) -> bool:
        """Say whether a module, of this file, is one of these."""
        if _is_library(file):
            return True
        if self._packages is None:  # dear
            self._packages = dict(metadata.packages_distributions())
        up = module.count(".") + (file.stem == "__init__")
        root = file.parents[up] if up < len(file.parents) else file.parent
        return any(
            _metadata(metadata.distribution(name), str(root))
            for name in self._packages.get(module.partition(".")[0], ())
        )


def _file(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).absolute() if file else None


def _within(file: Path, places: Mapping[Path, str]) -> Iterator[str]:
    """Give the path from the configuration of a file that is in one of the places."""
    for path in (file, file.resolve()):
        for directory, place in places.items():
            if path.is_relative_to(directory):
                yield (Path(place) / path.relative_to(directory)).as_posix()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "handlerkit" or module == "__main__"


def _is_library(file: Path) -> bool:
    """Say whether a file is Python's own, or installed: its version is another's."""
    installed = {"site-packages", "dist-packages"}.intersection(file.parts)
    return bool(installed) or file.is_relative_to(Path(os.__file__).parent)
