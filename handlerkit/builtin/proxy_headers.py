"""proxy-headers: the client, scheme and host that trusted proxies tell of."""

from __future__ import annotations

from wsgiref.util import guess_scheme

from handlerkit.builtin import forwarded
from handlerkit.builtin.peers import DECISION, Peers, peer_of
from handlerkit.errors import RequestError
from handlerkit.hooks.markers import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from handlerkit.builtin.settings import ProxyHeadersSettings
    from handlerkit.hooks.specs import Handler

_X = "HTTP_X_FORWARDED_"
_FORWARDED = "HTTP_FORWARDED"
_FACTS = ("PROTO", "HOST", "PORT", "PREFIX")

# Headers outside both families that applications take for the same facts.
_KIN = ("HTTP_X_REAL_IP", "HTTP_X_SCHEME", "HTTP_X_SCRIPT_NAME")


class ProxyHeaders:
    """Believe trusted proxies about the client, take what others say out of environ.

    From a peer that ``[proxies] trusted`` names, the family's chain is walked from the
    right, where the peer has written, to the first address that is not trusted: the
    client. REMOTE_ADDR, REMOTE_PORT, ``wsgi.url_scheme`` and HTTPS become the
    client's, on request also host, port and prefix; what nobody vouches for is taken
    out. From any other peer, and of the other family, everything is taken out.

    Fields of a trusted proxy that are malformed are answered 400: whom the request is
    from cannot be told. The decision and the originals are
    ``environ["handlerkit.proxy"]``.
    """

    Settings = "handlerkit.builtin.settings:ProxyHeadersSettings"
    proxies: tuple[str, ...] = ()

    def __init__(self, settings: ProxyHeadersSettings) -> None:
        self.family = settings.family
        taken = {"PROTO": True, "HOST": settings.host}
        taken |= {"PORT": settings.port, "PREFIX": settings.prefix}
        self._taken = [name for name in _FACTS if taken[name]]
        self._dropped = [_FORWARDED, *(_X + name for name in _FACTS if not taken[name])]
        if settings.family == "forwarded":
            self._dropped = [_X + name for name in ("FOR", *_FACTS)]
        self._peers: Peers | None = None

    # First, so that all other plugins see the client's address.
    @hookimpl(tryfirst=True)
    def add_cgi_vars(self, handler: Handler, environ: dict[str, Any]) -> None:
        """Decide, and change environ accordingly.

        Raises:
            RequestError: what a trusted proxy says is malformed: 400.
        """
        decision = self.decide(environ)
        if decision["reason"] == "malformed":
            said = f"proxy-headers: {decision['malformed']}"
            handler.get_stderr().write(f"handlerkit: {said}\n")
            raise RequestError(said)

    @hookimpl
    def get_scheme(self, environ: dict[str, Any]) -> str | None:
        """Give the scheme that the client used, where a trusted proxy says it."""
        decision = environ.get(DECISION)
        scheme = decision["scheme"] if isinstance(decision, dict) else None
        return None if scheme is None else str(scheme)

    def decide(self, environ: dict[str, Any]) -> dict[str, Any]:
        """Change environ by what its peer may say; give the decision.

        A decision that is there already stands: a second time changes nothing.
        """
        known = environ.get(DECISION)
        if isinstance(known, dict):
            return known
        if self._peers is None:
            self._peers = Peers(self.proxies)
        trusted = self._peers.trusts(environ)
        change = _Change(environ, self.family, trusted=trusted)
        if not trusted:
            change.remove(_every_copy(environ))
        else:
            change.remove(self._dropped)
            try:
                self._believe(change, self._peers)
            except forwarded.Malformed as exc:
                change.refuse(str(exc))
        environ[DECISION] = change.decision
        return change.decision

    def _believe(self, change: _Change, peers: Peers) -> None:
        """Read everything, then apply everything: what is malformed changes nothing."""
        environ = change.environ
        if self.family == "forwarded":
            hops = forwarded.forwarded(environ.get(_FORWARDED))
            facts, vouched = _facts_of(hops[-change.walk(hops, peers) :], self._taken)
        else:
            hops = forwarded.x_forwarded(environ.get(_X + "FOR"))
            count = change.walk(hops, peers)
            facts, vouched = _facts_beside(environ, self._taken, count)
            vouched[_X + "FOR"] = [hop.text for hop in hops[-count:]]
        change.read(facts)
        for name, texts in vouched.items():
            if name in environ:
                change.set(name, ", ".join(texts)) if texts else change.remove([name])
        change.apply()


def _every_copy(environ: dict[str, Any]) -> list[str]:
    """Name whatever could be taken for the word of a proxy."""
    return [name for name in environ if name.startswith(_X)] + [_FORWARDED, *_KIN]


