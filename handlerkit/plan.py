"""The plan: the hooks of one kit, resolved into plain callables.

pluggy's own multicall costs about a microsecond for a hook that nobody
implements, and stops at the first exception. So the hooks are resolved once, at
start, into the attributes of a `Plan`: None where nobody implements the hook,
else one callable that takes the hook's arguments by position. What happens when
an implementation raises depends on the hook's kind:

* ``enrich``: all run in order; one that raises fails the exchange;
* ``answer``: the first result that is not None wins;
* ``observe``: all run, each isolated from the others.

What hooks are given, `Report` and `Outcome`, is in `handlerkit.records`.
"""

from __future__ import annotations

from handlerkit.records import Outcome, Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping
    from typing import Any, Protocol

    class Owner(Protocol):
        """What a plan needs of the handler that every hook gets first."""

        def plugin_failed(self, hook: str, plugin: str, exc: BaseException) -> None:
            """Note an exception that must not change the exchange."""

        def undo_start(self) -> None:
            """Forget a start_response that was not followed by an answer."""

    Chain = Callable[..., Any]

__all__ = [
    "BARE",
    "HOOKS",
    "Hook",
    "Impl",
    "Outcome",
    "Plan",
    "Report",
    "by_name",
    "compile_plan",
]


class Hook:
    """One customization point: its kind and its arguments, in order."""

    __slots__ = ("arguments", "kind", "name")

    def __init__(self, name: str, kind: str, *arguments: str) -> None:
        self.name = name
        self.kind = kind
        self.arguments = arguments


HOOKS = {
    hook.name: hook
    for hook in (
        Hook("add_cgi_vars", "enrich", "handler", "environ"),
        Hook("setup_environ", "enrich", "handler", "environ"),
        Hook("get_scheme", "answer", "handler", "environ"),
        Hook("get_stdin", "answer", "handler"),
        Hook("get_stderr", "answer", "handler"),
        Hook("response_starting", "enrich", "handler", "status", "headers"),
        Hook("sendfile", "answer", "handler", "wrapper"),
        Hook("log_exception", "observe", "handler", "exc_info", "report"),
        Hook(
            "error_output",
            "answer",
            "handler",
            "environ",
            "start_response",
            "report",
        ),
        Hook("request_finished", "observe", "handler", "outcome"),
    )
}


class Impl:
    """One implementation of one hook, by one plugin.

    ``arguments`` are the names the function takes, a subset of the hook's, in the
    function's own order; the last ``named`` of them are given by name.
    ``skip_errors`` is the plugin's ``on_error = "skip"``, ``attribute`` where on the
    plugin the function is, "" if nobody has asked.
    """

    __slots__ = (
        *("arguments", "attribute", "function", "hook", "named", "plugin"),
        *("skip_errors", "wrapper"),
    )

    def __init__(  # noqa: PLR0913 - a record, its two makers name the fields
        self,
        hook: str,
        plugin: str,
        function: Chain,
        arguments: tuple[str, ...],
        *,
        wrapper: bool = False,
        skip_errors: bool = False,
        named: int = 0,
        attribute: str = "",
    ) -> None:
        if named:
            count = len(arguments) - named
            function = by_name(function, count, arguments[count:])
        self.named = named
        self.attribute = attribute
        self.hook = hook
        self.plugin = plugin
        self.function = function
        self.arguments = arguments
        self.wrapper = wrapper
        self.skip_errors = skip_errors

    def __repr__(self) -> str:
        return f"Impl({self.hook!r}, {self.plugin!r})"


