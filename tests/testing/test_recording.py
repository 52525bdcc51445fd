"""Calls of hooks, as they were made."""

import pytest

from handlerkit import hookimpl
from handlerkit.plan import BARE
from handlerkit.testing import run
from handlerkit.testing.recording import watched


def shop(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop"]


def failing(environ, start_response):
    raise ZeroDivisionError


class First:
    @hookimpl
    def setup_environ(self, environ):
        environ["first"] = 1

    @hookimpl
    def get_scheme(self):
        return None

    @hookimpl
    def response_starting(self, headers, status):
        headers.append(("X-First", status))


class Second:
    @hookimpl
    def setup_environ(self, handler, environ):
        environ["second"] = environ["first"] + 1

    @hookimpl
    def get_scheme(self, environ):
        return "https"


class Around:
    @hookimpl(wrapper=True)
    def get_scheme(self):
        scheme = yield
        return {"https": "http"}[scheme]


class Raising:
    @hookimpl
    def log_exception(self, exc_info):
        raise KeyError("mine")

    @hookimpl
    def error_output(self, start_response):
        start_response("503 Service Unavailable", [])
        raise ValueError


def config(*plugins):
    return {
        "plugins": {
            "text-log": {"enabled": False},
            **{
                each.__name__: {"use": f"{__name__}:{each.__name__}"}
                for each in plugins
            },
        }
    }


def test_calls_are_in_order_each_with_its_plugin():
    exchange = run(config(First, Second), shop)

    assert [(call.plugin, call.hook) for call in exchange.calls] == [
        ("First", "get_scheme"),
        ("Second", "get_scheme"),
        ("First", "setup_environ"),
        ("Second", "setup_environ"),
        ("First", "response_starting"),
    ]
    assert exchange.hooks("Second") == ["get_scheme", "setup_environ"]


def test_a_call_has_the_arguments_that_the_plugin_takes_as_they_were():
    exchange = run(config(First, Second), shop)

    scheme, asked, first, second, starting = exchange.calls
    assert scheme.arguments == {}
    assert list(asked.arguments) == ["environ"]
    assert "first" not in first.arguments["environ"]
    assert second.arguments["environ"]["first"] == 1
    assert "second" not in second.arguments["environ"]
    assert exchange.environ["second"] == 2
    assert list(starting.arguments) == ["headers", "status"]
    assert ("X-First", "200 OK") not in starting.arguments["headers"]
    assert exchange.header("X-First") == "200 OK"


def test_a_call_has_what_the_plugin_gave():
    declined, answered, *_ = run(config(First, Second), shop).calls

    assert (declined.result, answered.result) == (None, "https")
    assert repr(declined) == "First.get_scheme()"
    assert repr(answered) == "Second.get_scheme(environ) = 'https'"


def test_a_call_has_what_the_plugin_raised_and_the_exchange_goes_on():
    exchange = run(config(Raising), failing)

    observer, page = exchange.calls
    assert isinstance(observer.exception, KeyError)
    assert isinstance(page.exception, ValueError)
    assert repr(page) == "Raising.error_output(start_response) raised ValueError()"
    assert exchange.status == "500 Internal Server Error"


def test_a_wrapper_is_called_around_the_others():
    exchange = run(config(First, Second, Around), shop)

    around = exchange.calls[0]
    assert (around.plugin, around.result) == ("Around", "http")
    assert exchange.environ["wsgi.url_scheme"] == "http"


def test_a_wrapper_may_raise():
    exchange = run(config(Around), shop)

    assert isinstance(exchange.calls[0].exception, KeyError)
    assert exchange.ended == "error"


def test_order_and_exclude_are_those_of_the_configuration():
    tables = config(First, Second)
    tables["hooks"] = {
        "get_scheme": {"order": ["Second"]},
        "setup_environ": {"exclude": ["Second"]},
    }
    exchange = run(tables, shop)

    assert exchange.hooks("Second") == ["get_scheme"]
    assert exchange.calls[0].plugin == "Second"


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_on_error_holds_while_it_is_recorded(on_error):
    tables = config(Second)  # misses what First sets
    tables["plugins"]["Second"]["on_error"] = on_error
    exchange = run(tables, shop)

    assert isinstance(exchange.calls[1].exception, KeyError)
    assert exchange.ended == ("error" if on_error == "fail" else "ok")


def test_no_log_is_no_log_while_it_is_recorded():
    assert run(config(), failing).errors == ""


def test_a_kit_without_hooks_stays_bare():
    assert watched(BARE) is BARE
