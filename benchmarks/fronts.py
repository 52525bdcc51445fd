"""Servers of FastCGI and SCGI, one process each, behind one nginx, and loads for them.

nginx has the same configuration for all, and speaks to each over a unix socket. For
each load two rates are taken at once: requests per second, and the processor time of
the server's process for each of them, which other loads of the machine disturb less.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from benchmarks.hosted import wait_for
from handlerkit.config.model import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

HERE = Path(__file__).parent
SECONDS = 3
THREADS = ServerSettings().threads  # ours has its defaults, and so many has uWSGI
HELLO, SMALL, LARGE = b"hello, world", b"x" * 10240, b"x" * (1 << 20)
FILE = "HANDLERKIT_BENCHMARK_FILE"

NGINX = """\
daemon off;
master_process off;
pid {run}/nginx.pid;
error_log {run}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {run}/body;
  fastcgi_temp_path {run}/fastcgi;
  scgi_temp_path {run}/scgi;
  proxy_temp_path {run}/proxy;
  uwsgi_temp_path {run}/uwsgi;
  keepalive_requests 1000000;
  client_max_body_size 2m;
  client_body_buffer_size 1m;
{servers}
}}
"""
SERVER = """\
  upstream {name} {{ server unix:{run}/{name}.sock; {keepalive} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      include {protocol}.params;
      {protocol}_param SCRIPT_NAME "";
      {protocol}_param PATH_INFO $uri;
      {protocol}_pass {name};
{directives}
    }}
  }}
"""
# Those of Debian's fastcgi_params and scgi_params that have values here.
VARIABLES = """\
QUERY_STRING $query_string
REQUEST_METHOD $request_method
CONTENT_TYPE $content_type
REQUEST_URI $request_uri
DOCUMENT_URI $document_uri
DOCUMENT_ROOT $document_root
SERVER_PROTOCOL $server_protocol
REQUEST_SCHEME $scheme
HTTPS $https if_not_empty
REMOTE_ADDR $remote_addr
REMOTE_PORT $remote_port
SERVER_PORT $server_port
SERVER_NAME $server_name
"""
OF_FASTCGI = """\
CONTENT_LENGTH $content_length
GATEWAY_INTERFACE CGI/1.1
SERVER_SOFTWARE nginx/$nginx_version
SERVER_ADDR $server_addr
"""

OURS = """
import sys, handlerkit
from benchmarks.fronts import application
handler, bind = sys.argv[1:]
handlerkit.serve(
    {"handler": {"class": handler}, "server": {"bind": bind}}, application
)
"""
FLUP = """
import sys
from flup.server.fcgi import WSGIServer
from benchmarks.fronts import application
WSGIServer(application, bindAddress=sys.argv[1], debug=False).run()
"""
LOOP = """
import os, socket, sys
from benchmarks.fronts import FILE
size = os.stat(os.environ[FILE]).st_size
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        sock, _ = listener.accept()
        with sock, open(os.environ[FILE], "rb") as file:
            at = 0 if sock.recv(65536) else size
            while at < size:
                at += os.sendfile(sock.fileno(), file.fileno(), at, size - at)
"""


def application(environ: Any, start_response: Any) -> Any:
    """Answer as the path says: a word, 10 KiB, 1 MiB, an upload's size, a file."""
    path = environ["PATH_INFO"]
    body = HELLO
    if path == "/10k":
        body = SMALL
    elif path == "/1m":
        body = LARGE
    elif path == "/upload":
        size = 0
        while piece := environ["wsgi.input"].read(65536):
            size += len(piece)
        body = b"%d" % size
    elif path == "/file":
        file = open(os.environ[FILE], "rb")  # noqa: SIM115, PTH123 - the server closes it
        size = os.fstat(file.fileno()).st_size
        start_response("200 OK", [("Content-Length", str(size))])
        return environ["wsgi.file_wrapper"](file, 1 << 16)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-A", "b")])
    return [body]


