"""Values from outside are resolved where a model has a scalar, and stay secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType

from handlerkit import config

SECRET = "s3cr3t-7f3a"


def test_a_value_is_taken_from_the_environment(valid):
    found = valid({"server": {"bind": {"env": "PORT"}}}, PORT="8123")

    assert found.server.bind == "127.0.0.1:8123"


def test_a_number_is_taken_from_the_environment(valid):
    found = valid({"server": {"workers": {"env": "N"}}}, N="3")

    assert found.server.workers == 3


def test_a_boolean_is_taken_from_the_environment(valid):
    found = valid({"handler": {"origin_server": {"env": "N"}}}, N="TRUE")

    assert found.handler.origin_server is True


def test_a_default_stands_in_for_a_variable_that_is_not_set(valid):
    found = valid({"server": {"workers": {"env": "N", "default": 2}}})

    assert found.server.workers == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [(b"a:1\n", "a:1"), (b"a:1\r\n", "a:1"), (b"unix:/a \n\n", "unix:/a \n")],
)
def test_one_newline_is_taken_off_a_file(valid, tmp_path, written, read):
    (tmp_path / "bind").write_bytes(written)

    assert valid({"server": {"bind": {"file": "bind"}}}).server.bind == read


def test_a_value_in_an_array_may_be_from_outside(valid):
    found = valid({"proxies": {"trusted": ["unix", {"env": "P"}]}}, P="10.0.0.0/8")

    assert found.proxies.trusted == ("unix", "10.0.0.0/8")


def test_an_option_of_an_engine_may_be_from_outside(valid):
    found = valid({"server": {"granian": {"a": {"env": "P"}}}}, P="x")

    assert found.server.granian["a"] == "x"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"env": "N"}, "HK207 env N: the variable is not set"),
        (
            {"file": "none"},
            "HK207 file none: cannot be read: No such file or directory",
        ),
        ({"env": "LATIN"}, "HK207 env LATIN: is not UTF-8"),
        ({"file": "latin"}, "HK207 file latin: is not UTF-8"),
        (
            {"env": "N", "defualt": "1"},
            (
                'HK208 bind must be { env = "NAME" }, with a default or not, or '
                '{ file = "path" }: did you mean "default"?'
            ),
        ),
        (
            {"env": 3},
            (
                'HK208 bind must be { env = "NAME" }, with a default or not, or '
                '{ file = "path" }'
            ),
        ),
    ],
)
def test_a_reference_that_fails_is_told(complaints, tmp_path, reference, expected):
    (tmp_path / "latin").write_bytes(b"\xe9")

    found = complaints({"server": {"bind": reference}}, LATIN="\udce9")

    assert found == [f"server.bind: {expected}"]


def test_a_table_is_no_value_from_outside(complaints):
    found = complaints({"server": {"env": "N"}})

    assert found == ['server.env: HK201 unknown key "env" in [server]']


class Sub(BaseModel):
    word: str = ""


class Settings(BaseModel):
    dsn: SecretStr = SecretStr("")
    word: str = ""
    number: int = 0
    env: dict[str, str] = {}
    sub: Sub = Sub()
    subs: list[Sub] = []

    @field_validator("word")
    @classmethod
    def _check_word(cls, word: str) -> str:
        if word.startswith("s3"):
            raise ValueError(f"{word.upper()[:6]} is a bad word")
        return word


def settings_of(table, model=Settings, **environ):
    document = config.read({"plugins": {"p": table}}, environ=environ)
    return config.settings(document, "p", model), document


def test_a_plugins_setting_is_taken_from_the_environment():
    table = {
        "dsn": {"env": "D"},
        "number": {"env": "N"},
        "subs": [{"word": {"env": "D"}}],
    }

    (record, faults), document = settings_of(table, D=SECRET, N="7")

    assert faults == []
    assert (record.dsn, record.number, record.subs[0].word) == (SECRET, 7, SECRET)
    assert document.references == {
        ("plugins", "p", "dsn"): "env D",
        ("plugins", "p", "number"): "env N",
        ("plugins", "p", "subs", 0, "word"): "env D",
    }


def test_a_plugins_variable_that_is_not_utf8_is_told():
    (_, faults), _ = settings_of({"word": {"env": "D"}}, D="a\udce9b")

    assert [fault.message for fault in faults] == ["env D: is not UTF-8"]


def test_text_stays_text_where_it_may():
    class Settings(BaseModel):
        both: int | str
        choice: Literal[1, 2]
        number: float

    table = {key: {"env": "N"} for key in ("both", "choice", "number")}

    (record, faults), _ = settings_of(table, Settings, N="2")

    assert faults == []
    assert (record.both, record.choice, record.number) == ("2", 2, 2.0)


def test_a_plugins_own_table_with_a_key_env_stays_one():
    (record, faults), document = settings_of({"env": {"env": "D"}}, D=SECRET)

    assert faults == []
    assert record.env == {"env": "D"}
    assert document.references == {}


def test_a_plugins_dataclass_with_a_key_env_stays_one():
    @dataclass
    class Pair:
        env: str

    class Settings(BaseModel):
        pair: Pair

    (record, faults), _ = settings_of({"pair": {"env": "D"}}, Settings, D=SECRET)

    assert faults == []
    assert record.pair.env == "D"


@dataclass
class Target:
    dsn: str
    level: int = 0
    env: str = ""


class Free(BaseModel, extra="allow"):
    pass


REFERENCE = {"env": "D"}


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (dict, {"dsn": REFERENCE}),
        (dict, {"deep": {"dsn": [REFERENCE]}}),
        (dict[str, Any], {"deep": {"dsn": [REFERENCE]}}),
        (Mapping, {"dsn": REFERENCE}),
        (list, [REFERENCE]),
        (list, [["x", REFERENCE]]),
        (list | None, [REFERENCE]),
        (Sequence[str], [REFERENCE]),
        (Any, REFERENCE),
        (Any, {"dsn": [REFERENCE]}),
        (object, [REFERENCE]),
        (Target, {"dsn": REFERENCE}),
        (list[Target], [{"dsn": REFERENCE}]),
        (dict[str, Target | None], {"a": {"dsn": REFERENCE}}),
    ],
    ids=str,
)
def test_a_value_from_outside_is_taken_wherever_a_setting_may_hold_one(kind, table):
    model = create_model("Model", field=(kind, ...))

    (record, faults), document = settings_of({"field": table}, model, D=SECRET)

    assert faults == []
    assert SECRET in str(record.field)
    assert SECRET not in repr(record)
    assert list(document.references.values()) == ["env D"]


def test_a_setting_that_is_a_table_by_a_model_of_its_own_is_resolved():
    model = create_model("Model", field=(RootModel[dict[str, str]], ...))

    (record, faults), _ = settings_of({"field": {"dsn": REFERENCE}}, model, D=SECRET)

    assert faults == []
    assert record.field.root == {"dsn": SECRET}


def test_a_setting_that_a_model_takes_unasked_is_resolved():
    (record, faults), document = settings_of({"dsn": REFERENCE}, Free, D=SECRET)

    assert faults == []
    assert record.dsn == SECRET
    assert list(document.references.values()) == ["env D"]


def test_a_field_of_a_dataclass_is_converted_to_its_type():
    model = create_model("Model", field=(Target, ...))
    table = {"dsn": "x", "level": {"env": "D"}, "env": "test"}

    (record, faults), _ = settings_of({"field": table}, model, D="7")

    assert faults == []
    assert (record.field.level, record.field.env) == (7, "test")


def test_where_anything_goes_a_table_that_resembles_a_reference_is_one():
    model = create_model("Model", field=(dict, ...))
    table = {"deep": {"env": "test", "level": 3}}

    (record, faults), _ = settings_of({"field": table}, model)

    assert faults == []
    assert record.field == table


def test_a_type_by_another_name_is_that_type():
    Word = TypeAliasType("Word", str)  # noqa: N806 - a type

    class Settings(BaseModel):
        word: Word | None = None

    (record, faults), _ = settings_of({"word": {"env": "D"}}, Settings, D=SECRET)

    assert faults == []
    assert record.word == SECRET


def test_a_setting_with_two_names_goes_by_the_first():
    class Settings(BaseModel):
        word: str = Field(validation_alias=AliasChoices("said", "word"))

    (record, faults), _ = settings_of({"said": {"env": "D"}}, Settings, D=SECRET)

    assert faults == []
    assert record.word == SECRET


def test_a_setting_made_of_a_secret_is_secret():
    class Settings(BaseModel):
        word: str

        other: str

        @computed_field
        def url(self) -> str:
            return f"http://{self.word}@host"

    table = {"word": {"env": "D"}, "other": {"env": "E"}}
    (record, _), _ = settings_of(table, Settings, D=SECRET, E="another")

    assert record.url == f"http://{SECRET}@host"
    assert SECRET not in repr(record)


def test_a_reference_may_stand_at_every_key_that_a_field_has():
    class Settings(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        word: str = Field(validation_alias=AliasChoices("first", "second"))

    for key in ("first", "second", "word"):
        (record, faults), _ = settings_of({key: {"env": "D"}}, Settings, D=SECRET)

        assert faults == []
        assert record.word == SECRET
        assert SECRET not in repr(record)


def test_a_plugin_table_is_not_resolved_before_its_model_is_known(valid):
    found = valid({"plugins": {"p": {"dsn": {"env": "D"}}}}, D=SECRET)

    assert found.plugins["p"].settings == {"dsn": {"env": "D"}}


def test_a_record_shows_no_secret():
    table = {"dsn": "plain-secret", "word": {"env": "D"}, "sub": {"word": {"env": "D"}}}

    (record, faults), _ = settings_of(table, D="hush-hush")

    assert faults == []
    assert record.sub.word == "hush-hush"
    assert "hush-hush" not in repr(record)
    assert "plain-secret" not in repr(record)


@pytest.mark.parametrize(
    "table",
    [
        {"password": "planted"},
        {"table": {"api_key": "planted"}},
        {"table": {"header": "Bearer planted-4711"}},
        {"plain": "https://me:planted@example.org"},
        {"words": ["planted"]},
        {"named": {"a": "planted"}},
    ],
)
def test_a_record_shows_nothing_that_looks_like_a_secret(table):
    class Settings(BaseModel):
        password: str = ""
        table: dict[str, str] = {}
        plain: str = "shown"
        words: list[SecretStr] = []
        named: dict[str, SecretStr] = {}

    (record, faults), _ = settings_of(table, Settings)

    assert faults == []
    assert "planted" in repr(vars(record))
    assert "planted" not in repr(record)
    assert table.keys() == {"plain"} or "shown" in repr(record)


def test_no_fault_shows_a_secret():
    table = {
        "number": {"env": "D"},
        "word": {"env": "D"},
        "sub": {"word": "ok"},
        "subs": {"env": "D"},
    }

    (_, faults), _ = settings_of(table, D=SECRET)

    assert [fault.path[-1] for fault in faults] == ["number", "word", "subs"]
    assert all(SECRET[:4] not in str(fault).lower() for fault in faults)
    assert faults[0].message == "number must be an integer, got the value of env D"


def test_no_fault_of_a_whole_table_shows_a_secret():
    class Leaky(BaseModel):
        a: str

        @model_validator(mode="after")
        def _check(self):
            raise ValueError(f"a is {self.a!r}")

    (_, faults), _ = settings_of({"a": {"env": "D"}}, Leaky, D=SECRET)

    assert [fault.message for fault in faults] == [
        "is not valid; saying why would show a secret"
    ]


def test_a_validators_words_are_kept_where_they_show_nothing():
    class Settings(BaseModel):
        a: str

        @field_validator("a")
        @classmethod
        def _check(cls, value):
            raise ValueError("no project id")

    (_, faults), _ = settings_of({"a": {"env": "D"}}, Settings, D=SECRET)

    assert [fault.message for fault in faults] == ["a: no project id"]


@pytest.mark.parametrize(
    "table",
    [
        {"app": {"target": {"env": "D"}}},
        {"handler": {"error_status": {"env": "D"}}},
        {"handler": {"class": {"env": "D"}}},
        {"handler": {"http_version": {"env": "D"}}},
        {"handler": {"error_headers": [["A", {"env": "D"}]]}},
        {"handler": {"os_environ": [{"env": "D"}]}},
        {"server": {"bind": {"env": "D"}}},
        {"server": {"unix_mode": {"env": "D"}}},
        {"server": {"workers": {"env": "D"}}},
        {"proxies": {"trusted": [{"env": "D"}]}},
    ],
)
def test_no_setting_of_handlerkit_shows_a_secret(complaints, table):
    found = complaints(table, D="HTTP_" + SECRET + "\n")

    assert len(found) == 1
    assert SECRET not in found[0]


def test_no_repr_or_dump_of_a_config_shows_a_secret(valid):
    found = valid(
        {
            "app": {"target": {"env": "T"}},
            "handler": {"error_body": {"env": "D"}, "class": {"env": "C"}},
            "server": {"granian": {"a": {"env": "D"}}, "bind": {"env": "B"}},
        },
        T=f"{SECRET.replace('-', '_')}:app",
        D=SECRET,
        B=f"unix:/{SECRET}",
        C=f"{SECRET.replace('-', '_')}:Kind",
    )

    shown = [
        repr(found),
        str(found),
        repr(found.server),
        str(found.model_dump()),
        str(found.model_dump(by_alias=True)),
        found.model_dump_json(),
        repr(found.model_copy()),
    ]
    assert found.handler.error_body == SECRET
    assert not any("s3cr3t" in text for text in shown)


@given(st.text(min_size=1), st.sampled_from(["number", "word", "dsn"]))
def test_any_secret_is_handed_on_whole_or_not_at_all(value, key):
    (record, faults), _ = settings_of({key: {"env": "D"}}, D=value)

    if record is None:
        assert faults
    elif key == "number":
        assert record.number == int(value)
    else:
        assert getattr(record, key) == value
