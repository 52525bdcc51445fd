"""Values from outside the file: ``{ env = "X" }`` and ``{ file = "path" }``.

They are resolved after parsing, on the nodes that a model types as a scalar, or not
at all: no text is pasted into TOML, and a plugin's own table with a key ``env`` stays
one.
"""

from __future__ import annotations

import types
from collections import abc, deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel, RootModel, SecretBytes, SecretStr

from handlerkit.config.fields import keys_of
from handlerkit.config.grammar import closest
from handlerkit.config.model import PluginEntry
from handlerkit.config.sources import read_value
from handlerkit.config.writing import is_toml, subject_of
from handlerkit.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.carets import TomlPath
    from handlerkit.config.sources import Document

_FORMS = ({"env"}, {"env", "default"}, {"file"})
_ARRAYS = (list, tuple, set, frozenset, deque)
# By identity: a str is a Sequence, too.
_ABSTRACT_ARRAYS = (
    *(abc.Collection, abc.Iterable, abc.Sequence, abc.Set),
    *(abc.MutableSequence, abc.MutableSet),
)
_ANYTHING = (Any, object)
_SECRET = (SecretStr, SecretBytes)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Resolver:
    """Resolve the references of one table, by the types of its model.

    ``values`` holds what was found, to keep it secret, and ``references`` from where;
    ``defaulted`` has the paths whose variable is not set, ``broken`` those of
    references that could not be resolved, ``concealed`` those of secrets by type.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.references = document.references
        self.faults: list[Fault] = []
        self.values: dict[TomlPath, str] = {}
        self.broken: set[TomlPath] = set()
        self.defaulted: set[TomlPath] = set()
        self.concealed: set[TomlPath] = set()

    def table(
        self, data: Mapping[str, Any], model: type[BaseModel], path: TomlPath
    ) -> dict[str, Any]:
        """Give a copy of ``data``, the table at ``path``, with values for references.

        A reference that cannot be resolved stays, and has a fault.
        """
        types_ = {
            key: model.model_fields[name].annotation
            for name, keys in keys_of(model)
            for key in keys
        }
        # What a plugin entry has besides is for the plugin's own model.
        free = model.model_config.get("extra") == "allow" and model is not PluginEntry
        return self._items(data, types_, Any if free else None, path)

    def _items(
        self,
        data: Mapping[str, Any],
        types_: Mapping[str, Any],
        rest: Any,
        path: TomlPath,
    ) -> dict[str, Any]:
        return {
            key: self._node(value, types_.get(key, rest), (*path, key))
            for key, value in data.items()
        }

    def _node(self, value: Any, annotation: Any, path: TomlPath) -> Any:
        members = list(_members(annotation))
        if any(each in _SECRET for each in members):
            self.concealed.add(path)
            self.document.conceal(path)
        if isinstance(value, Mapping):
            return self._mapping(value, members, path)
        if isinstance(value, list):
            inner = _item_type(members, is_table=False)
            return [
                self._node(item, inner, (*path, index))
                for index, item in enumerate(value)
            ]
        return value

    def _mapping(
        self, value: Mapping[str, Any], members: list[Any], path: TomlPath
    ) -> Any:
        scalars = [member for member in members if _is_scalar(member)]
        # Where anything goes, a table that only resembles a reference is one, too.
        named = any(member not in _ANYTHING for member in scalars)
        asked = value.keys() & {"env", "file"} if named else described(value)
        if scalars and asked:
            return self._reference(value, scalars, path)
        for member in members:
            if isinstance(member, type) and issubclass(member, BaseModel):
                return self.table(value, member, path)
            if is_dataclass(member):
                return self._items(value, _hints(member), Any, path)
        inner = _item_type(members, is_table=True)
        return self._items(value, {}, inner, path)

    def _reference(
        self, value: Mapping[str, Any], scalars: list[Any], path: TomlPath
    ) -> Any:
        name = value.get("env", value.get("file"))
        source = described(value)
        if not source or not isinstance(name, str) or not name:
            return self._malformed(value, path)
        if "env" in value:
            text, problem = self._variable(name, value.get("default"))
        else:
            text, problem = self._file(name)
        if problem:
            return self._fail("HK207", f"{source}: {problem}", value, path)
        if "env" in value and name not in self.document.environ:
            self.defaulted.add(path)
        self.references[path] = source
        self.values[path] = str(text)
        if not _is_choice(text, scalars):
            self.document.secrets.add(str(text))
        return _convert(text, scalars) if isinstance(text, str) else text

    def _variable(self, name: str, default: Any) -> tuple[Any, str]:
        text = self.document.environ.get(name, default)
        if text is None:
            return None, "the variable is not set"
        return text, "" if is_toml(text) else "is not UTF-8"

    def _file(self, name: str) -> tuple[str | None, str]:
        try:
            return read_value(self.document.base / name), ""
        except OSError as exc:
            return None, f"cannot be read: {exc.strerror or type(exc).__name__}"
        except UnicodeDecodeError:
            return None, "is not UTF-8"
        except ValueError:  # a NUL
            return None, "is no name of a file"

    def _malformed(self, value: Mapping[str, Any], path: TomlPath) -> Any:
        known = ("env", "default", "file")
        subject = subject_of(path)
        strays = [key for key in value if key not in known]
        hint = closest(strays[0], known) if strays else ""
        text = (
            f'{subject} must be {{ env = "NAME" }}, with a default or not, '
            'or { file = "path" }'
        )
        return self._fail("HK208", text, value, path, hint)

    def _fail(
        self, code: str, text: str, value: Any, path: TomlPath, hint: str = ""
    ) -> Any:
        self.faults.append(Fault(code, text, path=path, hint=hint))
        self.broken.add(path)
        return value


def described(value: object) -> str:
    """Describe a table that has the form of a reference; nothing for other values."""
    if not isinstance(value, Mapping) or set(value) not in _FORMS:
        return ""
    kind = "env" if "env" in value else "file"
    return f"{kind} {value[kind]}"


def _members(annotation: Any) -> Iterator[Any]:
    """Give the types that an annotation allows, None and metadata left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif hasattr(annotation, "__value__"):
        yield from _members(annotation.__value__)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _members(annotation.model_fields["root"].annotation)
    elif annotation is not None and annotation is not type(None):
        yield annotation


