"""Handlers of a CGI process: one request in the process's streams and environment."""

from __future__ import annotations

import sys

from handlerkit.handlers.environ import read_environ
from handlerkit.handlers.simple import BaseCGIHandler


class CGIHandler(BaseCGIHandler):
    """Serve the one request of a CGI process (RFC 3875).

    ``CGIHandler().run(application)`` is all of it. The process environment is the
    request, so it is in environ whole.
    """

    wsgi_run_once = True
    os_environ: dict[str, str] = {}  # noqa: RUF012 - read_environ() has it all

    def __init__(self) -> None:
        super().__init__(
            sys.stdin.buffer,
            sys.stdout.buffer,
            sys.stderr,
            read_environ(),
            multithread=False,
            multiprocess=True,
        )

    def _bound_input(self) -> None:
        """Apache gives a chunked body decoded, without length, to end of file."""
        env = self.environ
        coding = env.get("HTTP_TRANSFER_ENCODING", "")
        if coding.lower() == "chunked" and not env.get("CONTENT_LENGTH"):
            env["wsgi.input_terminated"] = True
        super()._bound_input()


class IISCGIHandler(CGIHandler):
    """As `CGIHandler`, on an IIS that has not set allowPathInfo.

    Such an IIS repeats SCRIPT_NAME at the front of PATH_INFO. There is no way to
    tell from inside whether it does, hence a class of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        path = self.base_env.get("PATH_INFO", "")
        script = self.base_env.get("SCRIPT_NAME", "")
        if script and f"{path}/".startswith(f"{script}/"):
            self.base_env["PATH_INFO"] = path[len(script) :]
