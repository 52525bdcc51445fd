"""Whom to believe: is the peer of a connection one of the trusted proxies?"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

DECISION = "handlerkit.proxy"

_BITS = 32
_BITS_IPV6 = 128
_GROUPS = 8  # of an IPv6 address, 16 bits each
_HEX = frozenset("0123456789abcdefABCDEF")
_MAPPED_IPV6 = 0xFFFF << _BITS  # IPv4 in IPv6 (RFC 4291, 2.5.5.2)
_LONGEST_IPV4 = 15
_MOST_KNOWN = 1024  # addresses whose answer is kept
_LONGEST_KNOWN = 64
_MAPPED = "::ffff:"

# What servers have for the address of a peer on a unix socket: most leave it empty,
# nginx says "unix:", uWSGI "0.0.0.0", waitress "localhost". None is a TCP peer's.
_NAMELESS = frozenset(("", "unix:", "0.0.0.0", "localhost"))  # noqa: S104 - not to bind


def peer_of(environ: Mapping[str, Any]) -> str:
    """Give the address of who is connected, "" if it has none.

    That is REMOTE_ADDR, unless the plugin proxy-headers has put the client's there.
    """
    decision = environ.get(DECISION)
    if isinstance(decision, dict):
        return str(decision["peer"])
    return str(environ.get("REMOTE_ADDR") or "")


class Peers:
    """The peers that ``[proxies] trusted`` names.

    ``"unix"`` stands for whoever connects through a unix socket: there REMOTE_ADDR is
    absent, empty, or something that is no peer's address. Addresses are matched as
    integers made here: ipaddress would cost a CGI process a third of its time.

    Raises:
        ValueError: an entry is neither "unix" nor an address nor a network.
    """

    __slots__ = ("_ipv4", "_ipv6", "_known", "_unix")

    def __init__(self, trusted: Iterable[str]) -> None:
        self._unix = False
        self._known: dict[str, bool] = {}
        self._ipv4: list[tuple[int, int]] = []
        self._ipv6: list[tuple[int, int]] = []
        for entry in trusted:
            if entry == "unix":
                self._unix = True
            elif ":" in entry:
                self._ipv6.append(_network(entry, ipv6, _BITS_IPV6))
            else:
                self._ipv4.append(_network(entry, ipv4, _BITS))

    def trusts(self, environ: Mapping[str, Any]) -> bool:
        """Say whether the request's peer is one of them."""
        peer = peer_of(environ)
        return (self._unix and peer in _NAMELESS) or self.knows(peer)

    def knows(self, address: str) -> bool:
        """Say whether an address is one of them; ``unix:`` is a unix socket's."""
        known = self._known.get(address)
        if known is None:
            known = self._asked(address)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            if len(address) <= _LONGEST_KNOWN:
                self._known[address] = known
        return known

    def _asked(self, address: str) -> bool:
        if not address or address == "unix:":
            return self._unix
        if ":" not in address:
            return self._knows_ipv4(ipv4(address))
        if address.startswith(_MAPPED) and "." in address:  # on a dual-stack socket
            return self._knows_ipv4(ipv4(address[len(_MAPPED) :]))
        return self._knows_ipv6(address)

    def _knows_ipv4(self, address: int | None) -> bool:
        return address is not None and any(
            address & mask == network for network, mask in self._ipv4
        )

    def _knows_ipv6(self, text: str) -> bool:
        address = ipv6(text.partition("%")[0])
        if address is None:
            return False
        if (mapped := mapped_ipv4(address)) is not None:
            return self._knows_ipv4(mapped)
        return any(address & mask == network for network, mask in self._ipv6)


def _network(
    entry: str, read: Callable[[str], int | None], most: int
) -> tuple[int, int]:
    """Give network and mask of an entry, whose addresses have so many bits."""
    text, slash, length = entry.partition("/")
    address = read(text)
    bits = int(length) if length.isdecimal() else most
    if address is None or bits > most or (slash and not length.isdecimal()):
        raise ValueError(f'"{entry}" is not "unix", an address or a network')
    mask = (1 << most) - (1 << most - bits)
    return address & mask, mask


def ipv4(text: str) -> int | None:
    """Give an IPv4 address as an integer; None for anything else.

    Only the usual form is one: to some, 010.0.0.1 is octal, and 10.1 is 10.0.0.1.
    """
    if len(text) > _LONGEST_IPV4:
        return None
    try:
        a, b, c, d = map(int, text.split("."))
        value = int.from_bytes((a, b, c, d), "big")
    except ValueError:
        return None
    return value if f"{a}.{b}.{c}.{d}" == text else None


def ipv6(text: str) -> int | None:
    """Give an IPv6 address as an integer (RFC 4291, 2.2); None for anything else."""
    head, gap, tail = text.partition("::")
    before, after = _groups(head), _groups(tail)
    if before is None or after is None or (gap and "." in head):
        return None
    missing = _GROUPS - len(before) - len(after)
    if missing < 1 if gap else missing or after:
        return None
    value = 0
    for group in (*before, *[0] * missing, *after):
        value = value << 16 | group
    return value


def _groups(text: str) -> list[int] | None:
    """Read groups of hex digits between colons; the last may be an IPv4 address."""
    if not text:
        return []
    *parts, last = text.split(":")
    low: list[int] = []
    if "." in last:
        address = ipv4(last)
        if address is None:
            return None
        low = [address >> 16, address & 0xFFFF]
    else:
        parts.append(last)
    for part in parts:
        if not 0 < len(part) <= 4 or not _HEX.issuperset(part):  # noqa: PLR2004 - digits of 16 bits
            return None
    return [*(int(part, 16) for part in parts), *low]


def mapped_ipv4(address: int) -> int | None:
    """Give the IPv4 address that an IPv6 one stands for, if it does."""
    return address & 0xFFFFFFFF if address >> _BITS << _BITS == _MAPPED_IPV6 else None


def shortest(address: int) -> str:
    """Write an IPv6 address as RFC 5952 has it, one that stands for IPv4 as that."""
    if (mapped := mapped_ipv4(address)) is not None:
        return ".".join(map(str, mapped.to_bytes(4, "big")))
    groups = [address >> bits & 0xFFFF for bits in range(112, -1, -16)]
    start = length = 0
    for at in range(_GROUPS):
        end = at
        while end < _GROUPS and not groups[end]:
            end += 1
        if end - at > max(length, 1):
            start, length = at, end - at
    texts = [f"{group:x}" for group in groups]
    if not length:
        return ":".join(texts)
    return f"{':'.join(texts[:start])}::{':'.join(texts[start + length :])}"
