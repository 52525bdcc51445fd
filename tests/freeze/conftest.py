"""A site with a frozen kit, served by CGI processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import handlerkit

PACKAGE = Path(handlerkit.__file__).parent
# Other processes write it at any time: what is listed may be gone when it is copied.
NO_BYTECODE = shutil.ignore_patterns("__pycache__")
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/app.cgi",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "REMOTE_ADDR": "10.0.0.5",
    "HTTP_X_FORWARDED_FOR": "192.0.2.1",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}
APP = """
import sys

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    start_response("200 OK", TEXT)
    return [environ["REMOTE_ADDR"].encode()]


def modules(environ, start_response):
    start_response("200 OK", TEXT)
    return ["\\n".join(sys.modules).encode()]


def failing(environ, start_response):
    raise ValueError("of the application")


def make():
    return application
"""
CONFIG = """
[app]
target = "shop:application"

[proxies]
trusted = ["10.0.0.0/8", "2001:db8::/32"]

[plugins.proxy-headers]

[plugins.request-id]
"""


class Answer(NamedTuple):
    status: str
    body: str
    log: str
    code: int

    @property
    def is_frozen(self) -> bool:
        """Say whether the kit that answered was a frozen one."""
        return "pydantic" not in self.body.split()


class Site:
    """A directory with a configuration, and what it names."""

    def __init__(self, directory: Path, measured: dict[str, str]) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        self.config = directory / "handlerkit.toml"
        self.frozen = directory / "handlerkit_frozen.py"
        self.python = sys.executable
        self.path = [str(PACKAGE.parent)]
        self.measured = measured
        self.write("shop.py", APP)
        self.write("handlerkit.toml", CONFIG)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def environ(self, **variables: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(self.path),
            **self.measured,
            **variables,
        }

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.python, "-m", "handlerkit", *arguments],
            cwd=self.directory,
            env=self.environ(**variables),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def freeze(self, **variables: str) -> str:
        """Freeze; give the text of the frozen file."""
        done = self.run("freeze", **variables)
        assert (done.returncode, done.stderr) == (0, "")
        return self.frozen.read_text(encoding="utf-8")

    def refused(self, **variables: str) -> str:
        """Try to freeze; give what was said against it."""
        done = self.run("freeze", **variables)
        assert done.returncode == 2
        assert not self.frozen.exists()
        return done.stderr

    def check(self, **variables: str) -> tuple[int, str]:
        done = self.run("freeze", "--check", **variables)
        return done.returncode, done.stderr

    def ask(self, *, user: int | None = None, **variables: str) -> Answer:
        """Have one request served by a process of its own."""
        program = (
            "import handlerkit; "
            f"raise SystemExit(handlerkit.run_cgi({str(self.config)!r}))"
        )
        done = subprocess.run(
            [self.python, "-c", program],
            cwd=self.directory.parent,
            env=self.environ(**{**REQUEST, **variables}),
            input=b"",
            capture_output=True,
            timeout=100,
            user=user,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status = head.decode().split("\r\n")[0].removeprefix("Status: ")
        return Answer(status, body.decode(), done.stderr.decode(), done.returncode)


@pytest.fixture
def site(tmp_path, measured):
    return Site(tmp_path / "site", measured)


@pytest.fixture
def installed(tmp_path):
    """Give handlerkit as a distribution that was installed, not edited in place."""
    place = tmp_path / "installed"
    shutil.copytree(PACKAGE, place / "handlerkit", ignore=NO_BYTECODE)
    add_metadata(place, "handlerkit", handlerkit.__version__)
    return place


def add_metadata(place: Path, name: str, version: str, entry: str = "") -> Path:
    """Write what pip writes of a distribution."""
    directory = place / f"{name.replace('-', '_')}-{version}.dist-info"
    directory.mkdir(parents=True)
    (directory / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    (directory / "RECORD").write_text(f"{directory.name}/METADATA,,\n")
    if entry:
        (directory / "entry_points.txt").write_text(f"[handlerkit.plugins]\n{entry}\n")
    return directory
