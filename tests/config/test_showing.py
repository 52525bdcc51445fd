"""`effective`: the values in force, where each is from, and no secrets."""

import json
import threading
from collections import deque
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    model_validator,
)

from handlerkit import config
from handlerkit.builtin import settings as builtin
from handlerkit.config.hiding import is_secret
from handlerkit.config.showing import effective, rows

TEXT = """\
[app]
target = { env = "TARGET" }

[handler]
error_headers = [["A", { env = "A" }]]

[server.granian]
http = "1"

[hooks.log_exception]
order = ["sentry"]

[plugins.sentry]
dsn = { env = "DSN" }
set = { a = "b" }
other = { env = "NONE", default = "of the file" }
"""


class Sub(BaseModel):
    word: SecretStr = SecretStr("hush")
    words: frozenset[str] = frozenset(["a"])


class Settings(BaseModel):
    dsn: SecretStr
    values: dict[str, str] = Field(alias="set")
    other: str = ""
    level: int = 3
    path: Path = Path("log")
    sub: Sub = Sub()
    nothing: str | None = None


ENVIRON = {"TARGET": "hush:app", "A": "hush", "DSN": "hush"}


def read(path: Path, text: str, environ: dict[str, str]):
    path.write_text(text, encoding="utf-8")
    document = config.read(path, environ=environ)
    found, faults = config.validate(document)
    assert faults == []
    return document, found


def models_of(document, models):
    held = {}
    for name, model in models.items():
        _, faults = config.settings(document, name, model)
        assert faults == []
        held[name] = config.settings_model(document, name, model)
    return held


@pytest.fixture
def shown(tmp_path):
    """Give what is shown of a file whose one plugin has these settings."""

    def show(text: str = TEXT, model=Settings, **options: Any) -> str:
        document, found = read(tmp_path / "a.toml", text, ENVIRON)
        models = {} if model is None else {"sentry": model}
        held = models_of(document, models)
        return effective(document, found, held, **options)

    return show


def test_it_is_toml_with_every_value_in_force(shown):
    table = tomli.loads(shown())

    assert table["handler"]["class"] == "auto"
    assert table["server"]["granian"] == {"http": "1"}
    assert table["hooks"]["log_exception"] == {"order": ["sentry"], "exclude": []}
    assert table["plugins"]["sentry"] == {
        "use": "sentry",
        "enabled": True,
        "required": True,
        "on_error": "fail",
        "dsn": {"env": "DSN"},
        "set": {"a": "b"},
        "other": {"env": "NONE", "default": "***"},
        "level": 3,
        "path": "log",
        "sub": {"word": "***", "words": ["a"]},
    }


def test_no_table_is_missing(shown):
    text = '[freeze]\non_drift = "rebuild"\n'

    assert tomli.loads(shown(text, model=None))["freeze"] == {"on_drift": "rebuild"}


def test_each_value_tells_where_it_is_from(shown):
    lines = shown().splitlines()
    file = lines[0].removeprefix("# ")

    assert 'target = { env = "TARGET" }  # environment TARGET' in lines
    assert (
        f'error_headers = [["A", {{ env = "A" }}]]  # {file}:5, environment A' in lines
    )
    assert 'class = "auto"  # default' in lines
    assert f'http = "1"  # {file}:8' in lines
    assert 'dsn = { env = "DSN" }  # environment DSN' in lines
    assert f'set = {{ a = "b" }}  # {file}:15' in lines
    assert (
        'other = { env = "NONE", default = "***" }  '
        f"# environment NONE, not set: default in {file}:16"
    ) in lines
    assert "level = 3  # default of plugin sentry" in lines
    assert "# nothing  # default of plugin sentry: not set" in lines
    assert "# traceback_limit  # default: not set" in lines


def test_a_file_that_has_a_value_is_named(tmp_path, shown):
    (tmp_path / "dsn").write_text("hush\n")

    text = shown('[plugins.sentry]\nset = {}\ndsn = { file = "dsn" }\n')

    assert 'dsn = { file = "dsn" }  # file dsn' in text.splitlines()


def test_in_pyproject_the_lines_are_those_of_the_whole_file(tmp_path):
    text = '[project]\nname = "a"\n\n[tool.handlerkit.app]\ntarget = "a:b"\n'
    document, found = read(tmp_path / "pyproject.toml", text, {})

    assert "pyproject.toml:5" in effective(document, found)


def test_without_a_file_there_is_no_line():
    document = config.read({"app": {"target": "a:b"}})
    found, _ = config.validate(document)

    lines = effective(document, found).splitlines()

    assert 'target = "a:b"  # given' in lines


def test_an_option_stands_in_place_of_the_file(shown):
    options = {("server", "bind"): ("127.0.0.1:80", "--bind")}

    assert 'bind = "127.0.0.1:80"  # --bind' in shown(options=options).splitlines()


