"""A kit made of the constants of a frozen file, for one request.

As `handlerkit.kit.assembly` makes one of a TOML file, without what that has to import.
"""

from __future__ import annotations

import gc
import os
import sys

from handlerkit.handlers.environ import process_environ, process_variables
from handlerkit.kit import frozen
from handlerkit.kit.lifecycle import LifeCycle
from handlerkit.kit.thawing import BOOLEANS, Thawing, converted, named_object
from handlerkit.plan import HOOKS, Impl, by_name, compile_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Source
    from handlerkit.kit.frozen import Constants


class ThawedPlugin:
    """One plugin of a frozen kit, as its life cycle knows it."""

    __slots__ = ("found", "name", "plugin", "required")

    def __init__(self, constants: Constants, plugin: object) -> None:
        self.name: str = constants["name"]
        self.found: str = constants["found"]
        self.required: bool = constants["required"]
        self.plugin = plugin


class ThawedKit:
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
        kind = named_object(constants["HANDLER"]["class"])
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
                plugin = factory(Thawing(references).record(each["settings"]))
            if factory is not plugin and hasattr(factory, "proxies"):
                plugin.proxies = trusted
            made.append(ThawedPlugin(each, plugin))
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
        if text.lower() not in BOOLEANS:
            self._secrets.add(text)
        return text, converted(text, reference["kinds"])

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
            attributes[name] = named_object(reference)
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

    def __init__(self, kit: ThawedKit) -> None:
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


def _environ(names: str | tuple[str, ...]) -> dict[str, str]:
    if names == "none":
        return {}
    process = process_environ()
    if names == "inherit":
        return process
    return {name: process[name] for name in names if name in process}


def _factory(use: str, directory: str) -> Any:
    """Import the class, or the module, of a plugin, which may be a local file."""
    if ".py" not in use:
        return named_object(use)
    from handlerkit.hooks.local import file_of, import_file  # few plugins are files

    file = file_of(use)
    if file is None:
        return named_object(use)
    path, attribute = file
    found: Any = import_file(os.path.realpath(os.path.join(directory, path)))
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found


def _application(source: Source, target: str) -> Any:
    """Import the application, call it if it is a factory.

    Raises:
        ConfigError: as loading does, with the application's own traceback.
    """
    try:
        application = named_object(target.removesuffix("()"))
        if target.endswith("()"):
            application = application()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
        from handlerkit.kit.drift import not_loaded  # as it fails

        raise not_loaded(source, target, exc) from None
    if not callable(application):
        from handlerkit.kit.drift import not_callable  # likewise

        raise not_callable(source, target, application)
    return application
