"""Plugins that are a file beside the configuration, imported under names of their own.

A frozen CGI process comes here, too: importlib itself would cost it more than it does.
"""

from __future__ import annotations

import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import spec_from_file_location
from _imp import source_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

LOCAL = "_handlerkit_file_"  # with a checksum: two files may have one name


def file_of(use: str) -> tuple[str, str] | None:
    """Give path and attribute of ``./file.py:Class``; None where no file is named."""
    path, dot_py, attribute = use.rpartition(".py:")
    if dot_py:
        return f"{path}.py", attribute
    return (use, "") if use.endswith(".py") else None


def import_file(path: str) -> ModuleType:
    """Import a file, with sys.path as it is.

    Raises:
        Exception: whatever the file raises.
    """
    stem = path.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    checksum = source_hash(0, path.encode("utf-8", "surrogateescape"))[:4].hex()
    name = f"{LOCAL}{checksum}_{stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # as import does: pickle, pydantic look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
