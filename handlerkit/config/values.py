"""The types of single values: what each may be, by `grammar`, and as editors see it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    WrapSerializer,
)

from handlerkit.config import grammar

_T = TypeVar("_T")


def freeze(table: Mapping[str, _T]) -> Mapping[str, _T]:
    """Give a copy of a table that nobody can change."""
    return MappingProxyType(dict(table))


def empty() -> Mapping[str, Any]:
    """Give a table without keys."""
    return MappingProxyType({})


def _thaw(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thaw(item) for key, item in value.items()}
    return value


# pydantic knows how to dump a dict, but no other Mapping.
_AS_DICT = WrapSerializer(lambda table, dump: dump(_thaw(table)))


def _text(pattern: str) -> WithJsonSchema:
    """Give an editor the coarse form of a text; a check of `grammar` is exact.

    Editors have regular expressions of many makes: no lookaround, no odd escapes.
    """
    return WithJsonSchema({"type": "string", "pattern": pattern})


_OBJECT = r"^[^:\s]+:[^:\s]+$"
_CLASS = {
    "anyOf": [
        {"type": "string", "enum": ["auto", *grammar.CLASSES]},
        {"type": "string", "pattern": _OBJECT},
    ]
}

Directory = Annotated[str, AfterValidator(grammar.check_directory)]
Target = Annotated[str, AfterValidator(grammar.check_target), _text(_OBJECT)]
Object = Annotated[str, AfterValidator(grammar.check_object), _text(_OBJECT)]
Class = Annotated[str, AfterValidator(grammar.check_class), WithJsonSchema(_CLASS)]
Bind = Annotated[
    str,
    AfterValidator(grammar.check_bind),
    _text(r"^(systemd|unix:[\s\S]+|fd:[0-9]+|([^\s:/]+:|\[[^\s\]]+\]:)?[0-9]+)$"),
]
Owner = Annotated[
    str, AfterValidator(grammar.check_owner), _text(r"^([^:]+(:[^:]+)?|:[^:]+)$")
]
Mode = Annotated[str, AfterValidator(grammar.check_mode), _text("^[0-7]{3,4}$")]
Header = Annotated[
    tuple[str, str],
    Field(strict=False),
    BeforeValidator(grammar.check_pair),
    AfterValidator(grammar.check_header),
]
Variable = Annotated[
    str,
    AfterValidator(grammar.check_variable),
    WithJsonSchema(
        {"type": "string", "pattern": "^[^=]+$", "not": {"pattern": "^HTTP_"}}
    ),
]
Use = Annotated[str, AfterValidator(grammar.check_use)]
Software = Annotated[str, AfterValidator(grammar.check_software)]
Trusted = Annotated[str, AfterValidator(grammar.check_trusted)]
ByName = Annotated[Mapping[str, _T], AfterValidator(freeze), _AS_DICT]
EngineValue = Annotated[Any, BeforeValidator(grammar.check_engine_value)]
EngineTable = ByName[EngineValue]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
