"""What `init --for` writes, word for word, in real servers."""

import contextlib
import http.client
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handlerkit.cli.main import run as handlerkit
from tests.fronts import DEADLINE, program, running, stop

APP = """\
import json
import os
import threading
from pathlib import Path

goes_on = threading.Event()


def pieces():
    yield b"first"
    goes_on.wait(20)
    yield b"second"


def application(environ, start_response):
    path = environ.get("PATH_INFO")
    if path == "/pieces":
        start_response("200 OK", [("X-Accel-Buffering", "no")])
        return pieces()
    if path == "/short":
        start_response("200 OK", [("Content-Length", "100000")])
        return [b"x" * 10_000]
    if path == "/go-on":
        goes_on.set()
    if path == "/die-once":
        try:
            (Path(__file__).parent / "died").mkdir()
        except FileExistsError:
            pass
        else:
            os._exit(9)
    start_response("200 OK", [("Content-Type", "application/json")])
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode()
    return [json.dumps(told).encode()]
"""
CONFIG = '[app]\ntarget = "app:application"\n'

MAINS = {
    "nginx": "include {snippet};",
    "apache": """\
DocumentRoot "{run}/htdocs"
<Directory "/">
  Require all denied
</Directory>
<Directory "{run}/htdocs">
  Require all granted
</Directory>
Include "{snippet}"
""",
    "lighttpd": 'include "{snippet}"',
}
APACHE_MODULES = (
    *("alias", "headers", "setenvif", "cgid"),
    *("proxy", "proxy_http", "proxy_fcgi", "proxy_scgi"),
)
FRONTED = [
    *(("apache", "fastcgi"), ("apache", "scgi")),
    *(("lighttpd", "fastcgi"), ("lighttpd", "scgi")),
    *(("nginx", "fastcgi"), ("nginx", "scgi")),
]
WAYS = [
    *(("apache", "cgi"), ("apache", "http")),
    *(("lighttpd", "cgi"), ("lighttpd", "http")),
    ("nginx", "http"),
    *FRONTED,
]


class Asked:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.location = response.getheader("Location", "")
        self.length = response.getheader("Content-Length", "")
        self.body = response.read()

    @property
    def environ(self) -> dict[str, str]:
        assert self.status == 200, self.body
        return json.loads(self.body)


class Front:
    """A server with the snippet in its configuration."""

    def __init__(self, kind: str, via: str, url: str, port: int) -> None:
        self.kind = kind
        self.via = via
        self.url = url
        self.port = port

    def ask(self, path, method="GET", body=None, headers=()) -> Asked:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=DEADLINE
        )
        with contextlib.closing(connection):
            connection.putrequest(method, path)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return Asked(connection.getresponse())


def said_of_the_configuration(snippet: Path) -> str:
    """Give the TOML that a snippet, or what goes with it, asks for in its comments."""
    text = "".join(file.read_text() for file in snippet.parent.iterdir())
    lines = re.findall(r"^#   (?!handlerkit )(.*)$", text, flags=re.MULTILINE)
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def fronted(kind: str, via: str, url: str, run: Path, snippet: Path) -> Iterator[Front]:
    root = run / "htdocs"
    root.mkdir(exist_ok=True)
    text = MAINS[kind].format(run=run, snippet=snippet)
    modules = APACHE_MODULES if kind == "apache" else ()
    http = f"include {snippet.parent}/*.upstream.conf;"
    with running(kind, run, text, modules=modules, http=http, root=root) as port:
        yield Front(kind, via, url, port)


def write(site: Path, *arguments: str) -> Path:
    """Run `init --for` into a directory of the site; give the main file."""
    output = site / f"out-{arguments[0]}"
    output.mkdir(exist_ok=True)
    config = site / "handlerkit.toml"
    options = ["--config", str(config), "--output", str(output), "--force"]
    assert handlerkit(["init", "--for", *arguments, *options]) == 0
    return output / f"{site.name}.conf"


