"""proxy-headers in a server of its own, on TCP and on a unix socket."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Connection, Serve

APP = """
import json

KEYS = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST", "HTTPS",
        "HTTP_X_FORWARDED_FOR", "handlerkit.proxy", "handlerkit.request_id",
        "handlerkit.trace")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: environ.get(key) for key in KEYS}).encode()]
"""
CONFIG = """
[app]
target = "shop:application"

[server]
engine = "{engine}"

[proxies]
trusted = {trusted}

[plugins.request-id]

[plugins.proxy-headers]
family = "{family}"
host = true

[plugins.trace-context]
"""
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {
    "x-forwarded": [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", "203.0.113.9:5678"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example"),
    ],
    "forwarded": [
        ("Forwarded", "for=127.0.0.1"),
        ("Forwarded", 'for="203.0.113.9:5678";proto=https;host=shop.example'),
    ],
}
COMMON = [("X-Request-ID", "abc"), ("Traceparent", TRACE)]


@pytest.fixture
def server(tmp_path):
    """`handlerkit serve`, ended with the test."""
    starter = Serve(tmp_path)
    starter.write("shop.py", APP)
    yield starter
    for serving in starter.started:
        serving.kill()


def ask(serving, headers):
    connection = Connection(serving.bind)
    try:
        connection.putrequest("GET", "/")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("engine", ["builtin", "granian"])
@pytest.mark.parametrize("family", HEADERS)
@pytest.mark.parametrize(
    ("transport", "trusted"), [("tcp", '["127.0.0.1"]'), ("unix", '["unix"]')]
)
def test_a_trusted_peer_is_believed(server, engine, family, transport, trusted):
    config = CONFIG.format(engine=engine, family=family, trusted=trusted)
    status, body = ask(server(config, transport), [*HEADERS[family], *COMMON])
    assert status == 200
    seen = json.loads(body)
    assert seen["REMOTE_ADDR"] == "203.0.113.9"
    assert seen["REMOTE_PORT"] == "5678"
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["HTTP_HOST"] == "shop.example"
    assert seen["handlerkit.request_id"] == "abc"
    assert seen["handlerkit.trace"]["trace_id"] == TRACE[3:35]
    assert seen["handlerkit.proxy"]["trusted"] is True


@pytest.mark.parametrize("family", HEADERS)
@pytest.mark.parametrize(
    ("transport", "trusted"),
    [("tcp", '["unix", "10.0.0.0/8"]'), ("unix", '["127.0.0.1", "::1"]')],
)
def test_no_other_peer_is(server, family, transport, trusted):
    config = CONFIG.format(engine="builtin", family=family, trusted=trusted)
    _, body = ask(server(config, transport), [*HEADERS[family], *COMMON])
    seen = json.loads(body)
    assert seen["REMOTE_ADDR"] == ("" if transport == "unix" else "127.0.0.1")
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["HTTP_HOST"] != "shop.example"
    assert seen["HTTP_X_FORWARDED_FOR"] is None
    assert seen["handlerkit.request_id"] != "abc"
    assert seen["handlerkit.trace"] is None
    assert seen["handlerkit.proxy"]["reason"] == "untrusted-peer"


@pytest.mark.parametrize("engine", ["builtin", "granian"])
def test_a_malformed_header_of_a_trusted_peer_is_refused(server, engine):
    trusted = '["127.0.0.1"]'
    config = CONFIG.format(engine=engine, family="x-forwarded", trusted=trusted)
    serving = server(config)
    status, body = ask(serving, [("X-Forwarded-For", "garbage")])
    assert status == 400
    assert b"garbage" not in body
    serving.wait_until(lambda: "proxy-headers: 'garbage' is not" in serving.log)
