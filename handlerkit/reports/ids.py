"""Ids of 128 bits that sort by the time they were made."""

from __future__ import annotations

import os
from time import time_ns

# Random parts, made many at a time: each call to the system would let another thread
# in, which costs a busy server more than all the rest of a plugin.
_BATCH = 256
_DIGITS = 19
_spare: list[str] = []


def new_id() -> str:
    """Give 32 hex digits in the layout of a UUID of version 7 (RFC 9562, 5.7).

    48 bits of milliseconds since the epoch come first, 74 random ones follow. The
    uuid module would cost a CGI process more than its one request.
    """
    try:
        tail = _spare.pop()
    except IndexError:
        tail = _refill()
    return f"{time_ns() // 1_000_000:012x}{tail}"


def _refill() -> str:
    digits = os.urandom(_BATCH * _DIGITS // 2).hex()
    for at in range(0, len(digits), _DIGITS):
        variant = "89ab"[int(digits[at], 16) & 3]
        rest = digits[at + 1 : at + _DIGITS]
        _spare.append(f"7{rest[:3]}{variant}{rest[3:]}")
    return _spare.pop()


# A forked process would else make the same ids as its parent.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_spare.clear)
