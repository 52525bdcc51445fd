"""read_environ, and what the CGI handlers take from the process."""

import os
import subprocess
import sys
import wsgiref.handlers
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlerkit
from handlerkit.handlers import read_environ
from handlerkit.handlers.environ import leaked_environ

ROOT = Path(handlerkit.__file__).parents[1]

NAMES = (
    *("PATH_INFO", "QUERY_STRING", "HTTP_COOKIE", "SSL_CLIENT_CERT", "REMOTE_USER"),
    *("REDIRECT_PATH_INFO", "REDIRECT_REDIRECT_HTTP_X", "REDIRECT_URL", "LANG"),
)
SERVERS = (
    *("", "Microsoft-IIS/10.0", "Apache/2.4.62 (Win64)", "lighttpd/1.4"),
    *("SimpleHTTP/0.6 Python/3.12.1", "SimpleHTTP/0.6 Python/2.7"),
)
VALUES = ("/plain", "/caf\xe9", "/\u2603", "/\udcc3\udca9")


class Process(dict):
    """An os.environ of any system: here values need not be encodable."""


def outcome(function):
    try:
        return function()
    except UnicodeError as exc:
        return type(exc)


@pytest.mark.parametrize("value", VALUES, ids=ascii)
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("platform", ["linux", "win32"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_read_environ_is_wsgirefs(monkeypatch, platform, server, value, encoding):
    process = Process(dict.fromkeys(NAMES, value), SERVER_SOFTWARE=server)
    monkeypatch.setattr(os, "environ", process)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)

    assert outcome(read_environ) == outcome(wsgiref.handlers.read_environ)


def test_request_variables_are_latin_1_and_others_are_left(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "utf-8")
    monkeypatch.setattr(os, "environ", {"PATH_INFO": "/caf\xe9", "LANG": "caf\xe9"})

    assert read_environ() == {"PATH_INFO": "/caf\xc3\xa9", "LANG": "caf\xe9"}


def test_what_a_server_may_leak_holds_no_request_name(monkeypatch):
    names = (*NAMES, "SERVER_NAME", "REQUEST_URI", "PATH_TRANSLATED", "SECRET")
    process = dict.fromkeys(names, "x")
    monkeypatch.setattr(os, "environ", process)

    assert leaked_environ() == {"LANG": "x", "SECRET": "x"}


IIS = """
import sys
sys.path.insert(0, {root!r})
from {module} import IISCGIHandler
print(repr(IISCGIHandler().base_env.get("PATH_INFO")))
"""


def path_info(module, script, path):
    done = subprocess.run(
        [sys.executable, "-I", "-c", IIS.format(root=str(ROOT), module=module)],
        env={"SCRIPT_NAME": script, "PATH_INFO": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return done.stdout.strip().strip("'")


@pytest.mark.parametrize(
    ("script", "path", "stripped"),
    [
        ("/app.py", "/app.py/users", "/users"),
        ("/app.py", "/app.py", ""),
        ("/app.py", "/app.pyx/users", "/app.pyx/users"),
        ("/app.py", "/users", "/users"),
        ("", "/users", "/users"),
        ("", "", ""),
        ("/", "/users", "/users"),
    ],
)
def test_iis_repeats_of_script_name_are_stripped_on_a_boundary(script, path, stripped):
    assert path_info("handlerkit.handlers", script, path) == stripped
    assert path_info("wsgiref.handlers", script, path) == stripped


@given(name=st.sampled_from(NAMES), raw=st.binary(max_size=5))
def test_bytes_survive_the_way_through_the_process(name, raw):
    """What Python decoded with surrogateescape comes out as these bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {name: os.fsdecode(raw)})
        read = read_environ()[name]

    if name not in ("REDIRECT_URL", "LANG"):
        assert read.encode("latin-1") == raw