class Plan:
    """The resolved hooks of one kit; immutable, a reload swaps the whole plan.

    The bare plan, ``Plan()``, has no hook at all: a handler that carries it does
    what its methods document. ``impls`` keeps, per hook, who is called in order.
    """

    __slots__ = (*HOOKS, "impls")

    impls: dict[str, tuple[Impl, ...]]
    add_cgi_vars: Chain | None
    setup_environ: Chain | None
    get_scheme: Chain | None
    get_stdin: Chain | None
    get_stderr: Chain | None
    response_starting: Chain | None
    sendfile: Chain | None
    log_exception: Chain | None
    error_output: Chain | None
    request_finished: Chain | None

    def __init__(
        self,
        impls: dict[str, tuple[Impl, ...]] | None = None,
        chains: Mapping[str, Chain | None] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "impls", impls or {})
        chains = chains or {}
        for name in HOOKS:
            put(self, name, chains.get(name))

    def without(self, plugins: Collection[str]) -> Plan:
        """Give this plan less what these plugins do."""
        return compile_plan(
            impl
            for impls in self.impls.values()
            for impl in impls
            if impl.plugin not in plugins
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a plan is immutable: cannot set {name}")

    def __repr__(self) -> str:
        called = {name: [i.plugin for i in impls] for name, impls in self.impls.items()}
        return f"Plan({called})"


BARE = Plan()


def compile_plan(impls: Iterable[Impl]) -> Plan:
    """Resolve implementations, per hook in the order of their call, into a plan.

    Wrappers stand in their own order, outermost first. Unlike the bare plan, a
    compiled one answers for every log: no log_exception means no log at all.
    """
    by_hook: dict[str, list[Impl]] = {}
    for impl in impls:
        by_hook.setdefault(impl.hook, []).append(impl)
    chains = {name: _chain(HOOKS[name], found) for name, found in by_hook.items()}
    chains.setdefault("log_exception", _nobody)
    return Plan({name: tuple(found) for name, found in by_hook.items()}, chains)


def by_name(function: Chain, count: int, names: tuple[str, ...]) -> Chain:
    """Give by name what follows ``count`` arguments.

    To step over a parameter with a default that is no argument of the hook.
    """

    def call(*args: object) -> Any:
        return function(*args[:count], **dict(zip(names, args[count:], strict=True)))

    return call


def _nobody(*_: object) -> None:
    """Stand for a log_exception that the configuration took away."""


def _chain(hook: Hook, impls: list[Impl]) -> Chain:
    plain = [impl for impl in impls if not impl.wrapper]
    wrappers = [_positional(hook, impl) for impl in impls if impl.wrapper]
    if hook.kind == "observe":
        return _observe(hook, plain)
    if hook.kind == "enrich":
        return _enrich(hook, plain, wrappers)
    inner = (
        _fallback(hook, plain) if hook.name == "error_output" else _answer(hook, plain)
    )
    return _wrapped(wrappers, inner) if wrappers else inner


def _positional(hook: Hook, impl: Impl) -> Chain:
    """Adapt a function that takes some arguments to one that is given all.

    Written out, ``lambda handler, environ: function(environ)``: to pick them out of
    a tuple costs more than many an implementation.
    """
    function = impl.function
    if impl.arguments == hook.arguments:
        return function
    if not set(impl.arguments) <= set(hook.arguments):
        raise ValueError(f"{hook.name} has no such arguments: {impl.arguments}")
    given, taken = ", ".join(hook.arguments), ", ".join(impl.arguments)
    adapted: Chain = eval(  # noqa: S307 - of names in HOOKS, and no others
        f"lambda {given}: function({taken})", {"function": function}
    )
    return adapted


def _skipping(hook: Hook, impl: Impl) -> Chain:
    """Let an enricher fail without failing the exchange: ``on_error = "skip"``."""
    function = _positional(hook, impl)

    def skip(owner: Owner, *args: object) -> Any:
        try:
            return function(owner, *args)
        except Exception as exc:  # noqa: BLE001 - the deployer asked for it
            owner.plugin_failed(hook.name, impl.plugin, exc)
            return None

    return skip


def _enrich(hook: Hook, impls: list[Impl], wrappers: list[Chain]) -> Chain:
    functions = [
        _skipping(hook, impl) if impl.skip_errors else _positional(hook, impl)
        for impl in impls
    ]
    if wrappers:

        def collect(*args: object) -> list[object]:
            results = [function(*args) for function in functions]
            return [result for result in results if result is not None]

        return _wrapped(wrappers, collect)
    if len(functions) == 1:
        return functions[0]
    return _all_of(functions, len(hook.arguments))


def _all_of(functions: list[Chain], arguments: int) -> Chain:
    """Call all in order, with each argument by itself.

    A tuple for them, made and taken apart again, costs as much as the call.
    """
    if arguments == len(("handler", "environ")):

        def enrich(handler: object, environ: object) -> None:
            for function in functions:
                function(handler, environ)

        return enrich

    def change(handler: object, status: object, headers: object) -> None:
        for function in functions:
            function(handler, status, headers)

    return change


def _answer(hook: Hook, impls: list[Impl]) -> Chain:
    functions = [_positional(hook, impl) for impl in impls]
    if hook.name == "sendfile":  # False declines as None does
        functions = [_declining(function) for function in functions]
    if len(functions) == 1:
        return functions[0]

    def answer(*args: object) -> object:
        for function in functions:
            result = function(*args)
            if result is not None:
                return result
        return None

    return answer


def _declining(function: Chain) -> Chain:
    return lambda *args: function(*args) or None


def _fallback(hook: Hook, impls: list[Impl]) -> Chain:
    """Ask each for an error page; one that raises is undone, and the next asked."""
    functions = [(impl.plugin, _positional(hook, impl)) for impl in impls]

    def fall_back(owner: Owner, *args: object) -> object:
        for plugin, function in functions:
            try:
                result = function(owner, *args)
                if hasattr(result, "throw"):  # a generator
                    result = _begun_page(result)
            except BaseException as exc:  # noqa: BLE001 - noted by the owner
                owner.plugin_failed(hook.name, plugin, exc)
                result = None
            if result is not None:
                return result
            owner.undo_start()
        return None

    return fall_back


def _begun_page(page: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Run a generator up to its first bytes: what it raises before, it has raised."""

    def pieces() -> Generator[bytes, None, None]:
        try:
            for first in page:
                if first:
                    yield b""
                    yield first
                    yield from page
        finally:
            page.close()

    begun = pieces()
    next(begun, None)
    return begun


def _observe(hook: Hook, impls: list[Impl]) -> Chain:
    functions = [(impl.plugin, _positional(hook, impl)) for impl in impls]

    def observe(owner: Owner, *args: object) -> None:
        for plugin, function in functions:
            try:
                function(owner, *args)
            except BaseException as exc:  # noqa: BLE001 - noted by the owner
                owner.plugin_failed(hook.name, plugin, exc)

    return observe


def _wrapped(wrappers: list[Chain], inner: Chain) -> Chain:
    """Run generators around a chain, with pluggy's meaning of ``wrapper=True``."""

    def call(*args: object) -> object:
        active: list[Generator[None, object, object]] = []
        result: object = None
        error: BaseException | None = None
        try:
            for wrapper in wrappers:
                active.append(_begun(wrapper(*args)))  # noqa: PERF401 - kept if one raises
            result = inner(*args)
        except BaseException as exc:  # noqa: BLE001 - given to the wrappers, then raised
            error = exc
        while active:
            result, error = _ended(active.pop(), result, error)
        if error is not None:
            try:
                raise error
            finally:
                del error
        return result

    return call


def _begun(
    generator: Generator[None, object, object],
) -> Generator[None, object, object]:
    try:
        next(generator)
    except StopIteration:
        raise RuntimeError("a hook wrapper must yield once; it did not") from None
    return generator


def _ended(
    generator: Generator[None, object, object],
    result: object,
    error: BaseException | None,
) -> tuple[object, BaseException | None]:
    """Finish one wrapper; what it returns, or raises, is the new state."""
    try:
        if error is None:
            generator.send(result)
        else:
            generator.throw(error)
        generator.close()
        raise RuntimeError("a hook wrapper must yield once; it did so twice")
    except StopIteration as stop:
        return stop.value, None
    except BaseException as exc:  # noqa: BLE001 - handed to the next wrapper
        return None, exc
