"""The models: immutable, exact, and what they hand to a handler."""

import sys
from types import ModuleType
from wsgiref.headers import Headers
from wsgiref.util import FileWrapper

import pytest
from pydantic import ValidationError

from handlerkit import config
from handlerkit.config.model import Config, HandlerSettings
from handlerkit.errors import ConfigError
from handlerkit.handlers import BaseHandler, CGIHandler


def test_what_is_left_out_stays_as_the_class_has_it(valid):
    assert valid({}).handler.attributes() == {"os_environ": {}}


def test_what_is_set_is_given_as_the_handler_wants_it(valid):
    found = valid(
        {
            "handler": {
                "error_status": "503 Service Unavailable",
                "error_headers": [["Content-Type", "text/html"], ["X-A", "b"]],
                "error_body": "Schön war's",
                "traceback_limit": 0,
                "origin_server": False,
                "wsgi_file_wrapper": "wsgiref.util:FileWrapper",
                "headers_class": "wsgiref.headers:Headers",
                "http_version": "1.1",
            }
        }
    )

    given = found.handler.attributes()

    assert given.pop("headers_class").__name__ == "Headers"
    assert given == {
        "error_status": "503 Service Unavailable",
        "error_headers": [("Content-Type", "text/html"), ("X-A", "b")],
        "error_body": "Schön war's".encode(),
        "traceback_limit": 0,
        "origin_server": False,
        "wsgi_file_wrapper": FileWrapper,
        "http_version": "1.1",
        "os_environ": {},
    }


def test_false_is_no_file_wrapper(valid):
    found = valid({"handler": {"wsgi_file_wrapper": False}})

    assert found.handler.attributes()["wsgi_file_wrapper"] is None


def test_every_class_that_cannot_be_imported_is_told(valid):
    found = valid(
        {"handler": {"wsgi_file_wrapper": "no.such:W", "headers_class": "email:Heads"}}
    )

    with pytest.raises(ConfigError) as caught:
        found.handler.attributes()

    assert [(fault.code, fault.path[-1]) for fault in caught.value.faults] == [
        ("HK406", "wsgi_file_wrapper"),
        ("HK406", "headers_class"),
    ]


def test_the_process_environment_passes_only_where_it_is_asked_for(valid, monkeypatch):
    monkeypatch.setenv("SHOP_A", "1")
    monkeypatch.setenv("SHOP_B", "2")

    def passed(value):
        given = valid({"handler": {"os_environ": value}}).handler.attributes()
        return {k: v for k, v in given["os_environ"].items() if k.startswith("SHOP")}

    assert passed("none") == {}
    assert passed("inherit") == {"SHOP_A": "1", "SHOP_B": "2"}
    assert passed(["SHOP_B", "SHOP_C"]) == {"SHOP_B": "2"}


def test_request_headers_never_pass_from_the_process(valid, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "evil")

    given = valid({"handler": {"os_environ": "inherit"}}).handler.attributes()

    assert "HTTP_PROXY" not in given["os_environ"]


def test_every_attribute_has_the_name_that_handlers_have():
    names = set(HandlerSettings.model_fields) - {"class_"}

    assert {name for name in names if not hasattr(BaseHandler, name)} == set()


@pytest.mark.parametrize("name", ["error_status", "error_headers", "traceback_limit"])
def test_defaults_are_those_of_the_classes(name):
    default = HandlerSettings.model_fields[name].default

    assert list(default or []) == list(getattr(CGIHandler, name) or [])


def test_the_default_body_is_that_of_the_classes():
    assert HandlerSettings().error_body.encode() == BaseHandler.error_body


def test_a_config_is_immutable(valid):
    found = valid({"plugins": {"a": {}}, "server": {"granian": {"a": [1]}}})

    with pytest.raises(ValidationError):
        found.server.workers = 3
    with pytest.raises(TypeError):
        found.plugins["b"] = found.plugins["a"]
    with pytest.raises(TypeError):
        found.server.granian["a"] = 1
    assert found.server.granian["a"] == (1,)


def test_a_plugin_is_its_table_unless_it_says_otherwise(valid):
    found = valid({"plugins": {"mail": {}, "sentry-eu": {"use": "sentry"}}})

    assert [entry.use for entry in found.plugins.values()] == ["mail", "sentry"]


def test_plugins_keep_the_order_of_the_file(valid):
    found = valid({"plugins": {"b": {}, "a": {}, "c": {}}})

    assert list(found.plugins) == ["b", "a", "c"]


def test_a_plugin_entry_keeps_the_plugins_own_settings(valid):
    found = valid({"plugins": {"a": {"enabled": False, "settings": 1, "x": [2]}}})

    assert found.plugins["a"].settings == {"settings": 1, "x": [2]}
    assert found.plugins["a"].enabled is False


def test_a_config_dumps_as_plain_values(valid):
    found = valid({"server": {"granian": {"a": {"b": 1}}}, "plugins": {"a": {"x": 1}}})

    dumped = found.model_dump(mode="json", by_alias=True)

    assert dumped["server"]["granian"] == {"a": {"b": 1}}
    assert dumped["plugins"]["a"]["x"] == 1
    assert dumped["handler"]["class"] == "auto"


def test_every_key_is_described():
    def undescribed(model):
        return [name for name, f in model.model_fields.items() if not f.description]

    tables = [field.annotation for field in Config.model_fields.values()]
    models = [kind for kind in tables if hasattr(kind, "model_fields")]

    assert [name for model in models for name in undescribed(model)] == []
    assert len(models) == 6


def test_public_names_are_there():
    assert all(hasattr(config, name) for name in config.__all__)


class Unlike:
    """Headers that cannot be sent."""

    def __init__(self, headers):
        self.items = headers


class Losing(Headers):
    """Headers that drop what they are given."""

    def __init__(self, headers):
        super().__init__([])


@pytest.mark.parametrize("text", ["shop\r\nX: y", "shop\n", "s\0", "caf\u20ac"])
def test_server_software_must_be_fit_to_be_a_header(complaints, text):
    (said,) = complaints({"handler": {"server_software": text}})

    assert "HK204 server_software must be in latin-1" in said


def test_server_software_may_be_any_product(valid):
    found = valid({"handler": {"server_software": "sh\u00f6p/1 (x)"}})

    assert found.handler.attributes()["server_software"] == "sh\u00f6p/1 (x)"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"headers_class": "wsgiref:headers"}, "'module' object is not callable"),
        ({"headers_class": "builtins:list"}, "does not work as one"),
        ({"headers_class": "builtins:dict"}, "does not work as one"),
        ({"headers_class": "headers_of_mine:Unlike"}, "does not work as one"),
        ({"headers_class": "headers_of_mine:Losing"}, "does not give"),
        ({"wsgi_file_wrapper": "builtins:open"}, "must be a class"),
        ({"wsgi_file_wrapper": "wsgiref:util"}, "must be a class"),
    ],
)
def test_an_object_must_do_what_it_is_for(valid, monkeypatch, table, said):
    mine = ModuleType("headers_of_mine")
    mine.Unlike, mine.Losing = Unlike, Losing
    monkeypatch.setitem(sys.modules, "headers_of_mine", mine)
    found = valid({"handler": table})

    with pytest.raises(ConfigError) as caught:
        found.handler.attributes()

    (fault,) = caught.value.faults
    assert (fault.code, fault.path) == ("HK406", ("handler", *table))
    assert said in fault.message
