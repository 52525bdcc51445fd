"""What `init --for` writes: the files of ``templates``, with paths in place.

A template is named SERVER-VIA.SUFFIX, or SERVER-VIA+VIA.SUFFIX; one more is all that
another way needs. In it ``@name@`` stands for a value. A line that begins with
``{word}`` is there only where the word holds: ``root`` or ``prefix`` (the application
is at / or below it), ``unix`` or ``tcp`` (where its server listens), ``activated`` or
``own`` (systemd opens the sockets, or the server does), ``spawned`` or ``connected``
(lighttpd starts the application, or asks one that runs), and the way itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TEMPLATES = Path(__file__).parent / "templates"
_WORD = re.compile(r"\{(\w+)\}")
_VALUE = re.compile(r"@(\w+/?)@")


class Snippet(NamedTuple):
    """A file to write: its name where a directory is given, its text, its mode."""

    name: str
    text: str
    mode: int


def ways() -> dict[str, list[str]]:
    """Give the servers that there are templates for, and their ways, http first."""
    found: dict[str, set[str]] = {}
    for template in _TEMPLATES.glob("*-*.*"):
        server, vias, _ = _parts(template)
        found.setdefault(server, set()).update(vias)
    return {
        server: sorted(found[server], key=lambda via: (via != "http", via))
        for server in sorted(found)
    }


def snippets(
    server: str, via: str, values: Mapping[str, str], words: set[str]
) -> list[Snippet]:
    """Fill in the templates of a server."""
    return [
        Snippet(
            f"{values['name']}.{_parts(template)[2]}",
            "".join(_filled(template.read_text("utf-8"), values, {via, *words})),
            0o755 if template.suffix == ".cgi" else 0o644,
        )
        for template in sorted(_TEMPLATES.glob(f"{server}-*.*"))
        if via in _parts(template)[1]
        if "activated" in words or template.suffix != ".socket"
    ]


def _parts(template: Path) -> tuple[str, list[str], str]:
    """Give the server, the ways and the suffix that a template is named by."""
    name, _, suffix = template.name.partition(".")
    server, _, vias = name.partition("-")
    return server, vias.split("+"), suffix


def _filled(text: str, values: Mapping[str, str], words: set[str]) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        rest = line
        while condition := _WORD.match(rest):
            if condition[1] not in words:
                break
            rest = rest[condition.end() :]
        else:
            yield _VALUE.sub(lambda found: values.get(found[1], found[0]), rest)
