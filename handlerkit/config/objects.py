"""Objects that a configuration names: ``package.module:attribute``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from handlerkit.errors import ConfigError, Fault, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


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
    """Import what each key of the table at ``path`` names, and check it.

    Raises:
        ConfigError: with a fault for each that cannot be imported, or used.
    """
    found: dict[str, object] = {}
    faults: list[Fault] = []
    for name, reference in references.items():
        try:
            found[name] = load_object(reference)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
            wrong = f"cannot be imported: {named(exc)}"
        else:
            wrong = _CHECKS[name](found[name])
        if wrong:
            faults.append(Fault("HK406", f"{name} {wrong}", path=(*path, name)))
    if faults:
        raise ConfigError(faults)
    return found


def check_headers_class(kind: Any) -> str:
    """Say what keeps an object from being a class of response headers, or nothing."""
    try:
        headers = kind([("Content-Type", "text/plain")])
        headers["Content-Length"] = "3"
        names = {str(name).lower() for name, _ in headers.items()}
        sent = bytes(headers).lower()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - it may raise anything
        return f"does not work as one of response headers: {named(exc)}"
    kept = names >= {"content-type", "content-length"}
    if not (kept and b"content-type: text/plain\r\n" in sent):
        return "does not give the response headers that it is given"
    return ""


def check_file_wrapper(kind: Any) -> str:
    """Say what keeps an object from being a file wrapper, or nothing."""
    if isinstance(kind, type):
        return ""
    return "must be a class: a result that is an instance of it is sent as a file"


_CHECKS = {
    "headers_class": check_headers_class,
    "wsgi_file_wrapper": check_file_wrapper,
}
