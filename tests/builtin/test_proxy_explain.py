"""`handlerkit explain-proxy`: the walk, its end, and what follows, in words."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from handlerkit.cli.main import run
from handlerkit.config import to_toml

CASES = tomllib.loads((Path(__file__).parent / "proxy_cases.toml").read_text())["case"]
# A unix peer is asked for as "unix", and environ has nothing but the headers.
ASKED = [
    case
    for case in CASES
    if case["peer"] not in ("unix:", "localhost", "0.0.0.0") and "before" not in case
]
TOLD = """\
peer      10.0.0.1: trusted
family    x-forwarded
hop       10.0.0.2: trusted
hop       203.0.113.9:80 (203.0.113.9): not trusted
reason    client: the first address from the right that is not trusted is the client
environ   REMOTE_ADDR = '203.0.113.9'  (was '10.0.0.1')
environ   HTTP_X_FORWARDED_FOR = '203.0.113.9:80, 10.0.0.2'  (was '::1, \
203.0.113.9:80,10.0.0.2')
environ   REMOTE_PORT = '80'  (was not there)
environ   HTTPS = 'on'  (was not there)
environ   wsgi.url_scheme = 'https'
removed   HTTP_FORWARDED = 'for=127.0.0.1'
"""


@pytest.fixture
def explain(tmp_path, capsys):
    """Run the command; give its exit code and output."""

    def explain(trusted, settings, peer, *headers, more=()):
        config = tmp_path / "handlerkit.toml"
        plugins = {} if settings is None else {"proxy-headers": settings}
        config.write_text(
            to_toml({"proxies": {"trusted": trusted}, "plugins": plugins})
        )
        arguments = ["explain-proxy", "--config", str(config), "--peer", peer, *more]
        for header in headers:
            arguments += ["--header", header]
        code = run(arguments)
        said = capsys.readouterr()
        return code, said.out + said.err

    return explain


def test_each_step_and_its_reason_are_told(explain):
    code, said = explain(
        ["10.0.0.0/8"],
        {},
        "10.0.0.1",
        "X-Forwarded-For: ::1, 203.0.113.9:80",
        "X-Forwarded-For: 10.0.0.2",
        "X-Forwarded-Proto: https",
        "Forwarded: for=127.0.0.1",
    )
    assert code == 0
    assert said == TOLD


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case["name"])
def test_it_says_what_the_plugin_does(explain, case):
    code, said = explain(
        case.get("trusted", []),
        case.get("settings", {}),
        case["peer"] or "unix",
        *case["headers"],
        more=["--json"],
    )
    told = json.loads(said)
    assert code == 0
    assert told["reason"] == case["reason"]
    if case["reason"] != "malformed":
        assert told["environ"]["REMOTE_ADDR"] == case.get("addr", case["peer"])
        assert told["scheme"] in (case.get("scheme", "http"), None)


def test_a_refusal_is_told_with_its_cause(explain):
    _, said = explain(["unix"], {}, "unix", "X-Forwarded-For: 1.2.3")
    assert "peer      unix: trusted\n" in said
    assert "reason    malformed: answered 400" in said
    assert "malformed '1.2.3' is not an address\n" in said


def test_without_the_plugin_there_is_nothing_to_explain(explain):
    code, said = explain(["unix"], None, "unix")
    assert code == 1
    assert "has no plugin proxy-headers" in said


def test_safe_mode_has_no_plugin_either(explain, monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")
    code, said = explain(["unix"], {}, "unix")
    assert code == 1
    assert "HANDLERKIT_SAFE is set" in said


@pytest.mark.parametrize(
    ("peer", "header", "said"),
    [
        ("proxy.example", "X: y", "must be an address"),
        ("unix", "X-Forwarded-For", "must be 'Name: value'"),
        ("unix", ": x", "must be 'Name: value'"),
    ],
)
def test_wrong_use_is_told(explain, capsys, peer, header, said):
    with pytest.raises(SystemExit, match="2"):
        explain([], {}, peer, header)
    assert said in capsys.readouterr().err
