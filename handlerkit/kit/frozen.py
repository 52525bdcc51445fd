"""The frozen file: found, trusted or not, read, and held against what it is made of.

`handlerkit freeze` writes it, a module of constants; every CGI process reads it, so
nothing is imported here that is not loaded anyway. What differs is told, with words,
by `handlerkit.kit.drift`.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from _imp import source_hash
from marshal import loads

from handlerkit import __version__
from handlerkit.kit.bundle import Folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Constants = dict[str, Any]

FORMAT = 1

_KEY = 0x68616E646C65726B  # any would do, always the same
_CHECKED = 3  # flags of bytecode that is held against its source (PEP 552)
_HEAD = 16  # bytes before the code itself


def frozen_name(config: str) -> str:
    """Give the name of the frozen file that belongs to a configuration."""
    return f"{config.removesuffix('.toml')}_frozen.py"


def content_hash(data: bytes) -> str:
    """Give the hash of a text, the same whatever its line ends are.

    64 bits of SipHash, by which Python holds bytecode against source (PEP 552): it is
    there without an import. It finds changes, not forgeries; who could forge, may
    write the configuration itself.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    return source_hash(_KEY, text).hex()


def file_hash(path: str) -> str:
    """Give the hash of a file, or of every Python source below a directory."""
    if os.path.isdir(path):
        return content_hash("\n".join(_sources(path, "")).encode())
    with open(path, "rb", 0) as file:
        return content_hash(file.readall())


def _sources(directory: str, below: str) -> Iterator[str]:
    for name in sorted(os.listdir(os.path.join(directory, below))):
        inner = f"{below}{name}"
        path = os.path.join(directory, inner)
        if name.endswith(".py"):
            yield f"{inner} {file_hash(path)}"
        elif name != "__pycache__" and os.path.isdir(path):
            yield from _sources(directory, f"{inner}/")


def read(directory: str, name: str) -> Constants:
    """Run the frozen file of a directory; give its constants.

    Raises:
        OSError: there is none, or it cannot be read.
        HandlerkitError: it, or its directory, is not its owner's alone to write.
        Exception: it is no module of constants.
    """
    cached = f"{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    with Folder(directory) as folder:
        source = folder.read(name)
        try:
            with Folder("__pycache__", folder) as cache:
                code = _code(cache.read(cached), source)
        except OSError:
            code = None
    if code is None:
        code = compile(source, name, "exec", dont_inherit=True)
    constants: Constants = {"__builtins__": {}}
    exec(code, constants)  # noqa: S102 - trusted as the application's code is
    if "FORMAT" not in constants:
        raise LookupError("it holds nothing that freeze has written")
    return constants


def check_folder(directory: str) -> None:
    """Refuse a directory that nothing frozen would be read from.

    Raises:
        HandlerkitError: with the words that say why.
    """
    with Folder(directory) as folder:
        try:
            with Folder("__pycache__", folder):
                return
        except OSError:  # nothing is read from there
            return


def _code(compiled: bytes, source: bytes) -> Any:
    """Give the code of bytecode that was made from exactly this source, else None."""
    key = int.from_bytes(MAGIC_NUMBER, "little") & 0xFFFFFFFF
    head = MAGIC_NUMBER + _CHECKED.to_bytes(4, "little") + source_hash(key, source)
    if not compiled.startswith(head):
        return None
    try:
        return loads(memoryview(compiled)[_HEAD:])  # noqa: S302 - likewise
    except (EOFError, TypeError, ValueError):  # it is broken off
        return None


def is_fresh(constants: Constants, directory: str, config: str) -> bool:
    """Say whether a frozen file is of this Python, handlerkit and site."""
    made_from = constants["MADE_FROM"]
    return bool(
        constants["FORMAT"] == FORMAT
        and made_from["python"] == sys.implementation.cache_tag
        and made_from["handlerkit"] == __version__
        and _is_own(made_from["files"])
        and made_from["config"] == file_hash(os.path.join(directory, config))
        and _are_unchanged(made_from["modules"], directory)
    )


def _is_own(files: str | None) -> bool:
    """Say whether this is the handlerkit that froze, where its files may change."""
    return files is None or files == file_hash(place_of("handlerkit"))


def is_unchanged(origin: Constants, directory: str) -> bool:
    """Say whether a plugin, imported already, comes from what it was frozen with.

    ``origin`` has the directory of the distribution's metadata, whose name tells the
    version; of what is in no distribution, or edited in place, hashes of its files.
    """
    if "metadata" in origin:
        metadata: str = origin["metadata"]
        return versions(home(origin["module"]), metadata) == [metadata]
    base = place_of(origin["module"]) if "module" in origin else directory
    return _are_unchanged(origin["files"], base)


def _are_unchanged(files: dict[str, str], base: str) -> bool:
    """Say whether files are those that were hashed, by their paths from a directory."""
    return all(
        file_hash(os.path.join(base, file)) == found for file, found in files.items()
    )


def versions(place: str, metadata: str) -> list[str]:
    """Give all metadata that lies in a place of the distribution that one is of.

    It is that of one version, but for copies that take nothing away.
    """
    name = metadata.partition("-")[0].lower()
    return sorted(
        each
        for each in os.listdir(place)
        if each.endswith(".dist-info") and each.partition("-")[0].lower() == name
    )


def place_of(module: str) -> str:
    """Give the directory that an imported module, or package, lies in."""
    return os.path.dirname(sys.modules[module].__file__ or "")


def home(module: str) -> str:
    """Give the directory that an imported module was found from."""
    package, _, _ = module.partition(".")
    directory = place_of(package)
    return (
        os.path.dirname(directory)
        if hasattr(sys.modules[package], "__path__")
        else directory
    )
