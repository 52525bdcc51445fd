"""Import what the configuration names: the application, classes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit.config.objects import load_object
from handlerkit.errors import Fault, named
from handlerkit.hooks.nearest import did_you_mean

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.config import AppSettings, Document

# Who imports an application; run_cgi does so itself, where the kit is frozen.
_OURS = (
    __file__,
    load_object.__code__.co_filename,
    str(Path(__file__).with_name("thawed.py")),
    str(Path(__file__).with_name("thawing.py")),
)
_SEARCHED = [(("app", "path"), "value", "looked for here")]


def join_path(document: Document, settings: AppSettings) -> None:
    """Put ``[app] path`` in front of ``sys.path``."""
    for place in reversed(settings.path):
        directory = str((document.base / place).resolve())
        if directory not in sys.path:
            sys.path.insert(0, directory)


def load_application(target: str) -> tuple[Any, list[Fault]]:
    """Import ``[app] target``, call it if it is a factory; give it, or the fault."""
    try:
        application: Any = load_object(target.removesuffix("()"))
        if target.endswith("()"):
            application = application()
    except BaseException as exc:
        if not isinstance(exc, (Exception, SystemExit)):
            raise
        return None, [not_loaded(target, exc)]
    if not callable(application):
        return None, [not_callable(target, application)]
    return application, []


def not_callable(target: str, application: object) -> Fault:
    """Say what an application is that cannot be one."""
    said = f"{target} is {type(application).__name__}, not a WSGI callable"
    return Fault("HK403", said, path=("app", "target"))


def given_not_callable(app: object) -> Fault:
    """Say what was given for an application that cannot be one."""
    said = f"what was given as app is {type(app).__name__}, not a WSGI callable"
    hint = "a name belongs in target of [app]" if isinstance(app, str) else ""
    return Fault("HK403", said, path=("app",), hint=hint)


def not_loaded(target: str, exc: BaseException) -> Fault:
    """Tell the application's own traceback from a target that names nothing."""
    from traceback import format_exception

    trace = exc.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    said = f"cannot load {target}: {named(exc)}"
    if trace is not None:
        lines = "".join(format_exception(type(exc), exc, trace)).rstrip()
        said = f"{said}\n{lines}"
    hint = "" if trace is not None else _hint(target, exc)
    also = _SEARCHED if hint and isinstance(exc, ModuleNotFoundError) else ()
    return Fault("HK402", said, path=("app", "target"), hint=hint, also=also)


def _hint(target: str, exc: BaseException) -> str:
    """Say what may have been meant by a target that names nothing."""
    if isinstance(exc, AttributeError) and exc.name:
        names = [name for name in dir(exc.obj) if name[:1] != "_"]
        return did_you_mean(exc.name, names)
    missing = exc.name if isinstance(exc, ModuleNotFoundError) else None
    if missing and f"{target.partition(':')[0]}.".startswith(f"{missing}."):
        return "it is in no directory of path in [app], and not installed"
    return ""


def _is_machinery(filename: str) -> bool:
    return filename in _OURS or "importlib" in filename
