"""`json_schema`: proper draft 2020-12, held against the models and against editors."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import tomli
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr

from handlerkit import config
from handlerkit.builtin import settings as builtin
from handlerkit.config.explanations import explanations
from handlerkit.config.schema import PluginTable, json_schema
from handlerkit.kit.schemas import schema
from tests.docs.page import blocks

ROOT = Path(__file__).parents[2]
# Codes that stand for something the schema has words for, whatever the value.
EXPRESSED = {"HK201", "HK203", "HK205", "HK206", "HK208", "HK301", "HK404", "HK405"}
# It has for the examples of these, too.
SOMETIMES = {"HK204", "HK309"}


def bare(**plugins: type[BaseModel] | None) -> dict[str, Any]:
    """Give the schema where these are the plugins, by their models."""
    return json_schema(
        {
            name.replace("_", "-"): PluginTable("Does something.", model)
            for name, model in plugins.items()
        }
    )


def as_json(value: Any) -> Any:
    """Give TOML's values as JSON has them."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value


def complaints(found: dict[str, Any], table: Any) -> list[str]:
    """Say what a schema has against a file."""
    validator = Draft202012Validator(found)
    return [
        f"{'.'.join(map(str, each.absolute_path))}: {each.message:.200}"
        for each in validator.iter_errors(as_json(table))
    ]


def refused(found: dict[str, Any], text: str) -> bool:
    return bool(complaints(found, tomli.loads(text)))


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """Give the schema of this environment."""
    return schema()[0]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


# --- its form ----------------------------------------------------------------


class Mail(BaseModel):
    """A model with a union that pydantic tells apart by a key."""

    class Smtp(BaseModel):
        kind: Literal["smtp"]
        host: str

    class Log(BaseModel):
        kind: Literal["log"]
        path: str | None = None

    by: Annotated[Smtp | Log, Field(discriminator="kind")]


