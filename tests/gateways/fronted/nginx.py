"""nginx in front of a server under test, with the upstream that a test is about."""

import contextlib
import http.client
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateways.conftest import DEADLINE, TRIES, free_port, program, stop

CONFIG = """\
daemon off;
master_process off;
pid {run}/nginx.pid;
error_log {run}/nginx.log notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  scgi_temp_path {run}/scgi;
  uwsgi_temp_path {run}/uwsgi;
  upstream app {{
    {upstream}
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      {kind}_param REQUEST_METHOD $request_method;
      {kind}_param SCRIPT_NAME "";
      {kind}_param PATH_INFO $document_uri;
      {kind}_param QUERY_STRING $query_string;
      {kind}_param SERVER_PROTOCOL $server_protocol;
      {kind}_param SERVER_NAME localhost;
      {kind}_param SERVER_PORT $server_port;
      {kind}_pass app;
      {kind}_read_timeout 30s;
      add_header X-Tries "$upstream_addr" always;
      {directives}
    }}
  }}
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Connection": "close"})
            response = connection.getresponse()
            tries = response.headers.get("X-Tries", "").count(",") + 1
            return Answer(response.status, response.read().decode(), tries)


def listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until nginx takes requests; False if it ended: the port was taken."""
    end = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < end:
        if "start worker" in (said := log.read_text()) or "using the" in said:
            return True
        time.sleep(0.01)
    return False


@contextlib.contextmanager
def nginx(
    run: Path, protocol: str, upstream: str, *, kept: bool = False, more: str = ""
) -> Iterator[Nginx]:
    """Run nginx before what the lines of ``upstream`` name."""
    log = run / "nginx.log"
    command = [program("nginx"), "-e", "stderr", "-p", str(run)]
    keep, keeps = KEPT if kept else ("", "")
    for _ in range(TRIES):
        port = free_port()
        log.write_text("")
        config = run / "nginx.conf"
        config.write_text(
            CONFIG.format(
                run=run,
                port=port,
                kind=protocol.lower(),
                upstream=f"{upstream} {keep}",
                directives=f"{OWN[protocol]} {keeps} {more}",
            )
        )
        with subprocess.Popen(
            [*command, "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                if listens(process, log):
                    yield Nginx(port, log)
                    return
            finally:
                stop(process)
    pytest.fail(f"nginx does not start:\n{log.read_text()}")
