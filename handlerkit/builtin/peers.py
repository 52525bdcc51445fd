"""Whom to believe: is the peer of a connection one of the trusted proxies?"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

DECISION = "handlerkit.proxy"

_BITS = 32
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
    absent, empty, or something that is no peer's address. IPv4 is matched in integers
    made here; ipaddress, slow to import, is asked only where IPv6 is involved.

    Raises:
        ValueError: an entry is neither "unix" nor an address nor a network.
    """

    __slots__ = ("_ipv4", "_ipv6", "_known", "_unix")

    def __init__(self, trusted: Iterable[str]) -> None:
        self._unix = False
        self._known: dict[str, bool] = {}
        self._ipv4: list[tuple[int, int]] = []
        self._ipv6: list[Any] = []
        for entry in trusted:
            if entry == "unix":
                self._unix = True
            elif ":" in entry:
                from ipaddress import IPv6Network

                self._ipv6.append(IPv6Network(entry, strict=False))
            else:
                self._ipv4.append(_network(entry))

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
        from ipaddress import IPv6Address

        try:
            address = IPv6Address(text.partition("%")[0])
        except ValueError:
            return False
        if address.ipv4_mapped is not None:
            return self._knows_ipv4(int(address.ipv4_mapped))
        return any(address in network for network in self._ipv6)


def _network(entry: str) -> tuple[int, int]:
    text, slash, length = entry.partition("/")
    address = ipv4(text)
    bits = int(length) if length.isdecimal() else _BITS
    if address is None or bits > _BITS or (slash and not length.isdecimal()):
        raise ValueError(f'"{entry}" is not "unix", an address or a network')
    mask = (1 << _BITS) - (1 << _BITS - bits)
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
