"""request-id: one id per exchange, and a client's only where a proxy vouches."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlerkit.builtin.request_id import RequestId, _valid
from handlerkit.builtin.settings import RequestIdSettings
from handlerkit.hooks.markers import hookimpl

KEY = "handlerkit.request_id"
CLIENT = "handlerkit.request_id.client"


def plugin(*trusted, **table):
    made = RequestId(RequestIdSettings(**table))
    made.proxies = trusted
    return made


def test_an_id_is_made_for_the_application_and_echoed(serve):
    served = serve(plugin())
    assert len(served.environ[KEY]) == 32
    assert served.headers["X-Request-ID"] == [served.environ[KEY]]


def test_every_exchange_has_an_id_of_its_own(serve):
    made = plugin()
    assert serve(made).environ[KEY] != serve(made).environ[KEY]


def test_a_trusted_proxys_id_is_taken_over(serve):
    served = serve(
        plugin("10.0.0.0/8"), HTTP_X_REQUEST_ID="abc.1-2_3", REMOTE_ADDR="10.1.1.1"
    )
    assert served.environ[KEY] == "abc.1-2_3"
    assert served.headers["X-Request-ID"] == ["abc.1-2_3"]
    assert CLIENT not in served.environ


def test_a_proxy_on_a_unix_socket_can_be_trusted(serve):
    served = serve(plugin("unix"), HTTP_X_REQUEST_ID="abc")
    assert served.environ[KEY] == "abc"


def test_anybody_elses_id_is_kept_aside_only(serve):
    served = serve(plugin("unix"), HTTP_X_REQUEST_ID="abc", REMOTE_ADDR="10.1.1.1")
    assert served.environ[CLIENT] == "abc"
    assert served.environ[KEY] != "abc"
    assert "HTTP_X_REQUEST_ID" not in served.environ
    assert served.headers["X-Request-ID"] == [served.environ[KEY]]


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "\u00e4", "a,b", "<script>"])
@pytest.mark.parametrize("trusted", [(), ("unix",)])
def test_an_id_that_is_none_goes_nowhere(serve, given, trusted):
    served = serve(plugin(*trusted), HTTP_X_REQUEST_ID=given)
    assert len(served.environ[KEY]) == 32
    assert CLIENT not in served.environ
    assert "HTTP_X_REQUEST_ID" not in served.environ


@given(st.text(st.characters(codec="latin-1"), max_size=140))
def test_only_letters_digits_dot_underscore_and_hyphen_are_valid(text):
    allowed = set(string.ascii_letters + string.digits + "._-")
    assert _valid(text) is (0 < len(text) <= 128 and set(text) <= allowed)


def test_the_environ_key_of_the_client_cannot_be_forged(serve):
    assert CLIENT not in serve(plugin(), **{CLIENT: "forged"}).environ


def test_an_error_page_has_the_id_too(serve, failing):
    served = serve(plugin(), app=failing)
    assert served.head.startswith(b"HTTP/1.0 500 ")
    assert served.headers["X-Request-ID"] == [served.environ[KEY]]


def test_the_applications_own_header_stays(serve):
    def app(environ, start_response):
        start_response("200 OK", [("x-request-id", "own")])
        return [b""]

    served = serve(plugin(), app=app)
    assert served.headers["x-request-id"] == ["own"]
    assert "X-Request-ID" not in served.headers


def test_the_header_can_have_another_name(serve):
    served = serve(plugin("unix", header="Correlation-ID"), HTTP_CORRELATION_ID="abc")
    assert served.environ[KEY] == "abc"
    assert served.headers["Correlation-ID"] == ["abc"]


def test_the_peer_is_looked_at_before_others_rewrite_it(serve):
    class Proxied:
        @hookimpl
        def setup_environ(self, environ):
            environ["REMOTE_ADDR"] = "10.1.1.1"

    served = serve(
        Proxied(),
        plugin("10.1.1.1"),
        HTTP_X_REQUEST_ID="abc",
        REMOTE_ADDR="192.0.2.1",
    )
    assert served.environ[CLIENT] == "abc"


def test_an_error_before_there_is_an_id_has_its_page_all_the_same(serve):
    class Bad:
        @hookimpl
        def add_cgi_vars(self):
            raise ZeroDivisionError

    served = serve(Bad(), plugin())
    assert served.head.startswith(b"HTTP/1.0 500 ")
    assert "X-Request-ID" not in served.headers


@pytest.mark.parametrize("header", ["", "X_Request_ID", "X Request", "X:", "\u00e4"])
def test_a_name_that_is_no_header_is_refused(header):
    with pytest.raises(ValidationError, match="name of a header"):
        RequestIdSettings(header=header)
