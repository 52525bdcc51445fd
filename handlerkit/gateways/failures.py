"""What is said where no handler can: of a request that is refused, of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.protocols.variables import lack_a_path
from handlerkit.reports import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from handlerkit.errors import RequestError


def refusal(error: RequestError, *, bodiless: bool = False) -> bytes:
    """Give the whole response that refuses a request, in the form of CGI."""
    body = refusal_body(error)
    head = (
        f"Status: {error.status}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if bodiless else body)


def refusal_body(error: RequestError) -> bytes:
    """Give the text that tells a client why it is refused."""
    text = f"{error.status}\n{error}\n".rstrip("\n")
    return text.encode("ascii", "replace") + b"\n"


def log_failure(
    log: Callable[[str], object], exc: BaseException, make_report: Any
) -> None:
    """Tell of what came out of an exchange; by the kit's rules, as its own reports."""
    if isinstance(exc, Exception):
        report = (make_report or plain.make_report)(
            (type(exc), exc, exc.__traceback__), None
        )
        log(report.text.rstrip())
    else:
        log(f"{type(exc).__name__} ended its exchange; the server goes on")


def log_no_path(log: Callable[[str], object], variables: Mapping[str, str]) -> bool:
    """Tell of a front server that does not say which path is asked for, if it is so."""
    lacking = lack_a_path(variables)
    if lacking:
        log(
            "the web server sends no PATH_INFO, so that the application takes every "
            "path for its root: handlerkit init --for nginx (or apache, lighttpd) "
            "writes what it is to send"
        )
    return lacking
