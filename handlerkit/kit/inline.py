"""Secrets that a configuration holds itself: a frozen file must not have them, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlerkit.config.hiding import is_typed
from handlerkit.config.references import described
from handlerkit.errors import Fault
from handlerkit.handlers.environ import process_variables
from handlerkit.reports.redaction import Redactor
from handlerkit.settings import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.carets import TomlPath
    from handlerkit.kit.assembly import Kit
    from handlerkit.reports.redaction import Redaction

_TABLES = ("app", "handler", "proxies", "redact")
_HINT = 'refer to it, as { env = "NAME" } or { file = "path" }'
_EXCUSE = "allow_keys in [redact] excuses a name that is none of a secret"
_CODE = "HK601"


def inline_secrets(kit: Kit) -> Iterator[Fault]:
    """Tell of everything in the file, or in settings made of it, that is a secret.

    By its type, by its name, and by its form, as ``[redact]`` has names and forms.
    """
    rules = kit.config.redact
    names = Redactor(keys=rules.keys, allow_keys=rules.allow_keys)
    for fault in _found(_Search(names, kit), kit):
        kit.document.conceal(fault.path)  # in the line that is shown, too
        yield fault


def _found(search: _Search, kit: Kit) -> Iterator[Fault]:
    for name in _TABLES:
        yield from search.texts(kit.document.raw.get(name, {}), (name,))
    for loaded in kit.plugins.loaded:
        path: TomlPath = ("plugins", loaded.name)
        if loaded.settings is not None:
            yield from search.record(loaded.settings, path)
    yield from search.defaults()


class _Search:
    def __init__(self, names: Redactor, kit: Kit) -> None:
        self._names = names
        self._references = kit.document.references
        self._raw = kit.document.raw
        self._typed = frozenset(kit.document.concealed)
        # What a default stands for is known by now, too, and no secret by that.
        self._of_default = _forms(set())
        self._of_value = _forms(kit.document.secrets)

    def record(self, record: Record, path: TomlPath) -> Iterator[Fault]:
        """Search the settings of a plugin; its defaults may be secrets, too."""
        keys = record._keys  # noqa: SLF001 - the other half of the class
        for name, value in record.__dict__.items():
            at = (*path, keys.get(name, name))
            hidden = name in record._secrets and not self._refers(at)  # noqa: SLF001 - likewise
            if hidden and value:
                yield _fault(at, "is a secret")
            else:
                yield from self.texts(value, at)

    def texts(self, value: Any, path: TomlPath) -> Iterator[Fault]:
        """Search a value, and those in it."""
        if path in self._references or described(value):
            return
        if isinstance(value, Record):
            yield from self.record(value, path)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.texts(item, (*path, key))
        elif isinstance(value, list | tuple | set | frozenset):
            for at, item in enumerate(value):
                yield from self.texts(item, (*path, at))
        elif value and (said := self._said(value, path, self._of_value)):
            yield _fault(path, said)

    def defaults(self) -> Iterator[Fault]:
        """Search what stands for variables that are not set."""
        for path in self._references:
            node: Any = self._raw
            for part in path:
                node = node[part]
            default = node.get("default")
            if default and (said := self._said(default, path, self._of_default)):
                yield _fault(path, f"has a default that {said}")

    def _refers(self, path: TomlPath) -> bool:
        return any(at[: len(path)] == path for at in self._references)

    def _said(self, value: Any, path: TomlPath, forms: Redaction) -> str:
        """Say why a single value is taken for a secret, or nothing."""
        if is_typed(path, self._typed):
            return "is a secret"
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(value, (bool, int, float)):
            return ""
        named = (
            [p for p in path[2:] if isinstance(p, str)] if path[0] == "plugins" else []
        )
        if isinstance(value, str) and any(map(self._names.sensitive, named)):
            return "has the name of a secret"
        text = str(value)
        if forms.text(text, limit=None) != text:
            return "looks like a secret"
        return ""


def _forms(secrets: set[str]) -> Redaction:
    """Give what finds secrets in texts by their value, and by their form."""
    redactor = Redactor(process=process_variables(), secrets=secrets)
    redaction = redactor.begin()
    redactor.needles = ()  # but not by words before them: a page may say "password:"
    return redaction


def _fault(path: TomlPath, said: str) -> Fault:
    names = [at for at, part in enumerate(path) if isinstance(part, str)]
    subject = "".join(f"[{part}]" for part in path[names[-1] + 1 :])
    what = f"{path[names[-1]]}{subject} {said}, which a frozen file must not hold"
    excuse = f"; {_EXCUSE}" if "name" in said else ""
    return Fault(_CODE, what, path=path, hint=_HINT + excuse)
