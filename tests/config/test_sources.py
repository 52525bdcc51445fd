"""A configuration is read from a file, from pyproject.toml, or from a mapping."""

import os
from pathlib import Path

import pytest

from handlerkit import config
from handlerkit.errors import ConfigError, Fault


def failure(path) -> str:
    with pytest.raises(ConfigError) as caught:
        config.read(path)
    (fault,) = caught.value.faults
    return f"{fault.file}: {fault.code} {fault.message}"


def test_a_missing_file_is_told(tmp_path):
    path = tmp_path / "none.toml"

    assert failure(path) == f"{path}: HK101 there is no such file"


def test_what_cannot_be_read_is_told(tmp_path):
    assert failure(tmp_path).startswith(f"{tmp_path}: HK102 cannot be read: ")


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b'a = 1\nb = "\xe9"\n')

    assert failure(path) == f"{path}: HK103 not UTF-8: byte 0xe9"


def test_a_syntax_error_is_told_with_line_and_column(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("[handler]\nclass = auto\n")

    assert failure(path) == f"{path}: HK104 not TOML: invalid value"


def test_a_number_that_python_refuses_is_no_traceback(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(f"a = {'9' * 5000}")

    assert failure(path) == f"{path}: HK104 an integer has more than 64 bits"


def test_nesting_without_end_is_no_traceback(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("a = " + "[" * 100_000)

    assert failure(path).endswith("HK104 tables and arrays nest deeper than 64")


def test_a_file_of_windows_is_read(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbf[app]\r\ntarget = """a:\\\r\nb"""\r\n')

    assert config.read(path).raw == {"app": {"target": "a:b"}}


def test_toml_1_1_is_read_on_every_python(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('app = {\n  target = "\\x61:b",\n}\n')

    assert config.read(path).raw == {"app": {"target": "a:b"}}


def test_pyproject_has_a_table_of_handlerkit(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.handlerkit.app]\ntarget = "a"\n[project]\nname = "x"\n')

    document = config.read(path)
    _, (fault,) = config.validate(document)

    assert document.raw == {"app": {"target": "a"}}
    assert fault.path == ("tool", "handlerkit", "app", "target")


@pytest.mark.parametrize("text", ["", "[tool]", "[tool]\nhandlerkit = 1"])
def test_pyproject_without_the_table_is_told(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)

    assert failure(path) == f"{path}: HK105 there is no table [tool.handlerkit]"


@pytest.mark.parametrize(
    ("text", "hint", "carets"),
    [
        ("[tool.handlekit]\n", "did you mean it here?", "|       ^^^^^^^^^\n"),
        ("tool.handlerkit = 5\n", "this must be a table", "|      ^^^^^^^^^^\n"),
    ],
)
def test_what_is_near_the_table_is_shown(tmp_path, text, hint, carets):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        config.read(path)

    assert hint in str(caught.value)
    assert carets in str(caught.value)


def test_paths_start_where_the_file_is(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.toml").write_text("")
    monkeypatch.chdir(tmp_path)

    assert config.read("conf/a.toml").base == tmp_path / "conf"


def test_a_mapping_may_hold_tuples_and_paths(valid):
    found = valid({"app": {"path": (Path("lib"),)}})

    assert found.app.path == ("lib",)


def test_a_mapping_is_copied():
    table = {"app": {"path": ["."]}}
    document = config.read(table)

    table["app"]["path"].append("lib")

    assert document.raw == {"app": {"path": ["."]}}


def test_a_document_shows_no_values():
    document = config.read({"a": "hush"}, environ={"B": "hush"})

    assert "hush" not in repr(document)


def test_faults_from_elsewhere_get_file_and_place(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.handlerkit.plugins.b]\n[tool.handlerkit.plugins.a]\n")
    document = config.read(path)
    _, late = config.settings(document, "a", "no.such:Model")
    _, early = config.settings(document, "b", "no.such:Model")

    faults = document.arrange([*late, *early])

    assert [fault.path[-1] for fault in faults] == ["b", "a"]
    assert {fault.file for fault in faults} == {str(path)}


def test_a_place_that_is_not_in_the_file_comes_after_those_that_are():
    document = config.read({"a": [{"k": 1}], "b": 2})
    paths = [("z",), ("b", "c"), ("b",), ("a", 5, "k"), ("a", 0, "k")]

    faults = document.arrange([Fault("HK000", "", path=path) for path in paths])

    assert [fault.path for fault in faults] == [*reversed(paths)]


@pytest.mark.parametrize(("value", "safe"), [("1", True), ("0", False), ("", False)])
def test_safe_mode_is_asked_for_by_the_environment(monkeypatch, value, safe):
    monkeypatch.setitem(os.environ, "HANDLERKIT_SAFE", value)

    assert config.safe_mode() is safe


@pytest.mark.parametrize(
    "text",
    [
        'password = "abc"PLANTED"',
        "[plugins.x]\npassword = 'it's-PLANTED'",
        '[plugins.x]\ndsn = "a" "PLANTED"',
        '[plugins.x]\ntoken = "abc"\ntoken = "def" # once PLANTED',
        '[plugins.x]\nopts = { a = 1, api_key = "a"PLANTED" }',
        '[plugins.x]\n"client.secret" = "a"PLANTED"',
    ],
)
def test_what_follows_a_secret_that_is_not_closed_is_not_shown(tmp_path, text):
    file = tmp_path / "handlerkit.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as raised:
        config.read(file)

    assert "***" in str(raised.value)
    assert "PLANTED" not in str(raised.value)


@pytest.mark.parametrize("deep", ["{a=" * 300 + "1" + "}" * 300, "[" * 99 + "]" * 99])
def test_values_that_nest_too_deep_are_refused_in_words(tmp_path, deep):
    file = tmp_path / "handlerkit.toml"
    file.write_text(f"[app]\nx = {deep}")

    with pytest.raises(ConfigError, match=r"HK104.*nest deeper than 64"):
        config.read(file)
