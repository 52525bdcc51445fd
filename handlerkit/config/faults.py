"""From pydantic's errors to faults: TOML path, code, plain words, a suggestion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic import BaseModel

from handlerkit.config import hints
from handlerkit.config.codes import CODES
from handlerkit.config.fields import fields
from handlerkit.config.grammar import closest
from handlerkit.config.model import Config, HookSettings, PluginEntry
from handlerkit.config.writing import dotted, string_text, subject_of, value_text
from handlerkit.errors import Fault
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from handlerkit.carets import TomlPath
    from handlerkit.config.references import Resolver

_TYPES = {
    "string": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "list": "an array",
    "tuple": "an array",
    "set": "an array",
    "frozen_set": "an array",
    "dict": "a table",
    "mapping": "a table",
    "model": "a table",
    "dataclass": "a table",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
    "path": "a path",
    "url": "a URL",
}
# The value is fine as a type; what it should be stands in pydantic's context.
_LIMITS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "int_from_float": "must be an integer",
    "url_parsing": "must be a URL",
    "url_scheme": "must be a URL with scheme {expected_schemes}",
}
# What pydantic adds to the location where a key is at fault.
_KEY = "[key]"
_SHOWN = 60
# So many characters of a secret in a row, in a message, give it away.
_LEAK = 4


def from_pydantic(
    error: ValidationError,
    data: Mapping[str, Any],
    model: type[BaseModel],
    path: TomlPath,
    resolver: Resolver,
) -> list[Fault]:
    """Give a fault for each place that ``error`` complains of.

    ``data`` is the table at ``path`` that was validated against ``model``.
    """
    found: dict[TomlPath, list[_Complaint]] = {}
    for details in error.errors(include_url=False):
        complaint = _Complaint(details, data, path)
        if not _within(complaint.path, resolver.broken):
            found.setdefault(complaint.path, []).append(complaint)
    deeper = {at[:end] for at in found for end in range(len(at))}
    return [
        _fault(complaints, model, path, resolver)
        for at, complaints in found.items()
        if not (at in deeper and all(each.of_union for each in complaints))
    ]


class _Complaint:
    """One of pydantic's errors, its location as a TOML path.

    ``of_union``: pydantic put the name of a union's member into the location;
    ``on_key``: it is the last key that is at fault, not what it holds.
    """

    __slots__ = ("context", "kind", "message", "of_union", "on_key", "path", "value")

    def __init__(
        self, details: ErrorDetails, data: Mapping[str, Any], path: TomlPath
    ) -> None:
        self.kind = details["type"]
        self.message = details["msg"]
        self.context = details.get("ctx", {})
        self.of_union = False
        self.value: Any = data
        location = details["loc"]
        for number, part in enumerate(location, 1):
            if isinstance(self.value, Mapping) and part in self.value:
                self.value = self.value[part]
            elif isinstance(self.value, list) and isinstance(part, int):
                self.value = self.value[part] if part < len(self.value) else None
            elif self.kind != "missing" or number < len(location):
                self.of_union = True
                continue
            path = (*path, part)
        self.path = path
        self.on_key = location[-1:] == (_KEY,)
        if self.on_key:
            self.value = path[-1]

    @property
    def code(self) -> str:
        if self.kind in CODES:
            return self.kind
        return "HK203" if _expected_type(self.kind) else "HK204"


def _fault(
    complaints: Sequence[_Complaint],
    model: type[BaseModel],
    start: TomlPath,
    resolver: Resolver,
) -> Fault:
    """Make one fault of all complaints about one place."""
    first = complaints[0]
    if first.kind == "extra_forbidden":
        return unknown_key(first.path, model, start, first.value)
    if first.kind == "missing":
        return Fault("HK202", f"{subject_of(first.path)} is required", path=first.path)
    said = [_demand(each, resolver) for each in complaints]
    words = " or ".join(dict.fromkeys(said)).replace(" or must be ", " or ")
    subject = subject_of(first.path)
    if words == "must be a table":
        subject = f"[{dotted(first.path)}]"
    secret = _within(first.path, resolver.values)
    hidden = any(True for _ in _secrets(first.value, first.path, resolver))
    if not words.startswith("must "):
        text = words if first.path == start else f"{subject}: {words}"
    elif secret:
        what = "default" if secret in resolver.defaulted else "value"
        text = f"{subject} {words}, got the {what} of {resolver.references[secret]}"
    elif hidden:
        text = f"{subject} {words}"
    else:
        text = f"{subject} {words}, got {show_value(first.value)}"
    hint = "" if secret or hidden else _hint(first)
    on = "key" if first.on_key else "value"
    return Fault(first.code, text, path=first.path, hint=hint, on=on)


def _is_hidden(path: TomlPath, resolver: Resolver) -> bool:
    """Say whether the value at a path is a secret that stands in the file."""
    # Only what has a fault pays for the rules of redaction.
    from handlerkit.config.hiding import is_secret

    return bool(_within(path, resolver.concealed)) or is_secret(path)


def _secrets(value: object, path: TomlPath, resolver: Resolver) -> Iterator[str]:
    """Give the secrets that stand in the file, at a path or below."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, (*path, key), resolver)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*path, index), resolver)
    elif _is_hidden(path, resolver):
        yield str(value)


