"""The one request of this process, with a frozen kit where there is one."""

from __future__ import annotations

import gc
import os
import sys

from handlerkit.errors import ConfigError, HandlerkitError
from handlerkit.gateways import cgi
from handlerkit.handlers.environ import process_environ, process_variables
from handlerkit.kit import frozen
from handlerkit.kit.lifecycle import LifeCycle
from handlerkit.plan import HOOKS, Impl, by_name, compile_plan
from handlerkit.settings import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Source
    from handlerkit.kit.frozen import Constants

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def run(source: Source, app: WSGIApplication | None) -> int:
    """Serve the request as `run_cgi` has to; give the exit code."""
    streams = cgi.Streams()
    try:
        kit: Any = _frozen(source, app) or _loaded(source, app)
        kit.start()
    except HandlerkitError as exc:
        return cgi.refuse(streams, f"handlerkit: {exc}")
    except BaseException:
        from traceback import format_exc  # as it fails

        cgi.refuse(streams, format_exc())
        raise
    return cgi.run(kit, streams)


def _loaded(source: Source, app: WSGIApplication | None) -> Any:
    from handlerkit.kit.assembly import load  # the dear way

    kit = load(source, app, entry="cgi")
    kit.require_application()
    return kit


def _frozen(source: Source, app: WSGIApplication | None) -> Any:
    """Give the frozen kit of a file, a loaded one where that is stale; else None.

    Raises:
        ConfigError: it is stale, or the application cannot be loaded.
    """
    if not isinstance(source, (str, os.PathLike)) or _is_safe():
        return None
    directory, config = os.path.split(os.path.abspath(source))
    constants = _constants(directory, frozen.frozen_name(config))
    if constants is None:
        return None
    try:
        if frozen.is_fresh(constants, directory, config):
            return FrozenKit(constants, directory, source, app)
    except ConfigError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001, S110 - loading says it better
        pass
    from handlerkit.kit import changes  # as it fails

    changed = changes.since(constants, directory, config)
    try:
        from handlerkit.kit import drift
    except ImportError as exc:  # another Python, without what loading needs
        raise HandlerkitError("; ".join([*changed, str(exc)])) from exc
    if not drift.is_to_be_rebuilt(changed, source):
        return None
    kit = _loaded(source, app)
    drift.rebuild(kit, source)
    return kit


def _is_safe() -> bool:
    return process_variables().get("HANDLERKIT_SAFE", "0") not in ("", "0")


def _constants(directory: str, name: str) -> Constants | None:
    """Give what a frozen file holds; None, and words, where it is not to be taken."""
    if not os.path.lexists(os.path.join(directory, name)):
        return None
    try:
        return frozen.read(directory, name)
    except Exception as exc:  # noqa: BLE001 - a file may hold anything
        sys.stderr.write(f"handlerkit: {name} is not used: {exc}\n")
        return None


class FrozenPlugin:
    """One plugin of a frozen kit, as its life cycle knows it."""

    __slots__ = ("found", "name", "plugin", "required")

    def __init__(self, constants: Constants, plugin: object) -> None:
        self.name: str = constants["name"]
        self.found: str = constants["found"]
        self.required: bool = constants["required"]
        self.plugin = plugin


