"""nginx, Apache httpd and lighttpd: how they are configured, and how they start."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

DEADLINE = 60.0  # seconds until a server must serve, or have stopped
TRIES = 5  # another program may take a port between its choice and its use
_KEPT: list[socket.socket] = []  # of the ports that were chosen

NGINX = """\
daemon off;
master_process off;
pid {run}/nginx.pid;
error_log {log} notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  scgi_temp_path {run}/scgi;
  uwsgi_temp_path {run}/uwsgi;
  {http}
  server {{
    listen 127.0.0.1:{port};
    {text}
  }}
}}
"""
APACHE = """\
ServerRoot "{run}"
DefaultRuntimeDir "{run}"
PidFile "{run}/pid"
ServerName localhost
Listen 127.0.0.1:{port}
{modules}
StartServers 1
ThreadsPerChild 8
MinSpareThreads 1
MaxSpareThreads 8
MaxRequestWorkers 8
ErrorLog "{log}"
{text}
"""
LIGHTTPD = """\
server.modules = ({modules})
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{log}"
server.upload-dirs = ("{run}")
{text}
"""
APACHE_MODULES = "/usr/lib/apache2/modules"  # where Debian keeps them
COMMANDS = {
    "nginx": ("nginx", "-e", "stderr", "-p", "{run}", "-c", "{config}"),
    "apache": ("apache2", "-DFOREGROUND", "-f", "{config}"),
    "lighttpd": ("lighttpd", "-D", "-f", "{config}"),
}
# What each writes to its log when it takes connections.
SERVES = {
    "nginx": ("start worker", "using the"),
    "apache": ("resuming normal operations",),
    "lighttpd": ("server started",),
}


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
    """Give a port that nobody has; none of those that the system gives to clients.

    One of these could be a client's before the server for which it is has it. Nobody
    else who chooses a port here will be given it: until this process ends, a socket
    that does not listen is bound to it, beside which servers may be, for they set
    SO_REUSEADDR.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _KEPT.append(sock)
        else:  # where two of one address are refused all the same
            sock.close()
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


def configuration(
    kind: str,
    run: Path,
    port: int,
    text: str,
    *,
    modules: tuple[str, ...] = (),
    http: str = "",
    root: Path | None = None,
) -> str:
    """Give the configuration of a server that listens at a port.

    ``run`` is where it keeps what it writes, its log as error.log; ``text`` goes where
    a site is described (nginx: in ``server``), ``http`` around that of nginx.
    """
    if kind == "apache":
        lines = [
            f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so"
            for name in ("mpm_event", "authz_core", *modules)
        ]
        lines += [f'ScriptSock "{run}/cgid"'] if "cgid" in modules else []
        loaded = "\n".join(lines)
    else:
        loaded = ", ".join(f'"{name}"' for name in modules)
    template = {"nginx": NGINX, "apache": APACHE, "lighttpd": LIGHTTPD}[kind]
    return template.format(
        run=run,
        log=run / "error.log",
        port=port,
        text=text,
        modules=loaded,
        http=http,
        root=root or run,
    )


def command(kind: str, run: Path, config: Path) -> list[str]:
    """Give the command of a server, as somebody whom httpd accepts."""
    name, *options = COMMANDS[kind]
    whole = [program(name), *(each.format(run=run, config=config) for each in options)]
    return unprivileged(whole) if kind == "apache" else whole


def listens(kind: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until the server says that it serves; False if it ended instead.

    Asking the port would not do: another process may have taken it.
    """
    end = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < end:
        said = log.read_text("utf-8", "backslashreplace")
        if any(text in said for text in SERVES[kind]):
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
    kind: str,
    run: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    **more: object,
) -> Iterator[int]:
    """Run a server with a `configuration`; give its port when it serves."""
    config, log = run / f"{kind}.conf", run / "error.log"
    for _ in range(TRIES):
        port = free_port()
        config.write_text(configuration(kind, run, port, text, **more))
        log.write_bytes(b"")
        with (
            log.open("ab") as output,  # beside what the server appends itself
            subprocess.Popen(
                command(kind, run, config),
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            ) as process,
        ):
            try:
                if listens(kind, process, log):
                    yield port
                    return
            finally:
                stop(process)
    pytest.fail(f"{kind} does not start:\n{log.read_text()}")