def _facts_of(
    hops: list[forwarded.Hop], taken: list[str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Give what the hop says that the client connected to; and the vouched hops."""
    said = hops[0].facts if hops else {}
    facts = {name: said[name.lower()] for name in taken if name.lower() in said}
    return facts, {_FORWARDED: [hop.text for hop in hops]}


def _facts_beside(
    environ: dict[str, Any], taken: list[str], count: int
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Give what X-Forwarded-* say beside the chain; and their vouched values.

    Of several values, ``count`` proxies can have written the last ones at most. The
    oldest of these is about the client; prefixes add up.
    """
    facts: dict[str, str] = {}
    vouched: dict[str, list[str]] = {}
    for name in taken:
        field = environ.get(_X + name)
        if field is None:
            continue
        found = forwarded.values(field)[-(count or 1) :]
        vouched[_X + name] = found
        if found and name == "PREFIX":
            facts[name] = "".join(map(forwarded.prefix, found))
        elif found:
            facts[name] = found[0]
    return facts, vouched


class _Change:
    """What is done to one environ, and why; originals are kept as it is done."""

    def __init__(self, environ: dict[str, Any], family: str, *, trusted: bool) -> None:
        self.environ = environ
        self._client_port: str | None = None
        self._originals: dict[str, Any] = {}
        self.decision: dict[str, Any] = {
            "peer": peer_of(environ),
            "trusted": trusted,
            "family": family,
            "walk": [],
            "client": None,
            "scheme": None,
            "host": None,
            "port": None,
            "prefix": None,
            "originals": self._originals,
            "reason": "no-chain" if trusted else "untrusted-peer",
        }

    def remove(self, names: Iterable[str]) -> None:
        """Take keys out, those that are there."""
        for name in names:
            if name in self.environ:
                self._originals.setdefault(name, self.environ.pop(name))

    def set(self, name: str, value: str) -> None:
        """Set a key, if that changes it."""
        if self.environ.get(name) != value:
            self._originals.setdefault(name, self.environ.get(name))
            self.environ[name] = value

    def walk(self, hops: list[forwarded.Hop], peers: Peers) -> int:
        """Go from the right to the client; give how many hops that takes.

        Raises:
            Malformed: one of these hops is no address.
        """
        decision = self.decision
        count = 0
        for hop in reversed(hops):
            count += 1
            if hop.node is None:
                decision["reason"] = "not-told"
                break
            bracketed = decision["family"] == "forwarded"
            address, self._client_port = forwarded.node(hop.node, bracketed=bracketed)
            trusted = peers.knows(address)
            decision["walk"].append(
                {"node": hop.node, "address": address, "trusted": trusted}
            )
            decision["client"] = address
            decision["reason"] = _reason(address, trusted=trusted)
            if not trusted:
                break
        return count

    def read(self, facts: dict[str, str]) -> None:
        """Take the facts of the client's own hop into the decision.

        Raises:
            Malformed: one of them is.
        """
        decision = self.decision
        if "PROTO" in facts:
            decision["scheme"] = forwarded.scheme(facts["PROTO"])
        if "HOST" in facts:
            forwarded.host(facts["HOST"])
            decision["host"] = facts["HOST"]
        if "PORT" in facts:
            decision["port"] = forwarded.port(facts["PORT"])
        decision["prefix"] = facts.get("PREFIX")

    def apply(self) -> None:
        """Put the decision into environ."""
        decision = self.decision
        if decision["client"] is not None:
            self._apply_client(decision["client"])
        if decision["scheme"] == "https":
            self.set("HTTPS", "on")
        elif decision["scheme"] == "http":
            self.remove(["HTTPS"])
        if decision["host"] is not None or decision["port"] is not None:
            self._apply_host()
        if decision["prefix"]:
            script_name = self.environ.get("SCRIPT_NAME", "")
            self.set("SCRIPT_NAME", decision["prefix"] + script_name)

    def refuse(self, why: str) -> None:
        """Leave nothing that could be believed, the proxy's own address neither."""
        self.decision.update(dict.fromkeys(("client", "scheme", "host", "port")))
        self.decision.update(prefix=None, reason="malformed", malformed=why)
        self.remove(_every_copy(self.environ))
        self._client_port = None
        self._apply_client("unknown")

    def _apply_client(self, address: str) -> None:
        self.set("REMOTE_ADDR", address)
        # The server asked these of the proxy.
        self.remove(("REMOTE_HOST", "REMOTE_IDENT"))
        if self._client_port is None:
            self.remove(("REMOTE_PORT",))
        else:
            self.set("REMOTE_PORT", self._client_port)

    def _apply_host(self) -> None:
        """Set the host, and the port by what is told: itself, in the host, or not."""
        decision, environ = self.decision, self.environ
        scheme = decision["scheme"] or environ.get("wsgi.url_scheme")
        default = "443" if (scheme or guess_scheme(environ)) == "https" else "80"
        told = decision["port"]
        if decision["host"] is not None:
            name, port = forwarded.host(decision["host"])
            self.set("HTTP_HOST", decision["host"])
            self.set("SERVER_NAME", name)
            self.set("SERVER_PORT", port or default)
        if told is not None:
            self.set("SERVER_PORT", told)
            host = environ.get("HTTP_HOST", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name:
                self.set("HTTP_HOST", name if told == default else f"{name}:{told}")


def _reason(address: str, *, trusted: bool) -> str:
    if trusted:
        return "all-trusted"
    if address == "unknown" or address[:1] == "_":
        return "hidden"
    return "client"