class FrozenKit:
    """A kit made of constants; what it imports are plugins, class and application.

    Raises:
        ConfigError: the application cannot be loaded.
        Exception: it is stale, or something cannot be made: loading tells what.
    """

    def __init__(
        self,
        constants: Constants,
        directory: str,
        source: Source,
        app: WSGIApplication | None,
    ) -> None:
        for place in reversed(constants["APP"]["path"]):
            found = os.path.realpath(os.path.join(directory, place))
            if found not in sys.path:
                sys.path.insert(0, found)
        self._secrets: set[str] = set()
        kind = _object(constants["HANDLER"]["class"])
        if app is None:
            _settle()
        self.plugins = LifeCycle(self._mask)
        self._make_plugins(constants, directory)
        self.plan = compile_plan(self._impls(constants["HOOKS"]))
        self.handler_class = self._class(kind, constants["HANDLER"])
        made_from = constants["HANDLER"]["made_from"]
        if not all(frozen.is_unchanged(origin, directory) for origin in made_from):
            raise LookupError("the handler has changed")
        self._own = constants["HANDLER"]["own"]
        self._redact = constants["REDACT"]
        target = constants["APP"]["target"]
        if app is None and target is None:
            raise LookupError("there is no application")
        self.application: Any = app if app is not None else _application(source, target)

    def handler(self) -> Any:
        """Make the handler of the exchange."""
        handler = self.handler_class()
        for name, value in self._own.items():
            setattr(handler, name, value)
        return handler

    def start(self) -> None:
        """Start the plugins; one that fails, and is not required, is taken out.

        Raises:
            PluginError: a plugin that is required did not start.
        """
        failed = self.plugins.start()
        if failed:
            self.plan = self.handler_class.plan = self.plan.without(failed)

    def close(self) -> None:
        """Close the plugins."""
        self.plugins.close()

    def _mask(self, text: str) -> str:
        from handlerkit.config.masking import mask  # as it fails

        return mask(text, self._secrets)

    def _make_plugins(self, constants: Constants, directory: str) -> None:
        trusted = constants["PROXIES"]
        made = []
        for each in constants["PLUGINS"]:
            factory = _factory(each["use"], directory)
            if not all(frozen.is_unchanged(o, directory) for o in each["made_from"]):
                raise LookupError(f"{each['name']} has changed")
            if each["settings"] is None:
                plugin: Any = factory if type(factory) is type(os) else factory()
            else:
                references = [
                    self._resolved(reference, directory)
                    for reference in each["references"]
                ]
                plugin = factory(_Thawing(references).record(each["settings"]))
            if factory is not plugin and hasattr(factory, "proxies"):
                plugin.proxies = trusted
            made.append(FrozenPlugin(each, plugin))
        self.plugins.loaded = made

    def _resolved(self, reference: Constants, directory: str) -> tuple[str, Any]:
        """Give what ``{ env = … }`` or ``{ file = … }`` names, as text and as value.

        Raises:
            Exception: it is not there, or not of its type.
        """
        if "env" in reference:
            variables = process_variables()
            text = variables.get(reference["env"], reference.get("default"))
        else:
            with open(os.path.join(directory, reference["file"]), "rb", 0) as file:
                text = file.readall().decode().removesuffix("\n").removesuffix("\r")
        if not isinstance(text, str):
            if "default" in reference and text is not None:
                return str(text), text
            raise LookupError(reference)
        text.encode()  # it must be UTF-8
        if text.lower() not in _BOOLEANS:
            self._secrets.add(text)
        return text, _converted(text, reference["kinds"])

    def _impls(self, hooks: Constants) -> Iterator[Impl]:
        plugins = {each.name: each.plugin for each in self.plugins.loaded}
        for hook, impls in hooks.items():
            for each in impls:
                attribute = each["function"].rpartition(":")[2].rpartition(".")[2]
                function = getattr(plugins[each["plugin"]], attribute)
                yield Impl(
                    hook,
                    each["plugin"],
                    _adapted(function, hook, each),
                    HOOKS[hook].arguments,
                    wrapper=each.get("wrapper", False),
                    skip_errors=each.get("skip_errors", False),
                    attribute=attribute,
                )

    def _class(self, kind: Any, handler: Constants) -> Any:
        attributes = dict(handler["attributes"])
        for name, reference in handler["objects"].items():
            attributes[name] = _object(reference)
        attributes["os_environ"] = _environ(handler["os_environ"])
        attributes["plan"] = self.plan
        attributes["make_report"] = _Reports(self)
        attributes["kit_generation"] = 1
        attributes["__doc__"] = kind.__doc__
        attributes["__module__"] = kind.__module__
        return type(kind.__name__, (kind,), attributes)

    def report_maker(self) -> Any:
        """Make what reports are made with, where one is to be made."""
        from handlerkit.reports.making import ReportMaker
        from handlerkit.reports.redaction import Redactor

        redactor = Redactor(
            **self._redact, process=process_variables(), secrets=self._secrets
        )
        return ReportMaker(redactor)


def _settle() -> None:
    """Have the collector of garbage pass over all that is there by now.

    That is Python itself and this package, which stay to the end; to look through them
    while more is imported, and once more as the process ends, is a tenth of its time.
    """
    if hasattr(gc, "freeze"):
        gc.freeze()


class _Reports:
    """Makes reports as the maker does that it makes first: most requests need none."""

    def __init__(self, kit: FrozenKit) -> None:
        self._kit = kit
        self._maker: Any = None

    def _made(self) -> Any:
        if self._maker is None:
            self._maker = self._kit.report_maker()
        return self._maker

    @property
    def redactor(self) -> Any:
        """The rules of ``[redact]``."""
        return self._made().redactor

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._made()(*args, **kwargs)


class _Thawing:
    """Makes values of what `handlerkit.kit.constants` has written of them."""

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
            return _object(told)
        return _object(told)(*(self.value(item) for item in rest))


def _adapted(function: Any, hook: str, constants: Constants) -> Any:
    """Adapt a function to all arguments of its hook.

    As the plan would, but without compiling anything: it is called once.
    """
    given, taken = HOOKS[hook].arguments, constants["arguments"]
    if "named" in constants:
        count = len(taken) - constants["named"]
        function = by_name(function, count, taken[count:])
    elif given == taken:
        return function
    places = [given.index(name) for name in taken]
    return lambda *args: function(*[args[place] for place in places])


def _converted(text: str, kinds: tuple[str, ...]) -> Any:
    """Give text as the type that a setting has.

    Raises:
        ValueError: it is none of that type.
    """
    if "str" in kinds or "secret" in kinds:
        return text
    if "bool" in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for kind in (int, float):
        if kind.__name__ in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    raise ValueError(kinds)


def _environ(names: str | tuple[str, ...]) -> dict[str, str]:
    if names == "none":
        return {}
    process = process_environ()
    if names == "inherit":
        return process
    return {name: process[name] for name in names if name in process}


def _object(reference: str) -> Any:
    """Import what ``module:attribute`` names; no attribute is the module itself."""
    module, _, attribute = reference.partition(":")
    __import__(module)
    found: Any = sys.modules[module]
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found


def _factory(use: str, directory: str) -> Any:
    """Import the class, or the module, of a plugin, which may be a local file."""
    path, _, attribute = use.rpartition(".py:") if ".py:" in use else (use, "", "")
    if not attribute and not use.endswith(".py"):
        return _object(use)
    from handlerkit.hooks.local import import_file

    path = os.path.join(directory, f"{path}.py" if attribute else path)
    found: Any = import_file(os.path.realpath(path))
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found


def _application(source: Source, target: str) -> Any:
    """Import the application, call it if it is a factory.

    Raises:
        ConfigError: as loading does, with the application's own traceback.
    """
    try:
        application = _object(target.removesuffix("()"))
        if target.endswith("()"):
            application = application()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
        from handlerkit.kit.drift import not_loaded  # as it fails

        raise not_loaded(source, target, exc) from None
    if not callable(application):
        from handlerkit.kit.drift import not_callable  # likewise

        raise not_callable(source, target, application)
    return application
