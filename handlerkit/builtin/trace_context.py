"""trace-context: W3C Trace Context, from trusted proxies only."""

from __future__ import annotations

import os

from handlerkit.builtin.peers import Peers
from handlerkit.hooks.markers import hookimpl
from handlerkit.reports.ids import new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from handlerkit.builtin.settings import TraceContextSettings

KEY = "handlerkit.trace"

_PARENT, _STATE = "HTTP_TRACEPARENT", "HTTP_TRACESTATE"
_HEX = frozenset("0123456789abcdef")
_KEY_START = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_KEY = _KEY_START | frozenset("_-*/@")
_LENGTH = 55  # characters of a traceparent of version 00
_LONGEST_STATE = 512  # characters, of all members together
_LARGE_MEMBER = 128  # characters; such members are the first to go
_MOST_MEMBERS = 32
_LONGEST_PART = 256  # characters, of the key or the value of a member


class TraceContext:
    """Take over the trace of a trusted proxy (W3C Trace Context, level 1).

    A valid ``traceparent`` of a trusted peer stays in environ, and is, in parts,
    ``environ["handlerkit.trace"]``: ``traceparent``, ``version``, ``trace_id``,
    ``parent_id``, ``sampled``, ``tracestate``, ``source``. Any other is taken out,
    with its ``tracestate``: it could force tracing on, switch it off, or put a
    request into another's trace. With ``generate``, a trace is begun in its place,
    for logs and for requests that the application makes; it is not put into
    HTTP_TRACEPARENT, which stays what a proxy sent.
    """

    Settings = "handlerkit.builtin.settings:TraceContextSettings"
    proxies: tuple[str, ...] = ()

    def __init__(self, settings: TraceContextSettings) -> None:
        self._generate = settings.generate
        self._peers: Peers | None = None

    @hookimpl(tryfirst=True)
    def setup_environ(self, environ: dict[str, Any]) -> None:
        """Decide on the trace."""
        environ.pop(KEY, None)
        parent = environ.pop(_PARENT, None)
        state = environ.pop(_STATE, None)
        trace = None
        if parent is not None and self._trusts(environ):
            trace = parse(parent)
        if trace is not None:
            environ[_PARENT] = trace["traceparent"]
            trace["tracestate"] = bounded(state)
            if trace["tracestate"]:
                environ[_STATE] = trace["tracestate"]
            environ[KEY] = trace
        elif self._generate:
            environ[KEY] = _begun()

    def _trusts(self, environ: dict[str, Any]) -> bool:
        if self._peers is None:
            self._peers = Peers(self.proxies)
        return self._peers.trusts(environ)


def parse(text: str) -> dict[str, Any] | None:
    """Take a traceparent apart (Trace Context, 3.2.2); None if it is invalid.

    Of a version after 00, what 00 has is taken, as a traceparent of version 00.
    """
    version, trace_id, parent_id, flags = (
        text[:2],
        text[3:35],
        text[36:52],
        text[53:55],
    )
    if (
        text[2:3] + text[35:36] + text[52:53] != "---"
        or len(flags) != 2  # noqa: PLR2004 - two digits
        or not _HEX.issuperset(version + trace_id + parent_id + flags)
        or version == "ff"
        or not (trace_id.strip("0") and parent_id.strip("0"))
        or (len(text) > _LENGTH and (version == "00" or text[_LENGTH] != "-"))
    ):
        return None
    sampled = int(flags, 16) & 1
    if version != "00":
        text = f"00-{trace_id}-{parent_id}-{sampled:02x}"
    return {
        "traceparent": text,
        "version": version,
        "trace_id": trace_id,
        "parent_id": parent_id,
        "sampled": bool(sampled),
        "tracestate": "",
        "source": "peer",
    }


def bounded(state: str | None) -> str:
    """Give a tracestate of at most 512 characters; nothing if it is invalid.

    What is too long loses its large members, then its last ones (Trace Context,
    3.3.1.5); with more than 32 members it is invalid.
    """
    members = [part.strip(" \t") for part in (state or "").split(",")]
    members = [member for member in members if member]
    keys = {member.partition("=")[0] for member in members}
    if (
        len(members) > _MOST_MEMBERS
        or len(keys) != len(members)
        or not all(map(_valid_member, members))
    ):
        return ""
    if _length(members) > _LONGEST_STATE:
        members = [member for member in members if len(member) <= _LARGE_MEMBER]
    while _length(members) > _LONGEST_STATE:
        members.pop()
    return ",".join(members)


def _length(members: list[str]) -> int:
    return sum(map(len, members)) + len(members) - 1


def _valid_member(member: str) -> bool:
    key, equals, value = member.partition("=")
    return (
        bool(equals)
        and 0 < len(key) <= _LONGEST_PART
        and 0 < len(value) <= _LONGEST_PART
        and key[0] in _KEY_START
        and _KEY.issuperset(key)
        and key.count("@") <= 1
        and value.isascii()
        and value.isprintable()
        and "=" not in value
    )


def _begun() -> dict[str, Any]:
    """Begin a trace: with an id that sorts by time, and not sampled by anyone yet."""
    parent_id = int.from_bytes(os.urandom(8), "big") | 1  # all zero is invalid
    trace = parse(f"00-{new_id()}-{parent_id:016x}-00") or {}
    return {**trace, "source": "generated"}
