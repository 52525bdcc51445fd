"""The hosts behind nginx, Apache httpd and lighttpd, by FastCGI or SCGI."""

import subprocess
import sys
import time

from tests.conformance.hosts import STARTED, Host, Server, end, our_hosts
from tests.fronts import command, configuration, listens

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
KeepAliveTimeout 1
AllowEncodedSlashes NoDecode
SetEnvIf Request_URI ^ ap_trust_cgilike_cl
SetEnvIf X-TLS on HTTPS=on
"""

LIGHTTPD = """\
server.max-keep-alive-idle = 1
server.stream-response-body = 1
server.stream-request-body = 1
server.http-parseopts = ("url-normalize" => "disable")
$REQUEST_HEADER["X-TLS"] == "on" { setenv.add-environment = ("HTTPS" => "on") }
"""

MODULES = {
    "nginx": (),
    "apache": ("alias", "proxy", "proxy_fcgi", "proxy_scgi", "setenvif"),
    "lighttpd": ("mod_setenv", "mod_fastcgi", "mod_scgi"),
}
HANDLERS = {"FastCGI": "FastCGIHandler", "SCGI": "SCGIHandler"}
SETTINGS = """
[handler]
class = "{handler}"

[server]
bind = "{bind}"
threads = 4
"""


def nginx(host: "Fronted") -> str:
    """Give what the how-to page gives for nginx."""
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
    return "\n".join(["server_name localhost;", "location / {", *lines, "}"])


def apache(host: "Fronted") -> str:
    """Give the directives of httpd.

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
    return "\n".join([APACHE, *lines])


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
    return f'{LIGHTTPD}{module}.server = ("/" => (({", ".join(pairs)})))'


TEXTS = {"nginx": nginx, "apache": apache, "lighttpd": lighttpd}


class Fronted(Server):
    """A front server, and behind it, on a unix socket, what runs the application."""

    def __init__(
        self, front, protocol, *, keep=False, spawns=False, ours=True, directory
    ):
        name = f"{front} {protocol}"
        name += " kept" if keep else ""
        super().__init__(
            name,
            lambda host: command(host.front, host.directory, host.front_config),
            frozenset({"http", "hooks", "own", "front"}),
            ours=ours,
            directory=directory / name.lower().replace(" ", "-"),
        )
        self.front = front.lower()
        self.protocol = protocol
        self.keep = keep
        self.spawns = spawns
        self.front_config = self.directory / "front.conf"
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

    @property
    def upstream(self) -> str:
        """What nginx has around its server."""
        kept = "keepalive 4;" if self.keep else ""
        return f"""\
keepalive_timeout 1s;
merge_slashes off;
client_max_body_size 0;
upstream app {{ server {self.address}; {kept} }}
"""

    def backend(self) -> list[str]:
        command = [sys.executable, "-m", "handlerkit", "serve"]
        return [*command, "--config", str(self.config_file)]

    def prepare(self, port=0):
        super().prepare(port)
        (self.directory / "error.log").write_text("")
        self.front_config.write_text(
            configuration(
                self.front,
                self.directory,
                port,
                TEXTS[self.front](self),
                modules=MODULES[self.front],
                http=self.upstream,
            )
        )

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
        return listens(self.front, self.process, self.directory / "error.log")

    def settled(self, case, seen):
        """Wait for nothing where the front refuses what it cannot pass on."""
        return seen.answer.status == 411 or super().settled(case, seen)

    def stop(self):
        super().stop()
        end(self.application)
        self.application = None


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
