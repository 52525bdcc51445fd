"""Files that the operating system sends, without a copy through this process."""

from __future__ import annotations

import errno
import os

# More at once is refused by some systems; a socket takes far less.
_MOST = 1 << 30
# What a system says that cannot send this file, or not to there.
_REFUSED = frozenset(
    getattr(errno, name)
    for name in ("EINVAL", "ENOSYS", "ENOTSOCK", "EOPNOTSUPP", "EOVERFLOW", "ENOTSUP")
    if hasattr(errno, name)
)


def send_some(to: int, descriptor: int, start: int, count: int) -> int | None:
    """Send up to ``count`` bytes of a file, from ``start`` on.

    The file's own position does not move.

    Returns:
        How many went out, 0 at the file's end; None where the system cannot do it.

    Raises:
        OSError: ``BlockingIOError`` if nothing can be taken now, a ``ConnectionError``
            if the other end is gone, else what is wrong with the file.
    """
    if not hasattr(os, "sendfile"):
        return None
    try:
        return os.sendfile(to, descriptor, start, min(count, _MOST))
    except OSError as exc:
        if exc.errno in _REFUSED:
            return None
        raise
