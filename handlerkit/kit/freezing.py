"""`freeze`: write the whole outcome of the start, for CGI processes to take.

What is written holds no secret: references stay references, and a secret that the
file itself holds is an error.
"""

from __future__ import annotations

import os
import py_compile
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from handlerkit import __version__, config
from handlerkit.config.fields import fields
from handlerkit.config.taken import kinds_at
from handlerkit.errors import ConfigError, Fault, HandlerkitError
from handlerkit.kit.assembly import load
from handlerkit.kit.bundle import bundle_name
from handlerkit.kit.bundling import bundle
from handlerkit.kit.constants import Encoder, NoConstant, source
from handlerkit.kit.frozen import FORMAT, check_folder, content_hash, frozen_name
from handlerkit.kit.inline import inline_secrets
from handlerkit.kit.origins import TICK, Origins, own_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handlerkit.carets import TomlPath
    from handlerkit.kit.assembly import Kit
    from handlerkit.kit.plugins import Loaded
    from handlerkit.plan import Impl

_CODE = "HK602"
_ENTRY = {key for key, _ in fields(config.PluginEntry)}


def freeze(path: Path) -> Path:
    """Load a configuration, and write its frozen file beside it; give where that is.

    Raises:
        ConfigError: the configuration is invalid, or cannot be frozen.
        HandlerkitError: who may write to the directory is not to be trusted, or it
            cannot be written.
    """
    time.sleep(2 * TICK / 1e9)  # what was written just before is no change meanwhile
    kit = load(path, app=_no_application, entry="cgi")
    file = write(kit, path)
    if kit.config.app.target is None:
        said = "no target in [app]: only run_cgi with an application can serve it"
        sys.stderr.write(f"handlerkit: {path.name}: {said}\n")
    return file


def write(kit: Kit, path: Path) -> Path:
    """Write the frozen file of a kit that was loaded from this file.

    Raises:
        ConfigError: the configuration cannot be frozen.
        HandlerkitError: who may write to the directory is not to be trusted, or it
            cannot be written.
    """
    text = frozen_text(kit, path)
    file = path.with_name(frozen_name(path.name))
    check_folder(str(path.absolute().parent))
    try:
        _replace(file, text.encode(), path.stat())
    except OSError as exc:
        raise HandlerkitError(f"{file} cannot be written: {exc.strerror}") from exc
    with suppress(OSError):  # without, each process compiles it, and looks for the rest
        cached = py_compile.compile(
            str(file),
            dfile=file.name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )
        bundled = Path(str(cached)).with_name(bundle_name(path.name))
        _replace(bundled, bundle(kit), path.stat())
    return file


