"""The hosts behind nginx, Apache httpd and lighttpd, by FastCGI or SCGI."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from tests.conformance.hosts import STARTED, Host, Server, end, our_hosts

NGINX = """\
daemon off;
master_process off;
pid {run}/nginx.pid;
error_log {run}/front.log notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  scgi_temp_path {run}/scgi;
  uwsgi_temp_path {run}/uwsgi;
  keepalive_timeout 1s;
  merge_slashes off;
  client_max_body_size 0;
  upstream app {{ server {address}; {keepalive} }}
  server {{
    listen 127.0.0.1:{port};
    server_name localhost;
    location / {{
{directives}
    }}
  }}
}}
"""

NGINX_PARAMS = {
    "SCRIPT_NAME": '""',
    "PATH_INFO": "$fastcgi_script_name",
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$scheme",
    "HTTPS": "$http_x_tls if_not_empty",  # $https, had this server TLS
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    "SERVER_ADDR": "$server_addr",
    "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$server_name",
}

APACHE = """\
ServerRoot "{run}"
DefaultRuntimeDir "{run}"
PidFile "{run}/pid"
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_fcgi_module {modules}/mod_proxy_fcgi.so
LoadModule proxy_scgi_module {modules}/mod_proxy_scgi.so
LoadModule setenvif_module {modules}/mod_setenvif.so
KeepAliveTimeout 1
StartServers 1
ThreadsPerChild 8
MinSpareThreads 1
MaxSpareThreads 8
MaxRequestWorkers 8
ErrorLog "{run}/front.log"
AllowEncodedSlashes NoDecode
SetEnvIf Request_URI ^ ap_trust_cgilike_cl
SetEnvIf X-TLS on HTTPS=on
{directives}
"""

LIGHTTPD = """\
server.modules = ("mod_setenv", "mod_fastcgi", "mod_scgi")
server.document-root = "{run}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{run}/front.log"
server.upload-dirs = ("{run}")
server.max-keep-alive-idle = 1
server.stream-response-body = 1
server.stream-request-body = 1
server.http-parseopts = ("url-normalize" => "disable")
$REQUEST_HEADER["X-TLS"] == "on" {{ setenv.add-environment = ("HTTPS" => "on") }}
{directives}
"""

MODULES = "/usr/lib/apache2/modules"  # where Debian keeps httpd's
PATHS = ":/usr/local/sbin:/usr/sbin:/sbin"
HANDLERS = {"FastCGI": "FastCGIHandler", "SCGI": "SCGIHandler"}
SETTINGS = """
[handler]
class = "{handler}"

