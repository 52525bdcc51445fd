"""A frozen kit serves as a loaded one does, and pays for less."""

import os
import subprocess
import sys

import pytest

from tests.freeze.conftest import PACKAGE, REQUEST

# All that Python does not load by itself before a program starts (see SHOWN), but for
# the application. Python's own modules among them are frozen into it, or in C.
MODULES = {
    "gc",
    "__future__",
    "wsgiref",
    "wsgiref.util",
    "handlerkit",
    "handlerkit.builtin",
    "handlerkit.builtin.forwarded",
    "handlerkit.builtin.peers",
    "handlerkit.builtin.proxy_headers",
    "handlerkit.builtin.request_id",
    "handlerkit.builtin.text_log",
    "handlerkit.errors",
    "handlerkit.gateways",
    "handlerkit.gateways.cgi",
    "handlerkit.handlers",
    "handlerkit.handlers.base",
    "handlerkit.handlers.cgi",
    "handlerkit.handlers.environ",
    "handlerkit.handlers.input",
    "handlerkit.handlers.recovery",
    "handlerkit.handlers.reporting",
    "handlerkit.handlers.response",
    "handlerkit.handlers.simple",
    "handlerkit.hooks",
    "handlerkit.hooks.markers",
    "handlerkit.kit",
    "handlerkit.kit.bundle",
    "handlerkit.kit.frozen",
    "handlerkit.kit.lifecycle",
    "handlerkit.kit.one_shot",
    "handlerkit.kit.thawed",
    "handlerkit.kit.thawing",
    "handlerkit.pep3333",
    "handlerkit.plan",
    "handlerkit.records",
    "handlerkit.reports",
    "handlerkit.reports.ids",
    "handlerkit.settings",
}
SHOWN = """
import os, sys
before = set(sys.modules)
sys.path.insert(0, {root!r})
import handlerkit
seen = []
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REMOTE_ADDR"].encode()]
code = handlerkit.run_cgi({config!r}, application)
os.write(2, repr((code, sorted(set(sys.modules) - before))).encode())
"""


def modules_of(site, client="192.0.2.1"):
    """Give all that a frozen CGI process has loaded when it has served."""
    program = SHOWN.format(root=str(PACKAGE.parent), config=str(site.config))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={**REQUEST, "HTTP_X_FORWARDED_FOR": client},
        input=b"",
        capture_output=True,
        timeout=100,
        check=True,
    )
    assert client.encode() in done.stdout
    assert b"X-Request-ID: " in done.stdout
    code, modules = eval(done.stderr)
    assert code == 0
    return set(modules)


# Modules of Python that are read from files where there is no site (-S), and that
# each program with site has anyway.
BY_SITE = {
    "_collections_abc",
    "_stat",
    "genericpath",
    "os",
    "os.path",
    "posixpath",
    "stat",
}


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db9::1"])
def test_a_frozen_process_loads_this_and_nothing_else(site, client):
    """With proxy-headers at work for a trusted proxy, request-id and text-log."""
    site.freeze()

    assert modules_of(site, client) - BY_SITE == MODULES


def test_none_of_the_dear_modules_is_loaded_with_site_either(site):
    site.write(
        "handlerkit.toml", "[app]\ntarget = 'shop:modules'\n[plugins.request-id]"
    )
    assert {"pydantic", "pluggy", "tomli"} <= set(site.ask().body.split())
    site.freeze()

    # What site itself loads, for editable installations, is none of ours.
    assert not {"pydantic", "pluggy", "tomli"} & set(site.ask().body.split())


@pytest.mark.parametrize(
    ("target", "status"),
    [("application", "200 OK"), ("make()", "200 OK"), ("failing", "500 Internal Serv")],
)
def test_it_answers_what_the_loaded_kit_answers(site, target, status):
    site.write("handlerkit.toml", CONFIGURED.format(target=target))
    loaded = site.ask()
    site.freeze()
    frozen = site.ask()

    assert frozen.status.startswith(status)
    assert frozen[:2] == loaded[:2]
    assert frozen.code == loaded.code


CONFIGURED = """
[app]
target = "shop:{target}"
[proxies]
trusted = ["10.0.0.0/8", "unix", "fd00::/8"]
[handler]
error_body = "Sorry, {{}} \u00fc"
error_headers = [["Content-Type", "text/plain; charset=utf-8"]]
os_environ = ["LANG"]
wsgi_multiprocess = false
headers_class = "wsgiref.headers:Headers"
[plugins.proxy-headers]
[plugins.environ]
set = {{ GREETING = "hello" }}
"""


@pytest.mark.parametrize(
    "target", ["none:application", "shop:none", "shop:TEXT", "broken:application"]
)
def test_an_application_that_does_not_load_is_told_in_the_same_words(site, target):
    site.write("broken.py", "def f():\n    raise ValueError('of the module')\nf()\n")
    site.write("handlerkit.toml", f'[app]\ntarget = "{target}"\n')
    loaded = site.ask()
    site.freeze()

    assert site.ask() == loaded
    assert loaded.code == 1


