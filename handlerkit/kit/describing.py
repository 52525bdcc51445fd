"""What a kit is made of, told to people: `serve`, `check` and `plugins` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlerkit.carets import headline
from handlerkit.errors import Fault
from handlerkit.kit.classes import overridden_hooks, protocol

if TYPE_CHECKING:
    from handlerkit.kit.assembly import Kit

_NEXT = "handlerkit init --for nginx (or apache, lighttpd) writes who asks"


def describe(kit: Kit, address: str) -> list[str]:
    """Give what runs where, line by line: address, engine, handler, plugins."""
    server = kit.config.server
    target = kit.config.app.target or "(given to serve)"
    processes = f"{server.workers} x {server.threads} threads"
    speaks = protocol(kit.handler_class)
    lines = [
        f"address   {address}",
        *([f"speaks    {speaks}: {_NEXT}"] if speaks != "HTTP" else []),
        f"engine    {server.engine}, {processes}",
        *_speaking(kit),
        f"handler   {kit.handler_class.__module__}.{kit.handler_class.__name__}",
        f"app       {target}",
    ]
    lines += [f"plugin    {_told(row)}" for row in describe_plugins(kit)]
    if kit.plugins.safe:
        lines.append("plugin    none: HANDLERKIT_SAFE is set")
    lines += [f"warning   {headline(fault)}" for fault in review(kit)]
    return lines


def _speaking(kit: Kit) -> list[str]:
    """Tell what is spoken, and by whom workers are run, where that is not HTTP."""
    server, speaks = kit.config.server, protocol(kit.handler_class)
    if server.engine != "builtin" or speaks == "HTTP":
        return []
    arbiter = ", under gunicorn's arbiter" if server.workers > 1 else ""
    return [f"protocol  {speaks}{arbiter}"]


def _told(row: dict[str, Any]) -> str:
    origin = " ".join(part for part in (row["distribution"], row["version"]) if part)
    hooks = ", ".join(row["hooks"])
    said = hooks if row["status"] == "active" else row["status"]
    name = f"{row['name']} ({origin or row['use']})"
    return f"{name}: {said}" if said else name


def describe_plugins(kit: Kit) -> list[dict[str, Any]]:
    """Give each plugin of the file, in order: name, use, origin, status, hooks."""
    rows: list[dict[str, Any]] = [
        {
            "name": loaded.name,
            "use": loaded.found.use,
            "distribution": loaded.found.distribution or "",
            "version": loaded.found.version or "",
            "reference": loaded.found.reference,
            "status": "active",
            "hooks": _hooks_of(kit, loaded.name),
        }
        for loaded in kit.plugins.loaded
    ]
    rows += [
        {
            "name": name,
            "use": name,
            "distribution": "",
            "version": "",
            "reference": "",
            "status": status,
            "hooks": [],
        }
        for name, status in kit.plugins.inactive.items()
    ]
    return rows


def _hooks_of(kit: Kit, name: str) -> list[str]:
    return [
        hook
        for hook, impls in kit.plan.impls.items()
        if any(impl.plugin == name for impl in impls)
    ]


def review(kit: Kit) -> list[Fault]:
    """Give every warning: of the file, and of overrides that take a hook off."""
    taken_off = [
        Fault(
            "HK413",
            f"{name} overrides {hook} and does not call it: its hook is not called",
            path=("handler", "class"),
            hint="call super() in it",
            also=[
                (("plugins", impl.plugin), "key", "not called")
                for impl in kit.plan.impls[hook]
            ],
        )
        for hook, name in overridden_hooks(kit.handler_class, kit.plan)
    ]
    return [*kit.warnings, *kit.document.arrange(taken_off, "warning")]
