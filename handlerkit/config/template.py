"""A commented TOML file with every key, made from the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from handlerkit.config.fields import fields
from handlerkit.config.model import TABLES, HookSettings, PluginEntry
from handlerkit.config.writing import dotted, key_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_EXAMPLE_HOOK = "log_exception"
_EXAMPLE_PLUGIN = "my-plugin"


def initial(target: str = "myproject.wsgi:application") -> str:
    """Give the text of a first ``handlerkit.toml``."""
    return template({"app": {"target": target}}, {})


def template(values: Mapping[str, Any], settings: Mapping[str, type[BaseModel]]) -> str:
    """Give a file that holds ``values``, and every other key with its default.

    Each key has a line of comment. A key whose default is nothing is commented out;
    a value that differs from the default says so. ``settings`` are the models of the
    plugins in ``values``, by their names there.
    """
    lines: list[str] = []
    for name, model in TABLES.items():
        lines += _table((name,), model, values.get(name, {}))
    lines += _hooks(values.get("hooks", {}))
    lines += _plugins(values.get("plugins", {}), settings)
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(
    path: tuple[str, ...], model: type[BaseModel], values: Mapping[str, Any]
) -> Iterator[str]:
    yield ""
    yield f"# --- {(model.__doc__ or '').splitlines()[0]}"
    yield f"[{dotted(path)}]"
    inner = []
    for key, field in fields(model):
        if isinstance(_default(field), Mapping):
            inner.append((key, field))
        else:
            yield from _key(key, field, values)
    for key, field in inner:
        yield ""
        yield f"# {field.description}"
        table = values.get(key, {})
        yield f"{'' if table else '# '}[{dotted((*path, key))}]"
        for name, value in table.items():
            yield f"{key_text(name)} = {value_text(value)}"


def _key(key: str, field: FieldInfo, values: Mapping[str, Any]) -> Iterator[str]:
    """Give a key with its comment."""
    default = _default(field)
    yield f"# {field.description}"
    if key in values:
        value = values[key]
        said = "" if _same(value, default) else f"  # default: {_text(default)}"
        yield f"{key_text(key)} = {value_text(value)}{said}"
    elif default is None or default is PydanticUndefined:
        example = (field.examples or [""])[0]
        yield f"# {key_text(key)} = {value_text(example)}"
    else:
        yield f"{key_text(key)} = {value_text(default)}"


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _same(value: Any, default: Any) -> bool:
    return default is not None and _text(value) == _text(default)


def _text(value: Any) -> str:
    nothing = value is None or value is PydanticUndefined
    return "nothing" if nothing else value_text(value)


def _hooks(hooks: Mapping[str, Any]) -> Iterator[str]:
    for hook, values in hooks.items():
        yield from _table(("hooks", hook), HookSettings, values)
    if not hooks:
        yield from _commented(_table(("hooks", _EXAMPLE_HOOK), HookSettings, {}))


def _plugins(
    plugins: Mapping[str, Any], settings: Mapping[str, type[BaseModel]]
) -> Iterator[str]:
    yield from _commented(_table(("plugins", _EXAMPLE_PLUGIN), PluginEntry, {}))
    for name, values in plugins.items():
        model = settings.get(name)
        yield ""
        yield f"[{dotted(('plugins', name))}]"
        own = {key for key, _ in fields(model)} if model else set()
        for key, value in values.items():
            if key not in own:
                yield f"{key_text(key)} = {value_text(value)}"
        for key, field in fields(model) if model else ():
            yield from _key(key, field, values)


def _commented(lines: Iterator[str]) -> Iterator[str]:
    return (line if line.startswith("#") or not line else f"# {line}" for line in lines)