def test_that_the_file_names_no_application_is_said(site):
    """A script may have one: it is no mistake."""
    site.write("handlerkit.toml", "[plugins.request-id]\n")

    done = site.run("freeze")

    assert done.returncode == 0
    assert "no target in [app]" in done.stderr


def test_what_only_a_server_needs_may_be_missing(site):
    """One file serves every way of running: PORT is set where a server runs."""
    bind = '[server]\nbind = { env = "NO_SUCH_BIND" }\n'
    site.write("handlerkit.toml", f"[app]\ntarget = 'shop:application'\n{bind}")
    loaded = site.ask()
    site.freeze()

    assert loaded.status == "200 OK"
    assert site.ask() == loaded
    assert site.ask(NO_SUCH_BIND="0.0.0.0:80") == loaded
    site.config.write_text(f"{site.config.read_text()}# changed\n")
    assert "HK603" in site.ask().log


def test_an_error_of_the_application_is_logged_and_redacted(site):
    site.write("handlerkit.toml", "[app]\ntarget = 'shop:failing'\n")
    site.freeze()

    answer = site.ask(HTTP_COOKIE="session=opensesame", QUERY_STRING="a=b")

    assert "ValueError: of the application" in answer.log
    assert 'File "' in answer.log


def test_a_frozen_kit_is_of_the_first_generation_as_a_loaded_one_is(site):
    site.write("told.py", TOLD)
    config = "[app]\ntarget = 'shop:modules'\n[plugins.told]\nuse = './told.py'\n"
    site.write("handlerkit.toml", config)
    loaded = site.ask()
    site.freeze()
    frozen = site.ask()

    assert (loaded.is_frozen, frozen.is_frozen) == (False, True)
    assert loaded.log == frozen.log == "generation 1\n"


TOLD = """
from handlerkit import hookimpl

@hookimpl
def request_finished(handler):
    print("generation", handler.kit_generation)
"""


def test_safe_mode_starts_without_plugins(site):
    site.freeze()
    site.frozen.write_text("raise SystemExit('must not be read')")

    answer = site.ask(HANDLERKIT_SAFE="1")

    assert (answer.status, answer.body) == ("200 OK", "10.0.0.5")


def test_without_bytecode_the_file_itself_is_taken(site):
    site.write("handlerkit.toml", "[app]\ntarget = 'shop:modules'\n")
    site.freeze()
    for compiled in (site.directory / "__pycache__").glob("handlerkit_frozen.*"):
        compiled.unlink()

    assert site.ask().is_frozen


@pytest.mark.parametrize("left", [16, 600])
def test_bytecode_that_is_broken_off_is_not_taken(site, left):
    """As a full disk leaves it; the file itself is whole."""
    site.write("handlerkit.toml", "[app]\ntarget = 'shop:modules'\n")
    site.freeze()
    for compiled in (site.directory / "__pycache__").glob("handlerkit_frozen.*.pyc"):
        compiled.write_bytes(compiled.read_bytes()[:left])

    answer = site.ask()

    assert (answer.is_frozen, answer.log) == (True, "")


def test_bytecode_of_another_content_is_not_taken(site):
    """Whatever its time says: what runs is what can be read."""
    site.freeze()
    times = site.frozen.stat()
    text = site.frozen.read_text().replace("10.0.0.0/8", "11.0.0.0/8")
    site.frozen.write_text(text)
    os.utime(site.frozen, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert site.ask().body == "10.0.0.5"


def test_a_process_writes_nothing_beside_the_file(site):
    site.freeze()
    before = sorted(site.directory.rglob("*frozen*"))
    site.ask()

    assert sorted(site.directory.rglob("*frozen*")) == before
    assert len(before) == 3


@pytest.mark.parametrize("text", ["", "1 +", "import os", "raise OSError"])
def test_a_file_that_holds_nothing_of_freeze_is_not_stale(site, text):
    """Also where what is stale is to be an error."""
    site.frozen.write_text(text)

    answer = site.ask()

    assert (answer.status, answer.code) == ("200 OK", 0)
    assert "handlerkit_frozen.py is not used: " in answer.log
    assert "it is not used: " in site.check()[1]


@pytest.mark.parametrize(
    "text", ["", "1 +", "import os", "FORMAT = 2", "raise OSError"]
)
def test_a_file_that_freeze_has_not_written_does_no_harm(site, text):
    site.write("handlerkit.toml", CONFIG_REBUILD)
    site.frozen.write_text(text)

    answer = site.ask()

    assert (answer.status, answer.code) == ("200 OK", 0)


CONFIG_REBUILD = """
[app]
target = "shop:application"
[freeze]
on_drift = "rebuild"
"""


def test_the_command_cgi_takes_it_too(site):
    site.write("handlerkit.toml", "[app]\ntarget = 'shop:modules'\n")
    site.freeze()

    for arguments in (["cgi"], ["cgi", "-c", "handlerkit.toml"]):
        done = site.run(*arguments, **REQUEST)
        assert done.stdout.startswith("Status: 200 OK")
        assert not {"pydantic", "argparse"} & set(done.stdout.split())
        assert done.stderr == ""
