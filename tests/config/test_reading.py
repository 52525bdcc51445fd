"""Every mistake is reported, at once, at its place, in plain words."""

import datetime as dt
import io
from typing import Annotated

import pytest
from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    computed_field,
    field_validator,
)

from handlerkit import config

TEN_MISTAKES = """\
traceback_limit = 10

[app]
target = "shop"

[handler]
class = "CGIHandlr"
traceback_limt = 5
error_status = "oops"
threads = 4
traceback_limit = "ten"

[sever]
bind = "127.0.0.1:8000"

[server]
workers = 0

[hooks.setup_enviro]
order = ["environ"]

[plugins.environ]
on_error = "ignore"
"""

TEN_FAULTS = """\
traceback_limit: HK205 "traceback_limit" is not a key of the top level: \
it belongs in [handler]
app.target: HK204 target must be module:attribute or module:factory(), got "shop"
handler.class: HK404 class must be "auto", a class of handlerkit, or \
package.module:Class, got "CGIHandlr": did you mean "CGIHandler"?
handler.traceback_limt: HK201 unknown key "traceback_limt" in [handler]: \
did you mean "traceback_limit"?
handler.error_status: HK204 error_status must be a status as \
"500 Internal Server Error", in latin-1 without control characters, got "oops"
handler.threads: HK205 "threads" is not a key of [handler]: it belongs in [server]
handler.traceback_limit: HK203 traceback_limit must be an integer, got "ten"
sever: HK206 unknown table [sever]: did you mean [server]?
server.workers: HK204 workers must be at least 1, got 0
hooks.setup_enviro: HK301 unknown hook "setup_enviro": did you mean "setup_environ"?
plugins.environ.on_error: HK204 on_error must be "fail" or "skip", got "ignore"
"""


def test_ten_mistakes_are_ten_faults_in_the_order_of_the_file(complaints):
    assert complaints(TEN_MISTAKES) == TEN_FAULTS.splitlines()


def test_a_file_without_mistakes_is_a_config(complaints):
    assert complaints('[app]\ntarget = "shop.wsgi:make.app()"\n') == []


def test_an_empty_file_is_a_config(complaints):
    assert complaints("") == []


def test_faults_name_the_file_as_the_user_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text("x = 1")

    _, faults = config.validate(config.read("a.toml"))

    assert str(faults[0]).startswith(
        'a.toml:1:1: error[HK201]: unknown key "x" at the top level\n'
    )


