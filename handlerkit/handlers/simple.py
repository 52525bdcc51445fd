"""Handlers that are given their streams and environ."""

from __future__ import annotations

from handlerkit.handlers.base import BaseHandler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SimpleHandler(BaseHandler):
    """A handler over streams, for an origin server.

    ``stdin`` and ``stdout`` are binary, ``stderr`` is text, ``environ`` holds the
    CGI variables of the request::

        SimpleHandler(stdin, stdout, stderr, environ).run(application)
    """

    def __init__(  # noqa: PLR0913 - the signature of wsgiref
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
        if written is None or written == len(data):
            return
        # A stream that writes in parts is rare: warnings costs its import then.
        from warnings import warn  # noqa: PLC0415

        warn(
            "SimpleHandler.stdout.write() should not do partial writes",
            DeprecationWarning,
            stacklevel=2,
        )
        while data := data[written:]:
            written = self.stdout.write(data)

    def _flush(self) -> None:
        self.stdout.flush()


class BaseCGIHandler(SimpleHandler):
    """A handler for a front server that makes the status line: CGI and its kin.

    As `SimpleHandler`, but ``Status:`` stands in place of the status line, and Date
    and Server are left to the front (RFC 3875, 6.3).
    """

    origin_server = False
