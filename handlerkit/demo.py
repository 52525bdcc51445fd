"""A small application to try handlerkit with; `config.example.toml` serves it."""

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.types import StartResponse

_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>handlerkit demo</title>
<h1>handlerkit demo</h1>
<ul>
<li><a href="stream">stream</a>: a body in pieces, its length unknown
<li><a href="file">file</a>: through wsgi.file_wrapper
<li><a href="fail">fail</a>: an error before the headers
<li><a href="api/fail">api/fail</a>: the same, for programs
<li><a href="fail-late">fail-late</a>: an error after the headers
<li>echo: what you POST to it
</ul>
<h2>environ</h2>
<table>%s</table>
</html>
"""


def application(
    environ: dict[str, Any], start_response: StartResponse
) -> Iterable[bytes]:
    """Answer ``/``, ``/stream``, ``/file``, ``/echo``, and paths that fail."""
    page = _PAGES.get(environ.get("PATH_INFO") or "/", _not_found)
    return page(environ, start_response)


def _index(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    rows = "".join(
        f"<tr><th>{escape(name)}<td>{escape(repr(value))}\n"
        for name, value in sorted(environ.items())
    )
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [(_PAGE % rows).encode("utf-8", "backslashreplace")]


def _stream(_: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    return (b"piece %d\n" % number for number in range(10))


def _file(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    content = BytesIO(b"A line of a file.\n" * 1000)
    start_response("200 OK", [_TEXT])
    wrap = environ.get("wsgi.file_wrapper")
    wrapped: Iterable[bytes] = wrap(content, 8192) if wrap else content
    return wrapped


def _fail(_: dict[str, Any], __: StartResponse) -> Iterable[bytes]:
    raise ValueError("the demo was asked to fail")


def _fail_late(_: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [_TEXT])
    yield b"this much went well\n"
    raise ValueError("the demo was asked to fail late")


def _echo(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    body = environ["wsgi.input"]
    return [b"".join(iter(lambda: body.read(65536), b""))]


def _not_found(_: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [_TEXT])
    return [b"not found: see /\n"]


_PAGES = {
    "/": _index,
    "/stream": _stream,
    "/file": _file,
    "/fail": _fail,
    "/api/fail": _fail,
    "/fail-late": _fail_late,
    "/echo": _echo,
}
