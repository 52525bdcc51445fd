"""Register plugins with pluggy, check them, and give what they implement in order.

pluggy binds the functions and orders them. The checks are made here, before pluggy
knows the hooks, because pluggy stops at the first mistake and has no suggestions.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

from pluggy import PluginManager, PluginValidationError

from handlerkit.errors import ConfigError, Fault
from handlerkit.hooks import specs
from handlerkit.hooks.loading import module_said
from handlerkit.hooks.markers import PROJECT
from handlerkit.hooks.nearest import did_you_mean
from handlerkit.plan import HOOKS, Impl

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from typing import Any

    from pluggy import HookImpl

    from handlerkit.plan import Hook

LIFE_CYCLE = ("start", "close", "probe")


class Named(NamedTuple):
    """A plugin under its name in the TOML; ``on_error`` is "fail" or "skip"."""

    name: str
    plugin: object
    on_error: str = "fail"


def resolve(
    plugins: Sequence[Named],
    orders: Mapping[str, Sequence[str]] | None = None,
    excludes: Mapping[str, Sequence[str]] | None = None,
) -> list[Impl]:
    """Give every implementation of every hook, in the order of their call.

    Args:
        plugins: the plugins in the order of the file.
        orders: ``[hooks.<hook>] order`` by hook: these first, the rest follow.
        excludes: ``[hooks.<hook>] exclude`` by hook: these do not run there.

    Names of plugins that are not given here have no effect: they may be disabled.

    Raises:
        ConfigError: with every mistake found in the plugins and in the two tables.
    """
    manager = PluginManager(PROJECT)
    faults: list[Fault] = []
    for named in reversed(plugins):  # pluggy calls the last registered first
        try:
            manager.register(named.plugin, named.name)
        except ValueError:
            faults.append(_not_twice(named, plugins))
    for named in plugins:
        if manager.has_plugin(named.name):
            faults += _check_plugin(manager, named)
    faults += _check_names(manager, "order", orders or {})
    faults += _check_names(manager, "exclude", excludes or {})
    if not faults:
        faults += _check_by_pluggy(manager, plugins)
    if faults:
        raise ConfigError(faults)
    return _impls(manager, plugins, orders or {}, excludes or {})


def _in_order(manager: PluginManager, hook: str) -> list[HookImpl]:
    """Give a hook's implementations in pluggy's order of calls, wrappers first."""
    caller = getattr(manager.hook, hook, None)
    return [] if caller is None else caller.get_hookimpls()[::-1]


def _ordered(manager: PluginManager, hook: str, order: Sequence[str]) -> list[HookImpl]:
    """Give a hook's implementations in the order of their calls, named ones first."""
    rank = {plugin: place for place, plugin in enumerate(order)}
    return sorted(
        _in_order(manager, hook),
        key=lambda impl: rank.get(impl.plugin_name, len(rank)),
    )


class Candidate(NamedTuple):
    """One implementation of a hook, as its plugin has marked it."""

    plugin: str
    function: str
    wrapper: bool
    tryfirst: bool
    trylast: bool


def candidates(
    hook: str, plugins: Iterable[Named], order: Sequence[str] = ()
) -> list[Candidate]:
    """Give who implements a hook, in the order of calls, also those excluded there.

    Of plugins that `resolve` finds no fault with; ``order`` is that of the hook.
    """
    manager = PluginManager(PROJECT)
    for named in reversed([*plugins]):
        manager.register(named.plugin, named.name)
    return [
        Candidate(
            impl.plugin_name,
            _qualname(impl.function),
            impl.wrapper,
            impl.tryfirst,
            impl.trylast,
        )
        for impl in _ordered(manager, hook, order)
    ]


def _impls(
    manager: PluginManager,
    plugins: Iterable[Named],
    orders: Mapping[str, Sequence[str]],
    excludes: Mapping[str, Sequence[str]],
) -> list[Impl]:
    skipping = {named.name for named in plugins if named.on_error == "skip"}
    impls = []
    for name, hook in HOOKS.items():
        impls += [
            _impl(hook, impl, impl.plugin_name in skipping)
            for impl in _ordered(manager, name, orders.get(name, ()))
            if impl.plugin_name not in excludes.get(name, ())
        ]
    return impls


def _impl(hook: Hook, impl: HookImpl, skip_errors: bool) -> Impl:  # noqa: FBT001 - one caller
    taken = tuple(name for name in impl.kwargnames if name in hook.arguments)
    return Impl(
        hook.name,
        impl.plugin_name,
        impl.function,
        impl.argnames + taken,
        wrapper=impl.wrapper,
        skip_errors=skip_errors,
        named=0 if impl.kwargnames[: len(taken)] == taken else len(taken),
        attribute=_attribute(impl),
    )


def _attribute(impl: HookImpl) -> str:
    """Give the name under which a plugin has a function: it may have another itself."""
    plugin, name = impl.plugin, impl.function.__name__
    if getattr(plugin, name, None) == impl.function:
        return str(name)
    names = (n for n in dir(plugin) if getattr(plugin, n, None) == impl.function)
    return next(names, "")


def _not_twice(named: Named, plugins: Iterable[Named]) -> Fault:
    """Say whose plugin this one is; pluggy tells plugins apart by ``==``."""
    same = [o.name for o in plugins if o.plugin == named.plugin and o is not named]
    return Fault(
        "HK309",
        f'plugin "{named.name}" is the same as, or equal to, "{", ".join(same)}"',
        path=("plugins", named.name),
        on="key",
        also=[(("plugins", name), "key", "which is this one") for name in same],
        hint="a plugin that is used twice must be a class without __eq__",
    )


