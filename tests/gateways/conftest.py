"""Real front servers for the gateway tests, each started from a generated config."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE = 20.0  # seconds until a server must serve, or a log line be there
TRIES = 5  # another process may take a free port between its choice and its use

MODULES = "/usr/lib/apache2/modules"  # where Debian keeps httpd's

LIGHTTPD = """\
server.modules = ("mod_alias", "mod_setenv", "mod_cgi")
server.document-root = "{site}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{log}"
server.upload-dirs = ("{run}")
cgi.assign = (".cgi" => "")
setenv.add-environment = ("SITE_SECRET" => "from the server")
"""

STREAMING = f"{LIGHTTPD}server.stream-response-body = 1\n"

APACHE = """\
ServerRoot "{run}"
DefaultRuntimeDir "{run}"
PidFile "{run}/pid"
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule env_module {modules}/mod_env.so
LoadModule cgid_module {modules}/mod_cgid.so
StartServers 1
ThreadsPerChild 8
MinSpareThreads 1
MaxSpareThreads 8
MaxRequestWorkers 8
ScriptSock "{run}/cgid"
ErrorLog "{log}"
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
        connection = Utf8Connection("127.0.0.1", self.port, timeout=30)
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


def program(name: str) -> str:
    """Find a program of the system: missing, it fails in CI, and skips elsewhere."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        message = f"{name} is not installed: its tests prove nothing here"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged(command: list[str]) -> list[str]:
    """Run a command as nobody in particular: httpd refuses to serve as root.

    It keeps root's leave to open files, so that the interpreter and pytest's own
    directories may lie where only root can read.
    """
    if os.geteuid() != 0:
        return command
    leave = "+dac_override"
    dropped = [program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    return [*dropped, f"--inh-caps={leave}", f"--ambient-caps={leave}", *command]


def listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until the server says that it serves; False if it ended instead.

    Asking the port would not do: another process may have taken it.
    """
    end = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < end:
        said = log.read_text("utf-8", "backslashreplace")
        if "server started" in said or "resuming normal operations" in said:
            return True
        time.sleep(0.01)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()


@contextlib.contextmanager
def running(
    kind: str, site: Path, run: Path, environ: dict[str, str]
) -> Iterator[Front]:
    """Serve the ``*.cgi`` files of ``site``."""
    config, log = run / f"{kind}.conf", run / "error.log"
    options = ["-f", str(config)]
    if kind == "apache":
        template = APACHE
        command = unprivileged([program("apache2"), "-DFOREGROUND", *options])
    else:
        template = STREAMING if kind == "lighttpd-streaming" else LIGHTTPD
        command = [program("lighttpd"), "-D", *options]
    for _ in range(TRIES):
        port = free_port()
        config.write_text(
            template.format(site=site, port=port, log=log, run=run, modules=MODULES)
        )
        with (
            log.open("ab") as output,  # beside what the server appends itself
            subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                if listens(process, log):
                    yield Front(kind, port, log)
                    return
            finally:
                stop(process)
    pytest.fail(f"{kind} does not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def start_front() -> Callable[..., contextlib.AbstractContextManager[Front]]:
    """Start a front server by its kind: lighttpd, lighttpd-streaming or apache."""
    return running
