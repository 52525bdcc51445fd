"""Ids of 128 bits that sort by the time they were made."""

from __future__ import annotations

from os import urandom
from time import time_ns

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def new_id() -> str:
    """Give 32 hex digits in the layout of a UUID of version 7 (RFC 9562, 5.7).

    48 bits of milliseconds since the epoch come first, 74 random ones follow. The
    uuid module would cost a CGI process more than its one request.
    """
    milliseconds = time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    random = int.from_bytes(urandom(10), "big")
    high = (random >> 62 & 0xFFF) << 64
    low = random & 0x3FFF_FFFF_FFFF_FFFF
    return f"{milliseconds << 80 | _VERSION | high | _VARIANT | low:032x}"
