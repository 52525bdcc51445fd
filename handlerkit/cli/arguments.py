"""What several commands are given: the parts of a made-up request."""

from __future__ import annotations

from argparse import ArgumentTypeError
from ipaddress import ip_address

from handlerkit.pep3333 import check_headers


def peer(text: str) -> str:
    """Check who is connected: an address, or unix."""
    if text != "unix":
        try:
            ip_address(text)
        except ValueError as exc:
            raise ArgumentTypeError('must be an address, or "unix"') from exc
    return text


def header(text: str) -> tuple[str, str]:
    """Read a header, as a request has it: its bytes as latin-1 (PEP 3333)."""
    name, colon, value = text.partition(":")
    if not colon or not name or name != name.strip():
        raise ArgumentTypeError("must be 'Name: value'")
    value = value.strip(" \t").encode("utf-8", "surrogateescape").decode("latin-1")
    try:
        check_headers([(name, value)])
    except ValueError as exc:
        raise ArgumentTypeError(
            "must be a token, a colon, and a value without control characters"
        ) from exc
    except AssertionError:  # hop-by-hop: a request may have it
        pass
    return name, value


def method(text: str) -> str:
    """Check a method: a token (RFC 9110, 9.1)."""
    try:
        check_headers([(text, "")])
    except (AssertionError, ValueError) as exc:
        raise ArgumentTypeError("must be a method, as GET") from exc
    return text


def target(text: str) -> str:
    """Check the path and query of a request line (RFC 9112, 3.2.1)."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable():
        raise ArgumentTypeError('must begin with "/", percent-encoded beyond ASCII')
    if " " in text:
        raise ArgumentTypeError("must have no blanks: %20 is one")
    return text