def test_with_a_class_of_ones_own_what_is_not_set_is_the_classs(shown):
    """A default written out would take its place."""
    text = shown('[handler]\nclass = "a:B"\nerror_body = "c"\n', model=None)

    assert tomli.loads(text)["handler"] == {
        "class": "a:B",
        "error_body": "c",
        "os_environ": "none",
    }
    assert "# error_status  # as a:B has it: not set" in text.splitlines()


# --- no secret ---------------------------------------------------------------


class Pair(BaseModel):
    word: SecretStr = SecretStr("planted-default")
    number: int = 3


@dataclass
class Point:
    word: SecretStr
    number: int = 3


class Word(RootModel[SecretStr]):
    pass


class Made(BaseModel):
    """Every place that a secret may be in."""

    model_config = ConfigDict(extra="allow")
    text: SecretStr
    data: SecretBytes = SecretBytes(b"planted-data")
    items: list[SecretStr] = []
    moved: set[SecretStr] = set()
    some: dict[str, SecretStr] = {}
    pair: Pair = Pair()
    pairs: tuple[Pair, ...] = ()
    point: Point | None = None
    word: Word = Word(SecretStr("planted-root"))
    either: SecretStr | list[SecretStr] = []
    renamed: SecretStr = Field(
        SecretStr("planted"), validation_alias=AliasChoices("first", "second")
    )
    plain: str = ""
    url: str = ""

    @model_validator(mode="after")
    def _make(self) -> "Made":
        if not self.url:
            self.url = f"https://u:{self.text.get_secret_value()}@example.org"
        return self


PLANTED = """\
[handler]
error_body = "see https://me:planted-k@example.org"

[plugins.sentry]
text = "planted-text"
data = "planted-bytes"
items = ["q7", { env = "SECRET" }, "planted-1", { file = "secret" }]
moved = ["planted-3", "planted-4", "planted-3"]
some = { a = "planted-5", b = { env = "SECRET" } }
pair = { word = "planted-6" }
pairs = [{ word = "q7" }, { number = 4, word = { file = "secret" } }]
point = { word = "planted-8" }
word = "planted-9"
either = ["planted-a"]
second = "planted-b"
plain = { env = "SECRET", default = "planted-c" }
password = "planted-d"
endpoint = "https://me:planted-n@example.org"
sub.deep.api_key = "planted-e"

[plugins.off]
enabled = false
dsn = { env = "NONE", default = "planted-f" }
token = "planted-g"

[server.gunicorn]
raw_env = ["A=1", "API_TOKEN=planted-l"]
statsd_prefix = "https://me:planted-m@example.org"
password = "planted-h"
proc = { env = "SECRET" }
"""


@pytest.fixture
def planted(tmp_path):
    (tmp_path / "secret").write_text("planted-i\n")
    document, found = read(tmp_path / "a.toml", PLANTED, {"SECRET": "planted-j"})
    return document, found, models_of(document, {"sentry": Made})


def test_no_secret_is_shown_wherever_it_is(planted):
    text = effective(*planted)

    assert "planted" not in text
    assert "q7" not in text  # too short to be looked for
    assert tomli.loads(text)["plugins"]["sentry"]["items"] == [
        "***",
        {"env": "SECRET"},
        "***",
        {"file": "secret"},
    ]


def test_no_secret_is_told_to_machines(planted):
    told = [row.told for row in rows(*planted)]

    assert "planted" not in json.dumps(told, default=str)
    assert "planted" not in repr([row.value for row in rows(*planted)])
    assert "***" in told


def test_what_is_no_secret_is_shown(planted):
    table = tomli.loads(effective(*planted))

    assert table["plugins"]["sentry"]["pairs"][1]["number"] == 4
    assert table["server"]["gunicorn"]["raw_env"] == ["A=1", "API_TOKEN=***"]


def test_a_plugin_that_was_refused_hides_what_is_typed_as_secret(tmp_path):
    document, found = read(
        tmp_path / "a.toml", PLANTED.partition("[plugins.off]")[0], {}
    )
    (tmp_path / "secret").write_text("planted-i\n")
    config.settings(document, "sentry", Made)

    assert "planted" not in effective(document, found)


def test_a_plugin_that_is_not_loaded_hides_its_references(planted):
    table = tomli.loads(effective(*planted))

    assert table["plugins"]["off"]["dsn"] == {"env": "NONE", "default": "***"}


# --- what it means -----------------------------------------------------------


class Level(Enum):
    LOW = "low"


class Kinds(BaseModel):
    level: Level = Level.LOW
    day: date = date(2020, 1, 2)
    names: frozenset[str] = frozenset({"a", "b"})
    inner: Pair | None = None
    table: dict[str, int | None] = {"a": None, "b": 1}
    path: Path = Path("/a")
    word: str = Field("x", alias="wort")

    @computed_field
    @property
    def twice(self) -> str:
        return self.word * 2


class Odd(Enum):
    ONE = object()