def test_it_is_a_schema_of_its_draft(here):
    assert here["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(here)
    Draft202012Validator.check_schema(bare(mail=Mail))


def test_no_alternative_has_to_be_guessed():
    text = json.dumps(bare(mail=Mail))

    assert "oneOf" not in text
    assert "discriminator" not in text


def test_it_refers_only_to_what_it_has(here):
    refs = {each["$ref"] for each in nodes(here) if isinstance(each.get("$ref"), str)}

    assert refs == {f"#/$defs/{name}" for name in here["$defs"]}


def test_every_key_is_described(here):
    for table in nodes(here):
        for name, key in table.get("properties", {}).items():
            if isinstance(key, dict) and table.get("title", "").startswith("["):
                described = "description" in key or "anyOf" in key
                assert described, f"{table['title']}: {name}"


def test_defaults_and_examples_are_those_of_the_models(here):
    handler = here["properties"]["handler"]["properties"]

    assert handler["error_status"]["default"] == "500 Internal Server Error"
    assert handler["traceback_limit"]["examples"] == [50]
    assert "default" not in handler["traceback_limit"]


def test_classes_are_there_to_choose_from(here):
    names, *_ = here["properties"]["handler"]["properties"]["class"]["anyOf"]

    assert {"auto", "CGIHandler"} <= set(names["enum"])


def test_no_editor_is_told_to_sort_plugins(here):
    """Their order is that of the calls."""
    assert "x-tombi-table-keys-order" not in here["properties"]["plugins"]
    assert here["x-tombi-toml-version"] == "v1.1.0"


def test_the_default_of_a_secret_is_not_told():
    class Model(BaseModel):
        key: SecretStr = SecretStr("hush")

    text = json.dumps(bare(a=Model))

    assert "hush" not in text
    assert "*****" not in text


def test_what_has_no_json_schema_may_be_anything():
    class Odd:
        pass

    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        odd: Odd | None = None
        word: str = "a"

    found = bare(a=Model)

    assert refused(found, "[plugins.a]\nword = 3\n")
    assert not refused(found, "[plugins.a]\nodd = 3\n")


# --- plugins -----------------------------------------------------------------


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Word(RootModel[str]):
    pass


@dataclass
class Point:
    x: int
    y: int = 0


class Inner(BaseModel):
    word: str = "a"


class Wide(BaseModel):
    """Every kind of place that a reference may be in, or not."""

    dsn: str
    level: Level = Level.LOW
    word: Word = Word("a")
    point: Point = Point(1)
    inner: Inner = Inner()
    inners: list[Inner] = []
    words: dict[str, str] = Field(default={}, alias="set")
    pair: tuple[str, str] = ("a", "b")
    either: int | list[int] = 3
    anything: Any = None
    choice: Literal["a", 1] = "a"
    path: Path | None = None


ENV = '{ env = "NAME" }'
PLACES = [
    ("level = {}", True),
    ("word = {}", True),
    ("choice = {}", True),
    ("path = {}", True),
    ("either = {}", True),
    ("either = [{}]", True),
    ("anything = {}", True),
    ("pair = ['a', {}]", True),
    ("pair = {}", False),
    ("set = {{ a = {} }}", True),
    ("inner = {{ word = {} }}", True),
    ("inner = {}", False),
    ("inners = [{{ word = {} }}]", True),
    ("inners = [{}]", False),
    ("point = {{ x = {} }}", True),
    ("point = {}", False),
]


@pytest.mark.parametrize(("line", "fits"), PLACES)
def test_a_reference_is_allowed_where_the_configuration_takes_one(line, fits):
    text = f'[plugins.wide]\ndsn = "a"\n{line.format(ENV)}\n'
    value = {"level = {}": "low", "choice = {}": "a"}.get(line, "3")
    document = config.read(tomli.loads(text), environ={"NAME": value})
    _, faults = config.settings(document, "wide", Wide)

    assert refused(bare(wide=Wide), text) == (not fits)
    assert bool(faults) == (not fits)


@pytest.mark.parametrize(
    "reference",
    [
        "{ env = 3 }",
        '{ env = "" }',
        '{ env = "A", file = "b" }',
        '{ evn = "A" }',
        '{ default = "a" }',
        "{}",
    ],
)
def test_what_only_resembles_a_reference_is_refused(here, reference):
    assert refused(here, f"[server]\nbind = {reference}\n")


def test_a_reference_may_have_a_default(here):
    assert not refused(here, '[server]\nthreads = { env = "T", default = 3 }\n')


TABLES = [
    ('[plugins.wide]\ndsn = "a"', True),
    ("[plugins.wide]", False),
    ("[plugins.wide]\nenabled = false", True),
    ('[plugins.wide]\nenabled = { env = "WIDE" }', True),
    ('[plugins.wide]\ndsn = "a"\nstray = 1', False),
    ('[plugins.wide]\nuse = "wide"\ndsn = "a"', True),
    ('[plugins.wide]\nuse = "./wide.py"\nstray = 1', True),
    ('[plugins.wide-eu]\nuse = "wide"\ndsn = "a"', True),
    ('[plugins.wide-eu]\nuse = "wide"\ndsn = 3', False),
    ('[plugins.wide-eu]\nuse = { env = "PLUGIN" }\nx = 3', True),
    ('[plugins.wide]\nuse = "plain"', True),
    ("[plugins.plain]", True),
    ("[plugins.plain]\nstray = 1", False),
    ('[plugins.own]\nuse = "./own.py:Own"\nx = 3', True),
    ("[plugins.own]\nx = 3", False),
    ("[plugins.own]\nrequired = false", True),
    ("[plugins.own]\nenabled = false", True),
    ('[plugins.own]\nuse = "./own.py:Own"\non_error = "ignore"', False),
    ('[plugins.own]\nuse = ""', False),
    ("[plugins]\nown = 3", False),
]


@pytest.mark.parametrize(("text", "fits"), TABLES)
def test_a_plugins_table_is_held_to_what_it_uses(text, fits):
    assert refused(bare(wide=Wide, plain=None), text) == (not fits)


def test_a_lenient_schema_takes_plugins_that_it_does_not_know():
    found = json_schema({"wide": PluginTable("", Wide)}, lenient=True)

    assert not refused(found, "[plugins.own]\nx = 3")
    assert refused(found, "[plugins.own]\nenabled = 3")
    assert refused(found, "[plugins.wide]")


def test_of_a_plugin_that_nothing_is_known_of_anything_is_taken():
    found = json_schema({"gone": None})

    assert not refused(found, "[plugins.gone]\nx = 3")


def test_models_of_one_name_do_not_meet():
    class A(BaseModel):
        class Inner(BaseModel):
            word: str

        inner: Inner

    class B(BaseModel):
        class Inner(BaseModel):
            number: int

        inner: Inner

    found = json_schema(
        {
            "a/~b %": PluginTable("", A),
            "a": PluginTable("", B),
        }
    )

    assert not refused(found, '[plugins."a/~b %".inner]\nword = "a"')
    assert refused(found, "[plugins.a.inner]\nword = 'a'")
    assert not refused(found, "[plugins.a.inner]\nnumber = 3")


class Tree(BaseModel):
    word: str = "a"
    below: list["Tree"] = []


def test_a_model_may_hold_itself():
    found = bare(tree=Tree)
    Draft202012Validator.check_schema(found)

    assert not refused(found, '[plugins.tree]\nbelow = [{ below = [{ word = "b" }] }]')
    assert refused(found, "[plugins.tree]\nbelow = [{ below = [{ word = 3 }] }]")


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    inner: Inner = Inner()


class Outer(BaseModel):
    loose: Loose = Loose()


@pytest.mark.parametrize(
    "text",
    ["x = 1", "inner = { x = 1 }", "loose = { x = 1 }", "point = { x = 1, z = 1 }"],
)
@pytest.mark.parametrize("model", [Loose, Outer, Wide])
def test_unknown_keys_are_refused_where_validation_refuses_them(model, text):
    text = (
        f'[plugins.m]\n{text}\ndsn = "a"\n' if model is Wide else f"[plugins.m]\n{text}"
    )
    document = config.read(tomli.loads(text))
    _, faults = config.settings(document, "m", model)

    assert refused(bare(m=model), text) == bool(faults)


# --- against what there is ---------------------------------------------------


def test_the_example_is_valid(here):
    text = (ROOT / "config.example.toml").read_text("utf-8")

    assert complaints(here, tomli.loads(text)) == []


def test_the_first_file_is_valid(here):
    assert complaints(here, tomli.loads(config.initial())) == []


PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs").rglob("*.md"),
    *ROOT.glob("plugins/*/*.md"),
]
FILES = [
    each
    for page in PAGES
    for each in blocks(page)
    if each.language == "toml"
    and page.name != "error-codes.md"
    and "with mistakes" not in each.marks
]
NOT_INSTALLED = ["shop-tenant"]  # a page writes it