def _is_scalar(member: Any) -> bool:
    origin = get_origin(member) or member
    if not isinstance(origin, type):
        return True
    is_table = issubclass(origin, BaseModel) or is_dataclass(origin)
    return not (is_table or _is_array(origin) or issubclass(origin, Mapping))


def _is_array(origin: type) -> bool:
    return issubclass(origin, _ARRAYS) or origin in _ABSTRACT_ARRAYS


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):  # names of a module that has them for checkers only
        return {}


def _is_choice(text: object, scalars: list[Any]) -> bool:
    """Say whether a value is one of a few that the model names: no secret."""
    choices = [
        choice
        for member in scalars
        for choice in (get_args(member) if get_origin(member) is Literal else ())
    ]
    return text in choices or str(text).lower() in _BOOLEANS


def _item_type(members: list[Any], *, is_table: bool) -> Any:
    """Give the type of the items of the first container; None: it has none.

    One that does not say is a container of anything.
    """
    for member in members:
        origin = get_origin(member) or member
        if origin in _ANYTHING:
            return Any
        if not isinstance(origin, type):
            continue
        if issubclass(origin, Mapping) if is_table else _is_array(origin):
            arguments = get_args(member)
            return arguments[1 if is_table else 0] if arguments else Any
    return None


def _convert(text: str, scalars: list[Any]) -> Any:
    """Give text as the type that is asked for, as text where that cannot be."""
    kinds = {
        type(choice)
        for member in scalars
        for choice in (get_args(member) if get_origin(member) is Literal else ())
    } | {member for member in scalars if isinstance(member, type)}
    if not kinds <= {int, float, bool}:
        return text
    if bool in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text
