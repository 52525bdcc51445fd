"""`explain-proxy`: what the plugin proxy-headers makes of a request, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlerkit.builtin.proxy_headers import ProxyHeaders
from handlerkit.cli.arguments import header, peer
from handlerkit.cli.commands import load_quietly
from handlerkit.errors import HandlerkitError
from handlerkit.protocols.http1_environ import environ as cgi_variables
from handlerkit.protocols.http1_request import Request

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

# Why the walk ended where it did.
REASONS = {
    "untrusted-peer": "[proxies] trusted does not name the peer: nothing is believed",
    "no-chain": "the peer is trusted, and does not say whom it forwards for",
    "client": "the first address from the right that is not trusted is the client",
    "all-trusted": "every address is trusted: the first one is the client",
    "hidden": "a trusted proxy does not tell the client's address",
    "not-told": "an element without for= ends the walk",
    "malformed": "answered 400: whom the request is from cannot be told",
}
_DEFAULTS = {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}


def add_options(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--peer",
        required=True,
        type=peer,
        metavar="ADDRESS",
        help="who is connected: an address, or unix",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=header,
        metavar="'NAME: VALUE'",
        help="a header of the request; as often as needed, in order",
    )
    parser.add_argument("--json", action="store_true", help="for a machine to read")


def explain_proxy(options: Namespace) -> int:
    """Print the walk from the peer to the client, what follows from it, and why."""
    plugin = _plugin(options)
    request = Request("GET", "/", "1.1")
    request.headers = options.header
    environ: dict[str, Any] = {**_DEFAULTS, **cgi_variables(request)}
    environ["REMOTE_ADDR"] = "" if options.peer == "unix" else options.peer
    decision = plugin.decide(environ)
    if options.json:
        print(json.dumps({**decision, "environ": _result(environ, decision)}, indent=2))
    else:
        print("\n".join(_told(environ, decision)))
    return 0


def _plugin(options: Namespace) -> ProxyHeaders:
    plugins = load_quietly(options).plugins
    for loaded in plugins.loaded:
        if isinstance(loaded.plugin, ProxyHeaders):
            return loaded.plugin
    if plugins.safe:
        raise HandlerkitError("HANDLERKIT_SAFE is set: there are no plugins")
    raise HandlerkitError(f"{options.config} has no plugin proxy-headers")


def _told(environ: dict[str, Any], decision: dict[str, Any]) -> Iterator[str]:
    yield f"peer      {_trust(decision['peer'] or 'unix', decision)}"
    yield f"family    {decision['family']}"
    for step in decision["walk"]:
        yield f"hop       {_trust(_step(step), step)}"
    yield f"reason    {decision['reason']}: {REASONS[decision['reason']]}"
    if "malformed" in decision:
        yield f"malformed {decision['malformed']}"
    for name, value in _result(environ, decision).items():
        before = decision["originals"].get(name, value)
        was = "" if before == value else f"  (was {_shown(before)})"
        yield f"environ   {name} = {value!r}{was}"
    for name in decision["originals"]:
        if name not in environ:
            yield f"removed   {name} = {decision['originals'][name]!r}"


def _trust(who: str, what: dict[str, Any]) -> str:
    return f"{who}: {'trusted' if what['trusted'] else 'not trusted'}"


def _step(step: dict[str, Any]) -> str:
    node, address = step["node"], step["address"]
    return str(node) if node == address else f"{node} ({address})"


def _shown(original: Any) -> str:
    return "not there" if original is None else repr(original)


def _result(environ: dict[str, Any], decision: dict[str, Any]) -> dict[str, Any]:
    """Give what the application would see of it."""
    names = ("REMOTE_ADDR", *decision["originals"])
    found = {name: environ[name] for name in names if name in environ}
    if decision["scheme"] is not None:
        found["wsgi.url_scheme"] = decision["scheme"]
    return found
