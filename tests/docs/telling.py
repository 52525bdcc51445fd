"""Do what a page says, block by block, from its first to its last."""

import configparser
import contextlib
import http.client
import json
import re
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.conftest import DEADLINE, Serving
from tests.docs.page import Block, blocks
from tests.docs.sites import HERE, PORT, REQUEST, Site, missing_lines
from tests.fronts import free_port, program, running

# What serves, and how it is told where.
SERVERS = {
    "handlerkit serve": "--bind 127.0.0.1:{port}",
    "gunicorn": "-b 127.0.0.1:{port}",
    "granian": "--port {port}",
    "waitress-serve": "--listen 127.0.0.1:{port}",
    "uwsgi": "--http-socket 127.0.0.1:{port}",
    "cheroot": "--bind 127.0.0.1:{port}",
}
_SERVER = re.compile(rf"(?:^|\s)({'|'.join(SERVERS)})(?:\s|$)")
_INSTALL = re.compile(r"^pip install (?:-e )?(\./\S+|\S+)$")
_RUNS_CGI = ("run_cgi(", "CGIHandler().run(")


class Telling:
    """A page that is being told; close it to stop what it has started."""

    def __init__(self, page: Path, site: Site) -> None:
        self.blocks = blocks(page)
        self.site = site
        self.running: Serving | None = None

    def close(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running = None

    def tell(self) -> None:
        self.show_files()
        for block in self.blocks:
            if "not run" in block.marks:
                continue
            if "environ" in block.marks:
                variable, _, value = block.marks["environ"].partition("=")
                self.site.variables[variable] = self.site.here(value)
            if "before" in block.marks:
                self.command(block.marks["before"], "", block)
            if block.name:
                self.site.write(block.name, block.text)
            getattr(self, f"tell_{block.language}")(block)

    def show_files(self) -> None:
        """Write each file as it is first shown: a page may name it before."""
        for block in reversed(self.blocks):
            if block.name:
                self.site.write(block.name, block.text)

    def tell_text(self, block: Block) -> None:
        """Nothing to do: it is to be read."""

    def tell_json(self, block: Block) -> None:
        json.loads(block.text)

    def tell_xml(self, block: Block) -> None:
        ET.fromstring(block.text)

    def tell_ini(self, block: Block) -> None:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.read_string(block.text)
        assert parser.sections(), f"{block}: no section"

    def tell_toml(self, block: Block) -> None:
        name = block.name or "fragment.toml"
        path = self.site.write(name, block.text)
        tables = tomllib.loads(path.read_text())
        if path.name == "pyproject.toml" and "handlerkit" not in tables.get("tool", {}):
            return
        code, said = self.site.call(
            sys.executable, HERE / "exchange.py", path, **REQUEST
        )
        if "with mistakes" in block.marks:
            assert "ConfigError" in said, f"{block}: there is no mistake\n{said}"
        else:
            assert code == 0, f"{block}:\n{said}"

    def tell_python(self, block: Block) -> None:
        path = self.site.write(block.name or "snippet.py", block.text)
        python = self.site.directory / ".venv" / "bin" / "python"
        code, said = self.site.call(python, path, **REQUEST)
        assert code == 0, f"{block}:\n{said}"
        if any(call in block.text for call in _RUNS_CGI):
            assert said.startswith("Status: 200 OK\n"), f"{block}:\n{said}"

    def tell_console(self, block: Block) -> None:
        for text in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, expected = text.partition("\n")
            self.command(command, expected, block)

    def command(self, command: str, expected: str, block: Block) -> None:
        install = _INSTALL.match(command)
        if install and install[1].startswith("./"):
            self.site.install(self.site.directory / install[1])
        elif install:
            return  # the tests have it, and do not ask an index
        elif _SERVER.search(command):
            self.serve(command, expected, block)
        else:
            if command.startswith("curl "):
                program("curl")
            whole = "bash", "-c", self.site.here(command)
            code, said = self.site.call(*whole)
            if self.running is not None and command.startswith("tail "):
                # A server writes of a request when the client has its answer.
                end = time.monotonic() + DEADLINE
                while missing_lines(self.site.here(expected), said):
                    if time.monotonic() > end:
                        break
                    code, said = self.site.call(*whole)
            self.compare(command, said, expected, block)
            fine = code == 0 or re.search(r"error\[|curl: \(", expected)
            assert fine, f"{block}: $ {command}\nended with {code}:\n{said}"

    def compare(self, command: str, said: str, expected: str, block: Block) -> None:
        missing = missing_lines(self.site.here(expected), said)
        assert not missing, f"{block}: $ {command}\ndid not say {missing}:\n{said}"

    def serve(self, command: str, expected: str, block: Block) -> None:
        self.close()
        self.site.port = str(free_port())
        found = _SERVER.search(command)
        assert found is not None
        if PORT not in command:
            how = SERVERS[found[1]].format(port=self.site.port)
            at = found.end(1)
            command = f"{command[:at]} {how}{command[at:]}"
        self.running = Serving(
            ["bash", "-c", f"exec env {self.site.here(command)}"],
            f"127.0.0.1:{self.site.port}",
            self.site.directory,
            **self.site.environ,
        )
        self.running.wait_until_ready()
        self.running.wait_until(
            lambda: not missing_lines(self.site.here(expected), self.running.log)
        )
        answer = self.running.request("/")
        assert answer.status == 200, f"{block}: {answer}\n{self.running.log}"

    def tell_lighttpd(self, block: Block) -> None:
        self.front("lighttpd", block)

    def tell_apache(self, block: Block) -> None:
        self.front("apache", block, "alias", "env", "cgid")

    def front(self, kind: str, block: Block, *modules: str) -> None:
        """Start a front server with the block in its configuration, and ask it."""
        place = self.site.directory
        text = self.site.here(block.text)
        with running(kind, place, text, modules=modules) as port:
            answer = ask(port, block.marks["ask"])
            log = (place / "error.log").read_text()
            assert answer == (200, b"the shop\n"), f"{block}:\n{log}"


def ask(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


def reasons(found: list[Block]) -> list[str]:
    return [block.marks["not run"] for block in found if "not run" in block.marks]


def languages() -> set[str]:
    return {
        name.removeprefix("tell_") for name in vars(Telling) if name.startswith("tell_")
    }