[server]
bind = "{bind}"
threads = 4
"""


def nginx(host: "Fronted") -> str:
    """Give the configuration of nginx that the how-to page gives."""
    prefix = host.protocol.lower()
    params = dict(NGINX_PARAMS)
    if prefix == "scgi":
        params["PATH_INFO"] = "$document_uri"
        params["SCGI"] = "1"
        del params["CONTENT_LENGTH"]  # nginx sends it first, of itself
    lines = [f"{prefix}_pass app;", f"{prefix}_buffering off;"]
    lines += [f"{prefix}_read_timeout 20s;"]
    # By SCGI, nginx says the length of what of an unbuffered body has come so far.
    if prefix == "fastcgi":
        lines.append("fastcgi_request_buffering off;")
    lines += [f"{prefix}_param {name} {value};" for name, value in params.items()]
    if host.keep:
        lines.append("fastcgi_keep_conn on;")
    return NGINX.format(
        run=host.directory,
        port=host.port,
        address=host.address,
        keepalive="keepalive 4;" if host.keep else "",
        directives="\n".join(f"      {line}" for line in lines),
    )


def apache(host: "Fronted") -> str:
    """Give a configuration for httpd.

    For SCGI the application stands where a CGI program would, as some file: the
    PATH_INFO that ProxyPass can give is not decoded.
    """
    scheme = {"FastCGI": "fcgi", "SCGI": "scgi"}[host.protocol]
    unix = host.address.startswith("unix:")
    to = (
        f"{host.address}|{scheme}://localhost" if unix else f"{scheme}://{host.address}"
    )
    if scheme == "fcgi":
        lines = [
            f'ProxyPass "/" "{to}/" flushpackets=on',
            'ProxyFCGISetEnvIf "true" PATH_INFO "%{reqenv:SCRIPT_NAME}"',
            'ProxyFCGISetEnvIf "true" SCRIPT_NAME ""',
        ]
    else:
        lines = [
            f'Alias "/" "{host.directory}/file/"',
            f'<Location "/">\nSetHandler "proxy:{to}"\n</Location>',
        ]
    return APACHE.format(
        run=host.directory,
        port=host.port,
        modules=MODULES,
        directives="\n".join(lines),
    )


def lighttpd(host: "Fronted") -> str:
    module = host.protocol.lower()
    settings = {"check-local": "disable", "fix-root-scriptname": "enable"}
    if host.address.startswith("unix:"):
        settings["socket"] = str(host.socket)
    else:
        settings["host"], _, port = host.address.partition(":")
    if host.spawns:
        settings["bin-path"] = " ".join(host.backend())
    pairs = [f'"{key}" => "{value}"' for key, value in settings.items()]
    if "host" in settings:
        pairs.append(f'"port" => {port}')
    if host.spawns:
        names = ", ".join(
            f'"{name}" => "{value}"' for name, value in host.environment().items()
        )
        pairs += ['"max-procs" => 1', f'"bin-environment" => ({names})']
    directives = f'{module}.server = ("/" => (({", ".join(pairs)})))'
    return LIGHTTPD.format(run=host.directory, port=host.port, directives=directives)


CONFIGS = {"nginx": nginx, "Apache": apache, "lighttpd": lighttpd}
COMMANDS = {
    "nginx": ("nginx", "-e", "stderr", "-p", "{run}", "-c", "{config}"),
    "Apache": ("apache2", "-DFOREGROUND", "-f", "{config}"),
    "lighttpd": ("lighttpd", "-D", "-f", "{config}"),
}


class Fronted(Server):
    """A front server, and behind it, on a unix socket, what runs the application."""

    def __init__(
        self, front, protocol, *, keep=False, spawns=False, ours=True, directory
    ):
        name = f"{front} {protocol}"
        name += " kept" if keep else ""
        super().__init__(
            name,
            front_command,
            frozenset({"http", "hooks", "own", "front"}),
            ours=ours,
            directory=directory / name.lower().replace(" ", "-"),
        )
        self.front = front
        self.protocol = protocol
        self.keep = keep
        self.spawns = spawns
        self.socket = self.directory / "app.sock"
        self.address = f"unix:{self.socket}"
        self.application: subprocess.Popen | None = None

    def config(self, port=0):
        bind = "fd:0" if self.spawns else f"unix:{self.socket}"
        text = super().config(port)
        return text.replace(
            f'[server]\nbind = "127.0.0.1:{port}"\n',
            SETTINGS.format(handler=HANDLERS[self.protocol], bind=bind).lstrip(),
        )

    def backend(self) -> list[str]:
        command = [sys.executable, "-m", "handlerkit", "serve"]
        return [*command, "--config", str(self.config_file)]

    def prepare(self, port=0):
        super().prepare(port)
        (self.directory / "front.log").touch()
        (self.directory / "front.conf").write_text(CONFIGS[self.front](self))

    def start(self):
        if not self.spawns and self.application is None:
            self.start_application()
        try:
            super().start()
        except BaseException:
            self.stop()
            raise

    def start_application(self):
        self.prepare()
        with self.log_file.open("ab") as log:
            self.application = subprocess.Popen(
                self.backend(),
                cwd=self.directory,
                env={**self.environment(), "HTTP_X_POSED": "of the process"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTED
        while not self.socket.exists():
            if self.application.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start:\n{self.log()}")
            time.sleep(0.01)

    def listening(self) -> bool:
        """Wait until the front server takes connections."""
        deadline = time.monotonic() + STARTED
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return True
            except OSError:
                time.sleep(0.02)
        return False

    def settled(self, case, seen):
        """Wait for nothing where the front refuses what it cannot pass on."""
        return seen.answer.status == 411 or super().settled(case, seen)

    def stop(self):
        super().stop()
        end(self.application)
        self.application = None


def find(name: str) -> str:
    """Find a program of the system: missing, it fails in CI, and skips elsewhere."""
    found = shutil.which(name, path=os.environ["PATH"] + PATHS)
    if found is None:
        message = f"{name} is not installed: its tests prove nothing here"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def front_command(host: Fronted) -> list[str]:
    """Give the command of the front server, as somebody whom httpd accepts."""
    program, *options = COMMANDS[host.front]
    command = [find(program)]
    places = {"run": host.directory, "config": host.directory / "front.conf"}
    command += [option.format(**places) for option in options]
    return unprivileged(command) if host.front == "Apache" else command


def unprivileged(command: list[str]) -> list[str]:
    """Run a command as nobody in particular: httpd refuses to serve as root.

    It keeps root's leave to open files, so that the interpreter and pytest's own
    directories may lie where only root can read.
    """
    if os.geteuid() != 0:
        return command
    leave = "+dac_override"
    dropped = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return [*dropped, f"--inh-caps={leave}", f"--ambient-caps={leave}", *command]


FRONTS = (
    ("nginx", "FastCGI", {"keep": False}),
    ("nginx", "FastCGI", {"keep": True}),
    ("nginx", "SCGI", {}),
    ("Apache", "FastCGI", {}),
    ("Apache", "SCGI", {}),
    ("lighttpd", "FastCGI", {"spawns": True}),
    ("lighttpd", "SCGI", {}),
)


def fronted_hosts(directory) -> list[Fronted]:
    """Make the hosts behind each front server; nothing is started yet."""
    return [
        Fronted(front, protocol, **options, directory=directory)
        for front, protocol, options in FRONTS
    ]


def every_host(directory) -> list[Host]:
    """Make all hosts with handlerkit in them."""
    return [*our_hosts(directory), *fronted_hosts(directory)]
