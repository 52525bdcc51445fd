"""Objects that a configuration names: ``package.module:attribute``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from handlerkit.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_object(reference: str) -> object:
    """Import what ``module:attribute`` names; the attribute may be dotted.

    Raises:
        Exception: whatever the import raises; AttributeError if it is not there.
    """
    module, _, attribute = reference.partition(":")
    found: object = import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


def load_objects(
    references: Mapping[str, str], path: tuple[str, ...]
) -> dict[str, object]:
    """Import what each key of the table at ``path`` names.

    Raises:
        ConfigError: with a fault for each that cannot be imported.
    """
    found: dict[str, object] = {}
    faults: list[Fault] = []
    for name, reference in references.items():
        try:
            found[name] = load_object(reference)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
            text = f"{name} cannot be imported: {said(exc)}"
            faults.append(Fault("HK406", text, path=(*path, name)))
    if faults:
        raise ConfigError(faults)
    return found


def said(exc: BaseException) -> str:
    """Give an exception as a line of text."""
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
