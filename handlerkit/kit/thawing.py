"""Values made of what `handlerkit.kit.constants` has written of them."""

from __future__ import annotations

import sys

from handlerkit.settings import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from handlerkit.kit.frozen import Constants

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Thawing:
    """Makes the settings of one plugin; ``references`` are text and value of each."""

    def __init__(self, references: list[tuple[str, Any]]) -> None:
        self._values = [value for _, value in references]
        self._texts = [text for text, _ in references if text]

    def record(self, constants: Constants) -> Record:
        """Make the record of settings; what holds a secret is secret, too."""
        values = {name: self.value(v) for name, v in constants["values"].items()}
        secrets = set(constants["secrets"])
        if self._texts:
            secrets.update(
                name
                for name, value in values.items()
                if not isinstance(value, Record)
                and any(text in str(value) for text in self._texts)
            )
        return Record(values, secrets, constants["keys"])

    def value(self, value: Any) -> Any:
        """Make one value."""
        kind = type(value)
        if kind is dict:
            return {key: self.value(item) for key, item in value.items()}
        if kind is not tuple:
            return value
        if value[:1] != (...,):
            return tuple(self.value(item) for item in value)
        return self._made(*value[1:])

    def _made(self, what: str, told: Any, *rest: Any) -> Any:
        if what == "reference":
            return self._values[told]
        if what == "record":
            return self.record(told)
        if what == "object":
            return named_object(told)
        return named_object(told)(*(self.value(item) for item in rest))


def converted(text: str, kinds: tuple[str, ...]) -> Any:
    """Give text as the type that a setting has.

    Raises:
        ValueError: it is none of that type.
    """
    if "str" in kinds or "secret" in kinds:
        return text
    if "bool" in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    for kind in (int, float):
        if kind.__name__ in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    raise ValueError(kinds)


def named_object(reference: str) -> Any:
    """Import what ``module:attribute`` names; no attribute is the module itself."""
    module, _, attribute = reference.partition(":")
    __import__(module)
    found: Any = sys.modules[module]
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found
