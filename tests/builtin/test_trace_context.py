"""trace-context: a trace is taken over from trusted peers only, and only if valid."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlerkit.builtin.proxy_headers import ProxyHeaders
from handlerkit.builtin.settings import ProxyHeadersSettings, TraceContextSettings
from handlerkit.builtin.trace_context import TraceContext, bounded, parse
from handlerkit.hooks.markers import hookimpl

# A loaded machine is no fault of the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEY = "handlerkit.trace"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
HEADERS = {"HTTP_TRACEPARENT": PARENT, "HTTP_TRACESTATE": "congo=t61, rojo=00f"}
KEY_FORM = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}")


def plugin(*trusted, **settings):
    made = TraceContext(TraceContextSettings(**settings))
    made.proxies = trusted
    return made


def test_a_trusted_proxys_trace_is_taken_over(serve):
    served = serve(plugin("10.0.0.0/8"), REMOTE_ADDR="10.0.0.1", **HEADERS)
    assert served.environ[KEY] == {
        "traceparent": PARENT,
        "version": "00",
        "trace_id": TRACE,
        "parent_id": SPAN,
        "sampled": True,
        "tracestate": "congo=t61,rojo=00f",
        "source": "peer",
    }
    assert served.environ["HTTP_TRACEPARENT"] == PARENT
    assert served.environ["HTTP_TRACESTATE"] == "congo=t61,rojo=00f"


def test_a_proxy_on_a_unix_socket_can_be_trusted(serve):
    assert serve(plugin("unix"), **HEADERS).environ[KEY]["trace_id"] == TRACE


@pytest.mark.parametrize("trusted", [(), ("unix",), ("10.0.0.0/8",)])
def test_anybody_elses_trace_goes_with_its_state(serve, trusted):
    served = serve(plugin(*trusted), REMOTE_ADDR="192.0.2.1", **HEADERS)
    assert not {KEY, "HTTP_TRACEPARENT", "HTTP_TRACESTATE"} & {*served.environ}


def test_the_peer_counts_not_the_client_of_a_proxy(serve):
    proxies = ProxyHeaders(ProxyHeadersSettings())
    proxies.proxies = ("10.0.0.1",)
    served = serve(
        plugin("10.0.0.1"),
        proxies,
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="203.0.113.9",
        **HEADERS,
    )
    assert served.environ["REMOTE_ADDR"] == "203.0.113.9"
    assert served.environ[KEY]["trace_id"] == TRACE


def test_other_plugins_see_what_was_decided_whatever_the_order(serve):
    seen = []

    class Early:
        @hookimpl
        def setup_environ(self, environ):
            seen.append((KEY in environ, "HTTP_TRACEPARENT" in environ))

    serve(Early(), plugin("unix"), **HEADERS)
    serve(Early(), plugin(), **HEADERS)
    assert seen == [(True, True), (False, False)]


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT[:-1],
        f"{PARENT}0",
        f"{PARENT}-extra",
        f" {PARENT}",
        f"ff{PARENT[2:]}",
        f"{PARENT},{PARENT}",
        PARENT.upper(),
        PARENT.replace("-", "_"),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"0 -{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01extra",
        f"00-{TRACE[:-1]}\u00b2-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_goes_with_its_state(serve, parent):
    headers = {**HEADERS, "HTTP_TRACEPARENT": parent}
    served = serve(plugin("unix"), **headers)
    assert not {KEY, "HTTP_TRACEPARENT", "HTTP_TRACESTATE"} & {*served.environ}


@pytest.mark.parametrize(
    ("parent", "taken"),
    [
        (f"01-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-03-what-the-future-will-be-like", f"00-{TRACE}-{SPAN}-01"),
        (f"fe-{TRACE}-{SPAN}-00-", f"00-{TRACE}-{SPAN}-00"),
    ],
)
def test_a_later_version_is_taken_as_version_00(serve, parent, taken):
    served = serve(plugin("unix"), HTTP_TRACEPARENT=parent)
    assert served.environ["HTTP_TRACEPARENT"] == taken
    assert served.environ[KEY]["version"] == parent[:2]


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True)])
def test_whether_it_is_sampled_is_the_last_bit(flags, sampled):
    assert parse(f"00-{TRACE}-{SPAN}-{flags}")["sampled"] is sampled


@UNHURRIED
@given(
    st.text(st.sampled_from("0123456789abcdef"), min_size=32, max_size=32),
    st.text(st.sampled_from("0123456789abcdef"), min_size=16, max_size=16),
)
def test_every_id_but_zero_is_valid(trace_id, parent_id):
    found = parse(f"00-{trace_id}-{parent_id}-01")
    assert (found is None) is (set(trace_id) == {"0"} or set(parent_id) == {"0"})


@UNHURRIED
@given(st.text(st.characters(codec="latin-1"), max_size=80))
def test_no_text_makes_it_raise(text):
    made = plugin("unix")
    environ = {"HTTP_TRACEPARENT": text, "HTTP_TRACESTATE": text}
    made.setup_environ(environ)
    assert environ == {}


# --- tracestate ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("a=1", "a=1"),
        (" a=1 ,\t, b=2", "a=1,b=2"),
        ("a@b=x y", "a@b=x y"),
        ("a=1,a=2", ""),
        ("a", ""),
        ("a=", ""),
        ("=1", ""),
        ("A=1", ""),
        ("_a=1", ""),
        ("a=1=2", ""),
        ("a@b@c=1", ""),
        ("a=\u00e4", ""),
        ("a=\t", ""),
        ("a=1\t2", ""),
        (f"{'k' * 257}=1", ""),
        (f"a={'v' * 257}", ""),
        ("", ""),
        (None, ""),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        (
            ",".join(f"k{n}=1" for n in range(32)),
            ",".join(f"k{n}=1" for n in range(32)),
        ),
    ],
)
def test_a_tracestate_is_kept_if_it_is_valid(state, kept):
    assert bounded(state) == kept


def test_large_members_are_the_first_to_go_then_the_last():
    large = f"large={'v' * 200}"
    small = [f"k{n}={'v' * 100}" for n in range(5)]
    assert bounded(",".join([large, *small])) == ",".join(small[:4])


@UNHURRIED
@given(st.text(st.sampled_from("ab1=,@ \t\u00e4_"), max_size=700))
def test_a_tracestate_is_bounded_and_in_form(text):
    kept = bounded(text)
    members = kept.split(",") if kept else []
    assert len(kept) <= 512
    assert len(members) <= 32
    assert all(KEY_FORM.fullmatch(member.partition("=")[0]) for member in members)


def test_an_invalid_tracestate_leaves_the_trace(serve):
    served = serve(plugin("unix"), HTTP_TRACEPARENT=PARENT, HTTP_TRACESTATE="A=1")
    assert served.environ[KEY]["trace_id"] == TRACE
    assert "HTTP_TRACESTATE" not in served.environ


# --- A trace of one's own -----------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HEADERS])
def test_a_trace_is_begun_where_none_is_taken_over(serve, headers):
    served = serve(plugin(generate=True), REMOTE_ADDR="192.0.2.1", **headers)
    trace = served.environ[KEY]
    assert trace["source"] == "generated"
    assert parse(trace["traceparent"]) == {**trace, "source": "peer"}
    assert trace["trace_id"] != TRACE
    assert "HTTP_TRACEPARENT" not in served.environ


def test_every_exchange_has_a_trace_of_its_own(serve):
    made = plugin(generate=True)
    ids = {serve(made).environ[KEY]["trace_id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_trusted_trace_is_taken_over_all_the_same(serve):
    served = serve(plugin("unix", generate=True), **HEADERS)
    assert served.environ[KEY]["source"] == "peer"


def test_the_environ_key_cannot_be_forged(serve):
    assert KEY not in serve(plugin(), **{KEY: "forged"}).environ