def _check_plugin(manager: PluginManager, named: Named) -> Iterator[Fault]:
    place = ("plugins", named.name)
    found = False
    for caller in manager.get_hookcallers(named.plugin) or ():
        for impl in caller.get_hookimpls():
            if impl.plugin_name != named.name:
                continue
            found = True
            for fault in _check_impl(named, caller.name, impl):
                fault.path = place
                fault.on = "key"
                yield fault
    for name in HOOKS:
        if _is_unmarked(named.plugin, name):
            found = True
            yield Fault(
                "HK309",
                f'plugin "{named.name}" defines {name}, but does not mark it',
                path=place,
                on="key",
                hint="put @hookimpl above it",
            )
    if not found and not any(hasattr(named.plugin, name) for name in LIFE_CYCLE):
        yield Fault(
            "HK309",
            f'plugin "{named.name}" implements no hook',
            path=place,
            on="key",
            hint=_class_instead(named.plugin),
        )


def _is_unmarked(plugin: object, hook: str) -> bool:
    """Say whether a plugin has a function of a hook's name without the marker."""
    static = inspect.getattr_static(plugin, hook, None)
    function = getattr(static, "__func__", static)
    if not inspect.isfunction(function) or hasattr(static, f"{PROJECT}_impl"):
        return False
    if inspect.ismodule(plugin) and function.__module__ != plugin.__name__:
        return False  # a name that the module imported
    return not hasattr(function, f"{PROJECT}_impl")


def _class_instead(plugin: object) -> str:
    """Suggest the class in a module that was named as the plugin itself."""
    if inspect.ismodule(plugin):
        own = [
            value
            for value in vars(plugin).values()
            if inspect.isclass(value) and value.__module__ == plugin.__name__
        ]
        for kind in own:
            if any(hasattr(value, f"{PROJECT}_impl") for value in vars(kind).values()):
                return f'did you mean its class, ":{kind.__name__}"?'
    return "mark its functions with @hookimpl"


def _check_impl(named: Named, hook_name: str, impl: HookImpl) -> Iterator[Fault]:
    """Give the faults of one implementation, without their place."""
    where = f'plugin "{named.name}", {_qualname(impl.function)}'
    hook = HOOKS.get(hook_name)
    if hook is None:
        if not impl.optionalhook:
            yield Fault(
                "HK301",
                f'unknown hook "{hook_name}" ({where})',
                hint=did_you_mean(hook_name, HOOKS)
                or f"the hooks are {', '.join(HOOKS)}",
            )
        return
    yield from _check_arguments(where, hook, impl)
    message = _wrong_form(named, hook, impl)
    if message:
        also = [(("plugins", named.name, "on_error"), "value", "this asks for it")]
        yield Fault(
            "HK303",
            f'hook "{hook_name}": {message} ({where})',
            also=also if "on_error" in message else (),
        )


def _check_arguments(where: str, hook: Hook, impl: HookImpl) -> Iterator[Fault]:
    parameters = inspect.signature(impl.function).parameters
    needed = [
        name
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.default is parameter.empty
    ]
    for name in needed:
        yield Fault(
            "HK305",
            f'hook "{hook.name}": argument "{name}" is keyword-only ({where})',
            hint="a hook's arguments are given by position",
        )
    for name in impl.argnames:
        if name not in hook.arguments:
            others = [other for other in hook.arguments if other not in parameters]
            yield Fault(
                "HK305",
                f'hook "{hook.name}" has no argument "{name}" ({where})',
                hint=did_you_mean(name, others)
                or f"it has {', '.join(hook.arguments)}",
            )


def _wrong_form(named: Named, hook: Hook, impl: HookImpl) -> str:
    """Say what kind of function cannot implement this kind of hook, or ``""``."""
    yields = inspect.isgeneratorfunction(inspect.unwrap(impl.function))
    if inspect.iscoroutinefunction(impl.function) or inspect.isasyncgenfunction(
        impl.function
    ):
        return "an async function would never run"
    if impl.hookwrapper:
        return "hookwrapper=True is of the past, use wrapper=True"
    if impl.wrapper:
        return _wrong_wrapper(named, hook, yields)
    if yields and hook.name != "error_output":  # there, what it yields is the body
        return "a function that yields would never run without wrapper=True"
    return ""


def _wrong_wrapper(named: Named, hook: Hook, yields: bool) -> str:  # noqa: FBT001 - one caller
    if hook.kind == "observe":
        return "a wrapper would end the isolation of those who observe"
    if hook.kind == "enrich" and named.on_error == "skip":
        return 'a wrapper cannot be skipped, so on_error = "skip" cannot hold'
    return "" if yields else "wrapper=True is for a function that yields once"


def _qualname(function: Callable[..., Any]) -> str:
    return f"{module_said(str(function.__module__))}:{function.__qualname__}"


def _check_by_pluggy(
    manager: PluginManager, plugins: Iterable[Named]
) -> Iterator[Fault]:
    """Let pluggy have its say on whatever the checks above let pass."""
    try:
        manager.add_hookspecs(specs)
        manager.check_pending()
    except PluginValidationError as exc:
        names = [named.name for named in plugins if named.plugin is exc.plugin]
        yield Fault("HK309", str(exc), path=("plugins", *names))


def _check_names(
    manager: PluginManager, key: str, tables: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """Check that who is named in ``[hooks.<hook>]`` has something to do there."""
    for hook, names in tables.items():
        implementing = {impl.plugin_name for impl in _in_order(manager, hook)}
        for place, name in enumerate(names):
            if manager.has_plugin(name) and name not in implementing:
                path = ("hooks", hook, key, place)
                text = f'plugin "{name}" does not implement {hook}'
                also = [(("plugins", name), "key", "this plugin")]
                yield Fault("HK310", text, path=path, also=also)