@pytest.mark.parametrize("block", FILES, ids=str)
def test_what_the_pages_show_is_valid(here, block):
    """The models have their say where the tests of docs run each page."""
    table = tomli.loads(block.text)
    if block.name.endswith("pyproject.toml"):
        table = table.get("tool", {}).get("handlerkit", {})
    for name in NOT_INSTALLED:
        table.get("plugins", {}).pop(name, None)
    assert complaints(here, table) == []


@pytest.mark.parametrize("code", explanations())
def test_of_the_mistakes_that_are_explained_it_refuses_what_it_has_words_for(
    here, code
):
    """The others are of the process, of code, or of one table with another."""
    try:
        table = tomli.loads(explanations()[code].example)
    except tomli.TOMLDecodeError:
        return

    assert bool(complaints(here, table)) == (code in EXPRESSED | SOMETIMES)


# --- against the models ------------------------------------------------------

MODELS = {
    "access-log": builtin.AccessLogSettings,
    "environ": builtin.EnvironSettings,
    "error-page": builtin.ErrorPageSettings,
    "proxy-headers": builtin.ProxyHeadersSettings,
    "request-id": builtin.RequestIdSettings,
    "wide": Wide,
}
AGAINST = bare(**{name.replace("-", "_"): model for name, model in MODELS.items()})
ENVIRON = {"WORD": "a", "NUMBER": "3", "YES": "true"}

scalars = st.one_of(
    st.sampled_from(
        [
            *("auto", "none", "inherit", "", "a", "1.0", "660", "systemd", "8000"),
            *(
                "fd:3",
                "unix:/s",
                "[::1]:80",
                "a:b",
                "a.b:c()",
                "low",
                "granian",
                "unix",
            ),
            *("fail", "skip", "combined", "keys", "HTTP_X", "10.0.0.0/8", "text", "/a"),
            *("GET\n", "\u00e9", "X-Id", "500 Oops", "http://a"),
        ]
    ),
    st.text(max_size=4),
    st.booleans(),
    st.integers(-2, 12_000),
    st.sampled_from([0.5, -1.5, 1e9 + 0.5]),  # 1.0 is an integer in JSON Schema
    st.builds(lambda name: {"env": name}, st.sampled_from([*ENVIRON])),
    st.sampled_from([{}, {"env": 3}, {"env": "WORD", "x": 1}, {"file": ""}]),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(["a", "word", "500", "x"]), scalars, max_size=2),
    st.lists(st.lists(scalars, max_size=3), max_size=2),
)


def keys_of(found: dict[str, Any]) -> list[str]:
    return [*found.get("properties", {})]


