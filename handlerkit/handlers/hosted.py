"""HostedHandler: a handler inside somebody else's WSGI server.

The server in front has faults of its own, each engine others. So the handler uses
the smallest part of PEP 3333 that all of them get right: start_response once and
late, no exc_info, ``read(n)``, and a list or an iterator with close.
"""

from __future__ import annotations

from handlerkit.errors import ClientDisconnected, ResponseAborted
from handlerkit.handlers.base import BaseHandler
from handlerkit.handlers.environ import leaked_environ
from handlerkit.handlers.input import BoundedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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

    # What the server may have copied from the process; see `leaked_environ`.
    leaked: dict[str, str] = leaked_environ()

    _outer_write: Write | None = None
    _iterator: Iterator[bytes] | None = None
    _returned = False

    def __init__(self, environ: dict[str, Any], start_response: StartResponse) -> None:
        self.outer_environ = environ
        self.outer_start_response = start_response
        self._chunks: list[bytes] = []

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
        super().run(application)
        if self._iterator is None and self.ended in ("ok", "error"):
            return self._chunks
        if self._iterator is None and not self._chunks:
            raise self._broken()
        return _Stream(self)

    def setup_environ(self) -> None:
        """Set up `environ` from the server's, which stays as it is."""
        super().setup_environ()
        if self.wsgi_file_wrapper is None:
            self.environ.pop("wsgi.file_wrapper", None)

    def add_cgi_vars(self) -> None:
        """Take the server's environ, less what it copied from the process."""
        outer, env = self.outer_environ, self.environ
        env.update(outer)
        for name, value in self.leaked.items():
            if env.get(name) == value and name not in self.os_environ:
                del env[name]
        for name in ("multithread", "multiprocess", "run_once"):
            if getattr(self, f"wsgi_{name}") is None:
                setattr(self, f"wsgi_{name}", bool(outer.get(f"wsgi.{name}", False)))
        enrich = self.plan.add_cgi_vars
        if enrich is not None:
            enrich(self, env)

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

    def _bound_input(self) -> None:
        ends = self.environ.get("wsgi.input_terminated")
        if ends and not self.environ.get("CONTENT_LENGTH"):
            stream = self.environ["wsgi.input"]
            self.environ["wsgi.input"] = BoundedInput(stream, None)
        elif ends:
            del self.environ["wsgi.input_terminated"]
        super()._bound_input()

    def send_headers(self) -> None:
        """Hand the head to the server: once, and without exc_info."""
        self._complete_headers()
        self.headers_sent = True
        items = [(str(name), str(value)) for name, value in self.headers.items()]
        self._outer_write = self.outer_start_response(str(self.status), items)

    def _write(self, data: bytes) -> None:
        # An application that calls write() itself wants its bytes out now; some
        # servers have no write to give, then they wait for the iterable.
        if self.result is None and self._outer_write is not None:
            self._outer_write(data)
        else:
            self._chunks.append(data)

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
                if self.ended == "aborted":
                    raise self._broken()
                raise StopIteration
            try:
                self._pull()
            except BaseException as exc:  # noqa: BLE001 - reported, then made visible
                self._iterator = None
                self._close_result()
                self._pass_on(self._recover(exc))
        return self._chunks.pop(0)

    def stop(self) -> None:
        """End an exchange whose server asks for no more: its client has gone."""
        if self._iterator is not None:
            self._iterator = None
            self.ended = "disconnected"
            self.close()

    def _broken(self) -> BaseException:
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
