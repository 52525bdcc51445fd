"""proxy-headers: whom a request is from, by the word of trusted proxies only."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from pathlib import Path
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

import handlerkit
from handlerkit.builtin.peers import DECISION
from handlerkit.builtin.proxy_headers import ProxyHeaders
from handlerkit.builtin.request_id import RequestId
from handlerkit.builtin.settings import ProxyHeadersSettings, RequestIdSettings
from handlerkit.cli.explain_proxy import REASONS
from handlerkit.hooks.markers import hookimpl
from handlerkit.protocols.http1_environ import environ as cgi_variables
from handlerkit.protocols.http1_request import Request

ROOT = Path(__file__).parents[2]
CASES = tomllib.loads((Path(__file__).parent / "proxy_cases.toml").read_text())["case"]
# A loaded machine is no fault of the code.
UNHURRIED = hypothesis_settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
FAMILIES = ["x-forwarded", "forwarded"]
INNER = {
    "HTTP_HOST": "inner:8000",
    "SERVER_NAME": "inner",
    "SERVER_PORT": "8000",
    "SCRIPT_NAME": "",
    "REMOTE_PORT": "40000",
}


def plugin(*trusted, **settings):
    made = ProxyHeaders(ProxyHeadersSettings(**settings))
    made.proxies = trusted
    return made


def incoming(headers, peer, **before):
    """Give the CGI variables of a request, as the built-in server does."""
    request = Request("GET", "/", "1.1")
    for header in headers:
        name, _, value = header.partition(": ")
        request.headers.append((name, value))
    return {**cgi_variables(request), **INNER, **before, "REMOTE_ADDR": peer}


def received(case):
    return incoming(case["headers"], case["peer"], **case.get("before", {}))


def told(environ):
    """Give what is left of environ without the plugin's own key."""
    return {key: value for key, value in environ.items() if key != DECISION}


class Kit:
    """A kit with the plugin, and what its application sees of a request."""

    def __init__(self, case, kind):
        self.seen = {}
        plugins = {"proxy-headers": case.get("settings", {})}
        config = {
            "handler": {"class": kind},
            "proxies": {"trusted": case.get("trusted", [])},
            "plugins": plugins,
        }
        self.kit = handlerkit.load(config, self.application)
        self.status = []

    def application(self, environ, start_response):
        self.seen = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    def run(self, environ):
        setup_testing_defaults(environ)
        validated = validator(self.application)
        if issubclass(self.kit.handler_class, handlerkit.HostedHandler):
            handler = self.kit.handler(environ, lambda status, _: self.answer(status))
            list(handler.run(validated))
        else:
            out = io.BytesIO()
            self.kit.handler(io.BytesIO(), out, io.StringIO(), environ).run(validated)
            self.answer(out.getvalue().partition(b" ")[2].decode())
        return self.seen

    def answer(self, status):
        self.status.append(status[:3])


def test_there_are_many_cases_and_no_two_of_a_name():
    assert len({case["name"] for case in CASES}) == len(CASES) > 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_decision_is_as_the_table_says(case):
    environ = received(case)
    before = dict(environ)
    made = plugin(*case.get("trusted", []), **case.get("settings", {}))
    decision = made.decide(environ)

    refused = case["reason"] == "malformed"
    assert decision["reason"] == case["reason"]
    assert environ["REMOTE_ADDR"] == case.get(
        "addr", "unknown" if refused else case["peer"]
    )
    for key, value in case.get("environ", {}).items():
        assert environ.get(key, "-") == value, key
    changed = {k for k in {*environ, *before} if environ.get(k) != before.get(k)}
    assert decision["originals"] == {k: before.get(k) for k in changed - {DECISION}}
    assert decision["peer"] == case["peer"]
    if refused:
        believed = ("client", "scheme", "host", "port", "prefix")
        assert [decision[name] for name in believed] == [None] * 5


