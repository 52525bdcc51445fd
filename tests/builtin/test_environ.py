"""environ: keys set, dropped and copied, for any server in front."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from handlerkit.builtin.environ import Environ
from handlerkit.builtin.settings import EnvironSettings
from handlerkit.handlers import HostedHandler
from handlerkit.hooks.registry import Named, resolve
from handlerkit.plan import compile_plan


def plugin(**table):
    return Environ(EnvironSettings(**table))


def test_keys_are_set_whatever_the_request_says(serve):
    served = serve(plugin(set={"APP_ENV": "live"}), APP_ENV="test")
    assert served.environ["APP_ENV"] == "live"


def test_keys_are_dropped_and_may_be_absent(serve):
    served = serve(plugin(drop=["HTTP_X_SECRET", "NOT_THERE"]), HTTP_X_SECRET="1")
    assert "HTTP_X_SECRET" not in served.environ


def test_keys_are_copied_where_there_is_something_to_copy(serve):
    table = {"REMOTE_USER": "HTTP_X_USER", "GROUP": "HTTP_X_GROUP"}
    served = serve(plugin(copy=table), HTTP_X_USER="ada")
    assert served.environ["REMOTE_USER"] == "ada"
    assert "GROUP" not in served.environ


def test_a_key_is_renamed_by_copying_and_dropping_it(serve):
    table = {"copy": {"REMOTE_USER": "HTTP_X_USER"}, "drop": ["HTTP_X_USER"]}
    served = serve(plugin(**table), HTTP_X_USER="ada")
    assert served.environ["REMOTE_USER"] == "ada"
    assert "HTTP_X_USER" not in served.environ


def test_what_is_set_wins_over_what_is_copied(serve):
    table = {"copy": {"REMOTE_USER": "HTTP_X_USER"}, "set": {"REMOTE_USER": "set"}}
    assert serve(plugin(**table), HTTP_X_USER="ada").environ["REMOTE_USER"] == "set"


@pytest.mark.parametrize(("value", "scheme"), [("on", "https"), ("off", "http")])
def test_https_decides_the_scheme(serve, value, scheme):
    served = serve(plugin(set={"HTTPS": value}))
    assert served.environ["wsgi.url_scheme"] == scheme


def test_https_decides_the_scheme_inside_another_server_too():
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return [b""]

    class Handler(HostedHandler):
        plan = compile_plan(resolve([Named("e", plugin(copy={"HTTPS": "HTTP_X_TLS"}))]))

    environ = {
        "wsgi.url_scheme": "http",
        "HTTP_X_TLS": "on",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "GET",
    }
    list(Handler(environ, lambda *_: None).run(app))
    assert seen["wsgi.url_scheme"] == "https"


def test_the_scheme_is_left_alone_where_https_is_not_named(serve):
    assert serve(plugin(set={"A": "b"}), HTTPS="on").environ["wsgi.url_scheme"] == (
        "https"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"set": {"wsgi.url_scheme": "https"}}, "belongs to the handler"),
        ({"drop": ["wsgi.errors"]}, "belongs to the handler"),
        ({"copy": {"wsgi.input": "X"}}, "belongs to the handler"),
        ({"drop": ["REQUEST_METHOD"]}, "must be there"),
        ({"set": {"HTTP_CONTENT_TYPE": "x"}}, "the key is CONTENT_TYPE"),
        ({"set": {"": "x"}}, "not empty"),
        ({"set": {"A\nB": "x"}}, "printable"),
        ({"set": {"A=B": "x"}}, "printable"),
        ({"set": {"REMOTE_USER": "\u0142"}}, "latin-1"),
        ({"set": {"SCRIPT_NAME": "/"}}, "SCRIPT_NAME must be"),
        ({"set": {"SCRIPT_NAME": "app"}}, "SCRIPT_NAME must be"),
        ({"set": {"A": 1}}, "valid string"),
        ({"sett": {}}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(table, message):
    with pytest.raises(ValidationError, match=message):
        EnvironSettings(**table)


def test_settings_that_can_work_are_taken():
    table = {"set": {"SCRIPT_NAME": "/app", "my.title": "\u0142"}, "copy": {"A": "B"}}
    settings = EnvironSettings(**table)
    assert settings.values == table["set"]
    assert settings.copies == {"A": "B"}