def _demand(complaint: _Complaint, resolver: Resolver) -> str:
    """Say what the value must be, or else what a validator says."""
    demand = _known_demand(complaint.kind, complaint.context)
    if demand:
        if isinstance(complaint.value, str):  # pydantic has items of a SecretStr, too
            demand = re.sub(r"\bitems?$", "characters", demand)
        return re.sub(r"(at least 1 (character|item))s$", r"\1", demand)
    words = str(complaint.context.get("error") or complaint.message)
    inline = _secrets(complaint.value, complaint.path, resolver)
    if _tells(words, [*resolver.values.values(), *inline]):
        return "is not valid; saying why would show a secret"
    return words.replace("Input should", "must", 1)


def _known_demand(kind: str, context: Mapping[str, Any]) -> str:
    if kind in CODES:
        return str(context["text"])
    if expected := _expected_type(kind):
        return f"must be {expected}"
    if kind in ("literal_error", "enum"):
        return "must be " + str(context["expected"]).replace("'", '"')
    limits = {name: _rounded(limit) for name, limit in context.items()}
    return _LIMITS.get(kind, "").format_map(limits)


def _tells(text: str, secrets: Iterable[str]) -> bool:
    """Say whether a text gives a secret away, if only a piece of it."""
    text = text.casefold()
    for secret in map(str.casefold, secrets):
        size = min(_LEAK, len(secret))
        pieces = (secret[at : at + size] for at in range(len(secret) - size + 1))
        if size and any(piece in text for piece in pieces):
            return True
    return False


def _rounded(limit: Any) -> Any:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _expected_type(kind: str) -> str:
    base, _, rest = kind.rpartition("_")
    return _TYPES.get(base, "") if rest in ("type", "parsing") else ""


def _hint(complaint: _Complaint) -> str:
    expected = _expected_type(complaint.kind)
    if expected:
        return hints.of_type(expected, complaint.value, complaint.path)
    if complaint.kind in ("literal_error", "enum"):
        choices = str(complaint.context["expected"]).split("'")[1::2]
        return hints.of_choice(complaint.value, choices)
    return str(complaint.context.get("hint", ""))


def unknown_key(
    path: TomlPath, model: type[BaseModel], start: TomlPath, value: object
) -> Fault:
    """Make the fault for a key, or a table, that is not there."""
    *table, key = path
    level = _model_at(model, path[len(start) : -1])
    names = [name for name, _ in fields(level)] if level else []
    if not table:
        return _unknown_table(str(key), names, value)
    place = f"[{dotted(table)}]"
    if len(table) == 2 and table[0] == "plugins":  # noqa: PLR2004 - the plugin's table
        names += [name for name, _ in fields(PluginEntry) if name not in names]
    hint = hints.of_key(table, str(key), names)
    homes = _homes(str(key))
    # A plugin may have meant anything by a name that handlerkit has, too.
    if homes and not (hint and table[0] == "plugins"):
        text = f'"{key}" is not a key of {place}'
        return _misplaced(text, path, homes)
    if not hint and key in Config.model_fields and isinstance(value, Mapping | list):
        hint = f"[{key}] is a table of its own"
    text = f"unknown key {string_text(str(key))} in {place}"
    return Fault("HK201", text, path=path, hint=hint, on="key")


