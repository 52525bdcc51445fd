"""A stranger's plugin, installed with pip, on real servers, raising in each hook."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import handlerkit
from handlerkit.plan import HOOKS

ROOT = str(Path(handlerkit.__file__).parent.parent)
PAGE = b"A server error occurred.  Please contact the administrator."

SHOP = """
from io import BytesIO
from wsgiref.util import FileWrapper


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ZeroDivisionError("of the shop")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/file":
        return environ.get("wsgi.file_wrapper", FileWrapper)(BytesIO(b"hello"))
    return [b"hello"]
"""

STRANGER = """
from pydantic import BaseModel

from handlerkit import hookimpl


class Stranger:
    class Settings(BaseModel):
        header: str = "X-Raise"

    def __init__(self, settings):
        self.key = "HTTP_" + settings.header.upper().replace("-", "_")

    def visit(self, hook, handler):
        hosted = getattr(handler, "outer_environ", None)
        environ = handler.base_env if hosted is None else hosted
        if environ.get(self.key) in (hook, "all"):
            raise ValueError(f"of the stranger in {hook}")
"""
HOOK = """
    @hookimpl
    def {hook}(self, handler{more}):
        self.visit("{hook}", handler)
"""
MORE = {"response_starting": ", headers"}
VISIBLE = '        headers.append(("X-Stranger", "was here"))\n'

CONFIG = """
[app]
target = "shop:application"

[server]
engine = "{engine}"

[plugins.stranger]

[plugins.lenient]
use = "stranger"
on_error = "skip"
header = "X-Skip"
"""
FATAL = {name for name, hook in HOOKS.items() if hook.kind == "enrich"}
FATAL |= {"get_scheme", "get_stdin", "get_stderr"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the plugin as pip does, from a wheel of its own."""
    directory = tmp_path_factory.mktemp("stranger")
    code = STRANGER
    for hook in HOOKS:
        code += HOOK.format(hook=hook, more=MORE.get(hook, ""))
        code += VISIBLE if hook in MORE else ""
    info = "handlerkit_stranger-3.4.dist-info"
    files = {
        "stranger.py": code,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: handlerkit-stranger\n"
        "Version: 3.4\nRequires-Dist: handlerkit\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": "[handlerkit.plugins]\n"
        "stranger = stranger:Stranger\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in files)
    wheel = directory / "handlerkit_stranger-3.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    site = directory / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    flags = ["--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, *flags, str(wheel)], check=True)
    (directory / "shop.py").write_text(SHOP)
    return directory


class Server:
    """The plugin on an HTTP server that `handlerkit serve` starts."""

    def __init__(self, serving):
        self.serving = serving

    def ask(self, path, headers):
        answer = self.serving.request(path, headers=headers)
        return answer.status, answer.headers, answer.body

    def logged(self, text):
        end = time.monotonic() + 60
        while text not in self.serving.log and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.serving.log


class Process:
    """The plugin in CGI processes."""

    def __init__(self, directory, path):
        self.directory = directory
        self.path = path
        self.log = ""

    def ask(self, path, headers):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "/cgi"}
        environ |= {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}
        environ |= {"PYTHONPATH": self.path, "PATH": os.environ["PATH"]}
        for name, value in headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        done = subprocess.run(
            [sys.executable, "-m", "handlerkit", "cgi", "--config", "cgi.toml"],
            cwd=self.directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        self.log = done.stderr.decode()
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        pairs = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        answered = {name.lower(): value for name, value in pairs}
        return int(answered["status"][:3]), answered, body

    def logged(self, text):
        return text in self.log


@pytest.fixture(scope="module", params=["builtin", "granian", "cgi"])
def host(request, installed, serving_in):
    path = os.pathsep.join([ROOT, str(installed / "site")])
    if request.param == "cgi":
        (installed / "cgi.toml").write_text(CONFIG.format(engine="builtin"))
        yield Process(installed, path)
        return
    starter = serving_in(installed)
    serving = starter(CONFIG.format(engine=request.param), PYTHONPATH=path)
    yield Server(serving)
    serving.kill()


def test_it_is_active(host):
    status, headers, body = host.ask("/", {})

    assert (status, body) == (200, b"hello")
    assert headers["x-stranger"] == "was here"


@pytest.mark.parametrize("hook", HOOKS)
def test_one_that_raises_costs_no_exchange_its_correct_answer(host, hook):
    status, _, body = host.ask("/", {"X-Raise": hook})

    assert (status, body) == ((500, PAGE) if hook in FATAL else (200, b"hello"))
    if hook in FATAL or hook == "request_finished":
        assert host.logged(f"ValueError: of the stranger in {hook}")


@pytest.mark.parametrize("hook", HOOKS)
def test_an_exchange_that_fails_has_its_page_all_the_same(host, hook):
    status, _, body = host.ask("/fail", {"X-Raise": hook})

    assert (status, body) == (500, PAGE)
    if hook in ("log_exception", "error_output"):
        assert host.logged(f"ValueError: of the stranger in {hook}")
        assert host.logged("ZeroDivisionError: of the shop")


@pytest.mark.parametrize("hook", [n for n in HOOKS if HOOKS[n].kind == "enrich"])
def test_an_enricher_is_skipped_where_the_configuration_says_so(host, hook):
    status, _, body = host.ask("/", {"X-Skip": hook})

    assert (status, body) == (200, b"hello")


def test_a_file_that_cannot_be_sent_is_an_error_page(host, request):
    """Inside another server it is that server's to send: nobody asks the hook."""
    hosted = "granian" in request.node.callspec.id

    status, _, body = host.ask("/file", {"X-Raise": "sendfile"})

    assert (status, body) == ((200, b"hello") if hosted else (500, PAGE))


def test_one_that_raises_in_all_hooks_at_once_is_an_error_page(host):
    status, _, body = host.ask("/fail", {"X-Raise": "all"})

    assert (status, body) == (500, PAGE)
