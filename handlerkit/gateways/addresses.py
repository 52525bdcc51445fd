"""The addresses of a connection's two ends, as CGI tells them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_IPV4_IN_IPV6 = "::ffff:"


def address_variables(sock: Any, peer: Any) -> dict[str, str]:
    """Give the CGI variables of the two ends (RFC 3875, 4.1.8 and 4.1.14).

    Raises:
        OSError: the peer has gone again.
    """
    if sock.family not in _INTERNET:
        return {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": ""}
    here = sock.getsockname()
    name = plain_address(here[0])
    return {
        "SERVER_NAME": f"[{name}]" if ":" in name else name,
        "SERVER_PORT": str(here[1]),
        "REMOTE_ADDR": plain_address(peer[0]),
        "REMOTE_PORT": str(peer[1]),
    }


def plain_address(host: str) -> str:
    """Give an address without its scope, an IPv4 one as such."""
    host = host.partition("%")[0]
    if host.startswith(_IPV4_IN_IPV6) and "." in host:
        return host.removeprefix(_IPV4_IN_IPV6)
    return host
