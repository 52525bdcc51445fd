"""The fields of a model, by the keys that a file has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Give the fields of a model by the keys that they have in a file."""
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            alias = alias.choices[0]
        yield alias if isinstance(alias, str) else name, field


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    """Give the fields of a model with the keys that a file may have for each."""
    by_name = model.model_config.get("validate_by_name") or model.model_config.get(
        "populate_by_name"
    )
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        keys = [choice for choice in choices if isinstance(choice, str)]
        yield name, [*keys, name] if by_name or not keys else keys