@dataclass
class Backend:
    """A server of ours, or a peer, and how nginx reaches it."""

    name: str
    protocol: str
    command: tuple[str, ...]
    keep: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    cost: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self.process is not None
        return self.process.pid

    def server(self, run: str) -> str:
        """Give its part of nginx's configuration."""
        directives = f"{self.protocol}_max_temp_file_size 0;"
        if self.keep:
            directives += " fastcgi_keep_conn on;"
        return SERVER.format(
            run=run,
            name=self.name,
            port=self.port,
            protocol=self.protocol,
            keepalive="keepalive 16;" if self.keep else "",
            directives=f"      {directives}",
        )

    def load(self, path: str = "/", *options: str) -> float:
        """Give requests per second; keep what each has cost, and who waited longest."""
        before = processor_time(self.pid)
        said = wrk(f"http://127.0.0.1:{self.port}{path}", *options)
        requests = number(r"(\d+) requests in", said)
        self.cost.append((processor_time(self.pid) - before) / requests * 1e6)
        self.latency.append(milliseconds(r"99%\s+([\d.]+)(\w+)", said))
        return number(r"Requests/sec:\s+([\d.]+)", said)


def ours(protocol: str, *, keep: bool = False, bind: str = "unix:{path}") -> Backend:
    """Give handlerkit by its defaults."""
    handler = {"fastcgi": "FastCGIHandler", "scgi": "SCGIHandler"}[protocol]
    command = (sys.executable, "-c", OURS, handler, bind)
    return Backend(f"ours_{protocol}{keep:d}", protocol, command, keep)


def uwsgi(protocol: str, threads: int, *, keep: bool = False) -> Backend:
    """Give uWSGI, one process."""
    option = {"fastcgi": "--fastcgi-socket", "scgi": "--scgi-socket"}[protocol]
    program = str(Path(sys.executable).with_name("pyuwsgi"))
    command = (program, option, "{path}", "--processes", "1", "--listen", "1024")
    command += ("--disable-logging", "--need-app", "--die-on-term")
    command += ("--module", "benchmarks.fronts", "--pythonpath", str(HERE.parent))
    if threads > 1:
        command += ("--enable-threads", "--threads", str(threads))
    return Backend(f"uwsgi_{protocol}{threads}{keep:d}", protocol, command, keep)


def flup(*, keep: bool = False) -> Backend:
    """Give flup6, by its defaults: a thread for each connection."""
    command = (sys.executable, "-c", FLUP, "{path}")
    return Backend(f"flup{keep:d}", "fastcgi", command, keep)


@contextmanager
def fronted(*backends: Backend) -> Iterator[str]:
    """Run servers, and one nginx before them; give their directory."""
    with ExitStack() as stack:
        run = stack.enter_context(tempfile.TemporaryDirectory())
        for name, more in (("fastcgi", OF_FASTCGI), ("scgi", "SCGI 1\n")):
            lines = (VARIABLES + more).splitlines()
            text = "\n".join(f"{name}_param {line};" for line in lines)
            Path(run, f"{name}.params").write_text(text)
        for backend in backends:
            backend.port = free_port()
            path = f"{run}/{backend.name}.sock"
            command = [each.replace("{path}", path) for each in backend.command]
            backend.process = stack.enter_context(running(command))
            wait_for_path(path, backend.process)
        config = Path(run, "nginx.conf")
        servers = "".join(each.server(run) for each in backends)
        config.write_text(NGINX.format(run=run, servers=servers))
        command = ["nginx", "-e", "stderr", "-p", run, "-c", str(config)]
        nginx = stack.enter_context(running(command))
        wait_for(backends[0].port, nginx)
        yield run


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"
    with subprocess.Popen(
        command,
        cwd=HERE.parent,
        env={**os.environ, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    """Give a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_path(path: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens at a unix socket."""
    deadline = monotonic() + 20
    while monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if not probe.connect_ex(path):
                return
    raise RuntimeError(f"{process.args} did not start")


def wrk(url: str, *options: str, seconds: float = SECONDS) -> str:
    """Give what wrk says, of 16 connections."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    command += [*options, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return said


def number(pattern: str, text: str) -> float:
    """Give the number that a pattern finds."""
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(text)
    return float(found[1])


def milliseconds(pattern: str, text: str) -> float:
    """Give the time that a pattern finds."""
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(text)
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[found[2]]


def processor_time(pid: int) -> float:
    """Give the seconds that a process has used, in itself and in the system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
