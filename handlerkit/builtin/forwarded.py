"""What proxies write about who they forward for: X-Forwarded-* and Forwarded.

Parsing by hand, without ``re`` and ``ipaddress``: a one-shot CGI process would pay for
them with each request.
"""

from __future__ import annotations

from handlerkit.builtin.peers import ipv4, ipv6, shortest

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789"
_TOKEN = _LETTERS + _DIGITS + "!#$%&'*+-.^_`|~"
_OBFUSCATED = frozenset(_LETTERS + _DIGITS + "._-")
_NAME = frozenset(_LETTERS + _DIGITS + "._-")
_PATH = frozenset(_LETTERS + _DIGITS + "._-~/!$&'()*+=:@")
_PIECE = 64
_LONGEST_NAME = 253
_LONGEST_SHOWN = 60


class Malformed(ValueError):
    """A field that nothing can be told from; shows a bounded, printable part of it."""

    def __init__(self, text: str, why: str) -> None:
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
        super().__init__(f"{shown!a} {why}")


class Hop:
    """One element of a chain: what one proxy says of who connected to it.

    ``text`` is the element as it came, ``node`` who connected (None: not said),
    ``facts`` what else it says, by lower-case name.
    """

    __slots__ = ("facts", "node", "text")

    def __init__(self, text: str, node: str | None, facts: dict[str, str]) -> None:
        self.text = text
        self.node = node
        self.facts = facts


def values(field: str | None) -> list[str]:
    """Split a field at its commas; empty elements are left out (RFC 9110, 5.6.1)."""
    parts = [part.strip(" \t") for part in field.split(",")] if field else []
    return [part for part in parts if part]


def x_forwarded(field: str | None) -> list[Hop]:
    """Give the hops of an X-Forwarded-For."""
    return [Hop(value, value, {}) for value in values(field)]


def forwarded(field: str | None) -> list[Hop]:
    """Give the hops of a Forwarded (RFC 7239, 4).

    Raises:
        Malformed: no part of it can be told from what a client may have written.
    """
    hops: list[Hop] = []
    facts: dict[str, str] = {}
    text = field or ""
    start = at = 0
    while True:
        at = _skip(text, at)
        if at < len(text) and text[at] not in ",;":
            at = _skip(text, _pair(text, at, facts))
        last = at == len(text)
        if last or text[at] == ",":
            if facts:
                node = facts.pop("for", None)
                hops.append(Hop(text[start:at].strip(" \t"), node, facts))
                facts = {}
            start = at + 1
        elif text[at] != ";":
            raise Malformed(text[at:], 'is not where "," or ";" should be')
        if last:
            return hops
        at += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _pair(text: str, at: int, facts: dict[str, str]) -> int:
    """Read ``name=value`` into ``facts``; give where it ends."""
    end = _token_end(text, at)
    name = text[at:end].lower()
    if end == at or text[end : end + 1] != "=":
        raise Malformed(text[at:], "does not begin with a name and =")
    if name in facts:
        raise Malformed(name, "is there twice in one element")
    at = end + 1
    if text[at : at + 1] == '"':
        facts[name], end = _quoted(text, at + 1)
    else:
        end = _token_end(text, at)
        if end == at:
            raise Malformed(text[at:], "is no value")
        facts[name] = text[at:end]
    return end


def _token_end(text: str, at: int) -> int:
    # lstrip is much faster than a loop; pieces keep it linear.
    while True:
        piece = text[at : at + _PIECE]
        rest = piece.lstrip(_TOKEN)
        at += len(piece) - len(rest)
        if rest or not piece:
            return at


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Read a quoted string from behind its quote; give it, and where it ends."""
    start = at
    said = ""
    while at < len(text):
        char = text[at]
        if char == '"':
            return said, at + 1
        if char == "\\":
            at += 1
            char = text[at : at + 1]
        said += char
        at += 1
    raise Malformed(text[start - 1 :], "has no closing quote")


def node(text: str, *, bracketed: bool) -> tuple[str, str | None]:
    """Read a node: an address, and a port if there is one (RFC 7239, 6).

    An address is given in its shortest form, an IPv4-mapped one as IPv4. What is no
    address, is ``unknown``, ``unix:`` (nginx, for a unix socket), or begins with
    ``_``. ``bracketed`` says whether IPv6 must be in brackets; X-Forwarded-For has it
    bare.

    Raises:
        Malformed: it is none of these.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":"):
            raise Malformed(text, "is not an address")
        return _ipv6(host, text), _node_port(rest, text)
    host, colon, digits = text.partition(":")
    if ":" in digits and not bracketed:
        return _ipv6(text, text), None
    if text == "unix:":
        return text, None
    return _name(host, text), _node_port(colon + digits, text)


def _name(host: str, text: str) -> str:
    """Read what stands where an address does, IPv6 apart."""
    if ipv4(host) is not None:
        return host
    if host.lower() == "unknown":
        return "unknown"
    if host[:1] == "_" and len(host) > 1 and _OBFUSCATED.issuperset(host):
        return host
    raise Malformed(text, "is not an address")


def _ipv6(address: str, text: str) -> str:
    host, percent, zone = address.partition("%")
    found = ipv6(host)
    # A zone has a meaning only on the proxy itself.
    if found is None or (percent and not (zone and _NAME.issuperset(zone))):
        raise Malformed(text, "is not an address")
    return shortest(found)


def _node_port(rest: str, text: str) -> str | None:
    """Read ``:port`` behind a node; an obfuscated one tells nothing."""
    if not rest:
        return None
    if rest[1:2] == "_" and len(rest) > 2 and _OBFUSCATED.issuperset(rest[1:]):  # noqa: PLR2004 - more than ":_"
        return None
    return _number(rest[1:], text)


def port(text: str) -> str:
    """Read a port.

    Raises:
        Malformed: it is no port.
    """
    return _number(text, text)


def _number(digits: str, text: str) -> str:
    if (
        not (digits.isascii() and digits.isdecimal() and len(digits) <= 5)  # noqa: PLR2004 - RFC 7239, 6
        or not 0 < int(digits) <= 65535  # noqa: PLR2004 - the last port
    ):
        raise Malformed(text, "has no valid port")
    return str(int(digits))


def scheme(text: str) -> str:
    """Read a scheme: http or https, in any letters.

    Raises:
        Malformed: it is another.
    """
    lower = text.lower()
    if lower not in ("http", "https"):
        raise Malformed(text, "is neither http nor https")
    return lower


def host(text: str) -> tuple[str, str | None]:
    """Read a host: a name or an address, IPv6 in brackets, and its port if any.

    Raises:
        Malformed: it cannot be the host of an http URL.
    """
    if text[:1] == "[":
        address, bracket, rest = text[1:].partition("]")
        if not bracket or "%" in address or rest[:1] not in ("", ":"):
            raise Malformed(text, "is not a host")
        _ipv6(address, text)
        name = f"[{address}]"
    else:
        name, colon, digits = text.partition(":")
        rest = colon + digits
        if not name or len(name) > _LONGEST_NAME or not _NAME.issuperset(name):
            raise Malformed(text, "is not a host")
    return name, _number(rest[1:], text) if rest else None


def prefix(text: str) -> str:
    """Read the prefix of a path: empty, or like ``/app``.

    Raises:
        Malformed: it is no such path; percent-encoding is none.
    """
    parts = text.rstrip("/").split("/")
    if (
        text[:1] != "/"
        or not _PATH.issuperset(text)
        or any(part in ("", ".", "..") for part in parts[1:])
    ):
        raise Malformed(text, "is not a path")
    return "/".join(parts)