def test_an_unknown_key_is_at_fault_itself_and_a_bad_value_is_the_value():
    document = config.read({"handler": {"x": 1, "traceback_limit": "ten"}})

    _, faults = config.validate(document)

    assert [fault.on for fault in faults] == ["key", "value"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {"server": {"target": "a:b"}},
            (
                'server.target: HK205 "target" is not a key of [server]: '
                "it belongs in [app]"
            ),
        ),
        (
            {"hooks": {"sendfile": {"enabled": True}}},
            (
                'hooks.sendfile.enabled: HK205 "enabled" is not a key of '
                "[hooks.sendfile]: it belongs in [plugins.<name>]"
            ),
        ),
        (
            {"log_exception": {"order": []}},
            (
                "log_exception: HK206 unknown table [log_exception]: "
                "did you mean [hooks.log_exception]?"
            ),
        ),
        (
            {"handler": {"class_": "auto"}},
            (
                'handler.class_: HK201 unknown key "class_" in [handler]: '
                'did you mean "class"?'
            ),
        ),
        (
            {"hooks": {"sendfile": 3}},
            (
                "hooks.sendfile: HK203 [hooks.sendfile] must be a table, got 3: "
                "each has a table of its own, [hooks.NAME]"
            ),
        ),
        ({"handler": 3}, "handler: HK203 [handler] must be a table, got 3"),
        (
            {"plugins": {"a": []}},
            (
                "plugins.a: HK203 [plugins.a] must be a table, got an empty array: "
                "each has a table of its own, [plugins.NAME]"
            ),
        ),
        (
            {"handler": {"traceback_limit": True}},
            (
                "handler.traceback_limit: HK203 traceback_limit must be an integer, "
                "got true"
            ),
        ),
        (
            {"handler": {"traceback_limit": -1}},
            "handler.traceback_limit: HK204 traceback_limit must be at least 0, got -1",
        ),
        (
            {"handler": {"traceback_limit": 1.0}},
            (
                "handler.traceback_limit: HK203 traceback_limit must be an integer, "
                "got 1.0: write 1"
            ),
        ),
        (
            {"handler": {"error_headers": [["A"]]}},
            (
                "handler.error_headers.0: HK203 error_headers[0] must be a "
                '[name, value] pair of strings, got ["A"]'
            ),
        ),
        (
            {"handler": {"error_headers": "A"}},
            (
                "handler.error_headers: HK203 error_headers must be an array, "
                'got "A": write ["A"]'
            ),
        ),
        (
            {"handler": {"os_environ": ["LANG", 3]}},
            (
                "handler.os_environ.1: HK203 os_environ[1] must be a string, got 3: "
                'write "3"'
            ),
        ),
        (
            {"handler": {"os_environ": "inherited"}},
            (
                'handler.os_environ: HK204 os_environ must be "none", "inherit" or an '
                'array of names, got "inherited": did you mean "inherit"?'
            ),
        ),
        (
            {"handler": {"http_version": "2"}},
            'handler.http_version: HK204 http_version must be "1.0" or "1.1", got "2"',
        ),
        (
            {"server": {"engine": "granain"}},
            (
                'server.engine: HK204 engine must be "builtin", "granian" or '
                '"gunicorn", got "granain": did you mean "granian"?'
            ),
        ),
        (
            {"server": {"header_timeout": 0}},
            "server.header_timeout: HK204 header_timeout must be greater than 0, got 0",
        ),
        (
            {"server": {"header_timeout": dt.date(2024, 1, 2)}},
            (
                "server.header_timeout: HK203 header_timeout must be a number, "
                "got 2024-01-02"
            ),
        ),
        (
            {"server": {"granian": {"a": [dt.date(2024, 1, 2)]}}},
            (
                "server.granian.a: HK203 a must be a string, number, boolean, array or "
                "table, got [2024-01-02]"
            ),
        ),
        (
            {"proxies": {"trusted": ["10.0.0.1/8"]}},
            (
                'proxies.trusted.0: HK204 trusted[0] must be "unix", an IP address or '
                'a network as "10.0.0.0/8", got "10.0.0.1/8": '
                'did you mean "10.0.0.0/8"?'
            ),
        ),
        (
            {"plugins": {"sentry": {"use": ""}}},
            ('plugins.sentry.use: HK204 use must have at least 1 character, got ""'),
        ),
        (
            {"plugins": {"sentry": {}}, "hooks": {"sendfile": {"order": ["sentri"]}}},
            (
                'hooks.sendfile.order.0: HK302 "sentri" is not a plugin of this '
                'configuration: did you mean "sentry"?'
            ),
        ),
        (
            {"hooks": {"sendfile": {"exclude": ["mail"]}}},
            (
                'hooks.sendfile.exclude.0: HK302 "mail" is not a plugin of this '
                "configuration: there is no table [plugins.mail]"
            ),
        ),
        (
            {
                "plugins": {"a": {}},
                "hooks": {"sendfile": {"order": ["a"], "exclude": ["a"]}},
            },
            (
                'hooks.sendfile.exclude.0: HK310 "a" is in order already: '
                "who is taken off a hook has no place"
            ),
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words(complaints, table, expected):
    assert complaints(table) == [expected]


def test_a_long_value_is_cut(complaints):
    (found,) = complaints({"server": {"engine": "x" * 500}})

    assert len(found) < 200


def test_what_is_no_value_of_toml_is_a_mistake_too(complaints):
    table = {1: 2, "hooks": {"sendfile": {"order": [3]}}, "handler": {"class": print}}

    assert len(complaints(table)) == 3


@pytest.mark.parametrize(
    ("key", "value"), [("os_environ", 3), ("wsgi_file_wrapper", True)]
)
def test_a_value_of_no_type_that_is_allowed_is_a_mistake(complaints, key, value):
    (found,) = complaints({"handler": {key: value}})

    assert found.startswith(f"handler.{key}: HK203 {key} must be ")


def test_the_plugin_that_is_there_unasked_may_be_ordered(complaints):
    assert complaints({"hooks": {"log_exception": {"order": ["text-log"]}}}) == []


def test_no_message_has_pydantics_words_or_a_link(complaints):
    text = " ".join(complaints(TEN_MISTAKES))

    assert "Input should" not in text
    assert "http" not in text


class Sub(BaseModel):
    level: int = 1
    word: SecretStr = SecretStr("hush")


class Settings(BaseModel):
    dsn: SecretStr
    size: int | str = 1
    subs: list[Sub] = []
    sub: Sub = Sub()
    table: dict[str, int] = {}
    from_: str = Field(default="me", alias="from")

    @field_validator("from_")
    @classmethod
    def _check_from(cls, value: str) -> str:
        if value == "nobody":
            raise ValueError("somebody must be named")
        return value


def settings_of(table, model, **environ):
    document = config.read({"plugins": {"p": table}}, environ=environ)
    return config.settings(document, "p", model)


def test_a_plugin_gets_a_record_of_its_settings():
    record, faults = settings_of(
        {"use": "x", "dsn": "http://a", "from": "you", "subs": [{"level": 3}]}, Settings
    )

    assert faults == []
    assert record is not None
    assert (record.dsn, record.from_, record.size) == ("http://a", "you", 1)
    assert isinstance(record.subs, tuple)
    assert record.subs[0].level == 3


def test_every_mistake_in_a_plugins_settings_is_told(told):
    table = {
        "dsn": 3,
        "size": 1.5,
        "siz": 2,
        "subs": [{"level": "a", "lvl": 3}],
        "table": {"a": "b"},
        "from": "nobody",
    }

    record, faults = settings_of(table, Settings)

    assert record is None
    assert told(faults) == [
        "plugins.p.dsn: HK203 dsn must be a string",
        "plugins.p.size: HK203 size must be an integer or a string, got 1.5",
        'plugins.p.siz: HK201 unknown key "siz" in [plugins.p]: did you mean "size"?',
        'plugins.p.subs.0.level: HK203 level must be an integer, got "a"',
        (
            'plugins.p.subs.0.lvl: HK201 unknown key "lvl" in [plugins.p.subs.0]: '
            'did you mean "level"?'
        ),
        'plugins.p.table.a: HK203 a must be an integer, got "b"',
        "plugins.p.from: HK204 from: somebody must be named",
    ]


@pytest.mark.parametrize(
    ("key", "hint"),
    [("path", 'did you mean "paths"?'), ("threads", "it belongs in [server]")],
)
def test_a_plugins_own_key_is_suggested_before_another_table(key, hint):
    class Settings(BaseModel):
        paths: list[str] = []

    _, (fault,) = settings_of({key: 1}, Settings)

    assert fault.hint == hint


def test_a_key_that_is_not_allowed_is_itself_at_fault(told):
    class Numbers(BaseModel):
        table: dict[Annotated[str, Field(min_length=3)], int]

    _, faults = settings_of({"table": {"ab": 1}}, Numbers)

    assert [(fault.on, *told([fault])) for fault in faults] == [
        (
            "key",
            ('plugins.p.table.ab: HK204 ab must have at least 3 characters, got "ab"'),
        )
    ]


def test_a_mapping_may_hold_an_object_for_a_plugin():
    class Sink(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        sink: io.StringIO
        more: list[int | io.StringIO] = []
        url: AnyUrl = AnyUrl("http://a/")

    sink = io.StringIO()

    record, faults = settings_of({"sink": sink, "more": [1, sink]}, Sink)
    _, unknown = settings_of({"sink": sink, "snk": 1}, Sink)

    assert faults == []
    assert record is not None
    assert (record.sink, record.url) == (sink, "http://a/")
    assert [fault.code for fault in unknown] == ["HK201"]


def test_a_computed_setting_is_in_the_record():
    class Computed(BaseModel):
        a: int

        @computed_field
        def b(self) -> int:
            return self.a + 1

    record, _ = settings_of({"a": 1}, Computed)

    assert record is not None
    assert record.b == 2


def test_a_setting_that_must_be_there_is_missed(told):
    _, faults = settings_of({}, Settings)

    assert told(faults) == ["plugins.p.dsn: HK202 dsn is required"]


def test_a_number_as_a_string_is_no_number(told):
    _, faults = settings_of({"dsn": "a", "sub": {"level": "3"}}, Settings)

    assert told(faults) == [
        'plugins.p.sub.level: HK203 level must be an integer, got "3": write 3'
    ]


def test_a_model_that_takes_any_key_may():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    record, faults = settings_of({"any": 1}, Open)

    assert faults == []
    assert record is not None


def test_settings_may_be_named_instead_of_imported():
    record, faults = settings_of({}, "handlerkit.config.model:HookSettings")

    assert faults == []
    assert record is not None
    assert record.order == ()


@pytest.mark.parametrize("reference", ["no.such:Settings", "handlerkit.errors:Fault"])
def test_settings_that_are_no_model_are_a_fault(reference):
    record, faults = settings_of({}, reference)

    assert record is None
    assert [fault.code for fault in faults] == ["HK304"]


def test_settings_that_cannot_be_imported_tell_why(told):
    _, faults = settings_of({}, "no.such:Settings")

    assert told(faults) == [
        (
            'plugins.p: HK304 "no.such:Settings" cannot be imported: '
            "ModuleNotFoundError: No module named 'no'"
        )
    ]


def test_a_validator_that_fails_is_a_fault_of_its_plugin(told):
    class Settings(BaseModel):
        level: str

        @field_validator("level")
        @classmethod
        def _known(cls, level: str) -> str:
            return {"low": level}[level]

    _, faults = settings_of({"level": "middle"}, Settings)

    assert told(faults) == [
        "plugins.p: HK304 its Settings cannot be used: KeyError: 'middle'"
    ]


def test_a_plugin_without_settings_takes_none(told):
    _, faults = settings_of({"dsn": "a"}, None)

    assert told(faults) == [
        "plugins.p.dsn: HK308 [plugins.p] is a plugin that takes no settings"
    ]


def test_a_plugin_without_settings_may_have_none():
    record, faults = settings_of({"use": "x"}, None)

    assert faults == []
    assert record is not None


def test_a_config_that_is_valid_is_taken_as_it_is():
    given = config.Config(app=config.AppSettings(target="shop:app"))

    found, faults = config.validate(config.read(given))

    assert faults == []
    assert found is given


def test_a_config_keeps_the_settings_of_its_plugins():
    entry = config.PluginEntry.model_validate({"use": "m:P", "dsn": "a"})
    document = config.read(config.Config(plugins={"p": entry}))

    record, faults = config.settings(document, "p", Settings)

    assert faults == []
    assert record is not None
    assert record.dsn == "a"
