"""HostedHandler: a handler inside somebody else's WSGI server.

The server in front has faults of its own, each engine others. So the handler uses
the smallest part of PEP 3333 that all of them get right: start_response once and
late, no exc_info, ``read(n)``, and a list or an iterator with close.
"""

from __future__ import annotations

from handlerkit.errors import ClientDisconnected, ResponseAborted
from handlerkit.handlers.base import BaseHandler
from handlerkit.handlers.environ import leaked_environ
from handlerkit.handlers.input import NOTHING, BoundedInput, Unbounded
from handlerkit.handlers.recovery import LAST_BODY, LAST_HEAD, LAST_STATUS
from handlerkit.pep3333 import request_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any
    from wsgiref.types import StartResponse, WSGIApplication

    from handlerkit.handlers.response import Write


class HostedHandler(BaseHandler):
    """Run an application inside a WSGI server, as that server's application.

    Use `hosting`, or, by hand::

        def application(environ, start_response):
            return HostedHandler(environ, start_response).run(inner)

    Scheme, ``wsgi.multithread``, ``wsgi.multiprocess`` and ``wsgi.run_once`` are the
    server's, unless the attribute is set or a hook answers.
    """

    origin_server = False
    os_environ: dict[str, str] = {}  # noqa: RUF012 - read only, as in wsgiref
    wsgi_multithread: bool | None = None
    wsgi_multiprocess: bool | None = None
    wsgi_run_once: bool | None = None

    _leaks: _Leaks | None = None
    _outer_write: Write | None = None
    _chunks: list[bytes] = []  # noqa: RUF012 - never changed, only replaced
    _iterator: Iterator[bytes] | None = None
    _lost: BaseException | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._leaks = None

    def __init__(self, environ: dict[str, Any], start_response: StartResponse) -> None:
        self.outer_environ = environ
        self.outer_start_response = start_response

    @classmethod
    def hosting(cls, application: WSGIApplication) -> WSGIApplication:
        """Give a WSGI callable that runs an application in a handler of this class."""

        def hosted(
            environ: dict[str, Any], start_response: StartResponse
        ) -> Iterable[bytes]:
            return cls(environ, start_response).run(application)

        return hosted

    def run(self, application: WSGIApplication) -> Iterable[bytes]:
        """Serve one exchange; give what the outer server is to send.

        Raises:
            ResponseAborted: the response broke off after its head was out.
            BaseException: what is neither Exception nor SystemExit passes on.
        """
        BaseHandler.run(self, application)
        if self._short and self.ended == "ok":
            return self._chunks
        if self._iterator is None and self.ended in ("ok", "error"):
            # Not a list: for that, wsgiref makes up a Content-Length of 0.
            return iter((b"",)) if self._bodiless else self._chunks[:]
        if self._iterator is None and not self._chunks:
            raise self._broken()
        return _Stream(self)

    def _begin(self) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot path, uncut
        """Set up environ; straight on where nobody has overridden a step of it."""
        plan = self.plan
        outer = self.outer_environ
        if (
            not self._straight
            or self.os_environ
            or plan.get_stdin is not None
            or plan.get_stderr is not None
            or "wsgi.url_scheme" not in outer
        ):
            super()._begin()
            return
        leaks = self._leaks or self._find_leaks()
        env = self.environ = outer.copy()
        taken = leaks.take(env)
        if taken != leaks.usual:
            leaks.put_back(env, taken)
        if plan.add_cgi_vars is not None:
            plan.add_cgi_vars(self, env)
        if plan.get_scheme is not None:
            env["wsgi.url_scheme"] = self.get_scheme()
        if self.wsgi_multithread is not None:
            env["wsgi.multithread"] = self.wsgi_multithread
        if self.wsgi_multiprocess is not None:
            env["wsgi.multiprocess"] = self.wsgi_multiprocess
        if self.wsgi_run_once is not None:
            env["wsgi.run_once"] = self.wsgi_run_once
        if self.wsgi_file_wrapper is not None:
            env["wsgi.file_wrapper"] = self.wsgi_file_wrapper
        else:
            env.pop("wsgi.file_wrapper", None)
        if plan.setup_environ is not None:
            plan.setup_environ(self, env)
        # As _bound_input and _keep_input, without their calls.
        if "HTTP_PROXY" in env:
            del env["HTTP_PROXY"]
        self._protocol = env.setdefault("SERVER_PROTOCOL", "HTTP/1.0")
        self._head_only = env.get("REQUEST_METHOD") == "HEAD"
        if "CONTENT_LENGTH" not in env and env.get("wsgi.input_terminated"):
            env["wsgi.input"] = Unbounded(env["wsgi.input"])
        else:
            self._bound_input()

    def _send_whole(self, headers: list[tuple[str, str]], data: bytes) -> None:
        """Give head and body to the server at once."""
        self.headers_sent = True
        self.outer_start_response(str(self.status), headers)
        self._chunks = [data]

    def _say_last_word(self) -> bool:
        if self.headers_sent:
            return False
        self.headers_sent = True
        self.status = LAST_STATUS
        self.bytes_sent = len(LAST_BODY)
        head = [tuple(line.split(": ")) for line in LAST_HEAD.splitlines()]
        self.outer_start_response(LAST_STATUS, head)  # type: ignore[arg-type]  # pairs
        self._chunks = [LAST_BODY]
        return True

    def setup_environ(self) -> None:
        """Set up `environ` from the server's, which stays as it is."""
        super().setup_environ()
        if self.wsgi_file_wrapper is None:
            self.environ.pop("wsgi.file_wrapper", None)

    def add_cgi_vars(self) -> None:
        """Take the server's environ, less what it copied from the process."""
        outer, env = self.outer_environ, self.environ
        env.update(self._stripped(outer))
        for name in ("multithread", "multiprocess", "run_once"):
            if getattr(self, f"wsgi_{name}") is None:
                setattr(self, f"wsgi_{name}", bool(outer.get(f"wsgi.{name}", False)))
        enrich = self.plan.add_cgi_vars
        if enrich is not None:
            enrich(self, env)

    def _stripped(self, outer: dict[str, Any]) -> dict[str, Any]:
        """Copy the server's environ, less what it copied from the process."""
        leaks = self._leaks or self._find_leaks()
        env = outer.copy()
        leaks.put_back(env, leaks.take(env))
        return env

    def _find_leaks(self) -> _Leaks:
        """Read what the process has, with the first exchange of a class.

        Not before: the application may have added to it while it was imported,
        before the server took its copy.
        """
        leaks = type(self)._leaks = _Leaks(self.os_environ)  # noqa: SLF001 - its own class
        return leaks

    def _default_scheme(self) -> str:
        scheme = self.outer_environ.get("wsgi.url_scheme")
        return super()._default_scheme() if scheme is None else str(scheme)

    def get_stdin(self) -> Any:
        """Give the hook's stream, else the server's."""
        answer = self.plan.get_stdin
        stream = None if answer is None else answer(self)
        return self.outer_environ.get("wsgi.input") if stream is None else stream

    def get_stderr(self) -> Any:
        """Give the hook's stream, else the server's."""
        answer = self.plan.get_stderr
        stream = None if answer is None else answer(self)
        return self.outer_environ.get("wsgi.errors") if stream is None else stream

    def _keep_input(self, env: dict[str, Any]) -> None:
        """Bound what the server ends by itself, too: its readline may be wrong."""
        text = env.get("CONTENT_LENGTH")
        length = request_length(text) if text else None
        if length == 0:
            env["wsgi.input"] = NOTHING
        elif length is None:
            env["wsgi.input"] = Unbounded(env["wsgi.input"])
        else:
            env["wsgi.input"] = BoundedInput(env["wsgi.input"], length)
        env["wsgi.input_terminated"] = True

    def send_headers(self) -> None:
        """Hand the head to the server: once, and without exc_info."""
        self._short = False
        self._complete_headers()
        self.headers_sent = True
        items = [(str(name), str(value)) for name, value in self.headers.items()]
        self._outer_write = self.outer_start_response(str(self.status), items)

    def _write(self, data: bytes) -> None:
        # An application that calls write() itself wants its bytes out now; some
        # servers have no write to give, then they wait for the iterable.
        if self.result is not None or self._outer_write is None:
            if self._chunks:
                self._chunks.append(data)
            else:
                self._chunks = [data]
            return
        try:
            self._outer_write(data)
        except Exception as exc:  # each server has a class of its own for it
            self._gone = self._lost = exc
            raise

    def _flush(self) -> None:
        pass

    def finish_response(self) -> None:
        """Send a body that is known whole; of any other, pull the first chunk."""
        if isinstance(self.result, (list, tuple)):
            super().finish_response()
            return
        self._check_result()
        try:
            self._iterator = iter(self.result)
            while self._pull() and not self._chunks:
                pass
        except BaseException:
            self._iterator = None
            self._close_result()
            raise

    def _pull(self) -> bool:
        """Take one chunk from the application; False when there is no more."""
        for data in self._iterator or ():
            if data or type(data) is not bytes:
                self.write(data)
            if not self._full:
                return True
            break
        self._iterator = None
        self.finish_content()
        self.close()
        return False

    def next_chunk(self) -> bytes:
        """Give the server its next chunk.

        Raises:
            StopIteration: the response is complete.
            ResponseAborted: it broke off.
        """
        while not self._chunks:
            if self._iterator is None:
                if self.ended in ("ok", "error"):
                    raise StopIteration
                raise self._broken()
            try:
                self._pull()
            except BaseException as exc:  # noqa: BLE001 - reported, then made visible
                self._iterator = None
                self._close_result()
                self._pass_on(self._recover(exc))
            if self._fatal is not None:
                self._pass_on(None)
        return self._chunks.pop(0)

    def stop(self) -> None:
        """End an exchange whose server asks for no more."""
        if self._iterator is not None:
            self._iterator = None
            # A server that counts asks no further than the Content-Length.
            if self._chunks or self._length is None or self.bytes_sent < self._length:
                self.ended = "disconnected"
                self.bytes_sent -= sum(map(len, self._chunks))
            self.close()
            self._pass_on(None)

    def _broken(self) -> BaseException:
        lost, self._lost = self._lost, None
        if lost is not None:
            return lost
        if self.ended == "disconnected":
            return ClientDisconnected("the client went away")
        return ResponseAborted("the response broke off after its head was out")

    def _pass_on(self, fatal: BaseException | None) -> None:
        # It would halt gunicorn's master, and hang a client of waitress.
        if isinstance(fatal, SystemExit):
            return
        if isinstance(self._fatal, SystemExit):
            self._fatal = None
        super()._pass_on(fatal)


