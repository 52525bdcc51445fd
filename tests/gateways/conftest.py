"""Real front servers for the gateway tests, each started from a generated config."""

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fronts import DEADLINE, running
from tests.gateways.clock import Clock

LIGHTTPD = """\
cgi.assign = (".cgi" => "")
setenv.add-environment = ("SITE_SECRET" => "from the server")
"""
STREAMING = f"{LIGHTTPD}server.stream-response-body = 1\n"
APACHE = """\
SetEnv SITE_SECRET "from the server"
ScriptAlias "/" "{site}/"
<Directory "{site}">
  Require all granted
</Directory>
"""


@dataclass(frozen=True)
class Answer:
    """What the client got; ``complete`` is False if the body was seen to break off."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes
    complete: bool


class Utf8Connection(http.client.HTTPConnection):
    """A client that may send a path as it is, unquoted."""

    def _encode_request(self, request: str) -> bytes:
        return request.encode()


@dataclass(frozen=True)
class Front:
    """A running front server, and what it wrote to its log."""

    kind: str
    port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "backslashreplace")

    def ask(  # in the shape of http.client's request()
        self,
        method: str,
        target: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        *,
        chunked: bool = False,
        after_head: Callable[[], None] = lambda: None,
    ) -> Answer:
        connection = Utf8Connection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            sent = {"Connection": "close", **(headers or {})}
            connection.request(method, target, body, sent, encode_chunked=chunked)
            response = connection.getresponse()
            after_head()
            try:
                received, complete = response.read(), True
            except http.client.IncompleteRead as broken:
                received, complete = broken.partial, False
            return Answer(
                response.status, response.reason, response.headers, received, complete
            )

    def logged(self, *texts: str) -> str:
        """Wait until all the texts stand in the log, and give the log."""
        end = time.monotonic() + DEADLINE
        while any(text not in self.log for text in texts):
            if time.monotonic() > end:
                missing = [text for text in texts if text not in self.log]
                pytest.fail(f"not in {self.kind}'s log: {missing}\n{self.log}")
            time.sleep(0.01)
        return self.log


@contextlib.contextmanager
def serving(
    kind: str, site: Path, run: Path, environ: dict[str, str]
) -> Iterator[Front]:
    """Serve the ``*.cgi`` files of ``site``."""
    if kind == "apache":
        text, modules = APACHE.format(site=site), ("alias", "env", "cgid")
    else:
        text = STREAMING if kind == "lighttpd-streaming" else LIGHTTPD
        modules = ("mod_alias", "mod_setenv", "mod_cgi")
    with running(
        kind.partition("-")[0], run, text, environ, modules=modules, root=site
    ) as port:
        yield Front(kind, port, run / "error.log")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the servers that a test starts in this process."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def start_front() -> Callable[..., contextlib.AbstractContextManager[Front]]:
    """Start a front server by its kind: lighttpd, lighttpd-streaming or apache."""
    return serving
