"""Secrets planted in every place reach no log; a control shows that they would."""

from __future__ import annotations

import base64
import io
import json
import sys
import types
from wsgiref.util import setup_testing_defaults

import pytest

import handlerkit
from handlerkit import hookimpl

PLACES = [
    *("query", "bearer", "basic", "header", "cookie", "environ", "process", "dsn"),
    *("local", "local-dict", "message", "repr", "json", "note", "nested", "url"),
    *("cause", "cause-note", "context", "member", "member-note", "group-in-cause"),
    *("jwt", "pem", "cloud", "literal", "plugin", "start_response", "close", "path"),
]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqd3QifQ.pl4nted-jwt-value"
PEM = "-----BEGIN PRIVATE KEY-----\npl4nted-pem-value\n-----END PRIVATE KEY-----"
SECRETS = {place: f"pl4nted-{place}-value" for place in PLACES} | {
    "jwt": JWT,
    "cloud": "AKIAPL4NTEDCL0UDVALU",
    "basic": "pl4nted-basic-value",
}


def raised(exception, *notes):
    for note in notes:
        exception.add_note(note)
    return exception


def first_error(environ):
    """Raise what holds a secret in every corner."""
    secret = SECRETS
    nested = {"user": {"id": 1, "credentials": [{"pin": secret["nested"]}]}}
    members = [
        raised(
            ValueError(f"bad token={secret['member']}"),
            f"api_key: {secret['member-note']}",
        ),
        KeyError(f"https://bob:{secret['url']}@db.example/"),
    ]
    try:
        try:
            raise LookupError(f"the password: {secret['context']}")
        except LookupError:
            raise OSError(f"client_secret={secret['cause']}")  # noqa: B904 - the context is the case
    except OSError as exc:
        cause = raised(exc, f"Cookie: sid={secret['cause-note']}")
    try:
        raise ExceptionGroup(f"pwd={secret['group-in-cause']}", members) from cause
    except ExceptionGroup as exc:
        message = "; ".join(
            (
                f"password={secret['message']}",
                repr({"X-Auth-Token": secret["repr"]}),
                json.dumps({"secret": secret["json"]}),
                f"{nested}",
                f"sent {secret['jwt']}",
                f"key id {secret['cloud']}",
                PEM,
                f"saw {secret['process']} and {secret['dsn']}",
                f"got {secret['bearer']}, {secret['basic']}, {secret['header']}",
                f"and {secret['cookie']}, {secret['query']}, {secret['environ']}",
                f"environ: {environ!r}",
            )
        )
        raise raised(RuntimeError(message), f"auth: {secret['note']}") from exc


def application(environ, start_response):
    try:
        raise ValueError(f"session={SECRETS['start_response']}")
    except ValueError:
        start_response("500 Failed", [], sys.exc_info())
    return Closing(environ)


def login(user, password):
    return user / 0


class Closing:
    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        login_attempt(self.environ)
        yield b""

    def close(self):
        raise ValueError(f"signature={SECRETS['close']}")


def login_attempt(environ):
    password = SECRETS["local"]
    settings = {"user": "bob", "api_key": SECRETS["local-dict"]}
    try:
        login(1, password="pl4nted-literal-value")
    except ZeroDivisionError:
        first_error(environ)
    return password, settings


def seeing(seen):
    """Give a plugin that keeps what reports say, and fails, for that is logged too."""

    class Seeing:
        @hookimpl
        def log_exception(self, report):
            seen.append(json.dumps(report.to_dict()) + report.text)
            seen.append(f"{report.fingerprint} {report!r} {report.request_line}")
            raise ValueError(f"token={SECRETS['plugin']}")

    return Seeing


@pytest.fixture
def logged(monkeypatch, tmp_path):
    """Serve one exchange, all places planted; give each channel's text."""

    def logged(**rules):

        monkeypatch.setenv("SHOP_API_KEY", SECRETS["process"])
        monkeypatch.setenv("DATABASE_URL", f"pg://bob:{SECRETS['dsn']}@db/x")
        seen = []
        module = types.ModuleType("seeing_plugin")
        module.Seeing = seeing(seen)
        monkeypatch.setitem(sys.modules, "seeing_plugin", module)
        path = tmp_path / "errors.jsonl"
        access = tmp_path / "access.log"
        kit = handlerkit.load(
            {
                "redact": {"locals": True, "max_string": 100_000, **rules},
                "plugins": {
                    "seeing": {"use": "seeing_plugin:Seeing"},
                    "json-log": {"path": str(path)},
                    "error-page": {},
                    "access-log": {"path": str(access), "query": True},
                },
            },
            app=application,
        )
        pair = base64.b64encode(f"bob:{SECRETS['basic']}".encode()).decode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/login/token={SECRETS['path']}",
            "QUERY_STRING": f"token={SECRETS['query']}&page=2",
            "HTTP_AUTHORIZATION": f"Bearer {SECRETS['bearer']}",
            "HTTP_PROXY_AUTHORIZATION": f"Basic {pair}",
            "HTTP_X_API_KEY": SECRETS["header"],
            "HTTP_COOKIE": f"theme=dark; id={SECRETS['cookie']}",
            "HTTP_REFERER": f"https://shop.example/?token={SECRETS['query']}",
            "HTTP_USER_AGENT": f"curl (Bearer {SECRETS['bearer']})",
            "SHOP_DB_PASSWORD": SECRETS["environ"],
        }
        setup_testing_defaults(environ)
        stdout, stderr = io.BytesIO(), io.StringIO()
        kit.start()
        kit.handler(io.BytesIO(), stdout, stderr, environ).run(kit.application)
        kit.close()
        return {
            "text-log": stderr.getvalue(),
            "json-log": path.read_text(),
            "access-log": access.read_text(),
            "report": "".join(seen),
            "page": stdout.getvalue().decode("latin-1"),
        }

    return logged


def found(text):
    """Give the places whose secrets are in a text, in the form of JSON too."""
    plain = text.replace('\\"', '"').replace("\\\\", "\\")
    return {place for place, value in SECRETS.items() if value in plain}


def test_no_secret_reaches_a_log_a_report_or_a_page(logged):
    channels = logged()
    assert {name: found(text) for name, text in channels.items() if found(text)} == {}
    for name in ("text-log", "json-log", "report"):
        assert "RuntimeError" in channels[name]
        assert "first_error" in channels[name]


def test_without_redaction_each_of_them_would(logged):
    channels = logged(enabled=False)
    shown = set().union(*map(found, channels.values()))
    assert set(SECRETS) - shown == set()
    assert found(channels["page"]) == set()
    assert found(channels["access-log"]) >= {"path", "query", "bearer"}
    # Only the log of wsgi.errors has what plugins raise.
    assert set(SECRETS) - found(channels["json-log"]) <= {"plugin"}