@pytest.fixture(scope="module")
def make_front(tmp_path_factory, serving_in) -> Iterator[Callable[..., Front]]:
    """Give the server of a kind, started once; behind it, what it asks."""
    made: dict[tuple[str, ...], Front] = {}

    with contextlib.ExitStack() as stack:

        def make(kind: str, via: str, url: str, transport: str = "unix") -> Front:
            key = (kind, via, url, transport)
            if key not in made:
                site = tmp_path_factory.mktemp("s")
                run = tmp_path_factory.mktemp("r")
                made[key] = stack.enter_context(site_front(key, site, run, serving_in))
            return made[key]

        yield make


@contextlib.contextmanager
def site_front(key, site: Path, run: Path, serving_in) -> Iterator[Front]:
    kind, via, url, transport = key
    (site / "app.py").write_text(APP)
    serve = serving_in(site)
    bind = serve.bind("tcp" if transport == "tcp" else "unix")
    snippet = write_site(key, site, bind)
    said = said_of_the_configuration(snippet)
    (site / "handlerkit.toml").write_text(CONFIG + said)
    try:
        if via != "cgi" and transport != "spawned":
            assert f'bind = "{bind}"' in said
            workers = "workers = 2\n" if transport == "workers" else ""
            serve.launch(f"{CONFIG}{said}{workers}", bind).wait_until_ready()
        with fronted(kind, via, url, run, snippet) as front:
            yield front
    finally:
        for serving in serve.started:
            serving.kill()


def write_site(key, site: Path, bind: str) -> Path:
    """Write the configuration as far as `init` needs it, and what that makes of it."""
    kind, via, url, transport = key
    config, script = site / "handlerkit.toml", site / "shop.cgi"
    given = {"tcp": bind, "spawned": "fd:0"}.get(transport)
    config.write_text(CONFIG + (f'[server]\nbind = "{given}"\n' if given else ""))
    if via == "cgi":
        output = ["--config", str(config), "--output", str(script)]
        assert handlerkit(["init", "--for", "cgi", *output]) == 0
        more = ["--script", str(script)]
    else:
        more = [] if transport == "tcp" else ["--socket", str(site / "s")]
    return write(site, kind, "--via", via, "--url", url, *more)


@pytest.fixture(params=["/app", "/", "/a.b/c"])
def url(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=WAYS, ids="-".join)
def front(request, url, make_front) -> Front:
    return make_front(*request.param, url)


@pytest.fixture(params=WAYS, ids="-".join)
def below(request, make_front) -> Front:
    """Give a server whose application is not at its root."""
    return make_front(*request.param, "/a.b/c")


def test_a_request_is_answered_with_its_paths(front):
    root = front.url.rstrip("/")

    environ = front.ask(f"{root}/hello/w%20x?a=b").environ

    assert environ["SCRIPT_NAME"] == root
    assert environ["PATH_INFO"] == "/hello/w x"
    assert environ["QUERY_STRING"] == "a=b"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_HOST"] == f"127.0.0.1:{front.port}"


def test_the_root_of_the_application_is_reached(front):
    environ = front.ask(front.url.rstrip("/") + "/").environ

    assert environ["PATH_INFO"] == "/"


def test_without_its_slash_it_is_reached_too(below):
    """A proxy answers with the way; CGI has a word for it, an empty PATH_INFO."""
    answer = below.ask(below.url, "POST", b"x")

    if below.via != "http" and below.kind != "nginx":
        assert answer.environ["SCRIPT_NAME"] == below.url
        assert answer.environ.get("PATH_INFO", "") == ""
    else:
        assert answer.status == 308
        assert answer.location.endswith(f"{below.url}/")


def test_what_only_begins_like_it_is_not_the_applications(below):
    assert below.ask(f"{below.url}lication").status == 404
    assert below.ask(below.url.replace(".", "x") + "/y").status == 404


def test_a_body_arrives(front):
    path = front.url.rstrip("/") + "/post"

    assert front.ask(path, "POST", b"x" * 100_000).environ["body"] == "x" * 100_000


def test_the_length_of_a_response_reaches_the_client(front):
    """So that it sees where one breaks off."""
    answer = front.ask(front.url.rstrip("/") + "/")

    assert answer.length == str(len(answer.body))


