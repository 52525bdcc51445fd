"""A directory with a configuration, and exchanges run through its kit."""

import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

import pytest

import handlerkit

SHOP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop"]


def environ(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["".join(f"{key}={value}\\n" for key, value in environ.items()).encode()]


def failing(environ, start_response):
    raise ZeroDivisionError("of the shop")


def create_app(name="made"):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [name.encode()]

    return application


not_callable = 3
"""


class Response(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes
    log: str


class Site:
    """A directory of files; what is imported from it is forgotten with the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("shop.py", SHOP)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        importlib.invalidate_caches()
        return path

    def toml(self, text: str) -> Path:
        return self.write("handlerkit.toml", text)

    def load(self, text: str = "", app: Any = None, **kwargs: Any) -> handlerkit.Kit:
        return handlerkit.load(self.toml(text), app, **kwargs)

    def mistakes(self, text: str = "", app: Any = None, **kwargs: Any) -> list[str]:
        """Give what is wrong, each mistake on a line of its own."""
        with pytest.raises(handlerkit.ConfigError) as caught:
            self.load(text, app, **kwargs)
        faults = caught.value.faults
        assert all(fault.file for fault in faults)
        return [
            f"{'.'.join(map(str, fault.path))}: {fault.message}: {fault.hint}"
            for fault in faults
        ]

    def serve(self, text: str = "", app: Any = None, **environ: str) -> Response:
        return self.ask(self.load(text, app), **environ)

    def ask(self, kit: handlerkit.Kit, **environ: str) -> Response:
        """Have a kit's own handler, a SimpleHandler, serve one request."""
        setup_testing_defaults(environ)
        stdin, stdout, stderr = io.BytesIO(), io.BytesIO(), io.StringIO()
        kit.handler(stdin, stdout, stderr, environ).run(kit.application)
        head, _, body = stdout.getvalue().partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return Response(status.partition(" ")[2], headers, body, stderr.getvalue())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    path, modules = sys.path[:], set(sys.modules)
    yield Site(tmp_path)
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name not in modules and file.startswith(str(tmp_path)):
            del sys.modules[name]