@pytest.mark.parametrize("kind", ["SimpleHandler", "HostedHandler"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_application_sees_what_the_table_says(case, kind):
    kit = Kit(case, kind)
    outer = received(case)
    if kind == "HostedHandler" and outer.get("HTTPS") == "on":
        outer["wsgi.url_scheme"] = "https"  # as the server would
    seen = kit.run(outer)

    if case["reason"] == "malformed":
        assert kit.status == ["400"]
        assert seen == {}
        return
    assert kit.status == ["200"]
    assert seen["REMOTE_ADDR"] == case.get("addr", case["peer"])
    assert seen["wsgi.url_scheme"] == case.get("scheme", "http")
    for key, value in case.get("environ", {}).items():
        assert seen.get(key, "-") == value, key


def test_every_reason_is_in_the_table_and_explained():
    assert {case["reason"] for case in CASES} == set(REASONS)


# --- Whatever comes -----------------------------------------------------------

ADDRESSES = ["203.0.113.9", "10.0.0.2", "[2001:db8::1]:80", "unknown", "_x", "unix:"]
PIECES = st.sampled_from(
    [*ADDRESSES, *'",;= \\:[]_x', "for=", "proto=https", "host=a", "/a", "https"]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=8).map("".join),
    st.text(st.characters(codec="latin-1"), max_size=20),
)
NAMES = ["FOR", "PROTO", "HOST", "PORT", "PREFIX", "SSL"]
KEYS = ["HTTP_FORWARDED", "HTTP_X_REAL_IP", *(f"HTTP_X_FORWARDED_{n}" for n in NAMES)]
HEADERS = st.dictionaries(st.sampled_from(KEYS), TEXTS)
SETTINGS = st.one_of(
    st.fixed_dictionaries(
        {
            "family": st.just("x-forwarded"),
            "host": st.booleans(),
            "port": st.booleans(),
            "prefix": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"family": st.just("forwarded"), "host": st.booleans()}),
)
PEERS = st.sampled_from(["", "10.0.0.1", "192.0.2.1", "::1", "nonsense"])
TRUSTED = ("10.0.0.0/8", "unix")


@UNHURRIED
@given(HEADERS, SETTINGS, PEERS)
def test_no_header_makes_it_raise_and_twice_is_as_once(headers, settings, peer):
    made = plugin(*TRUSTED, **settings)
    environ = {**INNER, **headers, "REMOTE_ADDR": peer}
    made.decide(environ)
    once = dict(environ)
    made.decide(environ)
    assert environ == once


@UNHURRIED
@given(HEADERS, SETTINGS)
def test_nothing_that_an_untrusted_peer_says_is_seen(headers, settings):
    plain = {**INNER, "REMOTE_ADDR": "192.0.2.1"}
    environ = {**plain, **headers}
    made = plugin(*TRUSTED, **settings)
    made.decide(environ)
    assert told(environ) == plain
    assert made.get_scheme(environ) is None


@UNHURRIED
@given(TEXTS, TEXTS, TEXTS)
def test_what_a_client_puts_before_a_proxys_own_words_changes_nothing(a, b, c):
    made = plugin(*TRUSTED, host=True, port=True, prefix=True)
    own = {
        "FOR": "203.0.113.9",
        "PROTO": "https",
        "HOST": "shop.example",
        "PORT": "8443",
        "PREFIX": "/shop",
    }
    spoofed = {"FOR": a, "PROTO": b, "HOST": c, "PORT": a, "PREFIX": b}
    outcomes = []
    for before in (None, spoofed):
        environ = {**INNER, "REMOTE_ADDR": "10.0.0.1"}
        for name, said in own.items():
            text = said if before is None else f"{before[name]}, {said}"
            environ[f"HTTP_X_FORWARDED_{name}"] = text
        made.decide(environ)
        outcomes.append(told(environ))
    assert outcomes[0] == outcomes[1]


@UNHURRIED
@given(TEXTS, st.sampled_from(["for=203.0.113.9", 'for="[2001:db8::9]:1";proto=https']))
def test_what_a_client_puts_before_a_proxys_forwarded_changes_nothing_or_is_refused(
    spoofed, own
):
    made = plugin(*TRUSTED, family="forwarded", host=True)
    honest = {**INNER, "REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": own}
    environ = {**honest, "HTTP_FORWARDED": f"{spoofed}, {own}"}
    made.decide(honest)
    if made.decide(environ)["reason"] == "malformed":
        assert environ["REMOTE_ADDR"] == "unknown"
        assert "HTTP_FORWARDED" not in environ
    else:
        assert told(environ) == told(honest)


# --- In its surroundings ------------------------------------------------------


def test_a_decision_of_the_process_environment_is_none(serve):
    served = serve(
        plugin("10.0.0.1"),
        REMOTE_ADDR="192.0.2.1",
        HTTP_X_FORWARDED_FOR="127.0.0.1",
        **{DECISION: "{'peer': '10.0.0.1'}"},
    )
    assert served.environ[DECISION]["peer"] == "192.0.2.1"
    assert served.environ["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize("first", ["proxy", "request-id"])
@pytest.mark.parametrize(("peer", "taken"), [("10.0.0.1", True), ("192.0.2.1", False)])
def test_request_id_looks_at_the_peer_whatever_the_order(serve, first, peer, taken):
    """Neither a trusted proxy's client, nor a client that calls itself one, matters."""
    request_id = RequestId(RequestIdSettings())
    request_id.proxies = ("10.0.0.1",)
    plugins = [plugin("10.0.0.1"), request_id]
    served = serve(
        *(plugins if first == "proxy" else reversed(plugins)),
        REMOTE_ADDR=peer,
        HTTP_X_FORWARDED_FOR="192.0.2.1" if taken else "10.0.0.1",
        HTTP_X_REQUEST_ID="abc",
    )
    assert (served.environ["handlerkit.request_id"] == "abc") is taken
    assert served.environ["REMOTE_ADDR"] == "192.0.2.1"


def test_other_plugins_see_the_client_whatever_the_order(serve):
    seen = []

    class Early:
        @hookimpl
        def add_cgi_vars(self, environ):
            seen.append(environ["REMOTE_ADDR"])

    serve(
        Early(),
        plugin("10.0.0.1"),
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="203.0.113.9",
    )
    assert seen == ["203.0.113.9"]


def test_names_that_the_server_asked_of_the_proxy_go(serve):
    served = serve(
        plugin("10.0.0.1"),
        REMOTE_ADDR="10.0.0.1",
        REMOTE_HOST="proxy.example",
        REMOTE_IDENT="nginx",
        HTTP_X_FORWARDED_FOR="203.0.113.9",
    )
    assert not {"REMOTE_HOST", "REMOTE_IDENT"} & {*served.environ}
    assert served.environ[DECISION]["originals"]["REMOTE_HOST"] == "proxy.example"


def test_a_refused_request_says_why_in_the_log_and_to_nobody_else(serve):
    served = serve(
        plugin("10.0.0.1"),
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="<b>\x1b[2J" + "x" * 200,
    )
    assert served.head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"<b>" not in served.body
    assert served.environ == {}
    [line] = served.log.splitlines()
    assert line.startswith("handlerkit: proxy-headers: '<b>\\x1b[2J")
    assert len(line) < 200


def test_a_refusal_that_is_skipped_leaves_no_client_and_no_proxy(serve):
    """on_error = "skip" must not let the request pose as the proxy's own."""
    environ = incoming(["X-Forwarded-For: garbage"], "10.0.0.1")
    plugin("10.0.0.1").decide(environ)
    assert environ["REMOTE_ADDR"] == "unknown"
    assert "REMOTE_PORT" not in environ


@pytest.mark.parametrize(
    "settings",
    [
        {"family": "both"},
        {"family": "forwarded", "port": True},
        {"family": "forwarded", "prefix": True},
        {"host": "yes"},
        {"trusted": ["10.0.0.1"]},
    ],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValidationError):
        ProxyHeadersSettings(**settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_request_imports_neither_ipaddress_nor_re(family):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from handlerkit.builtin.proxy_headers import ProxyHeaders\n"
        "class Settings:\n"
        f"    family = {family!r}; host = port = prefix = True\n"
        "made = ProxyHeaders(Settings)\n"
        "made.proxies = ('10.0.0.0/8',)\n"
        "environ = {'REMOTE_ADDR': '10.0.0.1', 'SERVER_PORT': '80',\n"
        "    'HTTP_FORWARDED': 'for=\"[2001:DB8:0::1]:5\";proto=https;host=a',\n"
        "    'HTTP_X_FORWARDED_FOR': '2001:DB8:0::1, 10.0.0.2',\n"
        "    'HTTP_X_FORWARDED_HOST': 'a', 'HTTP_X_FORWARDED_PREFIX': '/a'}\n"
        "assert made.decide(environ)['client'] == '2001:db8::1'\n"
        "print(*{'ipaddress', 're', 'urllib', 'functools'} & set(sys.modules))\n"
    )
    python = [sys.executable, "-I", "-S", "-c", code]
    assert subprocess.check_output(python, text=True).split() == []