class _Leaks:
    """What a server may have copied from the process environment into environ.

    ``take`` takes all those names out of an environ, and gives their values, None for
    what is not there. ``usual`` are such values that nothing has to be
    put back of: the server's own objects, so that to compare them again costs little.
    """

    __slots__ = ("_names", "_values", "take", "usual")

    def __init__(self, wanted: Collection[str]) -> None:
        found = leaked_environ()
        self._names = [name for name in found if name not in wanted]
        self._values = tuple(found[name] for name in self._names)
        self.usual: tuple[Any, ...] = self._values
        self.take: Callable[[dict[str, Any]], tuple[Any, ...]] = _taking(self._names)

    def put_back(self, env: dict[str, Any], taken: tuple[Any, ...]) -> None:
        """Put back what has another value than the process has."""
        kept = {
            name: here
            for name, value, here in zip(self._names, self._values, taken, strict=True)
            if here is not None and here != value
        }
        if kept:
            env.update(kept)
        else:
            self.usual = taken


def _taking(names: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Write out `_Leaks.take`: a loop with a call for each name costs three times that.

    Nearly always all of them are there, or none: a server copies all, or nothing.
    """
    if not names:
        return lambda env: ()  # noqa: ARG005 - as below
    items = ", ".join(f"env[{name!r}]" for name in names)
    calls = ", ".join(f"env.pop({name!r}, None)" for name in names)
    lines = (
        "def take(env):",
        "    try:",
        f"        values = ({items},)",
        "    except KeyError:",
        f"        return ({calls},)",
        f"    del {items}",
        "    return values",
    )
    made: dict[str, Any] = {}
    exec("\n".join(lines), made)  # noqa: S102 - of literals
    take: Callable[[dict[str, Any]], tuple[Any, ...]] = made["take"]
    return take


class _Stream:
    """The iterator that a server is given for a body not known whole."""

    __slots__ = ("_handler",)

    def __init__(self, handler: HostedHandler) -> None:
        self._handler = handler

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._handler.next_chunk()

    def close(self) -> None:
        self._handler.stop()
