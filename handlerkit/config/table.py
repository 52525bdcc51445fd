"""`Table`: what every model of a table of the file has in common."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from handlerkit.settings import MASK, MASKED

_T = TypeVar("_T")

# A TOML array as an immutable value; strict models would want a tuple.
Array = Annotated[tuple[_T, ...], Field(strict=False)]


class Table(BaseModel):
    """One table of the file: immutable, exact about types, silent about secrets."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    # Paths, from this table, of the values that came from references.
    _secrets: set[tuple[str | int, ...]] = PrivateAttr(default_factory=set)

    def conceal(self, path: tuple[str | int, ...]) -> None:
        """Keep the value at ``path`` out of every repr and dump of this table."""
        inner = getattr(self, str(path[0]), None)
        if isinstance(inner, Table):
            inner.conceal(path[1:])
        else:
            self._secrets.add(path)

    def _hides(self, name: str) -> bool:
        return any(path[0] == name.removesuffix("_") for path in self._secrets)

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            yield name, MASKED if name and self._hides(name) else value

    @model_serializer(mode="wrap")
    def _dump(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: MASK if self._hides(k) else v for k, v in handler(self).items()}
