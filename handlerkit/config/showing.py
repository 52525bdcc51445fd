"""The configuration in force, as TOML, with where each value comes from.

What the file has is shown as it stands there, references included, so that the result
is a configuration that means the same. No secret is shown: not what a reference leads
to, nor its default, nor what stands in the file itself and is typed as a secret, or
named like one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from handlerkit.config.fields import keys_of
from handlerkit.config.hiding import is_secret, without_forms
from handlerkit.config.masking import mask
from handlerkit.config.model import TABLES
from handlerkit.config.references import described
from handlerkit.config.writing import dotted, is_toml, key_text, value_text
from handlerkit.settings import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.carets import TomlPath
    from handlerkit.config.model import Config
    from handlerkit.config.sources import Document

_SECRETS = (SecretStr, SecretBytes, Secret)
# Tables below a table of our own, that are for somebody else.
_ENGINES = ((("server",), "granian"), (("server",), "gunicorn"))
# Keys of [handler] whose default is not the class's.
_OURS = ("class", "os_environ")
_ANY = "*"  # an index, in a path to a secret: validation may have moved items


class Row(NamedTuple):
    """One key: its path, its value as TOML and as told, and where it is from.

    ``value`` has references as the file has them, ``told`` has ``***`` for them; both
    are None for what is not set.
    """

    path: TomlPath
    value: Any
    told: Any
    source: str


def effective(
    document: Document,
    config: Config,
    settings: Mapping[str, BaseModel] | None = None,
    options: Mapping[TomlPath, tuple[str, str]] | None = None,
) -> str:
    """Give every value as TOML, its origin as a comment, secrets as ``"***"``.

    The arguments are those of `rows`.
    """
    lines = [f"# {document.file or 'a configuration without a file'}"]
    table: TomlPath = ()
    for row in rows(document, config, settings, options):
        if row.path[:-1] != table:
            table = row.path[:-1]
            lines += ["", f"[{dotted(table)}]"]
        key = key_text(str(row.path[-1]))
        if row.value is None:
            lines.append(f"# {key}  # {row.source}: not set")
        else:
            lines.append(f"{key} = {value_text(row.value)}  # {row.source}")
    return "\n".join([*lines, ""])


def rows(
    document: Document,
    config: Config,
    settings: Mapping[str, BaseModel] | None = None,
    options: Mapping[TomlPath, tuple[str, str]] | None = None,
) -> Iterator[Row]:
    """Give every key in force, table by table.

    ``settings`` are those of plugins, as their models have them; without them there
    are only those that the file has. ``options`` are values that stand in place of
    the file's, each with the option that they were given by.
    """
    sheet = _Sheet(document, options or {})
    for name in TABLES:
        yield from sheet.table(getattr(config, name), (name,), "default")
    for hook, table in config.hooks.items():
        yield from sheet.table(table, ("hooks", hook), "default")
    for name, entry in config.plugins.items():
        path = ("plugins", name)
        yield from sheet.table(entry, path, "default")
        model = (settings or {}).get(name)
        if model is not None:
            origin = f"default of plugin {entry.use}"
            yield from sheet.table(model, path, origin, set(type(entry).model_fields))
        else:
            sheet.unseen.add(path)
            for key in entry.settings:
                yield sheet.given((*path, key))


class _Sheet:
    """What rows are made from: the file, and which of it is secret."""

    def __init__(
        self, document: Document, options: Mapping[TomlPath, tuple[str, str]]
    ) -> None:
        self.document = document
        self.options = options
        self.concealed = {_anywhere(path) for path in document.concealed}
        self.secrets = set(document.secrets)
        self.unseen: set[TomlPath] = set()
        named = str(self._raw(("handler", "class")))
        self._own_class = named if ":" in named else ""

    def table(
        self,
        model: BaseModel,
        path: TomlPath,
        origin: str,
        taken: set[str] | frozenset[str] = frozenset(),
    ) -> Iterator[Row]:
        """Give the rows of a table; those of tables of engines after the others."""
        for where, secret in _secrets(model, path):
            self.concealed.add(where)
            self.secrets.add(secret)
        given = self._raw(path)
        left = dict(given) if isinstance(given, Mapping) else {}
        for name, keys in keys_of(type(model)):
            written = next((key for key in keys if key in left), None)
            for key in keys:
                left.pop(key, None)
            place = (*path, written or keys[0])
            if keys[0] not in taken and (path, name) not in _ENGINES:
                yield self._field(getattr(model, name), place, written, origin)
        for name in (name for table, name in _ENGINES if table == path):
            for key in getattr(model, name):
                yield self.given((*path, name, key))
        if path[0] != "plugins" or taken:  # a plugin's entry leaves them to its model
            yield from (self.given((*path, key)) for key in left if key not in taken)

    def _field(
        self, value: Any, path: TomlPath, written: str | None, origin: str
    ) -> Row:
        if path in self.options:
            value, option = self.options[path]
            return Row(path, value, value, option)
        if written:
            return self.given(path)
        if path[0] == "handler" and path[-1] not in _OURS and self._own_class:
            return Row(path, None, None, f"as {self._own_class} has it")
        shown = self._default(_as_toml(value))
        return Row(path, shown, shown, origin)

    def given(self, path: TomlPath) -> Row:
        """Give the row of what the file has."""
        node = self._raw(path)
        return Row(
            path,
            self._shown(node, path, told=False),
            self._shown(node, path, told=True),
            ", ".join(dict.fromkeys(self._sources(node, path))),
        )

    def _raw(self, path: TomlPath) -> Any:
        node: Any = self.document.raw
        for part in path:
            node = node.get(part) if isinstance(node, Mapping) else None
        return node

    def _sources(self, node: Any, path: TomlPath) -> Iterator[str]:
        if not self._is_reference(node, path):
            yield self._place(path)
        yield from self._references(node, path)

    def _references(self, node: Any, path: TomlPath) -> Iterator[str]:
        if self._is_reference(node, path):
            name = node.get("env")
            if name is None:
                yield f"file {node['file']}"
            elif name in self.document.environ:
                yield f"environment {name}"
            else:
                yield f"environment {name}, not set: default in {self._place(path)}"
            return
        for key, item in _items(node):
            yield from self._references(item, (*path, key))

    def _place(self, path: TomlPath) -> str:
        source = self.document.source
        span = source.span((*self.document.prefix, *path), "key") if source else None
        if source is None or span is None:
            return self.document.file or "given"
        return f"{self.document.file}:{source.text.count(chr(10), 0, span[0]) + 1}"

    def _is_reference(self, node: Any, path: TomlPath) -> bool:
        """Say whether a table is a reference: by its form, where no model has told."""
        resolved = path in self.document.references or path[:2] in self.unseen
        return resolved and bool(described(node))

    def _shown(self, node: Any, path: TomlPath, *, told: bool) -> Any:
        """Give what the file has, without its secrets."""
        if self._is_reference(node, path):
            return MASK if told else _without_default(node)
        if isinstance(node, Mapping):
            shown = self._shown
            return {k: shown(item, (*path, k), told=told) for k, item in node.items()}
        if isinstance(node, list):
            return [
                self._shown(item, (*path, at), told=told)
                for at, item in enumerate(node)
            ]
        if self._is_concealed(path) or (isinstance(node, str) and is_secret(path)):
            return MASK
        return self._default(node)

    def _default(self, value: Any) -> Any:
        """Give what a model has by default, which may be made of a secret."""
        if isinstance(value, Mapping):
            return {key: self._default(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._default(item) for item in value]
        if isinstance(value, str):
            return without_forms(mask(value, self.secrets))
        return value

    def _is_concealed(self, path: TomlPath) -> bool:
        """Say whether a value is at, in or around what a model types as a secret."""
        place = _anywhere(path)
        return any(
            place[: len(each)] == each or each[: len(place)] == place
            for each in self.concealed
        )


def _anywhere(path: TomlPath) -> TomlPath:
    return tuple(_ANY if isinstance(part, int) else part for part in path)


def _secrets(value: Any, path: TomlPath) -> Iterator[tuple[TomlPath, str]]:
    """Give the path and the text of every value that is typed as a secret."""
    if isinstance(value, _SECRETS):
        secret = value.get_secret_value()
        yield path, secret.decode() if isinstance(secret, bytes) else str(secret)
    for key, item in _held(value):
        yield from _secrets(item, path if key is None else (*path, key))


def _held(value: Any) -> Iterator[tuple[str | None, Any]]:
    """Give what a value of a model holds, by key; without one what is in its place."""
    if isinstance(value, RootModel):
        yield None, value.root
    elif isinstance(value, BaseModel):
        for name, keys in keys_of(type(value)):
            for key in keys:
                yield key, getattr(value, name)
        yield from (value.model_extra or {}).items()
    elif is_dataclass(value):
        yield from vars(value).items()
    elif isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((_ANY, item) for item in value)


def _without_default(reference: Mapping[str, Any]) -> dict[str, Any]:
    hidden = isinstance(reference.get("default"), str)
    return {**reference, "default": MASK} if hidden else dict(reference)


def _items(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, Mapping):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _as_toml(value: Any) -> Any:
    """Give a value of a model as TOML has it, None where it has no word for it."""
    if isinstance(value, RootModel):
        value = value.root
    if isinstance(value, _SECRETS):
        return MASK
    if isinstance(value, BaseModel):
        held = {keys[0]: getattr(value, name) for name, keys in keys_of(type(value))}
        held |= value.model_extra or {}
        value = {key: item for key, item in held.items() if item is not None}
    if isinstance(value, Mapping):
        items = {str(key): _as_toml(item) for key, item in value.items()}
        return None if None in items.values() else items
    if isinstance(value, list | tuple):
        shown = list(map(_as_toml, value))
        return None if None in shown else shown
    if isinstance(value, set | frozenset):
        return _as_toml(sorted(value, key=str))
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return _as_toml(value.value)
    if value is None or is_toml(value):
        return value
    if isinstance(value, str):  # with half a character
        return None
    try:
        return _as_toml(to_jsonable_python(value, fallback=str))
    except ValueError:  # bytes that are no UTF-8
        return None