@pytest.mark.parametrize(("kind", "via"), WAYS)
def test_a_response_that_is_short_of_its_length_is_seen_to_be(make_front, kind, via):
    front = make_front(kind, via, "/a.b/c")

    with pytest.raises(http.client.IncompleteRead):
        front.ask("/a.b/c/short")


def test_authorization_is_seen(front):
    path = front.url.rstrip("/") + "/"

    environ = front.ask(path, headers=[("Authorization", "Basic abc")]).environ

    assert environ["HTTP_AUTHORIZATION"] == "Basic abc"


SPOOFED = [
    ("X-Forwarded-For", "192.0.2.1"),
    ("X_Forwarded_For", "192.0.2.2"),
    ("X-Forwarded_For", "192.0.2.3"),
    ("X_Forwarded-For", "192.0.2.4"),
    ("X-Forwarded-Proto", "https"),
    ("X_Forwarded_Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X_Forwarded_Prefix", "/evil"),
    ("Forwarded", "for=192.0.2.3;host=evil.example;proto=https"),
    ("Proxy", "http://evil.example"),
]


@pytest.mark.parametrize(
    ("kind", "via"), [("nginx", "http"), ("apache", "http"), *FRONTED]
)
def test_a_client_cannot_say_who_it_is_over_tcp(make_front, kind, via):
    nothing_is_believed(make_front(kind, via, "/app", "tcp"))


def test_a_client_cannot_say_who_it_is(front):
    nothing_is_believed(front)


def nothing_is_believed(front: Front) -> None:
    path = front.url.rstrip("/") + "/who"

    environ = front.ask(path, headers=SPOOFED).environ

    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["SCRIPT_NAME"] == front.url.rstrip("/")
    assert environ["HTTP_HOST"] == f"127.0.0.1:{front.port}"
    assert environ["SERVER_PORT"] != "666"
    assert "HTTP_PROXY" not in environ
    if front.via != "cgi":
        seen = [value for key, value in environ.items() if "FORWARDED" in key]
        assert not re.search(r"evil|192\.0\.2|\b666\b", " ".join(seen))


class Echo(http.server.BaseHTTPRequestHandler):
    """A backend that believes nothing, and tells what it was sent."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("kind", [kind for kind, via in WAYS if via == "http"])
@pytest.mark.parametrize("url", ["/", "/app"])
def test_what_a_client_says_of_itself_is_not_passed_on(kind, url, tmp_path):
    """Whatever the application has behind it to read headers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as backend:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        bind = f"127.0.0.1:{backend.server_port}"
        (tmp_path / "handlerkit.toml").write_text(f'[server]\nbind = "{bind}"\n')
        snippet = write(tmp_path, kind, "--via", "http", "--url", url)
        with fronted(kind, "http", url, tmp_path, snippet) as front:
            answer = front.ask(f"{url.rstrip('/')}/", headers=SPOOFED)
            backend.shutdown()

    sent = [(name.lower(), value) for name, value in json.loads(answer.body)]
    believed = [
        value for name, value in sent if "forwarded" in name and "_" not in name
    ]
    assert not re.search(r"evil|192\.0\.2|\b666\b", " ".join(believed))
    assert ("x-forwarded-for", "127.0.0.1") in sent
    assert ("x-forwarded-proto", "http") in sent
    assert ("host", f"127.0.0.1:{front.port}") in sent
    prefixes = [value for name, value in sent if name == "x-forwarded-prefix"]
    assert prefixes == ([] if url == "/" else [url])
    if kind == "nginx":
        assert not [name for name, _ in sent if "_" in name]


# --- FastCGI and SCGI --------------------------------------------------------


@pytest.mark.parametrize(("kind", "via"), FRONTED)
@pytest.mark.parametrize("url", ["/a.b/c", "/"])
def test_a_path_is_decoded_once_whatever_is_in_it(make_front, kind, via, url):
    front = make_front(kind, via, url)
    root = url.rstrip("/")

    environ = front.ask(
        f"{root}/caf%C3%A9/%3F%25%2B%22%3B+$1%2541{root}?%41=%25"
    ).environ

    assert environ["SCRIPT_NAME"] == root
    assert environ["PATH_INFO"] == f'/caf\xc3\xa9/?%+";+$1%41{root}'
    assert environ["REQUEST_URI"].startswith(f"{root}/caf%C3%A9/%3F%25")
    assert environ["QUERY_STRING"] == ("A=%25" if kind == "lighttpd" else "%41=%25")


