"""The record of settings that a plugin is given."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn

MASK = "***"


class Record:
    """Settings as plain attributes: immutable, and silent about secrets.

    Its repr shows ``***`` for the attributes named in ``secrets``. ``keys`` holds the
    keys that attributes have in a file, where those differ.
    """

    __slots__ = ("__dict__", "_keys", "_secrets")

    _keys: dict[str, str]
    _secrets: frozenset[str]

    def __init__(
        self,
        values: Mapping[str, Any],
        secrets: Iterable[str] = (),
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.__dict__.update(values)
        object.__setattr__(self, "_secrets", frozenset(secrets))
        object.__setattr__(self, "_keys", dict(keys or {}))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings are immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"settings are immutable: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.__dict__ == other.__dict__

    def __reduce__(self) -> tuple[object, ...]:
        return Record, (self.__dict__, self._secrets, self._keys)

    __hash__ = None  # type: ignore[assignment]  # settings may hold what has no hash

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in visible(self).items())
        return f"Settings({shown})"


class _Masked:
    def __repr__(self) -> str:
        return MASK


MASKED = _Masked()


def visible(record: Record) -> dict[str, Any]:
    """Give the attributes of a record, with `MASKED` for the secret ones."""
    hidden = record._secrets  # noqa: SLF001 - the other half of the class
    return {
        name: MASKED if name in hidden else value
        for name, value in record.__dict__.items()
    }


def by_key(record: Record) -> dict[str, Any]:
    """Give the same, by the keys that the attributes have in a file."""
    keys = record._keys  # noqa: SLF001 - the other half of the class
    return {keys.get(name, name): value for name, value in visible(record).items()}
