"""Commented files: what `init` writes, and the example in the repository."""

import re
from pathlib import Path

import pytest
import tomli
from handlerkit_json_log.settings import Settings as JsonLogSettings
from handlerkit_problem_json.settings import Settings as ProblemJsonSettings
from pydantic import BaseModel, Field

from handlerkit import config
from handlerkit.builtin.settings import (
    AccessLogSettings,
    EnvironSettings,
    ErrorPageSettings,
    RequestIdSettings,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SETTINGS = {
    "request-id": RequestIdSettings,
    "environ": EnvironSettings,
    "json-log": JsonLogSettings,
    "problem-json": ProblemJsonSettings,
    "error-page": ErrorPageSettings,
    "access-log": AccessLogSettings,
}


def uncommented(text: str) -> str:
    """Make settings of what is commented out; leave comments."""
    return re.sub(r"(?m)^# (\[|[a-z_]+ = )", r"\1", text)


def test_the_first_file_is_valid(complaints):
    assert complaints(config.initial()) == []


def test_the_first_file_names_the_application():
    found = tomli.loads(config.initial("shop:app"))

    assert found["app"]["target"] == "shop:app"


def test_everything_in_the_first_file_is_the_default(valid):
    found = valid(tomli.loads(config.initial("a:b")))

    assert found.model_dump() == valid({"app": {"target": "a:b"}}).model_dump()


def test_what_is_commented_out_is_valid_too(complaints):
    text = uncommented(config.initial())

    assert "traceback_limit" in tomli.loads(text)["handler"]
    assert complaints(text) == []


def test_the_example_holds_every_key_and_its_default():
    text = EXAMPLE.read_text()
    values = {
        table: {
            key: value
            for key, value in keys.items()
            if table == "plugins" or f"{key} = " in differing(text, table)
        }
        for table, keys in tomli.loads(text).items()
    }

    assert config.template(values, SETTINGS) == text


def differing(text: str, table: str) -> str:
    """Give the lines of a table that say that they differ from the default."""
    part = text.split(f"[{table}]\n")[1].split("\n[", maxsplit=1)[0]
    return "\n".join(line for line in part.splitlines() if "  # default: " in line)


def test_the_example_is_valid():
    document = config.read(EXAMPLE)
    found, faults = config.validate(document)
    assert faults == []
    assert found is not None

    for name, model in SETTINGS.items():
        _, faults = config.settings(document, name, model)
        assert faults == []
    assert config.check_entry(found, "serve") == ([], [])


def test_what_is_given_is_written_with_its_default():
    class Required(BaseModel):
        """A plugin's settings."""

        dsn: str = Field(description="Where to.", examples=["http://a"])

    values = {
        "server": {"granian": {"http": "1"}},
        "hooks": {"sendfile": {"order": ["a"]}},
        "plugins": {"a": {"use": "b"}, "c": {}},
    }

    text = config.template(values, {"a": Required})

    found = tomli.loads(text)
    assert found["server"]["granian"] == {"http": "1"}
    assert found["hooks"] == {"sendfile": {"order": ["a"], "exclude": []}}
    assert found["plugins"] == {"a": {"use": "b"}, "c": {}}
    assert 'order = ["a"]  # default: []' in text
    assert '[plugins.a]\nuse = "b"\n# Where to.\n# dsn = "http://a"\n' in text


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_example_has_commented_out_is_valid_too(name):
    document = config.read(tomli.loads(uncommented(EXAMPLE.read_text())))

    _, faults = config.settings(document, name, SETTINGS[name])

    assert faults == []


def test_the_example_serves_the_demo_on_granian_with_plugins(valid):
    found = valid(tomli.loads(EXAMPLE.read_text()))

    assert found.app.target == "handlerkit.demo:application"
    assert (found.server.engine, found.server.bind) == ("granian", "127.0.0.1:8000")
    assert list(found.plugins) == list(SETTINGS)
