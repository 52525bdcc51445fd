"""proxy-headers agrees with Werkzeug and uvicorn, where both define the result.

Werkzeug is told how many proxies there are, uvicorn and we are told which: so chains
are made of a client, and of as many trusted proxies as Werkzeug is told.
"""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from handlerkit.builtin.proxy_headers import ProxyHeaders
from handlerkit.builtin.settings import ProxyHeadersSettings

# A loaded machine is no fault of the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRUSTED = ("10.0.0.0/8", "2001:db8:7::/48", "192.0.2.7")
PEER = "10.0.0.1"
PROXIES = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=6, network="2001:db8:7::/48"),
    st.just(ip_address("192.0.2.7")),
)
CLIENTS = st.one_of(
    st.ip_addresses(v=4, network="203.0.113.0/24"),
    st.ip_addresses(v=6, network="2001:db8:8::/48"),
    st.just("unknown"),
    st.just("_hidden"),
)
# Neither Werkzeug's quotes nor a comma: they would move what follows.
SPOOFED = st.lists(
    st.text(st.characters(codec="ascii", exclude_characters='",\\'), max_size=12).map(
        lambda text: f"x{text}x"
    ),
    max_size=3,
)
PORTS = st.one_of(st.none(), st.integers(1, 65535))
SCHEMES = st.sampled_from(["http", "https"])
HOSTS = st.sampled_from(["shop.example", "shop.example:8443", "[2001:db8::1]:80"])


def ours(headers, **settings):
    made = ProxyHeaders(ProxyHeadersSettings(**settings))
    made.proxies = TRUSTED
    environ = incoming(headers)
    decision = made.decide(environ)
    assert decision["reason"] != "malformed"
    environ["wsgi.url_scheme"] = decision["scheme"] or "http"
    return environ


def incoming(headers):
    return {
        "REMOTE_ADDR": PEER,
        "HTTP_HOST": "inner:8000",
        "SERVER_NAME": "inner",
        "SERVER_PORT": "8000",
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        **{f"HTTP_X_FORWARDED_{name}": value for name, value in headers.items()},
    }


def werkzeugs(environ, **counts):
    environ = dict(environ)
    ProxyFix(lambda environ, _: [], **counts)(environ, lambda *_: None)
    return environ


