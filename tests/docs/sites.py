"""A directory where a page comes true: its files, its commands, its servers."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
PLACE = "/srv/shop"  # where pages have the shop; each has a directory of its own here
PORT = "8000"

REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}
HANDLERKIT = """\
#!{python}
from handlerkit.cli import main

main()
"""


def make_venv(place: Path) -> Path:
    """Make a .venv with handlerkit, and all that this interpreter has."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(place)],
        check=True,
    )
    [packages] = place.glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (packages / "ours.pth").write_text(
        f"{ROOT}\nimport site; site.addsitedir({ours!r})\n"
    )
    return place


class Site:
    """The directory of a page; ``served`` is the address of the server that runs."""

    def __init__(self, directory: Path, venv: Path) -> None:
        self.directory = directory
        shutil.copytree(HERE / "site", directory, dirs_exist_ok=True)
        shutil.copy(ROOT / "config.example.toml", directory)
        (directory / ".venv").symlink_to(venv)
        self.bin = directory / ".bin"
        self.bin.mkdir()
        self.script(
            self.bin / "handlerkit",
            HANDLERKIT.format(python=directory / ".venv" / "bin" / "python"),
        )
        self.installed = directory / ".installed"
        self.installed.mkdir()
        self.port = PORT
        self.variables: dict[str, str] = {}

    def script(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HANDLERKIT_")}
        programs = (
            self.bin,
            self.directory / ".venv" / "bin",
            Path(sys.executable).parent,
            os.environ["PATH"],
        )
        return {
            **kept,
            **self.variables,
            "PATH": ":".join(map(str, programs)),
            "PYTHONPATH": f"{self.installed}:{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",  # a file may change twice a second
            "PYTHONUNBUFFERED": "1",
        }

    def here(self, text: str) -> str:
        """Give text of a page with the places and ports of this test."""
        return text.replace(PLACE, str(self.directory)).replace(PORT, self.port)

    def write(self, name: str, text: str) -> Path:
        path = Path(self.here(name))
        path = path if path.is_absolute() else self.directory / path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.script(path, self.here(text))
        return path

    def call(self, *command: str | Path, **environ: str) -> tuple[int, str]:
        """Run a program; give its exit code, and what it said."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=100,
            check=False,
        )
        return done.returncode, done.stdout

    def install(self, project: Path) -> None:
        """Do what ``pip install`` does for a plugin, without a package index."""
        about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        name = about["name"].replace("-", "_")
        info = self.installed / f"{name}-{about['version']}.dist-info"
        info.mkdir(exist_ok=True)
        info.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {about['name']}\n"
            f"Version: {about['version']}\n"
        )
        lines = []
        for group, entries in about["entry-points"].items():
            lines += [f"[{group}]", *(f"{k} = {v}" for k, v in entries.items())]
        info.joinpath("entry_points.txt").write_text("\n".join(lines))
        for package in project.glob("*/__init__.py"):
            target = self.installed / package.parent.name
            shutil.copytree(package.parent, target, dirs_exist_ok=True)


def missing_lines(expected: str, said: str) -> list[str]:
    """Give what of the expected lines was not said, in order; … stands for anything."""
    missing = []
    rest = [squeezed(line) for line in said.splitlines()]
    for line in map(squeezed, expected.splitlines()):
        if line == "…":
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        place = next((i for i, each in enumerate(rest) if pattern.fullmatch(each)), -1)
        if place < 0:
            missing.append(line)
        else:
            rest = rest[place + 1 :]
    return missing


def squeezed(line: str) -> str:
    """Give a line with single blanks: columns are as wide as what is in them."""
    return " ".join(line.split())
