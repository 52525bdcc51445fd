"""Makes the bundle: follows the imports of a frozen process, and compiles them."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import (
    BuiltinImporter,
    FrozenImporter,
    PathFinder,
    SourceFileLoader,
)
from marshal import dumps
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING

from handlerkit.kit.bundle import head, places, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec

    from handlerkit.kit.assembly import Kit
    from handlerkit.kit.bundle import Module


def bundle(kit: Kit) -> bytes:
    """Give the bundle of what a frozen process of this kit imports of handlerkit.

    What a function imports when it is called is none of it: only failure needs that.

    Raises:
        OSError: a source cannot be read.
    """
    modules = _Modules()
    modules.add("handlerkit.kit.one_shot")
    modules.add(kit.handler_class.__mro__[1].__module__)
    for each in kit.plugins.loaded:
        modules.add(each.found.reference.partition(":")[0])
    where = tuple(map(intern, places()))
    content = dumps((where, tuple(modules.found)))
    return head(content) + content


# Imported before the bundle is read.
_BEFORE = ("handlerkit", "handlerkit.kit", "handlerkit.kit.bundle")


class _Modules:
    """Modules of handlerkit and of Python, each after those that it imports.

    Neither what is in the interpreter itself, nor anybody else's.
    """

    def __init__(self) -> None:
        self.found: list[Module] = []
        self._met: dict[str, ModuleSpec | None] = {}

    def add(self, name: str) -> ModuleSpec | None:
        """Add a module, with the packages that it is in; give its specification."""
        if name in self._met:
            return self._met[name]
        self._met[name] = None
        package = name.rpartition(".")[0]
        if name == "handlerkit":
            spec = sys.modules[name].__spec__
        elif package:
            outer = self.add(package)
            inside = None if outer is None else outer.submodule_search_locations
            spec = None if inside is None else _specification(name, inside)
        else:
            spec = _specification(name, places()[1:])
        self._met[name] = spec
        if spec is not None and name not in _BEFORE:
            self._compile(spec)
        return spec

    def _compile(self, spec: ModuleSpec) -> None:
        path = str(spec.origin)
        written, size = stamp(path)
        source = Path(path).read_bytes()
        for each in _imports(ast.parse(source)):
            self.add(each)
        code = compile(source, path, "exec", dont_inherit=True)
        is_package = spec.submodule_search_locations is not None
        # What is interned is written alike, whether anybody else has it or not.
        name, path, cached = map(intern, (spec.name, path, str(spec.cached)))
        module = (name, path, written, size, cached, is_package, code)
        self.found.append(module)


def _specification(name: str, path: Sequence[str]) -> ModuleSpec | None:
    """Give where a module is, if it has a source and is not in the interpreter."""
    if BuiltinImporter.find_spec(name) or FrozenImporter.find_spec(name):
        return None
    spec = PathFinder.find_spec(name, path)
    return spec if spec and type(spec.loader) is SourceFileLoader else None


def _imports(tree: ast.Module) -> Iterator[str]:
    """Give the modules that a module imports as it is run; not those for types."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
