"""nginx in front of a server under test, with the upstream that a test is about."""

import contextlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fronts import running

LOCATION = """\
    location / {{
      {kind}_param REQUEST_METHOD $request_method;
      {kind}_param SCRIPT_NAME "";
      {kind}_param PATH_INFO $document_uri;
      {kind}_param QUERY_STRING $query_string;
      {kind}_param SERVER_PROTOCOL $server_protocol;
      {kind}_param SERVER_NAME localhost;
      {kind}_param SERVER_PORT $server_port;
      {kind}_pass app;
      {kind}_read_timeout 60s;
      add_header X-Tries "$upstream_addr" always;
      {directives}
    }}
"""
# nginx itself puts the length first for SCGI.
OWN = {
    "FastCGI": "fastcgi_param CONTENT_LENGTH $content_length;",
    "SCGI": "scgi_param SCGI 1;",
}
KEPT_CONNECTIONS = 4
KEPT = (f"keepalive {KEPT_CONNECTIONS};", "fastcgi_keep_conn on;")


@dataclass(frozen=True)
class Answer:
    """What nginx answered, after how many tries."""

    status: int
    body: str
    tries: int


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    port: int
    log_file: Path

    def ask(self, path: str = "/", method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Connection": "close"})
            response = connection.getresponse()
            tries = response.headers.get("X-Tries", "").count(",") + 1
            return Answer(response.status, response.read().decode(), tries)


@contextlib.contextmanager
def nginx(
    run: Path, protocol: str, upstream: str, *, kept: bool = False, more: str = ""
) -> Iterator[Nginx]:
    """Run nginx before what the lines of ``upstream`` name."""
    keep, keeps = KEPT if kept else ("", "")
    location = LOCATION.format(
        kind=protocol.lower(), directives=f"{OWN[protocol]} {keeps} {more}"
    )
    http = f"upstream app {{ {upstream} {keep} }}"
    with running("nginx", run, location, http=http) as port:
        yield Nginx(port, run / "error.log")
