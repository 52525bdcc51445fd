"""The record of settings that a plugin is given."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn

MASK = "***"


class Record:
    """Settings as plain attributes: immutable, and silent about secrets.

    Its repr shows ``***`` for the attributes named in ``secrets``, and in ``hushed``:
    those that only look like secrets. ``keys`` holds the keys that attributes have in
    a file, where those differ.
    """

    __slots__ = ("__dict__", "_hushed", "_keys", "_secrets")

    _hushed: frozenset[str]
    _keys: dict[str, str]
    _secrets: frozenset[str]

    def __init__(
        self,
        values: Mapping[str, Any],
        secrets: Iterable[str] = (),
        keys: Mapping[str, str] | None = None,
        hushed: Iterable[str] = (),
    ) -> None:
        self.__dict__.update(values)
        object.__setattr__(self, "_secrets", frozenset(secrets))
        object.__setattr__(self, "_keys", dict(keys or {}))
        object.__setattr__(self, "_hushed", frozenset(hushed))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings are immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"settings are immutable: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.__dict__ == other.__dict__

    def __reduce__(self) -> tuple[object, ...]:
        return Record, (self.__dict__, self._secrets, self._keys, self._hushed)

    __hash__ = None  # type: ignore[assignment]  # settings may hold what has no hash

    def __repr__(self) -> str:
        hidden = self._secrets | self._hushed
        shown = ", ".join(
            f"{name}={MASKED if name in hidden else value!r}"
            for name, value in self.__dict__.items()
        )
        return f"Settings({shown})"


class _Masked:
    def __repr__(self) -> str:
        return MASK


MASKED = _Masked()