class Odds(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    data: bytes = b"\xff"
    either: frozenset[int | None] = frozenset({1, None})
    lone: str = "\ud800"
    one: Odd = Odd.ONE
    queue: deque[Any] = Field(default_factory=lambda: deque([None, b"\xff"]))
    thing: object = threading.Lock()
    turn: complex = 1j
    year: int = 2020


def test_what_toml_has_no_word_for_is_no_traceback(tmp_path):
    document, found = read(tmp_path / "a.toml", '[plugins.odd]\nuse = "a:A"\n', {})
    models = models_of(document, {"odd": Odds})

    table = tomli.loads(effective(document, found, models))["plugins"]["odd"]

    assert table["year"] == 2020
    assert not {"data", "either", "lone", "queue"} & table.keys()
    assert json.dumps([row.told for row in rows(document, found, models)])


MODELS = {
    "access-log": builtin.AccessLogSettings,
    "environ": builtin.EnvironSettings,
    "error-page": builtin.ErrorPageSettings,
    "request-id": builtin.RequestIdSettings,
    "kinds": Kinds,
}
VALUES = {
    "app": {
        "target": st.sampled_from(["a:b", "a.b:c()", {"env": "TARGET"}]),
        "path": st.lists(st.text(st.characters(exclude_characters="\0")), max_size=2),
    },
    "handler": {
        "class": st.sampled_from(["auto", "SimpleHandler", "a:B"]),
        "error_body": st.text(),
        "error_headers": st.lists(
            st.sampled_from([["A", "b"], ["C", {"env": "WORD"}]]), max_size=2
        ),
        "traceback_limit": st.integers(0, 2**62),
        "os_environ": st.sampled_from(["inherit", ["LANG"], []]),
        "wsgi_file_wrapper": st.sampled_from([False, "a:B"]),
    },
    "server": {
        "bind": st.sampled_from(["8000", "unix:/s", "[::1]:80"]),
        "threads": st.sampled_from([3, {"env": "NUMBER"}, {"env": "NO", "default": 4}]),
        "header_timeout": st.floats(0, 1e300, exclude_min=True),
        "granian": st.dictionaries(
            st.text().filter(lambda name: not is_secret(("server", "granian", name))),
            st.sampled_from([1, 0.5, True, "a", ["b"], {"c": "d"}]),
            max_size=2,
        ),
    },
    "proxies": {"trusted": st.lists(st.sampled_from(["unix", "::1"]), max_size=2)},
    "redact": {"max_depth": st.integers(1, 50), "locals": st.booleans()},
}
PLUGINS = {
    "access-log": {"format": st.just("json"), "path": st.just("/a")},
    "environ": {
        "set": st.dictionaries(
            st.sampled_from(["a.b", "c.\u00e9 d"]),
            st.sampled_from(["x", "\u00fc", {"env": "WORD"}]),
        ),
        "drop": st.lists(st.just("A"), max_size=1),
    },
    "error-page": {"retry_after": st.integers(1, 9), "contact": st.just("/c")},
    "request-id": {"header": st.sampled_from(["X", {"env": "WORD"}])},
    "kinds": {
        "level": st.just("low"),
        "day": st.just("2021-03-04"),
        "inner": st.sampled_from([{}, {"number": 5}]),
        "wort": st.text(max_size=3),
    },
}


def tables(values):
    return st.fixed_dictionaries(
        {},
        optional={
            name: st.fixed_dictionaries({}, optional=keys)
            for name, keys in values.items()
        },
    )


documents = st.builds(
    lambda own, plugins, hooks: {**own, "plugins": plugins, "hooks": hooks},
    tables(VALUES),
    tables(PLUGINS),
    st.sampled_from([{}, {"sendfile": {"exclude": ["text-log"]}}]),
)


def without_settings(found: config.Config) -> list[Any]:
    """Give a configuration in parts; plugins' own settings are for their models."""
    entries = [
        (name, entry.use, entry.enabled, entry.required, entry.on_error)
        for name, entry in found.plugins.items()
    ]
    return [found.model_copy(update={"plugins": {}}), entries]


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(documents)
def test_what_is_shown_means_the_same_and_shows_the_same(tmp_path, table):
    environ = {"TARGET": "a:b", "NUMBER": "5", "WORD": "w"}
    models = {name: MODELS[name] for name in table["plugins"]}
    document, found = read(tmp_path / "a.toml", config.to_toml(table), environ)
    held = models_of(document, models)
    text = effective(document, found, held)

    document, again = read(tmp_path / "b.toml", text, environ)
    held_again = models_of(document, models)

    assert without_settings(again) == without_settings(found)
    assert held_again == held
    if ":" in found.handler.class_:
        set_now = again.handler.model_fields_set - {"class_", "os_environ"}
        assert set_now == found.handler.model_fields_set - {"class_", "os_environ"}
    shown = tomli.loads(effective(document, again, held_again))
    assert shown == tomli.loads(text)
