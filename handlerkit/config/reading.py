"""From a document to a `Config`, and to the settings of each plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import MultiHostUrl, Url, to_json

from handlerkit.config.faults import from_pydantic
from handlerkit.config.fields import fields, keys_of
from handlerkit.config.hiding import holds_secret
from handlerkit.config.model import Config, PluginEntry
from handlerkit.config.names import check_names
from handlerkit.config.objects import load_object
from handlerkit.config.references import Resolver
from handlerkit.config.writing import dotted, is_toml
from handlerkit.errors import Fault, named
from handlerkit.settings import Record

if TYPE_CHECKING:
    from handlerkit.carets import TomlPath
    from handlerkit.config.sources import Document

_URLS = (Url, MultiHostUrl, AnyUrl)


def validate(document: Document) -> tuple[Config | None, list[Fault]]:
    """Validate everything except the plugins' own settings; give every fault.

    Without faults there is a `Config`. What came from outside the file is noted in
    ``document.references``, and kept out of reprs, dumps and faults.
    """
    faults = check_names(document.raw)
    if document.config is not None:
        return (None if faults else document.config), document.arrange(faults)
    resolver = Resolver(document)
    data = resolver.table(document.raw, Config, ())
    faults += resolver.faults
    config = None
    try:
        config = Config.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        faults += from_pydantic(error, data, Config, (), resolver)
    if faults or config is None:
        return None, document.arrange(faults)
    for path in resolver.values:
        config.conceal(path)
    return config, []


def settings(
    document: Document, name: str, model: type | str | None
) -> tuple[Record | None, list[Fault]]:
    """Validate a plugin's own settings, the rest of ``[plugins.<name>]``.

    ``model`` is its ``Settings``: a pydantic model, or ``"package.module:Settings"``
    to be imported, or None if it has none. Gives a record with the model's
    attributes, or the faults.
    """
    data = _own(document, name)
    path: TomlPath = ("plugins", name)
    if model is None:
        return _without(document, data, path)
    try:
        found = model_of(model)
    except ValueError as exc:
        return None, document.arrange([Fault("HK304", str(exc), path=path)])
    taken = {key for key, _ in fields(PluginEntry)}
    lost = [name for name, keys in keys_of(found) if taken.issuperset(keys)]
    if lost:
        text = f"its Settings have {' and '.join(lost)} by a key that is handlerkit's"
        hint = "what the file has there is not for the plugin: name it otherwise"
        fault = Fault("HK304", text, path=path, hint=hint)
        return None, document.arrange([fault])
    resolver = Resolver(document)
    data = resolver.table(data, found, path)
    faults = resolver.faults
    record = None
    try:
        record = _record(_validated(found, data), path, resolver)
    except ValidationError as error:
        faults += from_pydantic(error, data, found, path, resolver)
    except Exception as exc:  # noqa: BLE001 - validators are the plugin's own code
        text = f"its Settings cannot be used: {named(exc)}"
        faults.append(Fault("HK304", text, path=path))
    return (None if faults else record), document.arrange(faults)


def settings_model(document: Document, name: str, model: type | str) -> BaseModel:
    """Give a plugin's own settings, known to be valid, as its ``Settings`` has them."""
    found = model_of(model)
    data = _own(document, name)
    resolver = Resolver(document)
    return _validated(found, resolver.table(data, found, ("plugins", name)))


def _own(document: Document, name: str) -> dict[str, Any]:
    """Give what a plugin's table has for the plugin itself."""
    plugins = document.raw.get("plugins")
    table = plugins.get(name) if isinstance(plugins, Mapping) else None
    if not isinstance(table, Mapping):  # there unasked, or a mistake already told
        return {}
    taken = [key for key, _ in fields(PluginEntry)]
    return {key: value for key, value in table.items() if key not in taken}


def _without(
    document: Document, data: Mapping[str, Any], path: TomlPath
) -> tuple[Record | None, list[Fault]]:
    text = f"[{dotted(path)}] is a plugin that takes no settings"
    faults = [Fault("HK308", text, path=(*path, key), on="key") for key in data]
    return (None if faults else Record({})), document.arrange(faults)


def model_of(reference: type | str) -> type[BaseModel]:
    """Give a plugin's ``Settings``: a model, or where to import one from.

    Raises:
        ValueError: it cannot be imported, or is no pydantic model.
    """
    found: object = reference
    if isinstance(reference, str):
        try:
            found = load_object(reference)
        except Exception as exc:
            raise ValueError(f'"{reference}" cannot be imported: {named(exc)}') from exc
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    raise ValueError(f"its Settings must be a pydantic model, not {found!r}")


def _validated(model: type[BaseModel], data: Mapping[str, Any]) -> BaseModel:
    """Validate as JSON would be: exact about types, yet a path may be a string.

    Unknown keys are errors unless the model itself says what they are. A mapping of
    Python may hold what no file can: that is left to the model.
    """
    extra = None if "extra" in model.model_config else "forbid"
    if not is_toml(data):
        return model.model_validate(data, extra=extra)  # type: ignore[arg-type]
    text = to_json(data, inf_nan_mode="constants")
    return model.model_validate_json(text, strict=True, extra=extra)  # type: ignore[arg-type]


def _record(model: BaseModel, path: TomlPath, resolver: Resolver) -> Record:
    """Give what a model holds as a frozen record; secrets as plain, hidden values."""
    kind = type(model)
    names = [key for key, _ in fields(kind)]
    keys = dict(zip(kind.model_fields, names, strict=True))
    held = dict(model)
    held |= {name: getattr(model, name) for name in kind.model_computed_fields}
    values = {
        name: _plain(value, (*path, keys.get(name, name)), resolver)
        for name, value in held.items()
    }
    secrets = [
        name
        for name, value in held.items()
        if _is_secret(value, (*path, keys.get(name, name)), resolver)
    ]
    aliases = {name: key for name, key in keys.items() if name != key}
    hushed = [
        name
        for name, value in values.items()
        if holds_secret(value, (*path, keys.get(name, name)))
    ]
    return Record(values, secrets, aliases, hushed)


def _is_secret(value: object, path: TomlPath, resolver: Resolver) -> bool:
    """Say whether a value is secret, was taken from outside, or holds what was."""
    if _holds_typed(value):
        return True
    if isinstance(value, BaseModel):
        return False
    if any(at[: len(path)] == path for at in resolver.values):
        return True
    return any(secret and secret in str(value) for secret in resolver.values.values())


def _holds_typed(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_typed, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_typed, value))
    return isinstance(value, SecretStr | SecretBytes)


def _plain(value: Any, path: TomlPath, resolver: Resolver) -> Any:
    """Give a value without pydantic's types, and immutable where it is a list."""
    if isinstance(value, BaseModel):
        return _record(value, path, resolver)
    if isinstance(value, Mapping):
        return {k: _plain(item, (*path, k), resolver) for k, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(
            _plain(item, (*path, index), resolver) for index, item in enumerate(value)
        )
    if isinstance(value, SecretStr | SecretBytes):
        return value.get_secret_value()
    return str(value) if isinstance(value, _URLS) else value
