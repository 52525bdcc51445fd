"""The process environment as CGI variables; the one place of handlers that reads it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST = frozenset(
    (
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "REQUEST_METHOD",
        "AUTH_TYPE",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTPS",
        "REMOTE_USER",
        "REMOTE_IDENT",
    )
)


def _needs_transcode(name: str) -> bool:
    while name.startswith("REDIRECT_"):
        name = name[9:]
    return name in _REQUEST or name.startswith(("HTTP_", "SSL_"))


def read_environ() -> dict[str, str]:
    """Read the process environment, with request variables as latin-1 (PEP 3333).

    Python decoded the bytes that the server gave; this undoes it. On Windows how
    depends on the server, named by SERVER_SOFTWARE.
    """
    encoding = sys.getfilesystemencoding()
    recode: tuple[str, str] | None = encoding, "surrogateescape"
    if sys.platform == "win32":
        software = os.environ.get("SERVER_SOFTWARE", "").lower()
        recode = _windows_recoding(software, encoding)
    environ: dict[str, str] = {}
    for name, value in os.environ.items():
        if recode is not None and _needs_transcode(name):
            environ[name] = value.encode(*recode).decode("iso-8859-1")
        else:
            environ[name] = value
    return environ


def _windows_recoding(software: str, encoding: str) -> tuple[str, str] | None:
    """Say how a Windows server decoded request bytes; None if it did not.

    IIS decodes as UTF-8 where it can. Apache gives bytes as latin-1 text. Python's
    own CGIHTTPRequestHandler unquotes as UTF-8. Others are taken to write bytes
    through stdio, hence in the system code page.
    """
    if software.startswith("apache/"):
        return None
    if software.startswith("microsoft-iis/") or (
        software.startswith("simplehttp/") and "python/3" in software
    ):
        return "utf-8", "strict"
    return encoding, "replace"


def process_environ() -> dict[str, str]:
    """Give the process environment without what would pose as a request header."""
    return without_headers(read_environ())


def process_variables() -> Mapping[str, str]:
    """Give the process environment itself, as it is at any time."""
    return os.environ


def without_headers(environ: dict[str, str]) -> dict[str, str]:
    """Copy variables without those that would pose as request headers."""
    return {k: v for k, v in environ.items() if not k.startswith("HTTP_")}


def leaked_environ() -> dict[str, str]:
    """Give what a hosting server may have copied from the process, as it is now.

    Never a request name: those an engine may rightly give, with an equal value.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not _needs_transcode(name)
        and not name.startswith(
            ("SERVER_", "REMOTE_", "REQUEST_", "REDIRECT_", "wsgi.")
        )
        and name not in ("GATEWAY_INTERFACE", "PATH_TRANSLATED")
    }
