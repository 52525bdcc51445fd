"""Faults as programs and people get them: JSON, annotations, text, colours."""

import io
import json

import pytest

from handlerkit.cli.main import run
from handlerkit.cli.telling import annotation, wants_colour
from handlerkit.errors import Fault

MISTAKES = """\
[handler]
eror_status = "x"

[hooks.log_exception]
order = ["text-log"]
exclude = ["text-log"]
"""
WARNED = "[redact]\nenabled = false\n"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    def command(text, *arguments):
        (tmp_path / "handlerkit.toml").write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        code = run(["check", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_json_has_all_that_is_known_of_each_fault(check):
    code, out, err = check(MISTAKES, "--format", "json")

    first, second = json.loads(out)
    assert (code, err) == (2, "")
    assert first == {
        "file": "handlerkit.toml",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 12,
        "code": "HK201",
        "severity": "error",
        "message": 'unknown key "eror_status" in [handler]',
        "hint": 'did you mean "error_status"?',
        "path": ["handler", "eror_status"],
        "also": [],
    }
    assert second["also"] == [
        {
            "line": 5,
            "column": 10,
            "end_line": 5,
            "end_column": 20,
            "label": "named first here",
            "path": ["hooks", "log_exception", "order", 0],
        }
    ]


def test_json_of_a_fault_without_a_place_has_nulls(check):
    code, out, _ = check("", "--config", "none.toml", "--format", "json")

    [fault] = json.loads(out)
    assert code == 2
    assert (fault["code"], fault["line"], fault["end_column"]) == ("HK101", None, None)


def test_json_of_a_file_without_a_fault_is_an_empty_list(check):
    assert check("", "--format", "json") == (0, "[]\n", "")


def test_a_warning_is_one_in_every_format(check):
    _, out, _ = check(WARNED, "--format", "json")
    assert [each["severity"] for each in json.loads(out)] == ["warning"]

    _, out, _ = check(WARNED, "--format", "github")
    assert out.startswith("::warning file=handlerkit.toml,line=2,")

    code, out, err = check(WARNED)
    assert (code, out) == (0, "handlerkit.toml: fine\n")
    assert "handlerkit.toml:2:11: warning[HK414]" in err
    assert "error" not in err


def test_github_gets_an_annotation_for_each_fault(check):
    code, out, err = check(MISTAKES, "--format", "github")

    assert (code, err) == (2, "")
    assert out.splitlines()[0] == (
        "::error file=handlerkit.toml,line=2,endLine=2,col=1,endColumn=12,"
        'title=HK201::unknown key "eror_status" in [handler]: '
        'did you mean "error_status"?'
    )


def test_an_annotation_cannot_be_broken_out_of():
    fault = Fault("HK402", "100 %\r\n::error::x", file="a:b,c%\n.toml")

    assert annotation(fault) == (
        "::error file=a%3Ab%2Cc%25%0A.toml,title=HK402::100 %25%0D%0A::error::x"
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_are_for_terminals_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(monkeypatch, name, value):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)

    assert not wants_colour(Terminal())


def test_a_terminal_gets_the_same_text_in_colours(check, monkeypatch):
    _, _, plain = check(MISTAKES)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    check(MISTAKES)

    coloured = terminal.getvalue()
    assert "\x1b[1;31merror[HK201]\x1b[0m" in coloured
    pieces = coloured.split("\x1b[")
    told = pieces[0] + "".join(each.partition("m")[2] for each in pieces[1:])
    assert told == plain
