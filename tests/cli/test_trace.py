"""`handlerkit trace`: what it prints of one exchange, and what it keeps to itself."""

import io
import json
import sys

import pytest

from handlerkit.cli.main import run

SHOP = """
def application(environ, start_response):
    data = environ["wsgi.input"].read()
    print("a line on stdout")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the ", b"shop ", data]


def failing(environ, start_response):
    raise ZeroDivisionError("of the shop")


def late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"a part"
    raise ZeroDivisionError("of the shop")


def telling(environ, start_response):
    secret = environ["shop.harmless"]
    environ["wsgi.errors"].write(f"sent {secret}\\n")
    start_response("200 OK", [("Set-Cookie", "session=planted-cookie-1"),
                              ("X-Note", secret)])
    raise ValueError(f"got {environ['HTTP_AUTHORIZATION']} and {secret}")
"""
PLUGINS = """
from handlerkit import hookimpl
from pydantic import BaseModel


class Life:
    @hookimpl
    def setup_environ(self, environ):
        environ["shop.life"] = "on"

    def start(self):
        open("started", "w").close()

    def close(self):
        open("closed", "w").close()


class Telling:
    class Settings(BaseModel):
        dsn: str

    def __init__(self, settings):
        self.dsn = settings.dsn

    @hookimpl
    def setup_environ(self, environ):
        environ["shop.harmless"] = self.dsn
        environ["shop.token"] = "planted-token-2"
        environ["shop.nested"] = {"list": [("password", "planted-password-3")]}
        environ["shop.query"] = environ["QUERY_STRING"]

    @hookimpl
    def response_starting(self, headers):
        headers.append(("X-Api-Key", "planted-key-4"))

    @hookimpl
    def request_finished(self):
        raise OSError(f"cannot reach {self.dsn}")
"""
CONFIG = """\
[app]
target = "shop:application"

[plugins.life]
use = "./plugins.py:Life"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "plugins.py").write_text(PLUGINS)
    (tmp_path / "handlerkit.toml").write_text(CONFIG)
    yield tmp_path
    for name in ("shop", "own"):
        sys.modules.pop(name, None)


@pytest.fixture
def trace(place, capfd):
    """Run the command; give its exit code and what it printed."""

    def trace(*arguments, config=CONFIG):
        (place / "handlerkit.toml").write_text(config)
        code = run(["trace", *arguments])
        return code, capfd.readouterr().out

    return trace


def test_it_prints_the_way_from_request_to_outcome(trace):
    code, out = trace("GET", "/cart?color=red")

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "request   GET /cart?color=[redacted]"
    assert lines[1].startswith("handler   handlerkit.handlers.simple.SimpleHandler, ")
    assert lines[2].split()[:4] == ["call", "setup_environ", "life", "ran"]
    assert lines[2].endswith(" \u00b5s")
    assert lines[3] == "          environ  + shop.life = 'on'"
    assert lines[4] == "call      application: shop:application"
    assert "response  200 OK" in lines
    assert "          Content-Type: text/plain" in lines
    assert "outcome   ok: 9 bytes in " in out


def test_it_says_which_handler_ran(trace):
    def handler(*options, config=CONFIG):
        return json.loads(trace("GET", "/", "--json", *options, config=config)[1])

    cgi = '[handler]\nclass = "IISCGIHandler"\n'
    hosted = '[handler]\nclass = "HostedHandler"\n'
    assert handler()["handler"].endswith(".SimpleHandler")
    assert handler("--for", "cgi")["handler"].endswith(".CGIHandler")
    assert handler("--for", "wsgi")["handler"].endswith(".HostedHandler")
    assert handler(config=CONFIG + cgi)["running"] == "cgi"
    assert handler(config=CONFIG + hosted)["running"] == "wsgi"
    scgi = '[handler]\nclass = "SCGIHandler"\n'
    assert handler(config=CONFIG + scgi)["handler"].endswith(".SCGIHandler")
    engine = CONFIG + '[server]\nengine = "gunicorn"\n'
    assert handler(config=engine)["handler"].endswith(".HostedHandler")


def test_a_class_of_ones_own_is_run(trace, place):
    (place / "own.py").write_text(
        "import handlerkit\n"
        "class Handler(handlerkit.SimpleHandler):\n"
        "    def get_scheme(self):\n        return 'https'\n"
    )

    code, out = trace(
        "GET", "/", "--json", config=f'{CONFIG}[handler]\nclass = "own:Handler"\n'
    )

    assert code == 0
    assert json.loads(out)["handler"] == "own.Handler"


def test_a_class_that_has_no_streams_is_told_of(trace, place):
    (place / "own.py").write_text(
        "import handlerkit\nclass Handler(handlerkit.BaseHandler):\n    pass\n"
    )

    code, out = trace("GET", "/", config=f'{CONFIG}[handler]\nclass = "own:Handler"\n')

    assert code == 1
    assert "raised    TypeError" in out
    assert "outcome   none" in out


@pytest.mark.parametrize("target", ["failing", "late"])
def test_an_exchange_that_fails_is_exit_code_1(trace, target):
    config = CONFIG.replace("application", target)

    code, out = trace("GET", "/", config=config)

    assert code == 1
    assert "report    " in out
    assert "log       ZeroDivisionError: of the shop" in out


@pytest.mark.parametrize("target", ["application", "failing"])
def test_plugins_are_started_and_closed(trace, place, target):
    trace("GET", "/", config=CONFIG.replace("application", target))

    assert (place / "started").exists()
    assert (place / "closed").exists()


def test_a_plugin_that_does_not_start_is_one_line(place, capsys):
    (place / "plugins.py").write_text("def start():\n    raise OSError('no means')\n")
    config = CONFIG.replace("plugins.py:Life", "plugins.py")
    (place / "handlerkit.toml").write_text(config)

    assert run(["trace", "GET", "/"]) == 1
    assert capsys.readouterr().err.endswith("did not start: OSError: no means\n")


# --- body --------------------------------------------------------------------


def test_no_byte_of_a_body_is_printed_unless_asked_for(trace):
    for options in ([], ["--json"]):
        _, out = trace("POST", "/", "--data", "of Zurich", *options)
        assert "of Zurich" not in out
        assert "the shop" not in out

    _, out = trace("POST", "/", "--data", "of Zurich", "--body")
    assert out.endswith("the shop of Zurich")
    _, out = trace("POST", "/", "--data", "of Zurich", "--body", "--json")
    assert json.loads(out)["response"]["body"] == "the shop of Zurich"


def test_a_body_is_read_from_a_file_or_stdin(trace, place, monkeypatch):
    (place / "data").write_bytes(b"\xff")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))

    said = json.loads(trace("PUT", "/", "--data-file", "data", "--json")[1])
    assert said["response"]["bytes"] == len(b"the shop \xff")
    _, out = trace("PUT", "/", "--data-file", "-", "--body")
    assert out.endswith("the shop piped")


def test_a_file_that_is_not_there_is_one_line(place, capsys):
    assert run(["trace", "PUT", "/", "--data-file", "none"]) == 1
    assert capsys.readouterr().err.startswith("handlerkit: none cannot be read: ")


def test_what_the_application_prints_is_no_part_of_the_output(place, capsys):
    assert run(["trace", "GET", "/", "--json"]) == 0

    said = capsys.readouterr()
    json.loads(said.out)
    assert "a line on stdout" in said.err


# --- secrets -----------------------------------------------------------------

TELLING = """\
[app]
target = "shop:telling"