@pytest.mark.parametrize(
    ("kind", "via"), [way for way in FRONTED if way[0] != "lighttpd"]
)
def test_a_path_may_have_line_ends_unless_lighttpd_is_in_front(make_front, kind, via):
    front = make_front(kind, via, "/a.b/c")

    assert front.ask("/a.b/c/x%0A/y%0A").environ["PATH_INFO"] == "/x\n/y\n"


def test_lighttpd_refuses_line_ends_itself(make_front):
    assert make_front("lighttpd", "fastcgi", "/a.b/c").ask("/a.b/c/x%0Ay").status == 400


@pytest.mark.parametrize(("kind", "via"), FRONTED)
def test_nobody_is_logged_in_who_only_says_so(make_front, kind, via):
    front = make_front(kind, via, "/a.b/c")

    environ = front.ask(
        "/a.b/c/", headers=[("Authorization", "Basic YWRtaW46eA==")]
    ).environ

    assert "REMOTE_USER" not in environ


@pytest.mark.parametrize(("kind", "via"), FRONTED)
def test_a_piece_is_passed_on_before_the_next_one_is_there(make_front, kind, via):
    """The second one is made after the client has the first."""
    front = make_front(kind, via, "/a.b/c")
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=DEADLINE)

    with contextlib.closing(connection):
        connection.request("GET", "/a.b/c/pieces")
        response = connection.getresponse()
        first = response.read(5)
        front.ask("/a.b/c/go-on")

        assert (first, response.read()) == (b"first", b"second")


@pytest.mark.parametrize("via", ["fastcgi", "scgi"])
def test_nginx_asks_another_process_where_one_has_died(make_front, via):
    front = make_front("nginx", via, "/a.b/c", "workers")

    assert front.ask("/a.b/c/die-once").environ["PATH_INFO"] == "/die-once"


# What the how-to page says of the files that nginx comes with, and its mend.
STOCK = """\
location / {{
  include /etc/nginx/{via}_params;
  {via}_pass unix:{socket};
}}
location /mended/ {{
  include /etc/nginx/{via}_params;
  {via}_param SCRIPT_NAME "";
  {via}_param PATH_INFO $document_uri;
  {via}_param REMOTE_USER $remote_user;
  {via}_pass unix:{socket};
}}
"""


@pytest.mark.parametrize(
    ("via", "name", "whole"), [("fastcgi", "FastCGI", "/x y"), ("scgi", "SCGI", None)]
)
def test_of_a_path_nginx_tells_by_its_own_files_what_no_application_looks_for(
    tmp_path, serve, via, name, whole
):
    (tmp_path / "app.py").write_text(APP)
    serving = serve(f'{CONFIG}[handler]\nclass = "{name}Handler"\n', "unix")
    snippet = tmp_path / "stock.conf"
    snippet.write_text(STOCK.format(via=via, socket=tmp_path / "s"))

    with fronted("nginx", via, "/", tmp_path, snippet) as front:
        claimed = [("Authorization", "Basic YWRtaW46eA==")]  # admin, and any password
        mended = front.ask("/mended/x%20y", headers=claimed).environ
        assert "PATH_INFO" not in serving.log
        stock = front.ask("/x%20y").environ
        front.ask("/")
        front.ask("/")

    said = [line for line in serving.log.splitlines() if "PATH_INFO" in line]
    assert [line[:58] for line in said] == [
        "handlerkit: the web server sends no PATH_INFO, so that the"
    ]
    assert (stock.get("SCRIPT_NAME"), stock.get("PATH_INFO")) == (whole, None)
    assert (mended["SCRIPT_NAME"], mended["PATH_INFO"]) == ("", "/mended/x y")
    assert mended["REMOTE_USER"] == "admin"


