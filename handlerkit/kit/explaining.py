"""`why`: who is called for a hook, in which order, and why in this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.builtin import BUILTINS
from handlerkit.carets import whereabouts
from handlerkit.errors import PluginError
from handlerkit.hooks import loading
from handlerkit.hooks.registry import candidates
from handlerkit.kit.classes import overridden_hooks
from handlerkit.kit.plugins import UNASKED
from handlerkit.plan import HOOKS

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.hooks.registry import Candidate
    from handlerkit.kit.assembly import Kit

KINDS = {
    "enrich": "all are called, in this order; one that raises fails the exchange",
    "answer": "asked in this order, until one answers other than None",
    "observe": "all are called, in this order; what one raises changes nothing",
}
MEANS = {
    "sendfile": "asked in this order, until one answers True",
    "error_output": "asked in this order, until one answers other than None; what one "
    "that raises or declines has begun is undone",
}
DEFAULTS = {
    "add_cgi_vars": "the CGI variables stay as the front gave them",
    "setup_environ": "environ stays as the handler made it",
    "get_scheme": "the handler says https if HTTPS in environ is on, yes or 1; in "
    "another server, what that says",
    "get_stdin": "the handler's own stream",
    "get_stderr": "the handler's own stream",
    "response_starting": "the headers stay as the application gave them",
    "sendfile": "the file is iterated",
    "log_exception": "where none of them is, nothing is logged",
    "error_output": "the page of error_status, error_headers, error_body in [handler]",
    "request_finished": "nothing more happens",
}


def why(kit: Kit, hook: str) -> dict[str, Any]:
    """Say who is called for a hook of a kit, in order, and why there.

    Gives values that JSON has. ``called`` has those that are, wrappers first, which
    are around the others, outermost first; ``not_called`` those that might have been.
    """
    explained = _Explained(kit, hook)
    taken_off = dict(overridden_hooks(kit.handler_class, kit.plan)).get(hook)
    return {
        "hook": hook,
        "kind": HOOKS[hook].kind,
        "means": MEANS.get(hook, KINDS[HOOKS[hook].kind]),
        "called": explained.called,
        "not_called": explained.not_called + explained.inactive(),
        "overridden_by": taken_off,
        "default": _default(kit, hook),
    }


def _default(kit: Kit, hook: str) -> str:
    if hook == "log_exception" and kit.plugins.safe:
        return "the handler writes the traceback to wsgi.errors"
    return DEFAULTS[hook]


class _Explained:
    """The candidates of a hook, each with the reason of its place."""

    def __init__(self, kit: Kit, hook: str) -> None:
        self.kit = kit
        self.hook = hook
        table = kit.config.hooks.get(hook)
        self.order = table.order if table else ()
        self.exclude = table.exclude if table else ()
        found = candidates(hook, kit.plugins.named, self.order)
        asked = [each for each in found if each.plugin not in self.exclude]
        around = [each for each in asked if each.wrapper]
        plain = [each for each in asked if not each.wrapper]
        self.called = [self._row(each, *self._reason(each)) for each in around + plain]
        self.not_called = [
            self._row(
                each,
                f"excluded in [hooks.{hook}]",
                self._at("hooks", hook, "exclude", self.exclude.index(each.plugin)),
            )
            for each in found
            if each.plugin in self.exclude
        ]

    def _reason(self, each: Candidate) -> tuple[str, str]:
        """Say why a candidate has its place, and where that is written."""
        if each.plugin in self.order:
            at = self.order.index(each.plugin)
            return (
                f"order in [hooks.{self.hook}]",
                self._at("hooks", self.hook, "order", at),
            )
        place = self._at("plugins", each.plugin)
        if each.tryfirst:
            return "tryfirst: before the rest, the first of the file first", place
        if each.plugin == UNASKED and UNASKED not in self.kit.config.plugins:
            return "built in, there unasked: after all the rest", ""
        if each.trylast:
            return "trylast: after the rest, the first of the file last", place
        return "its place in the file", place

    def _row(self, each: Candidate, reason: str, at: str) -> dict[str, Any]:
        entry = self.kit.config.plugins.get(each.plugin)
        return {
            "plugin": each.plugin,
            "function": each.function,
            "wrapper": each.wrapper,
            "on_error": entry.on_error if entry else "fail",
            "reason": reason,
            "at": at,
        }

    def inactive(self) -> list[dict[str, Any]]:
        """Give the plugins that are not there, if they may implement the hook."""
        return [
            {
                "plugin": name,
                "reason": status,
                "at": self._at("plugins", name),
            }
            for name, status in self.kit.plugins.inactive.items()
            if self._may_implement(name)
        ]

    def _may_implement(self, name: str) -> bool:
        """Say whether a plugin that is not loaded may; of our own it is known."""
        entry = self.kit.config.plugins.get(name)
        use = (entry.use if entry else None) or name
        if use not in BUILTINS:
            return True
        try:
            found = loading.find(use, base=self.kit.document.base, builtins=BUILTINS)
        except PluginError:
            return True
        return hasattr(found.factory, self.hook)

    def _at(self, *path: str | int) -> str:
        """Give file and line of a key, or of an item; "" where there is no file."""
        document = self.kit.document
        if document.source is None:
            return ""
        span = document.source.span((*document.prefix, *path), "key")
        if span is None:
            return ""
        return f"{document.file}:{whereabouts(document.source.text, *span).line}"
