"""The code that a kit was made from, and whether its files have changed since."""

from __future__ import annotations

import os
import sys
from inspect import ismodule
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from handlerkit.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from handlerkit.kit.assembly import Kit

_SHOWN = 3
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class _File(NamedTuple):
    """A file as it was: when it was written, its size, a checksum of its content."""

    written: int
    size: int
    content: int


class _Thing(NamedTuple):
    """Something that has code: where the configuration names it, and its package."""

    path: tuple[str, ...]
    name: str
    package: str


class Code:
    """The source files of what a kit runs: plugins, classes, the application.

    All that was imported from the packages that the configuration names and from the
    directories of ``[app] path``; not what is installed and only used by these.
    Contents are compared, so that the same files copied once more are no change.
    """

    def __init__(self) -> None:
        self._files: dict[str, _File | None] = {}

    def note(self, kit: Kit) -> None:
        """Remember the files of what has been imported since the last time."""
        for _, files in _used(kit):
            for file in files:
                if file not in self._files:
                    self._files[file] = _read(file)

    def changes(self, kit: Kit) -> list[Fault]:
        """Give a warning for each thing whose files are not as they were imported."""
        faults = []
        for thing, files in _used(kit):
            changed = [file for file in files if self._differs(file)]
            if changed:
                text = f"the code of {thing.name} has changed"
                names = _listed([_relative(kit, file) for file in changed])
                text = f"{text} ({names}): that takes a restart"
                faults.append(Fault("HK521", text, path=thing.path, on="key"))
        return faults

    def _differs(self, file: str) -> bool:
        was = self._files.get(file)
        if was is None:  # imported just now, or never readable
            return False
        try:
            found = os.stat(file)  # noqa: PTH116 - modules have their files as strings
        except OSError:
            return True
        if (found.st_mtime_ns, found.st_size) == was[:2]:
            return False
        now = _read(file)
        if now is None or now[1:] != was[1:]:
            return True
        self._files[file] = now
        return False


def _used(kit: Kit) -> Iterator[tuple[_Thing, list[str]]]:
    """Give what has code, with its files; a package is that of the first to have it."""
    left = _sources()
    for thing in _things(kit):
        yield thing, left.pop(thing.package, [])
    app = kit.config.app
    own = left.pop(_package(app.target or ""), [])
    places = tuple(
        os.path.join(os.path.realpath(kit.document.base / place), "")  # noqa: PTH118 - likewise
        for place in app.path
    )
    own += [
        file
        for files in left.values()
        for file in files
        if file.startswith(places) and not any(each in file for each in _INSTALLED)
    ]
    yield _Thing(("app",), "the application", ""), own


def _sources() -> dict[str, list[str]]:
    """Give the source files of all modules, by the outermost package."""
    found: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            found.setdefault(name.partition(".")[0], []).append(file)
    return found


def _things(kit: Kit) -> Iterator[_Thing]:
    yield _Thing((), "handlerkit", "handlerkit")
    for loaded in kit.plugins.loaded:
        factory: Any = loaded.found.factory
        module = factory.__name__ if ismodule(factory) else factory.__module__
        path = ("plugins", loaded.name)
        yield _Thing(path, f'plugin "{loaded.name}"', _package(module))
    for key in ("class_", "headers_class", "wsgi_file_wrapper"):
        named = getattr(kit.config.handler, key)
        if isinstance(named, str) and ":" in named:
            said = key.rstrip("_")
            yield _Thing(("handler", said), f"[handler] {said}", _package(named))


def _package(name: str) -> str:
    """Give the package of a module, or of what is in one; "" for Python's own."""
    package = name.partition(":")[0].partition(".")[0]
    return "" if package in sys.stdlib_module_names else package


def _read(file: str) -> _File | None:
    try:
        with open(file, "rb") as source:  # noqa: PTH123 - likewise
            found = os.fstat(source.fileno())
            content = crc32(source.read())
    except OSError:
        return None
    return _File(found.st_mtime_ns, found.st_size, content)


def _relative(kit: Kit, file: str) -> str:
    base = os.path.join(os.path.realpath(kit.document.base), "")  # noqa: PTH118 - likewise
    return file.removeprefix(base)


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join([*names[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