def _misplaced(text: str, path: TomlPath, home: str) -> Fault:
    """Make the fault for a key that is right in another table."""
    hint = f"it belongs in {home}"
    also = [((home.strip("[]"),), "value", "here")]
    return Fault("HK205", text, path=path, hint=hint, on="key", also=also)


def _unknown_table(key: str, names: Iterable[str], value: object) -> Fault:
    homes = _homes(key)
    if homes and not isinstance(value, Mapping):
        text = f'"{key}" is not a key of the top level'
        return _misplaced(text, (key,), homes)
    if not isinstance(value, Mapping):
        text = f"unknown key {string_text(key)} at the top level"
        hint = _closest_key(key)
        return Fault("HK201", text, path=(key,), hint=hint, on="key")
    hint = f"did you mean [hooks.{key}]?" if key in HOOKS else ""
    if key == "tool":
        hint = "[tool.handlerkit] is for pyproject.toml, a file of its own has [app]"
    hint = hint or closest(key, names).replace('"', "[", 1).replace('"', "]", 1)
    name = dotted((key,))
    hint = hint or f"a plugin has [plugins.{name}]"
    return Fault("HK206", f"unknown table [{name}]", path=(key,), hint=hint, on="key")


def _closest_key(key: str) -> str:
    """Give a hint with the key of any table that was probably meant, or nothing."""
    tables = {
        name: [each for each, _ in fields(field.annotation)]
        for name, field in fields(Config)
        if _is_model(field.annotation)
    }
    names = [each for table in tables.values() for each in table]
    found = closest(key, names).split('"')[1:2]
    homes = [name for name, table in tables.items() if found and found[0] in table]
    return f'did you mean "{found[0]}" in [{homes[0]}]?' if homes else ""


def _homes(key: str) -> str:
    """Give the table that a key belongs in, if it is right in another."""
    homes = {"[hooks.<hook>]": HookSettings, "[plugins.<name>]": PluginEntry} | {
        f"[{name}]": field.annotation
        for name, field in fields(Config)
        if name not in ("hooks", "plugins")
    }
    for home, model in homes.items():
        if _is_model(model) and key in dict(fields(model)):
            return home
    return ""


def _model_at(model: Any, path: TomlPath) -> type[BaseModel] | None:
    """Give the model that types the table at ``path``, if one does."""
    by_name = False
    for part in path:
        if by_name or isinstance(part, int):  # a name of the user's, or an index
            by_name = False
            continue
        field = dict(fields(model)).get(part) if _is_model(model) else None
        model = field.annotation if field else None
        if not _is_model(model):
            origin = getattr(model, "__origin__", None)
            by_name = isinstance(origin, type) and issubclass(origin, Mapping)
            arguments = getattr(model, "__args__", ())
            model = next(filter(_is_model, arguments), None)
    return model if _is_model(model) else None


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _within(path: TomlPath, roots: Iterable[TomlPath]) -> TomlPath:
    """Give the root that ``path`` is at or below, or an empty path."""
    return next((root for root in roots if path[: len(root)] == root), ())


def show_value(value: object) -> str:
    """Give a value of the file as TOML writes it, shortened."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return _show_array(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = string_text(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _show_array(items: Sequence[object]) -> str:
    """Give an array that is short and flat, or say that it is one."""
    if not items:
        return "an empty array"
    if any(isinstance(item, list | tuple | Mapping) for item in items):
        return "an array"
    text = value_text(items)
    return text if len(text) <= _SHOWN else "an array"