def table_of(found: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give tables with known keys for the most part, and values of all kinds.

    The default and the examples of a key are among its values.
    """

    def value(key: str) -> st.SearchStrategy[Any]:
        said = found["properties"].get(key, {})
        likely = [*said.get("examples", ())]
        if "default" in said:
            likely.append(said["default"])
        words = [w for n in nodes(said) for w in n.get("enum", ())]
        fitting = [*likely, *words]
        return st.one_of(st.sampled_from(fitting), values) if fitting else values

    keys = st.lists(
        st.sampled_from([*keys_of(found), "stray"]), max_size=3, unique=True
    )
    return keys.flatmap(
        lambda names: st.fixed_dictionaries({name: value(name) for name in names})
    )


own = {
    name: table_of(table)
    for name, table in AGAINST["properties"].items()
    if name not in ("hooks", "plugins")
}
hooks = st.dictionaries(
    st.sampled_from(["log_exception", "sendfile", "sendfiel"]),
    table_of(AGAINST["properties"]["hooks"]["properties"]["sendfile"]),
    max_size=1,
)
plugins = st.sampled_from([*MODELS]).flatmap(
    lambda name: table_of(AGAINST["$defs"][f"plugin-{name}"]).map(
        lambda table: {name: table}
    )
)
documents = st.one_of(
    st.fixed_dictionaries({}, optional=own),
    st.fixed_dictionaries({"hooks": hooks}),
    st.fixed_dictionaries({"plugins": plugins}),
    st.fixed_dictionaries({"plugins": plugins, "stray": values}),
)


def faults_of(table: dict[str, Any]) -> list[str]:
    """Give the codes of what the models have against a file."""
    document = config.read(table, environ=ENVIRON)
    found, faults = config.validate(document)
    plugins = table.get("plugins", {})
    if found is not None:
        for name, entry in found.plugins.items():
            if entry.enabled and entry.use == name:
                faults += config.settings(document, name, MODELS[name])[1]
            elif entry.enabled:
                return []
    elif any(
        "use" in each or each.get("enabled") is False for each in plugins.values()
    ):
        return ["unknown"]
    return [fault.code for fault in faults]


def refers(table: dict[str, Any]) -> bool:
    """Say whether a value is not in the file, for a schema to see."""
    return any(node.get("env") in ENVIRON for node in nodes(table) if len(node) == 1)


@settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(documents)
def test_it_refuses_nothing_that_the_models_take_and_what_it_has_words_for(table):
    codes = faults_of(table)
    said = complaints(AGAINST, table)
    note(f"{table}\nmodels: {codes}\nschema: {said}")

    if not codes:
        assert said == []
    elif set(codes) & EXPRESSED and not refers(table):
        assert said


# --- against editors ---------------------------------------------------------

MISTAKES = {
    "[app]\ntarget = 3\n": (2, "expected a value of type String"),
    '[handler]\neror_status = "x"\n': (2, '"eror_status" is not allowed'),
    '[server]\nengine = "granit"\n': (2, "must be one of"),
    "[hooks.setup_enviro]\n": (1, '"setup_enviro" is not allowed'),
    '[plugins.request-id]\nheder = "X"\n': (2, '"heder" is not allowed'),
    '[plugins.b]\nuse = "access-log"\nformat = "x"\n': (3, "must be one of"),
    "[plugins.own]\nx = 1\n": (1, '"use" is required'),
}


def tombi(*arguments: str, cwd: Path) -> str:
    """Run the language server's own linter, of this environment; it is an extra."""
    found = shutil.which("tombi", path=str(Path(sys.executable).parent))
    if found is None:
        message = "tombi is not installed: what an editor makes of it is not tested"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run(
        [found, *arguments, "--offline"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={"NO_COLOR": "1", "HOME": str(cwd)},
    )
    return done.stdout + done.stderr


@pytest.fixture
def edited(tmp_path, here):
    """Write a file as an editor has it: with the schema beside it."""
    (tmp_path / "handlerkit.schema.json").write_text(json.dumps(here))

    def write(text: str) -> Path:
        path = tmp_path / "handlerkit.toml"
        path.write_text(f"#:schema ./handlerkit.schema.json\n\n{text}", "utf-8")
        return path

    return write


@pytest.mark.parametrize("text", MISTAKES)
def test_tombi_shows_a_mistake_at_its_place(edited, text):
    path = edited(text)
    line, message = MISTAKES[text]

    said = tombi("lint", path.name, cwd=path.parent)

    assert message in said
    assert f"{path.name}:{line + 2}:" in said
    assert "strict mode" not in said


def test_tombi_finds_nothing_in_the_example(edited):
    path = edited((ROOT / "config.example.toml").read_text("utf-8"))

    assert tombi("lint", path.name, cwd=path.parent).strip() == (
        "1 file linted successfully"
    )


def test_tombi_leaves_the_order_of_plugins_as_it_is(edited):
    text = (
        '[plugins.z]\nuse = "a:b"\n\n[plugins.request-id]\n\n'
        '[plugins.a]\nuse = "a:b"\n\n[app]\ntarget = "a:b"\n'
    )
    path = edited(text)

    tombi("format", path.name, cwd=path.parent)

    found = tomli.loads(path.read_text("utf-8"))
    assert [*found] == ["app", "plugins"]  # it has sorted the tables
    assert [*found["plugins"]] == ["z", "request-id", "a"]
