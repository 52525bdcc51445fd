"""`handlerkit redact`: what would leave, and which rule took what."""

from __future__ import annotations

import io
import json
import sys

import pytest

from handlerkit.cli.main import run

LOG = """login failed: https://bob:s3cret-pw@db.example/x
password=hunter2 user=bob
"""


@pytest.fixture
def redact(tmp_path, monkeypatch, capsys):
    """Run the command on a text; give what it printed."""

    def redact(text, *options, config="", expected=0):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "handlerkit.toml").write_text(config)
        (tmp_path / "text").write_text(text)
        assert run(["redact", *options, "text"]) == expected
        return capsys.readouterr().out

    return redact


def test_it_prints_the_text_without_its_secrets(redact):
    assert redact(LOG) == (
        "login failed: https://bob:[redacted]@db.example/x\n"
        "password=[redacted] user=bob\n"
    )


def test_explain_says_where_what_went_by_which_rule(redact):
    told = redact(LOG, "--explain").split("--- ")[1]
    assert told == (
        "taken out: 2\n"
        "1:27  9 characters: pattern url-password\n"
        "2:10  7 characters: name password\n"
    )


def test_the_explanation_names_the_variable_whose_value_was_found(redact, monkeypatch):
    monkeypatch.setenv("SHOP_API_KEY", "abcdef-123456")
    told = redact("sent abcdef-123456\n", "--explain")
    assert "abcdef" not in told
    assert "variable SHOP_API_KEY" in told


def test_json_is_redacted_by_its_structure(redact):
    text = json.dumps({"user": {"api_key": ["a", "b"], "name": "bob"}})
    told = redact(text, "--explain")
    shown, _, explained = told.partition("--- ")
    assert json.loads(shown) == {"user": {"api_key": "[redacted]", "name": "bob"}}
    assert "$.user.api_key  a value: name api_key" in explained


def test_a_machine_reads_the_same(redact):
    told = json.loads(redact(LOG, "--json"))
    assert "hunter2" not in told["text"]
    assert [each["rules"] for each in told["taken"]] == [
        ["pattern url-password"],
        ["name password"],
    ]


def test_the_rules_are_those_of_the_file(redact):
    rules = '[redact]\nkeys = ["pin"]\nallow_keys = ["password"]\n'
    assert redact("pin=1234 password=x\n", config=rules) == (
        "pin=[redacted] password=x\n"
    )


def test_it_reads_stdin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handlerkit.toml").write_text("")
    stdin = io.TextIOWrapper(io.BytesIO(b"token=abc"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(["redact", "-"]) == 0
    assert capsys.readouterr().out == "token=[redacted]\n"


def test_a_file_that_is_not_there_is_an_error_of_one_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handlerkit.toml").write_text("")
    assert run(["redact", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("handlerkit: nowhere cannot be read: ")


def test_check_warns_where_nothing_is_redacted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handlerkit.toml").write_text("[redact]\nenabled = false\n")
    assert run(["check"]) == 0
    assert "warning[HK414]" in capsys.readouterr().err
