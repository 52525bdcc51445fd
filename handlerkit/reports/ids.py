"""Ids of 128 bits that sort by the time they were made."""

from __future__ import annotations

import os
from time import time

# Random parts, made many at a time: each call to the system would let another thread
# in, which costs a busy server more than all the rest of a plugin.
_BATCH = 64
_SIZE = 10
# Of each, the version is 7, and the variant's two bits are 10.
_FREE = int.from_bytes((b"\x0f\xff\x3f" + b"\xff" * 7) * _BATCH, "big")
_FIXED = int.from_bytes((b"\x70\x00\x80" + b"\x00" * 7) * _BATCH, "big")
_spare: list[str] = []

# From when to when, in seconds, an id begins with which digits.
_moment = (0.0, 0.0, "")


def new_id() -> str:
    """Give 32 hex digits in the layout of a UUID of version 7 (RFC 9562, 5.7).

    48 bits of milliseconds since the epoch come first, 74 random ones follow. The
    uuid module would cost a CGI process more than its one request.
    """
    since, until, first = _moment
    if not since <= time() < until:
        first = _tick()
    try:
        return first + _spare.pop()
    except IndexError:
        return first + _refill()


def _tick() -> str:
    global _moment  # noqa: PLW0603 - one tuple, swapped whole
    now = int(time() * 1000)
    _moment = (now / 1000, (now + 1) / 1000, f"{now:012x}")
    return _moment[2]


def _refill() -> str:
    """Make random parts, all of them by a few operations on one large number."""
    number = int.from_bytes(os.urandom(_SIZE * _BATCH), "big") & _FREE | _FIXED
    _spare.extend(number.to_bytes(_SIZE * _BATCH, "big").hex(" ", _SIZE).split())
    return _spare.pop()


# A forked process would else make the same ids as its parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_spare.clear)