@pytest.mark.parametrize("via", ["fastcgi", "scgi"])
@pytest.mark.parametrize("url", ["/a.b/c", "/"])
def test_lighttpd_starts_the_application_itself(make_front, via, url):
    """The file has `bind = "fd:0"`."""
    front = make_front("lighttpd", via, url, "spawned")
    root = url.rstrip("/")

    environ = front.ask(f"{root}/x", "POST", b"y" * 100_000).environ

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, "/x")
    assert environ["body"] == "y" * 100_000


def test_lighttpd_asks_over_tcp_as_well(make_front):
    front = make_front("lighttpd", "http", "/", "tcp")

    assert front.ask("/x").environ["PATH_INFO"] == "/x"


# --- the script --------------------------------------------------------------


def test_the_script_is_run_by_the_python_that_wrote_it(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "handlerkit.toml").write_text(CONFIG)
    script = tmp_path / "shop.cgi"
    options = ["--config", str(tmp_path / "handlerkit.toml"), "--output", str(script)]
    assert handlerkit(["init", "--for", "cgi", *options]) == 0

    request = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/a",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    done = subprocess.run([script], env=request, capture_output=True, check=True)

    assert script.read_text().startswith(f"#!{sys.executable}\n")
    assert done.stdout.startswith(b"Status: 200 OK\r\n")


# --- systemd -----------------------------------------------------------------


@pytest.fixture
def units(tmp_path):
    """Write the units of a site; give its directory."""
    (tmp_path / "shop").mkdir()
    config = tmp_path / "shop" / "handlerkit.toml"
    (tmp_path / "shop" / "app.py").write_text(APP)

    def write(*options: str, more: str = "") -> Path:
        config.write_text(CONFIG + more)
        output = tmp_path / "units"
        output.mkdir(exist_ok=True)
        command = ["init", "--for", "systemd", "--config", str(config), *options]
        assert handlerkit([*command, "--output", str(output)]) == 0
        return output

    return write


SERVED = [
    ([], ""),
    (["--socket", "/run/shop.sock"], ""),
    ([], '[server]\nbind = "[::1]:8000"\n'),
    ([], '[server]\nengine = "granian"\nbind = "127.0.0.1:8000"\n'),
]


@pytest.mark.parametrize(("options", "more"), SERVED)
def test_systemd_has_nothing_against_the_units(units, options, more):
    files = sorted(units(*options, more=more).iterdir())

    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert [each.name for each in files] == (
        ["shop.service"] if "granian" in more else ["shop.service", "shop.socket"]
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_systemd_is_to_start_serves_the_socket_that_it_is_given(units, tmp_path):
    service = (units("--socket", "/run/shop.sock") / "shop.service").read_text()
    [command] = re.findall(r"^ExecStart=(.+)$", service, flags=re.MULTILINE)
    place = tmp_path / "s"

    with subprocess.Popen(
        [program("systemd-socket-activate"), "-l", str(place), *command.split()],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            said = process.stderr.readline()
            assert b"Listening" in said
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(DEADLINE)
                client.connect(str(place))
                client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(4096), b""))
        finally:
            stop(process)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "more",
    [
        "",
        '[handler]\nclass = "FastCGIHandler"\n',
        '[handler]\nclass = "SCGIHandler"\n[server]\nworkers = 2\n',
        '[server]\nengine = "gunicorn"\n',
    ],
    ids=["HTTP", "FastCGI", "workers", "gunicorn"],
)
def test_what_systemd_starts_says_that_it_is_ready(units, tmp_path, more):
    """As Type=notify waits for it, in sd_notify(3)."""
    service = (units("--socket", "/run/s", more=more) / "shop.service").read_text()
    assert "\nType=notify\n" in service
    [command] = re.findall(r"^ExecStart=(.+)$", service, flags=re.MULTILINE)
    place, told = tmp_path / "s", tmp_path / "n"

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(told))
        notified.settimeout(DEADLINE)
        process = subprocess.Popen(
            [
                program("systemd-socket-activate"),
                *("-l", str(place), f"--setenv=NOTIFY_SOCKET={told}"),
                *command.split(),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        with process, socket.socket(socket.AF_UNIX) as client:
            try:
                assert b"Listening" in process.stderr.readline()
                client.connect(str(place))
                said = notified.recv(4096).splitlines()
            finally:
                stop(process)

    assert b"READY=1" in said
