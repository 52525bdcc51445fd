"""The bundle: bytecode of all that a frozen CGI process imports, read at once.

`handlerkit freeze` writes it beside the bytecode of the frozen file. To look for some
thirty small files one by one costs more than to run them. What is here is imported
before the bundle is read, so it imports nothing; not even annotations from
``__future__``, which is a module, too.
"""

import gc
import os
import sys
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from _imp import source_hash
from marshal import loads
from stat import S_IFDIR, S_IFMT, S_IFREG, S_IWGRP, S_IWOTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

    # Its name, its source and that one's time and size, where its bytecode would be,
    # whether it is a package, and what it runs.
    Module = tuple[str, str, int, int, str, bool, CodeType]

FORMAT = 1


def take(directory: str, config: str) -> None:
    """Load the modules of a bundle; without a good one each is imported by itself."""
    try:
        with Folder(directory) as folder, Folder("__pycache__", folder) as cache:
            data = cache.read(bundle_name(config))
        start = len(head(b""))
        content = memoryview(data)[start:]
        if data[:start] == head(content):
            _load(content)
    except Exception:  # noqa: BLE001, S110 - there may be anything
        pass


def bundle_name(config: str) -> str:
    """Give the name of the bundle that belongs to a configuration."""
    return f"{config.removesuffix('.toml')}_frozen.{sys.implementation.cache_tag}.bin"


def head(content: "bytes | memoryview") -> bytes:
    """Give what a bundle begins with: for which Python it is, and its hash."""
    kind = MAGIC_NUMBER + bytes((FORMAT, sys.flags.optimize))
    return kind + source_hash(FORMAT, content)


def places() -> tuple[str, str]:
    """Give where handlerkit and Python's own modules are."""
    package: str = sys.modules["handlerkit"].__file__ or ""
    return os.path.dirname(package), os.path.dirname(os.__file__)


def stamp(path: str) -> tuple[int, int]:
    """Give what tells Python that bytecode is of a source: its time, and its size."""
    status = os.stat(path)
    return int(status.st_mtime), status.st_size


def _load(content: memoryview) -> None:
    """Load what a bundle holds, if it is as where it was made."""
    collects = gc.isenabled()
    gc.disable()  # all of this stays, so none of it is garbage
    try:
        where, modules = loads(content)  # noqa: S302 - trusted as code is
        if where == places() and all(stamp(each[1]) == each[2:4] for each in modules):
            _run(modules)
    finally:
        if collects:
            gc.enable()


def _run(modules: "Iterable[Module]") -> None:
    """Run modules as importing them does; each comes after those that it imports."""
    for name, path, _, _, cached, is_package, code in modules:
        if name in sys.modules:
            continue
        loader = SourceFileLoader(name, path)
        spec = ModuleSpec(name, loader, origin=path, is_package=is_package)
        spec.has_location = True
        spec.cached = cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(path))
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - likewise
        except BaseException:
            del sys.modules[name]
            raise
        package, _, child = name.rpartition(".")
        if package:
            setattr(sys.modules[package], child, module)


class Folder:
    """A directory whose files are opened through it: what was checked is what is read.

    Where there are no such permissions, as on Windows, nothing is checked.

    Raises:
        HandlerkitError: it is not its owner's alone to write.
    """

    def __init__(self, path: str, outer: "Folder | None" = None) -> None:
        self.path: str = path if outer is None else os.path.join(outer.path, path)
        self.descriptor: int | None = None
        self.owner = 0
        if hasattr(os, "geteuid"):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            within = None
            if outer is not None:
                flags |= os.O_NOFOLLOW
                within = outer.descriptor
            self.descriptor = os.open(path, flags, dir_fd=within)
            status = os.fstat(self.descriptor)
            self.owner = status.st_uid if outer is None else outer.owner
            try:
                self._check(status, self.path)
            except BaseException:
                os.close(self.descriptor)
                raise

    def __enter__(self) -> "Folder":  # noqa: PYI034 - Self is in typing, which is dear
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)

    def read(self, name: str) -> bytes:
        """Read a file of this directory, whole.

        Raises:
            OSError: it cannot be read.
            HandlerkitError: it is not its owner's alone to write.
        """
        path = os.path.join(self.path, name)
        if self.descriptor is None:
            with open(path, "rb", 0) as file:
                return file.readall()
        # A link leads to where others may write; a FIFO is not to be waited for.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=self.descriptor)
        except OSError as exc:
            if os.path.islink(path):
                raise OSError(f"{path} is a symbolic link") from exc
            raise
        try:
            status = os.fstat(descriptor)
            self._check(status, path)
            parts = []
            while part := os.read(descriptor, status.st_size + 1):
                parts.append(part)
        finally:
            os.close(descriptor)
        return b"".join(parts)

    def _check(self, status: os.stat_result, path: str) -> None:
        """Refuse what others may write to.

        Raises:
            HandlerkitError: with the words that say who.
        """
        if said := _other_writer(status, self.owner):
            from handlerkit.errors import HandlerkitError  # as it fails

            raise HandlerkitError(said.format(path))


def _other_writer(status: os.stat_result, owner: int) -> str:
    """Say who else may write to ``{}``, by its status; nothing if nobody."""
    if S_IFMT(status.st_mode) not in (S_IFREG, S_IFDIR):
        return "{} is no file"
    user, group = status.st_uid, status.st_gid
    if user not in (0, owner, os.geteuid()):
        return f"{{}} belongs to user {user}, who may write to it"
    if status.st_mode & S_IWOTH:
        return "the world may write to {}"
    if status.st_mode & S_IWGRP and not _is_own_group(user, group):
        return f"group {group} may write to {{}}, and is not its owner's own"
    return ""


def _is_own_group(user: int, group: int) -> bool:
    """Say whether a group is its owner's own: of the same name, with nobody else in.

    Where users share their primary group, that is nobody's own.
    """
    # Rare: a umask of 002. pwd is loaded by site already, grp is not.
    from grp import getgrgid
    from pwd import getpwuid

    try:
        owner, owned = getpwuid(user), getgrgid(group)
    except KeyError:
        return False
    own = owner.pw_gid == group and owner.pw_name == owned.gr_name
    return own and set(owned.gr_mem) <= {owner.pw_name}