def _replace(file: Path, content: bytes, like: os.stat_result) -> None:
    """Write a file whole or not at all, to be read by whom the configuration is."""
    descriptor, name = mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        if hasattr(os, "chown"):
            with suppress(OSError):
                os.chown(name, -1, like.st_gid)
        Path(name).chmod(like.st_mode & 0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def frozen_text(kit: Kit, path: Path) -> str:
    """Give what the frozen file of a configuration is to hold.

    Raises:
        ConfigError: the configuration cannot be frozen.
    """
    if kit.plugins.safe:
        raise HandlerkitError("HANDLERKIT_SAFE is set: there are no plugins to freeze")
    freezer = _Freezer(kit)
    constants = freezer.constants()
    freezer.faults += _missing(kit)
    freezer.faults += inline_secrets(kit)
    if freezer.faults:
        raise ConfigError(kit.document.arrange(freezer.faults))
    return _text(path.name, constants)


def _no_application(*_: object) -> list[bytes]:
    """Stand for the application, which each process imports itself."""
    return []


def _text(name: str, constants: Mapping[str, Any]) -> str:
    # A file may have any name, a docstring from Python 3.13 on only UTF-8.
    shown = name.encode("utf-8", "backslashreplace").decode()
    told = repr(shown)[1:-1].replace('"', '\\"')
    head = (
        f'"""Made by `handlerkit freeze` from {told}: freeze again, do not edit.\n\n'
        "Constants only. Of secrets it says where they are, never what they are.\n"
        '"""\n'
    )
    return "\n".join([head, *(f"{k} = {source(v)}\n" for k, v in constants.items())])


class _Freezer:
    """Makes constants of a kit; ``faults`` are what cannot be frozen."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.origins = Origins(kit)
        self.faults: list[Fault] = []
        for path, said in kit.document.references.items():
            if path[0] != "server" and not _of_plugin(path):
                self._refuse(path, f"{said} cannot be frozen: it is looked at here")

    def _refuse(self, path: TomlPath, text: str, hint: str = "") -> None:
        self.faults.append(Fault(_CODE, text, path=path, hint=hint))

    def constants(self) -> dict[str, Any]:
        """Give the whole content, by name."""
        kit, settings = self.kit, self.kit.config
        redact = settings.redact
        return {
            "FORMAT": FORMAT,
            "MADE_FROM": {
                "config": content_hash(kit.document.text.encode()),
                "python": sys.implementation.cache_tag,
                "handlerkit": __version__,
                "files": own_files(),
                "modules": self.origins.modules,
            },
            "APP": {"target": settings.app.target, "path": tuple(settings.app.path)},
            "HANDLER": self._handler(),
            "PROXIES": tuple(settings.proxies.trusted),
            "REDACT": {
                name: getattr(redact, name) for name in type(redact).model_fields
            },
            "PLUGINS": tuple(self._plugin(each) for each in kit.plugins.loaded),
            "HOOKS": self._hooks(),
        }

    def _handler(self) -> dict[str, Any]:
        settings = self.kit.config.handler
        attributes = settings.attributes()
        attributes.pop("os_environ")
        objects = {
            name: getattr(settings, name)
            for name in ("wsgi_file_wrapper", "headers_class")
            if isinstance(getattr(settings, name), str)
        }
        kind = self.kit.handler_class.__mro__[1]
        own = {
            name: getattr(settings, name)
            for name in ("wsgi_multithread", "wsgi_multiprocess")
            if name in settings.model_fields_set
        }
        name = f"{kind.__module__}:{kind.__qualname__}"
        made_from = [
            *self.origins.of(name, None, kind),
            *(origin for each in objects.values() for origin in self.origins.of(each)),
        ]
        return {
            "class": name,
            "made_from": tuple(made_from),
            "attributes": {k: v for k, v in attributes.items() if k not in objects},
            "objects": objects,
            "own": own,
            "os_environ": settings.os_environ,
        }

    def _plugin(self, loaded: Loaded) -> dict[str, Any]:
        path: TomlPath = ("plugins", loaded.name)
        found = loaded.found
        references = {
            at: said
            for at, said in self.kit.document.references.items()
            if at[:2] == path and _of_plugin(at)
        }
        told = [self._reference(loaded, at) for at in references]
        encoder = Encoder({at: number for number, at in enumerate(references)})
        settings = None
        if found.settings is not None and loaded.settings is not None:
            try:
                settings = encoder.record(loaded.settings, path)
            except NoConstant as exc:
                self._refuse(exc.path, f"cannot be frozen: it {exc}")
        for at in references.keys() - encoder.placed:
            text = f"{references[at]} cannot be frozen: the plugin changes it"
            self._refuse(at, text)
        return {
            "name": loaded.name,
            "use": found.reference,
            "found": str(found),
            "required": loaded.required,
            "made_from": self.origins.of(
                found.reference, found.distribution, found.factory, found.settings
            ),
            "settings": settings,
            "references": tuple(told),
        }

    def _reference(self, loaded: Loaded, path: TomlPath) -> dict[str, Any]:
        settings = loaded.found.settings
        model = None if settings is None else config.model_of(settings)
        kinds = None if model is None else kinds_at(model, path[2:])
        if kinds is None:
            said = self.kit.document.references[path]
            text = f"{said} cannot be frozen: its plugin has rules for it"
            hint = "only pydantic can hold a value to them, in each process"
            self._refuse(path, text, hint)
        node: Any = self.kit.document.raw
        for part in path:
            node = node[part]
        return {**node, "kinds": kinds or ()}

    def _hooks(self) -> dict[str, Any]:
        plugins = {each.name: each for each in self.kit.plugins.loaded}
        return {
            hook: tuple(self._impl(plugins[impl.plugin], impl) for impl in impls)
            for hook, impls in self.kit.plan.impls.items()
        }

    def _impl(self, loaded: Loaded, impl: Impl) -> dict[str, Any]:
        base = loaded.found.reference
        colon = "." if ":" in base.rpartition("/")[2] else ":"
        if not impl.attribute:
            text = f"cannot be frozen: its {impl.hook} is under no name of its own"
            self._refuse(("plugins", loaded.name), text)
        told: dict[str, Any] = {
            "plugin": impl.plugin,
            "function": f"{base}{colon}{impl.attribute}",
            "arguments": impl.arguments,
        }
        flags = {
            name: getattr(impl, name) for name in ("wrapper", "skip_errors", "named")
        }
        return told | {name: flag for name, flag in flags.items() if flag}


def _of_plugin(path: TomlPath) -> bool:
    """Say whether a path is one of a plugin's own settings."""
    return path[0] == "plugins" and len(path) > 2 and path[2] not in _ENTRY  # noqa: PLR2004 - a name, a key


def _missing(kit: Kit) -> Iterator[Fault]:
    """Tell of plugins that are not there: a frozen kit would do without for good."""
    for name, why in kit.plugins.inactive.items():
        if why != "disabled":
            path = ("plugins", name)
            hint = "enabled = false, if it is not to be there"
            yield Fault(
                _CODE, f"cannot be frozen: {why}", path=path, hint=hint, on="key"
            )
