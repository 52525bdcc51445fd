"""Names that must exist elsewhere: hooks, and the plugins that hooks speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlerkit.config.grammar import closest
from handlerkit.config.writing import dotted, string_text
from handlerkit.errors import Fault
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlerkit.carets import TomlPath

# Plugins that are there without a table of their own.
UNASKED = ("text-log",)
_UNFIT = "is no name for a plugin: it must be printable, and not empty"


def check_names(raw: Mapping[str, Any]) -> list[Fault]:
    """Check ``[hooks.<hook>]``; whatever has the wrong type is not looked at here."""
    hooks = raw.get("hooks")
    plugins = raw.get("plugins")
    known = {*UNASKED, *(plugins if isinstance(plugins, Mapping) else ())}
    # They are in log lines, and on the command line.
    faults = [
        Fault(
            "HK204", f"{string_text(name)} {_UNFIT}", path=("plugins", name), on="key"
        )
        for name in known
        if not (name and name.isprintable())
    ]
    for hook, table in hooks.items() if isinstance(hooks, Mapping) else ():
        if hook not in HOOKS and isinstance(table, Mapping):
            text = f"unknown hook {string_text(str(hook))}"
            hint = closest(str(hook), HOOKS)
            path = ("hooks", hook)
            faults.append(Fault("HK301", text, path=path, hint=hint, on="key"))
        if isinstance(table, Mapping):
            faults += _check_plugins(str(hook), table, known)
    return faults


def _check_plugins(
    hook: str, table: Mapping[str, Any], known: set[str]
) -> Iterator[Fault]:
    seen: dict[str, TomlPath] = {}
    for key in ("order", "exclude"):
        names = table.get(key)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            path: TomlPath = ("hooks", hook, key, index)
            if name not in known:
                text = f"{string_text(name)} is not a plugin of this configuration"
                hint = (
                    closest(name, known)
                    or f"there is no table [{dotted(('plugins', name))}]"
                )
                yield Fault("HK302", text, path=path, hint=hint)
            elif name in seen:
                before = str(seen[name][2])
                text = f'"{name}" is in {before} already'
                hint = "" if before == key else "who is taken off a hook has no place"
                also = [(seen[name], "value", "named first here")]
                yield Fault("HK310", text, path=path, hint=hint, also=also)
            seen.setdefault(name, path)
