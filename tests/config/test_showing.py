"""`effective`: the values in force, where each is from, and no secrets."""

from pathlib import Path

import tomli
from pydantic import BaseModel, Field, SecretStr

from handlerkit import config

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
"""


class Sub(BaseModel):
    word: SecretStr = SecretStr("hush")
    words: frozenset[str] = frozenset(["a"])


class Settings(BaseModel):
    dsn: SecretStr
    values: dict[str, str] = Field(alias="set")
    level: int = 3
    path: Path = Path("log")
    sub: Sub = Sub()
    nothing: str | None = None


def shown(tmp_path: Path, *, validated: bool = True) -> str:
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    environ = {"TARGET": "hush:app", "A": "hush", "DSN": "hush"}
    document = config.read(path, environ=environ)
    found, faults = config.validate(document)
    assert not faults
    records = {}
    if validated:
        records["sentry"], faults = config.settings(document, "sentry", Settings)
        assert not faults
    return config.effective(document, found, records)


def test_it_is_toml_with_every_value_in_force(tmp_path):
    table = tomli.loads(shown(tmp_path))

    assert table["handler"]["class"] == "auto"
    assert table["server"]["granian"] == {"http": "1"}
    assert table["hooks"]["log_exception"] == {"order": ["sentry"], "exclude": []}
    assert table["plugins"]["sentry"] == {
        "use": "sentry",
        "enabled": True,
        "required": True,
        "on_error": "fail",
        "dsn": "***",
        "set": {"a": "b"},
        "level": 3,
        "path": "log",
        "sub": {"word": "***", "words": ["a"]},
    }


def test_each_value_tells_where_it_is_from(tmp_path):
    lines = shown(tmp_path).splitlines()

    assert 'target = "***"  # env TARGET' in lines
    assert 'error_headers = [["A", "***"]]  # env A' in lines
    assert 'class = "auto"  # default' in lines
    assert 'http = "1"  # file' in lines
    assert 'dsn = "***"  # env DSN' in lines
    assert 'set = { a = "b" }  # file' in lines
    assert "level = 3  # plugin" in lines
    assert "# nothing  # plugin: not set" in lines
    assert "# traceback_limit  # default: not set" in lines


def test_no_secret_is_shown(tmp_path):
    assert "hush" not in shown(tmp_path)


def test_without_records_references_are_shown_as_such(tmp_path):
    lines = shown(tmp_path, validated=False).splitlines()

    assert 'dsn = "***"  # env DSN' in lines


def test_what_is_shown_is_valid_but_for_its_masks(tmp_path):
    text = shown(tmp_path).replace('"***"', '"a:b"')

    found, faults = config.validate(config.read(tomli.loads(text)))

    assert faults == []
    assert found is not None
