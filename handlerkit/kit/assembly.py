"""`load`: from a TOML file to a kit, with every mistake found on the way."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from handlerkit import config
from handlerkit.errors import ConfigError, Fault
from handlerkit.kit.classes import (
    configured,
    handler_class,
    instance_attributes,
    protocol,
)
from handlerkit.kit.plugins import Plugins, load_plugins
from handlerkit.kit.reporting import report_maker
from handlerkit.kit.targets import given_not_callable, join_path, load_application
from handlerkit.plan import BARE, compile_plan

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import Any, TypeAlias
    from wsgiref.types import WSGIApplication

    from handlerkit.config.crosschecks import Entry
    from handlerkit.handlers import BaseHandler
    from handlerkit.plan import Plan

    Source: TypeAlias = str | Path | Mapping[str, Any] | config.Config

_TARGET = ("app", "target")


class Imported(NamedTuple):
    """The modules that were there before the application was imported.

    ``since`` is when loading began, in nanoseconds since the epoch.
    """

    since: int
    modules: tuple[str, ...]


class Kit:
    """Everything that one configuration declares, ready to run.

    ``application`` is the WSGI callable, ``handler_class`` the class whose
    instances run it, ``plan`` its hooks, ``plugins`` in the order of the file,
    ``config`` the validated configuration, ``warnings`` what `check` would say,
    ``entry`` the way of running, ``imported`` what was imported before the
    application. ``generation`` is 1, and one more with each reload.
    """

    def __init__(  # noqa: PLR0913 - a record, its one maker names the fields
        self,
        *,
        config: config.Config,
        document: config.Document,
        application: WSGIApplication | None,
        handler_class: type[BaseHandler],
        own: Mapping[str, Any],
        plan: Plan,
        plugins: Plugins,
        warnings: tuple[Fault, ...],
        entry: Entry,
        imported: Imported,
        generation: int,
    ) -> None:
        self.config = config
        self.document = document
        self._application = application
        self.handler_class = handler_class
        self.plan = plan
        self.plugins = plugins
        self.warnings = warnings
        self.entry = entry
        self.imported = imported
        self.generation = generation
        self._own = own
        handler_class.kit_generation = generation
        if not own:
            # An exchange makes a handler: it is to cost no more than its class.
            self.handler = handler_class  # type: ignore[method-assign]

    def __str__(self) -> str:
        file = self.document.file or "the configuration"
        return f"{file}, generation {self.generation}"

    @property
    def application(self) -> WSGIApplication:
        """The WSGI callable.

        Raises:
            ConfigError: neither ``[app] target`` nor ``app=`` named one.
        """
        if self._application is None:
            raise ConfigError(self.document.arrange([_no_application()]))
        return self._application

    def require_application(self) -> None:
        """Raise ConfigError where `application` would."""
        _ = self.application

    def handler(self, *args: Any, **kwargs: Any) -> BaseHandler:
        """Make a handler for one exchange, with the arguments of its class.

        For ``kit.handler(stdin, stdout, stderr, environ).run(kit.application)``.
        """
        handler = self.handler_class(*args, **kwargs)
        for name, value in self._own.items():
            setattr(handler, name, value)
        return handler

    def start(self) -> None:
        """Start the plugins: in the serving process, after any fork.

        One that fails, and is not required, is taken off its hooks.

        Raises:
            PluginError: a plugin that is required did not start.
        """
        failed = self.plugins.start()
        if failed:
            self.plan = self.plan.without(failed)
            self.handler_class.plan = self.plan

    def close(self) -> None:
        """Close the plugins, after the last exchange."""
        self.plugins.close()


def _no_application() -> Fault:
    return Fault(
        "HK401",
        "there is no application",
        path=_TARGET,
        hint="set target in [app], or give app= to load()",
    )


def load(
    source: Source, app: WSGIApplication | None = None, *, entry: Entry = "handler"
) -> Kit:
    """Read, validate and assemble a configuration.

    Args:
        source: a path to ``handlerkit.toml`` or ``pyproject.toml``, a mapping of
            the same shape, or a `Config`.
        app: the application, in place of ``[app] target``.
        entry: how the kit will be run: ``handler`` (by you), ``cgi``, ``wsgi``,
            ``serve``.

    Raises:
        ConfigError: with every mistake found.
    """
    return assemble(source, app, entry=entry, complete=entry != "handler")


class Running(NamedTuple):
    """What a reload goes on from: a kit, and what its process started with.

    ``given`` are the paths of keys that do not count, because the process was told
    their values otherwise.
    """

    kit: Kit
    started: config.Written
    given: Collection[tuple[str, ...]] = ()


def reload(source: Source, running: Running) -> Kit:
    """Read a configuration again, for a kit to take the place of one that runs.

    It has the same application and ``[server]``, and plugins, not started, that are
    new, made from the code that is imported already. Its warnings say, too, what the
    file has that takes a restart.

    Raises:
        ConfigError: with every mistake found.
    """
    kit = running.kit
    return assemble(
        source, kit.application, entry=kit.entry, complete=True, running=running
    )


def assemble(
    source: Source,
    app: WSGIApplication | None,
    *,
    entry: Entry,
    complete: bool,
    running: Running | None = None,
) -> Kit:
    """Do what `load` does, or `reload` where something is ``running``.

    Args:
        source: as for `load`.
        app: as for `load`.
        entry: as for `load`.
        complete: that there is no application is a mistake.
        running: what the kit is to take the place of.

    Raises:
        ConfigError: with every mistake found.
    """
    since = time.time_ns()
    document, settings, faults = read(source, entry)
    in_file = document.file or app is None or "path" in settings.app.model_fields_set
    if running is None and in_file:
        join_path(document, settings.app)
    plugins, impls, more = load_plugins(
        document, settings, None if running is None else running.kit.plugins
    )
    kind, warnings, found = _check(settings, entry)
    if running is not None and not found:  # fine after a restart: is it without one?
        now = config.Written(document, settings)
        settings = settings.model_copy(update={"server": running.kit.config.server})
        kind, warnings, found = _check(settings, entry)
        kind, told = _of_protocol(running, kind)
        warnings += [*told, *config.restarts(running.started, now, but=running.given)]
    faults += more + found
    imported = Imported(since, tuple(sys.modules))
    app, more = _application(document, settings, app, complete, running)
    faults += more
    if faults or kind is None:
        raise ConfigError(document.arrange(faults))
    plan = BARE if plugins.safe else compile_plan(impls)
    make_report = report_maker(settings, document.secrets)
    return Kit(
        config=settings,
        document=document,
        application=app,
        handler_class=configured(kind, settings, plan, entry, make_report),
        own=instance_attributes(settings, entry, kind),
        plan=plan,
        plugins=plugins,
        warnings=tuple(document.arrange([*plugins.warnings, *warnings], "warning")),
        entry=entry,
        imported=imported,
        generation=1 if running is None else running.kit.generation + 1,
    )


def _of_protocol(
    running: Running, kind: type[BaseHandler] | None
) -> tuple[type[BaseHandler] | None, list[Fault]]:
    """Give a class that speaks what the server does: its own, if this one does not."""
    has = running.kit.handler_class
    if kind is None or protocol(kind) == protocol(has):
        return kind, []
    text = f"the class speaks {protocol(kind)}, and the server {protocol(has)}"
    text = f"{text}: that takes a restart"
    own: Any = has.__base__
    return own, [Fault("HK523", text, path=("handler", "class"))]


def read(
    source: Source, entry: Entry
) -> tuple[config.Document, config.Config, list[Fault]]:
    """Read and validate what this way of running needs; give what is sound, and faults.

    Raises:
        ConfigError: nothing is sound.
    """
    document = config.read(source)
    settings, faults = config.validate(document)
    if settings is None:  # what is sound may hold more mistakes: find them too
        settings, _ = config.validate(document.without(faults))
    if settings is None:
        raise ConfigError(faults)
    if entry == "cgi":
        faults = [fault for fault in faults if not _is_for_server(document, fault)]
    return document, settings, faults


def _is_for_server(document: config.Document, fault: Fault) -> bool:
    """Say whether all that is wrong is that a value for a server is not there.

    A CGI process has none; the variable is set where one runs.
    """
    return fault.code == "HK207" and fault.path[len(document.prefix)] == "server"


def _application(
    document: config.Document,
    settings: config.Config,
    given: Any,
    complete: bool,  # noqa: FBT001 - one caller
    running: Running | None,
) -> tuple[WSGIApplication | None, list[Fault]]:
    """Give what was given, or import it; and the mistakes in what names it."""
    if given is None and settings.app.target is not None:
        return load_application(settings.app.target)
    if given is not None and not callable(given):
        return None, [given_not_callable(given)]
    if given is None:
        is_needed = complete
    else:
        is_needed = running is not None and _TARGET not in running.given
    return given, _without_application(document, settings) if is_needed else []


def _without_application(
    document: config.Document, settings: config.Config
) -> list[Fault]:
    # One that is given, and wrong, has been told of already.
    table = document.raw.get("app", {})
    wrong = not isinstance(table, Mapping) or "target" in table
    return [] if wrong or settings.app.target is not None else [_no_application()]


def _check(
    settings: config.Config, entry: Entry
) -> tuple[type[BaseHandler] | None, list[Fault], list[Fault]]:
    """Hold settings to the way of running; give the class, warnings and faults."""
    kind, nearest, faults = handler_class(settings, entry)
    found, warnings = config.check_entry(settings, entry, nearest)
    faults += found
    try:
        settings.handler.attributes()
    except ConfigError as exc:
        faults += exc.faults
    if entry in ("serve", "handler"):
        faults += check_engines(settings)
    return kind, warnings, faults


def check_engines(settings: config.Config) -> list[Fault]:
    """Hold the options of each engine that is installed against the engine."""
    faults: list[Fault] = []
    for engine in ("granian", "gunicorn"):
        options = getattr(settings.server, engine)
        if options:
            # Only here: it imports the engine, which nobody else needs.
            from handlerkit.gateways import engines

            faults += engines.check_options(engine, options)
    for fault in faults:
        key = str(fault.path[-1])
        if fault.code == "HK201" and key in type(settings.server).model_fields:
            fault.hint = f"set {key} in [server]"
            fault.also = ((("server", key), "key", "here"),)
    return faults
