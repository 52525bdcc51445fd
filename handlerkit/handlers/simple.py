"""Handlers that are given their streams and environ."""

from __future__ import annotations

from handlerkit.handlers.base import BaseHandler
from handlerkit.handlers.response import DISCONNECTS
from handlerkit.pep3333 import head_lines

_MODERN = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class SimpleHandler(BaseHandler):
    """A handler over streams, for an origin server.

    ``stdin`` and ``stdout`` are binary, ``stderr`` is text, ``environ`` holds the
    CGI variables of the request::

        SimpleHandler(stdin, stdout, stderr, environ).run(application)
    """

    def __init__(
        self,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        environ: dict[str, Any],
        multithread: bool = True,  # noqa: FBT001, FBT002 - the signature of wsgiref
        multiprocess: bool = False,  # noqa: FBT001, FBT002 - the signature of wsgiref
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.base_env = environ
        self.wsgi_multithread = multithread
        self.wsgi_multiprocess = multiprocess

    def _begin(self) -> None:
        """Set up environ; straight on where nobody has overridden a step of it."""
        if not self._straight:
            super()._begin()
            return
        plan = self.plan
        base = self.base_env
        process = self.os_environ
        env: dict[str, Any] = {**process, **base} if process else {**base}
        self.environ = env
        if plan.add_cgi_vars is not None:
            plan.add_cgi_vars(self, env)
        env["wsgi.input"] = self.stdin if plan.get_stdin is None else self.get_stdin()
        env["wsgi.errors"] = (
            self.stderr if plan.get_stderr is None else self.get_stderr()
        )
        env["wsgi.version"] = self.wsgi_version
        env["wsgi.run_once"] = self.wsgi_run_once
        env["wsgi.url_scheme"] = (
            self.get_scheme()
            if plan.get_scheme is not None or "HTTPS" in env
            else "http"
        )
        env["wsgi.multithread"] = self.wsgi_multithread
        env["wsgi.multiprocess"] = self.wsgi_multiprocess
        if self.wsgi_file_wrapper is not None:
            env["wsgi.file_wrapper"] = self.wsgi_file_wrapper
        if self.server_software and self.origin_server:
            env.setdefault("SERVER_SOFTWARE", self.server_software)
        if plan.setup_environ is not None:
            plan.setup_environ(self, env)
        self._bound_input()

    def _send_whole(self, headers: list[tuple[str, str]], data: bytes) -> None:
        """Send a whole response in one write."""
        if self.keep_alive is not None and self.origin_server:
            if not self.keep_alive:
                headers.append(("Connection", "close"))
            elif self._protocol != "HTTP/1.1":
                headers.append(("Connection", "keep-alive"))
        if (
            self._protocol in _MODERN
            or not self.origin_server
            or self.client_is_modern()
        ):
            head = f"{self._preamble()}{head_lines(headers)}\r\n"
            data = head.encode("iso-8859-1") + data
        self.headers_sent = True
        try:
            self._write(data)
            self._flush()
        except DISCONNECTS as exc:
            self._gone = exc
            raise

    def _send_rest(self, pieces: Iterator[bytes]) -> bool:
        """Send pieces as `write` does, without its calls; unless they are framed."""
        if self._bodiless or self._chunked or self._length is not None:
            return False
        write, flush = self.stdout.write, self.stdout.flush
        for data in pieces:
            if type(data) is not bytes:
                self.write(data)  # says what is wrong
            if not data:
                continue
            self.bytes_sent += len(data)
            try:
                written = write(data)
                if written is not None and written != len(data):
                    self._write_on(data[written:])
                flush()
            except DISCONNECTS as exc:
                self._gone = exc
                raise
        return True

    def sendfile(self) -> bool:
        """Let a hook send the file, else a ``stdout`` that has ``sendfile`` itself.

        Its arguments are a descriptor, where to start, and how many bytes; it gives
        how many it sent, None where it cannot. True if all was sent.
        """
        if super().sendfile():
            return True
        send = getattr(self.stdout, "sendfile", None)
        # What overrides a step wants to see the bytes.
        if send is None or not self._straight or self.headers_sent:
            return False
        from handlerkit.handlers.files import send_file  # few exchanges need it

        return send_file(self, send)

    def get_stdin(self) -> Any:
        """Give the hook's stream, else `stdin`."""
        answer = self.plan.get_stdin
        if answer is not None:
            stream = answer(self)
            if stream is not None:
                return stream
        return self.stdin

    def get_stderr(self) -> Any:
        """Give the hook's stream, else `stderr`."""
        answer = self.plan.get_stderr
        if answer is not None:
            stream = answer(self)
            if stream is not None:
                return stream
        return self.stderr

    def add_cgi_vars(self) -> None:
        """Put `base_env` into `environ`, then ask the hooks."""
        self.environ.update(self.base_env)
        enrich = self.plan.add_cgi_vars
        if enrich is not None:
            enrich(self, self.environ)

    def _write(self, data: bytes) -> None:
        written = self.stdout.write(data)
        if written is not None and written != len(data):
            self._write_on(data[written:])

    def _write_on(self, data: bytes) -> None:
        """Write the rest of what a stream has written a part of."""
        # A stream that writes in parts is rare: warnings costs its import then.
        from warnings import warn

        warn(
            "SimpleHandler.stdout.write() should not do partial writes",
            DeprecationWarning,
            stacklevel=3,
        )
        while data:
            written = self.stdout.write(data)
            if written is None:
                break
            data = data[written:]

    def _flush(self) -> None:
        self.stdout.flush()


class BaseCGIHandler(SimpleHandler):
    """A handler for a front server that makes the status line: CGI and its kin.

    As `SimpleHandler`, but ``Status:`` stands in place of the status line, and Date
    and Server are left to the front (RFC 3875, 6.3).
    """

    origin_server = False

    def _bound_input(self) -> None:
        """Drop what nginx and lighttpd say twice (RFC 3875, 4.1.18), and go on."""
        env = self.environ
        env.pop("HTTP_CONTENT_TYPE", None)
        env.pop("HTTP_CONTENT_LENGTH", None)
        super()._bound_input()