def uvicorns(headers):
    """Give client and scheme, after uvicorn's middleware."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)

    scope = {
        "type": "http",
        "client": (PEER, 40000),
        "scheme": "http",
        "headers": [
            (f"x-forwarded-{name.lower()}".encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }
    running = ProxyHeadersMiddleware(app, list(TRUSTED))(scope, None, None)
    try:
        running.send(None)
    except StopIteration:
        return seen
    raise AssertionError("the middleware waits for something")


def address(text):
    try:
        return ip_address(text)
    except ValueError:
        return text


def written(host, port):
    if port is None:
        return str(host)
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


@UNHURRIED
@given(SPOOFED, CLIENTS, st.lists(PROXIES, max_size=4))
def test_the_client_of_a_chain(spoofed, client, proxies):
    chain = [*spoofed, str(client), *map(str, proxies)]
    headers = {"FOR": ", ".join(chain)}
    found = address(ours(headers)["REMOTE_ADDR"])

    count = len(proxies) + 1
    theirs = werkzeugs(incoming(headers), x_for=count)["REMOTE_ADDR"]
    assert found == address(theirs)
    assert found == address(uvicorns(headers)["client"][0])


@UNHURRIED
@given(st.lists(PROXIES, min_size=1, max_size=4))
def test_the_client_where_all_are_trusted(proxies):
    headers = {"FOR": ", ".join(map(str, proxies))}
    found = address(ours(headers)["REMOTE_ADDR"])

    theirs = werkzeugs(incoming(headers), x_for=len(proxies))["REMOTE_ADDR"]
    assert found == address(theirs)
    assert found == address(uvicorns(headers)["client"][0])


@UNHURRIED
@given(
    SPOOFED,
    st.tuples(CLIENTS.filter(lambda client: not isinstance(client, str)), PORTS),
    st.lists(st.tuples(PROXIES, PORTS), max_size=4),
)
def test_the_client_and_its_port_where_nodes_have_ports(spoofed, client, proxies):
    """Only uvicorn reads ports; Werkzeug takes them for part of the address."""
    nodes = [written(*node) for node in (client, *proxies)]
    headers = {"FOR": ", ".join([*spoofed, *nodes])}
    environ = ours(headers)

    host, port = uvicorns(headers)["client"]
    assert address(environ["REMOTE_ADDR"]) == address(host)
    assert int(environ.get("REMOTE_PORT", 0)) == port


@UNHURRIED
@given(SCHEMES, st.lists(PROXIES, max_size=3))
def test_the_scheme_that_one_proxy_tells(scheme, proxies):
    headers = {"FOR": ", ".join(["203.0.113.9", *map(str, proxies)]), "PROTO": scheme}
    found = ours(headers)["wsgi.url_scheme"]

    assert found == werkzeugs(incoming(headers))["wsgi.url_scheme"]
    assert found == uvicorns(headers)["scheme"]


@UNHURRIED
@given(SPOOFED, st.lists(st.tuples(PROXIES, SCHEMES), min_size=1, max_size=4))
def test_the_scheme_where_each_proxy_appends_one(spoofed, proxies):
    """uvicorn does not read lists."""
    chain = [*spoofed, "203.0.113.9", *(str(proxy) for proxy, _ in proxies[1:])]
    schemes = [*spoofed, *(scheme for _, scheme in proxies)]
    headers = {"FOR": ", ".join(chain), "PROTO": ", ".join(schemes)}
    count = len(proxies)

    theirs = werkzeugs(incoming(headers), x_for=count, x_proto=count)
    assert ours(headers)["wsgi.url_scheme"] == theirs["wsgi.url_scheme"]


@UNHURRIED
@given(HOSTS, st.sampled_from(["", "/shop", "/a/b"]))
def test_host_and_prefix(host, prefix):
    """uvicorn knows neither; without a port, ours is the scheme's own."""
    headers = {"FOR": "203.0.113.9", "HOST": host}
    if prefix:
        headers["PREFIX"] = prefix
    found = ours(headers, host=True, prefix=True)

    theirs = werkzeugs(incoming(headers), x_host=1, x_prefix=1)
    keys = ["HTTP_HOST", "SERVER_NAME", "SCRIPT_NAME"]
    if not host[-1].isalpha():
        keys.append("SERVER_PORT")
    assert {key: found[key] for key in keys} == {key: theirs[key] for key in keys}


@UNHURRIED
@given(HOSTS, st.integers(1, 65535).filter(lambda port: port != 80))
def test_host_and_port(host, port):
    """Werkzeug keeps the scheme's own port in the host."""
    headers = {"FOR": "203.0.113.9", "HOST": host, "PORT": str(port)}
    found = ours(headers, host=True, port=True)

    theirs = werkzeugs(incoming(headers), x_host=1, x_port=1)
    keys = ["HTTP_HOST", "SERVER_NAME", "SERVER_PORT"]
    assert {key: found[key] for key in keys} == {key: theirs[key] for key in keys}


@UNHURRIED
@given(SPOOFED, CLIENTS, st.lists(st.tuples(PROXIES, SCHEMES), max_size=4))
def test_a_proxyfix_of_the_application_comes_to_the_same(spoofed, client, proxies):
    """What is left in environ is only what is vouched for, and all of that."""
    chain = [*spoofed, str(client), *(str(proxy) for proxy, _ in proxies)]
    schemes = [*spoofed, "https", *(scheme for _, scheme in proxies)]
    environ = ours({"FOR": ", ".join(chain), "PROTO": ", ".join(schemes)})

    count = len(proxies) + 1
    theirs = werkzeugs(environ, x_for=count, x_proto=count)
    for key in ("REMOTE_ADDR", "wsgi.url_scheme"):
        assert address(theirs[key]) == address(environ[key])