[plugins.telling]
use = "./plugins.py:Telling"
dsn = { env = "SHOP_SETTING" }
"""
PLANTED = ("planted", "cGxhbnRlZC", "hush-hush")


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("entry", ["serve", "cgi", "wsgi"])
def test_no_secret_is_printed(place, monkeypatch, capfd, options, entry):
    """Of the request, the file, the response, a plugin, an exception, and the log."""
    (place / "handlerkit.toml").write_text(TELLING)
    monkeypatch.setenv("SHOP_SETTING", "planted-setting-5")

    code = run(
        [
            *("trace", "GET", "/?next=hush-hush-6&sid=planted-7", "--for", entry),
            *("-H", "Authorization: Basic cGxhbnRlZC11c2VyOnBsYW50ZWQtcHc="),
            *("-H", "Cookie: a=planted-cookie-8", *options),
        ]
    )

    out, err = capfd.readouterr()
    assert code == 1
    assert not [secret for secret in PLANTED if secret in out]
    assert "planted" not in err
    for name in ("shop.harmless", "shop.token", "X-Api-Key"):
        assert name in out
    assert out.count("[redacted]") > 5


def test_a_line_of_a_client_can_forge_no_line_of_ours(trace, place):
    (place / "plugins.py").write_text(
        "from handlerkit import hookimpl\n"
        "class Life:\n"
        "    @hookimpl\n"
        "    def setup_environ(self, environ):\n"
        "        environ['a\\noutcome   ok'] = 'b\\noutcome   ok\\x1b[31m'\n"
        "        raise ValueError('c\\noutcome   ok')\n"
    )

    _, out = trace("GET", "/")

    assert [line for line in out.splitlines() if line.startswith("outcome")] != []
    assert not [line for line in out.splitlines() if line.startswith("outcome   ok")]
    assert "\x1b" not in out


# --- wrong use ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GET"], "PATH"),
        (["G T", "/"], "must be a method"),
        (["GET", "cart"], 'must begin with "/"'),
        (["GET", "/\u00fc"], "percent-encoded"),
        (["GET", "/a b"], "%20"),
        (["GET", "/", "-H", "none"], "'Name: value'"),
        (["GET", "/", "-H", "a b: c"], "must be a token"),
        (["GET", "/", "-H", "a: b\nc: d"], "header a has a control character"),
        (["GET", "/", "-H", "Content-Length: x"], "Content-Length must be digits"),
        (["GET", "/", "--peer", "nobody"], "must be an address"),
        (["GET", "/", "--data", "a", "--data-file", "b"], "not allowed with"),
    ],
)
def test_wrong_use_is_exit_code_2(place, capsys, arguments, said):
    with pytest.raises(SystemExit, match="2"):
        run(["trace", *arguments])

    assert said in capsys.readouterr().err


def test_a_peer_is_who_is_connected(trace):
    config = (
        f'{CONFIG}[proxies]\ntrusted = ["unix"]\n[plugins.proxy-headers]\n'
        "[plugins.access-log]\n"
    )

    _, out = trace(
        *("GET", "/", "--peer", "unix", "-H", "X-Forwarded-For: 203.0.113.9"),
        config=config,
    )

    assert "~ REMOTE_ADDR = '203.0.113.9'  (was '')" in out


def test_a_header_reaches_the_application_as_its_bytes(trace, place):
    (place / "shop.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    name, te = environ['HTTP_X_NAME'], environ['HTTP_TE']\n"
        "    return [name.encode('latin-1'), te.encode()]\n"
    )

    _, out = trace("GET", "/", "-H", "X-Name: Z\u00fcrich", "-H", "TE: x", "--body")

    assert out.endswith("Z\u00fcrichx")


def test_every_mistake_of_the_file_is_told_instead(place, capsys):
    (place / "handlerkit.toml").write_text("[app]\nnone = 1\n[plugins.none]\n")

    assert run(["trace", "GET", "/"]) == 2
    err = capsys.readouterr().err
    assert "HK201" in err
    assert "HK309" in err
    assert "HK401" in err


def test_safe_mode_has_no_plugins_to_trace(trace, monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")

    code, out = trace("GET", "/", "--json")

    assert code == 0
    assert [step["hook"] for step in json.loads(out)["steps"]] == ["application"]
