"""A class of tests that every plugin is to pass."""

from __future__ import annotations

import subprocess
import sys
from threading import Barrier, Thread
from typing import TYPE_CHECKING

from handlerkit.config.objects import load_object
from handlerkit.plan import HOOKS
from handlerkit.testing import faults
from handlerkit.testing.kits import running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import ModuleType
    from typing import Any

    from handlerkit.testing.exchanges import Exchange
    from handlerkit.testing.kits import Running

SUBJECT = "subject"
_ROUNDS = 20

_IMPORT = """
import importlib.util, sys
name = {name!r}
sys.path[:] = {path!r}
before = set(sys.modules)
try:
    importlib.import_module(name)
except ModuleNotFoundError as exc:
    if not f"{{name}}.".startswith(f"{{exc.name}}."):
        raise
    spec = importlib.util.spec_from_file_location(name, {file!r})
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
print(*sorted({dear!r} & (set(sys.modules) - before)))
"""


class PluginConformance:
    """The promises of a plugin as tests: subclass it, and name the plugin.

    ::

        class TestTenant(PluginConformance):
            plugin = "tenant"
            settings = {"domain": "example.org"}

    Each test says in its docstring what it asks for. A plugin that cannot keep one
    by design sets that test to None in its class, with the reason beside it.
    """

    plugin: str | type[Any] | ModuleType
    """What ``use`` says, or the plugin class or module, which has to be importable."""

    settings: Mapping[str, Any] = {}
    """The plugin's table, but for ``use``."""

    tables: Mapping[str, Any] = {}
    """Further tables of the configuration, as ``{"proxies": {"trusted": […]}}``."""

    request: Mapping[str, Any] = {}
    """What of `Running.run` each request has: ``headers``, ``environ``."""

    answer_kinds: tuple[Any, ...] = ("simple", "cgi", "hosted")
    """The handlers that exchanges are tried with."""

    threads = 8
    """How many threads ask at a time."""

    dear_imports: tuple[str, ...] = ("pluggy", "pydantic")
    """What importing the plugin must not import; ``()`` where that is no matter."""

    def test_it_loads_without_a_mistake(self) -> None:
        """Settings validate, hooks exist, signatures fit, and something is there."""
        with self._running(faults.answers) as kit:
            _check(not kit.kit.plugins.safe, "HANDLERKIT_SAFE takes all plugins away")

    def test_its_settings_are_documented(self) -> None:
        """Each field of Settings has a description."""
        with self._running(faults.answers) as kit:
            model: Any = kit.kit.plugins.loaded[-1].found.settings
        if isinstance(model, str):
            model = load_object(model)
        fields = {} if model is None else model.model_fields
        bare = [name for name, field in fields.items() if not field.description]
        _check(not bare, f"settings without a description: {', '.join(bare)}")

    def test_what_an_application_answers_arrives(self) -> None:
        """However it is answered, in every kind of handler, unharmed."""
        for app in (faults.answers, faults.streams, faults.writes, faults.sends_a_file):
            for kind in self.answer_kinds:
                with self._running(app, kind=kind) as kit:
                    _check_answered(self._ask(kit, "/shop"), b"/shop")
                    _check_answered(
                        self._ask(kit, "/", method="POST", body=b"said"), b"said"
                    )

    def test_head_is_answered_without_a_body(self) -> None:
        """HEAD, with an application that answers, and with one that fails."""
        for app, ended in ((faults.answers, "ok"), (faults.fails, "error")):
            for kind in self.answer_kinds:
                with self._running(app, kind=kind) as kit:
                    exchange = self._ask(kit, method="HEAD")
                _check_sound(exchange, ended)
                _check(exchange.body == b"", f"HEAD has a body: {exchange.body!r}")

    def test_an_error_before_the_headers_is_answered(self) -> None:
        """The client gets an error page, and nothing of the error is in it."""
        for kind in self.answer_kinds:
            with self._running(faults.fails, kind=kind) as kit:
                for _ in range(2):  # what the first one left behind
                    _check_error_page(self._ask(kit))

    def test_an_error_after_the_headers_is_visible(self) -> None:
        """The exchange ends as aborted; nothing goes out after the part that did."""
        for kind in self.answer_kinds:
            with self._running(faults.fails_late, kind=kind) as kit:
                exchange = self._ask(kit)
            _check_sound(exchange, "aborted")
            _check(exchange.body == b"a part", f"the body is {exchange.body!r}")

    def test_an_error_that_the_application_deals_with_stays_its_own(self) -> None:
        """Handed to start_response, it is reported; the page is the application's."""
        for kind in self.answer_kinds:
            with self._running(faults.hands_over, kind=kind) as kit:
                exchange = self._ask(kit)
            _check_sound(exchange, "error")
            said = exchange.body
            _check(said == b"the application's own page", f"the body is {said!r}")

    def test_an_interrupt_passes_on(self) -> None:
        """KeyboardInterrupt is answered, and then raised."""
        with self._running(faults.interrupts) as kit:
            try:
                self._ask(kit)
            except KeyboardInterrupt:
                _check_error_page(kit.exchanges[-1])
            else:
                _check(ok=False, said="KeyboardInterrupt was swallowed")

    def test_a_request_that_is_refused_keeps_its_status(self) -> None:
        """A CONTENT_LENGTH that is none is answered by 400, not by 500."""
        with self._running(faults.answers) as kit:
            exchange = self._ask(kit, environ={"CONTENT_LENGTH": "ten"})
        _check_sound(exchange, "error")
        _check(exchange.status[:3] == "400", f"the status is {exchange.status}")

    def test_an_error_before_there_is_an_environ_is_answered(self) -> None:
        """Hooks that are called then find an environ without the request."""
        early = {"handler": {"class": "handlerkit.testing.faults:EarlyError"}}
        with self._running(faults.answers, early) as kit:
            _check_error_page(self._ask(kit))

    def test_threads_do_not_mix(self) -> None:
        """Exchanges at the same time find nothing of each other, failing or not."""
        for app, ended in ((faults.streams, "ok"), (faults.fails, "error")):
            with self._running(app) as kit:
                for name, exchange in self._ask_at_once(kit):
                    _check_sound(exchange, ended)
                    _check_alone(exchange, name)

    def test_other_plugins_may_fail(self) -> None:
        """Whichever hook of another plugin raises: the client gets an answer."""
        for hook in HOOKS:
            other = {"other": {"use": f"handlerkit.testing.faults:RAISING.{hook}"}}
            for app in (faults.answers, faults.fails):
                for first in (True, False):
                    with self._running(app, beside=other, first=first) as kit:
                        exchange = self._ask(kit)
                    _check_calls(exchange)
                    _check_complete(exchange)
                    failed = f"where {hook} of another plugin raises"
                    _check(bool(exchange.status), f"there is no answer {failed}")

    def test_the_log_may_fail(self) -> None:
        """Where wsgi.errors cannot be written to, the client gets its page."""
        other = {"other": {"use": "handlerkit.testing.faults:DeafErrors"}}
        with self._running(faults.fails, beside=other) as kit:
            exchange = self._ask(kit)
        _check(exchange.ended == "error", f"the exchange ended as {exchange.ended}")
        _check_complete(exchange)

    def test_it_starts_and_closes_again(self) -> None:
        """Start, serve, close, and all again; a second close does no harm."""
        with self._running(faults.answers) as kit:
            _check_answered(self._ask(kit, "/first"), b"/first")
            plugin = kit.plugin(SUBJECT)
            for call in ("close", "close", "start"):
                getattr(plugin, call, bool)()
            _check_answered(self._ask(kit, "/second"), b"/second")

    def test_its_import_is_cheap(self) -> None:
        """Importing its module imports none of ``dear_imports``."""
        with self._running(faults.answers) as kit:
            found = kit.kit.plugins.loaded[-1].found
        name = found.reference.partition(":")[0]
        if name not in sys.modules:  # a file, under a name of its own
            name = getattr(found.factory, "__module__", found.factory.__name__)
        program = _IMPORT.format(
            path=sys.path,
            name=name,
            file=sys.modules[name].__file__,
            dear=set(self.dear_imports),
        )
        said = subprocess.run(  # noqa: S603 - a program of our own
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        _check(said.returncode == 0, f"{name} cannot be imported alone: {said.stderr}")
        _check(not said.stdout.strip(), f"{name} imports {said.stdout.strip()}")

    def _running(
        self,
        app: Callable[..., Any],
        tables: Mapping[str, Any] | None = None,
        *,
        beside: Mapping[str, Any] | None = None,
        first: bool = False,
        kind: Any = "simple",
    ) -> AbstractContextManager[Running]:
        """Start a kit with the plugin, and others beside it, before or after."""
        use = self.plugin
        if isinstance(use, type):
            use = f"{use.__module__}:{use.__qualname__}"
        elif not isinstance(use, str):
            use = f"{use.__name__}:"
        subject = {SUBJECT: {"use": use, **self.settings}}
        own = dict(self.tables.get("plugins", {}))
        near = dict(beside or {})
        plugins = {**own, **near, **subject} if first else {**own, **subject, **near}
        config = {**self.tables, **(tables or {}), "plugins": plugins}
        return running(config, app, kind=kind)

    def _ask(self, kit: Running, path: str = "/", **request: Any) -> Exchange:
        environ = {**self.request.get("environ", {}), **request.pop("environ", {})}
        return kit.run(path, **{**self.request, **request, "environ": environ})

    def _ask_at_once(self, kit: Running) -> list[tuple[str, Exchange]]:
        """Ask from several threads; each exchange has a name that it alone knows."""
        barrier = Barrier(self.threads)
        found: list[tuple[str, Exchange]] = []
        failed: list[BaseException] = []

        def ask(thread: int) -> None:
            try:
                barrier.wait(30)
                for each in range(_ROUNDS):
                    name = f"exchange-{thread}-{each}-"
                    host = {"HTTP_X_EXCHANGE": name}
                    found.append((name, self._ask(kit, f"/{name}", environ=host)))
            except BaseException as exc:  # noqa: BLE001 - raised below
                failed.append(exc)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            workers = [Thread(target=ask, args=(n,)) for n in range(self.threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            sys.setswitchinterval(interval)
        for exc in failed:
            raise exc
        return found


def _check(ok: bool, said: str) -> None:  # noqa: FBT001 - a condition
    if not ok:
        raise AssertionError(said)


def _check_calls(exchange: Exchange) -> None:
    """The plugin itself raises nothing, also where the handler would cope."""
    for call in exchange.calls:
        own = not isinstance(call.exception, (type(None), faults.PlantedError))
        if call.plugin == SUBJECT and own:
            told = f"{call.hook} raised {call.exception!r}"
            raise AssertionError(told) from call.exception


def _check_complete(exchange: Exchange) -> None:
    length = exchange.header("Content-Length")
    size = str(len(exchange.body))
    whole = length in (None, size) or exchange.body == b""
    _check(whole, f"Content-Length is {length}, the body has {size} bytes")
    said = f"{exchange.headers}{exchange.body!r}"
    _check(faults.SECRET not in said, f"the client sees the exception: {said}")


def _check_sound(exchange: Exchange, ended: str) -> None:
    _check_calls(exchange)
    _check(exchange.ended == ended, f"ended as {exchange.ended}: {exchange.errors}")
    _check_complete(exchange)


def _check_answered(exchange: Exchange, body: bytes) -> None:
    _check_sound(exchange, "ok")
    _check(exchange.status == "200 OK", f"the status is {exchange.status}")
    _check(exchange.body == body, f"the body is {exchange.body!r}, not {body!r}")


def _check_error_page(exchange: Exchange) -> None:
    _check_sound(exchange, "error")
    _check(exchange.status[:1] in ("4", "5"), f"the status is {exchange.status}")


def _check_alone(exchange: Exchange, name: str) -> None:
    """Hold an exchange to its own name: of others, it must know none."""
    environ = {k: v for k, v in exchange.environ.items() if isinstance(v, str)}
    given = [call.arguments.get("environ") for call in exchange.calls]
    seen = f"{exchange.status}{exchange.headers}{exchange.body!r}{environ}{given}"
    foreign = f"{seen}{exchange.errors}".replace(name, "")
    place = foreign.find("exchange-")
    _check(place < 0, f"found in {name}: {foreign[place : place + 20]}")
