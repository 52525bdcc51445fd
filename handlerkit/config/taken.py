"""Which settings a model takes as they are: those need no model when they are resolved.

A frozen kit resolves references without pydantic. That holds what loading holds only
where the model has no rule for the value but its type.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from handlerkit.config.fields import fields

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from handlerkit.carets import TomlPath

_KINDS = {str: "str", SecretStr: "secret", int: "int", float: "float", bool: "bool"}
_VALUE_ALONE = 1  # arguments of a validator that sees nothing but its value
_STRINGS = ("strip_whitespace", "to_lower", "to_upper", "min_length", "max_length")


def kinds_at(model: type[BaseModel], path: TomlPath) -> tuple[str, ...] | None:
    """Give the types that ``path`` may have in a model, None if there are more rules.

    The path is by the keys of the file. Validators of the whole model, and computed
    fields, may do anything with any value: then there are more rules.
    """
    key, *rest = path
    names = dict(zip((k for k, _ in fields(model)), model.model_fields, strict=True))
    name = names.get(str(key))
    if name is None or not _is_plain(model, name):
        return None
    return _kinds(model.model_fields[name].annotation, tuple(rest))


def _is_plain(model: type[BaseModel], name: str) -> bool:
    field: FieldInfo = model.model_fields[name]
    rules = model.__pydantic_decorators__
    config = model.model_config
    if (
        field.metadata
        or any(config.get(f"str_{rule}") for rule in _STRINGS)
        or rules.validators
        or rules.root_validators
        or rules.model_validators
        or rules.computed_fields
        or model.model_post_init is not BaseModel.model_post_init
        or model.__init__ is not BaseModel.__init__
    ):
        return False
    return all(
        _sees_itself_alone(rule.func)
        and name not in rule.info.fields
        and "*" not in rule.info.fields
        for rule in rules.field_validators.values()
    )


def _sees_itself_alone(validator: Any) -> bool:
    """Say whether a validator of another field cannot look at this one."""
    try:
        return len(inspect.signature(validator).parameters) == _VALUE_ALONE
    except (TypeError, ValueError):
        return False


def _kinds(annotation: Any, path: TomlPath) -> tuple[str, ...] | None:
    members = _members(annotation)
    if not path:
        found = {_KINDS.get(member, "") for member in members}
        return None if not found or "" in found else tuple(sorted(found))
    if len(members) != 1:
        return None
    return _inner(members[0], path)


def _inner(member: Any, path: TomlPath) -> tuple[str, ...] | None:
    """Give the types of what is inside a table or an array."""
    if isinstance(member, type) and issubclass(member, BaseModel):
        return kinds_at(member, path)
    origin = get_origin(member) or member
    arguments = get_args(member)
    if origin in (list, tuple) and len(set(arguments) - {...}) == 1:
        return _kinds(arguments[0], path[1:])
    if origin in (dict, Mapping) and len(arguments) == 2 and arguments[0] is str:  # noqa: PLR2004 - key and value
        return _kinds(arguments[1], path[1:])
    return None


def _members(annotation: Any) -> list[Any]:
    """Give the types that an annotation allows, without None; Annotated has rules."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return [m for member in get_args(annotation) for m in _members(member)]
    if origin is Annotated or annotation is type(None):
        return [annotation] if origin is Annotated else []
    return [annotation]
