"""What several commands are given: codes, files, the parts of a made-up request."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from ipaddress import ip_address
from pathlib import Path

from handlerkit.config import CODES
from handlerkit.errors import HandlerkitError
from handlerkit.pep3333 import check_headers


def error_code(text: str) -> str:
    """Check the code of an error: as HK203, hk203, or 203."""
    code = text.strip().upper()
    code = f"HK{code}" if code.isdigit() else code
    if code in CODES:
        return code
    # Only who mistypes a code pays for it.
    from handlerkit.config.grammar import closest

    digits = code.replace("O", "0").replace("I", "1").replace("L", "1")
    hint = closest(digits, CODES) or "handlerkit explain --list has all"
    raise ArgumentTypeError(f'no code "{text}": {hint}')


def content(name: str) -> bytes:
    """Read a file; ``-`` is standard input.

    Raises:
        HandlerkitError: it cannot be read.
    """
    if name == "-" and sys.stdin is None:
        raise HandlerkitError("there is no standard input")
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as exc:
        raise HandlerkitError(f"{name} cannot be read: {exc.strerror}") from exc


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
        raise ArgumentTypeError(str(exc)) from exc
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
