"""The handler class of a kit: the one selected, with the configured attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit import handlers
from handlerkit.config.objects import load_object
from handlerkit.errors import Fault, named
from handlerkit.plan import BARE

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.config import Config
    from handlerkit.handlers import BaseHandler
    from handlerkit.plan import Plan
    from handlerkit.reports.making import ReportMaker

_PATH = ("handler", "class")


def handler_class(
    settings: Config, entry: str
) -> tuple[type[BaseHandler] | None, str | None, list[Fault]]:
    """Give the class that ``[handler] class`` selects, and the nearest of ours."""
    name = settings.handler.class_
    if name == "auto":
        return _automatic(settings, entry), None, []
    if ":" not in name:
        return getattr(handlers, name), None, []
    try:
        kind: Any = load_object(name)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an import may raise anything
        text = f"cannot load {name}: {named(exc)}"
        return None, None, [Fault("HK406", text, path=_PATH)]
    if not (isinstance(kind, type) and issubclass(kind, handlers.BaseHandler)):
        text = f"{name} is not a subclass of handlerkit.BaseHandler"
        return None, None, [Fault("HK406", text, path=_PATH)]
    near = next(each for each in kind.__mro__ if each.__name__ in handlers.__all__)
    return kind, near.__name__, []


def _automatic(settings: Config, entry: str) -> type[BaseHandler]:
    if entry == "cgi":
        return handlers.CGIHandler
    if entry == "wsgi" or (entry == "serve" and settings.server.engine != "builtin"):
        return handlers.HostedHandler
    return handlers.SimpleHandler


def is_builtin(settings: Config, entry: str) -> bool:
    """Say whether the built-in server will run the kit, and so decides attributes."""
    return entry == "serve" and settings.server.engine == "builtin"


def protocol(kind: type[BaseHandler]) -> str:
    """Say what a server of a handler class speaks: FastCGI, SCGI, or HTTP."""
    if issubclass(kind, handlers.FastCGIHandler):
        return "FastCGI"
    return "SCGI" if issubclass(kind, handlers.SCGIHandler) else "HTTP"


def instance_attributes(
    settings: Config, entry: str, kind: type[BaseHandler] = handlers.BaseHandler
) -> dict[str, Any]:
    """Give what stands above the arguments' defaults of `SimpleHandler`."""
    if is_builtin(settings, entry):
        if protocol(kind) != "HTTP":  # its server gives the arguments
            return {}
        return {
            "wsgi_multithread": settings.server.threads > 1,
            "wsgi_multiprocess": False,
        }
    return {
        name: getattr(settings.handler, name)
        for name in ("wsgi_multithread", "wsgi_multiprocess")
        if name in settings.handler.model_fields_set
    }


def configured(
    kind: type[BaseHandler],
    settings: Config,
    plan: Plan,
    entry: str,
    make_report: ReportMaker,
) -> type[BaseHandler]:
    """Make the subclass that carries the settings as plain class attributes."""
    attributes: dict[str, Any] = {**settings.handler.attributes(), "plan": plan}
    if is_builtin(settings, entry) and protocol(kind) == "HTTP":
        attributes["http_version"] = "1.1"
    if plan is not BARE:
        attributes["make_report"] = make_report
    attributes["__doc__"] = kind.__doc__
    attributes["__module__"] = kind.__module__
    return type(kind.__name__, (kind,), attributes)


def overridden_hooks(kind: type[BaseHandler], plan: Plan) -> list[tuple[str, str]]:
    """Give (hook, class) where a class's override may take a hook off.

    An override that calls ``super()`` passes on; whether it does is read off the
    names that its code uses.
    """
    found = []
    for hook in plan.impls:
        method: Any = getattr(kind, hook, None)
        code = getattr(method, "__code__", None)
        if code is None or method.__module__.startswith("handlerkit."):
            continue
        if hook not in code.co_names:  # as in super().hook() and Base.hook(self)
            found.append((hook, method.__qualname__))
    return found
