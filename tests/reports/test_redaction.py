"""The redactor: no secret goes out, whatever it stands in, and it takes little time."""

from __future__ import annotations

import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlerkit.reports.redaction import CUT, Redactor

GONE = "[redacted]"


def redacted(text, environ=None, limit=-1, **rules):
    return Redactor(**rules).begin(environ).text(text, limit=limit)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db_password", "PASSWD", "api_key", "X-Api-Key", "apiKey"),
        *("Authorization", "auth_token", "session", "sessionid", "sid", "csrftoken"),
        *("X-XSRF-Token", "SAMLResponse", "sso", "jwt", "client_secret", "SENTRY_DSN"),
        *("signature", "HTTP_COOKIE", "Set-Cookie", "credentials", "authority_key"),
        *("AUTHORIZATION", "oauth", "passphrase", "privateKey"),
    ],
)
def test_a_name_is_sensitive_by_what_it_contains(name):
    assert Redactor().sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        *("user", "author", "authors", "authority", "keyword", "monkey", "KeyError"),
        *("inside", "side", "passed", "bypass", "page", "q", "Accept", "SERVER_NAME"),
    ],
)
def test_a_word_in_which_a_needle_stands_by_chance_is_not(name):
    assert not Redactor().sensitive(name)


def test_names_can_be_added_and_excused():
    redactor = Redactor(keys=["Pin-Code"], allow_keys=["X-Session-Kind", "passport"])
    assert redactor.sensitive("pin_code_2")
    assert not redactor.sensitive("HTTP_X_SESSION_KIND")
    assert not redactor.sensitive("Passport")
    assert redactor.sensitive("passport_no")


IN_TEXT = {
    "password=hunter2": "password=[redacted]",
    "password = hunter2 user = bob": "password = [redacted] user = bob",
    "?token=abc&page=2": "?token=[redacted]&page=2",
    "{'password': 'hun\\'ter2', 'user': 'bob'}": (
        "{'password': '[redacted]', 'user': 'bob'}"
    ),
    '{"api_key": 12345, "user": "bob"}': '{"api_key": [redacted], "user": "bob"}',
    r'"{\"secret\": \"a\\\"b\", \"n\": 1}"': (
        r'"{\"secret\": \"[redacted]\", \"n\": 1}"'
    ),
    "{'credentials': {'user': 'bob', 'pin': [1, ')']}, 'n': 1}": (
        "{'credentials': [redacted], 'n': 1}"
    ),
    "('X-Auth-Token', 'abc'), ('Accept', '*')": (
        "('X-Auth-Token', '[redacted]'), ('Accept', '*')"
    ),
    "b'password': b'abc'": "b'password': b'[redacted]'",
    "Cookie: a=b; c=d\nAccept: *": "Cookie: [redacted]\nAccept: *",
    "Authorization: Basic YTpi": "Authorization: [redacted]",
    "mysql --password hunter2 -u bob": "mysql --password [redacted] -u bob",
    "['mysql', '--password', 'x']": "['mysql', '--password', '[redacted]']",
    "<password>hunter2</password>": "<password>[redacted]</password>",
    "user[password]=hunter2&x=1": "user[password]=[redacted]&x=1",
    "next=%3Ftoken%3Dabc": "next=%3Ftoken%3D[redacted]",
    "Settings(api_key='abc', n=1)": "Settings(api_key='[redacted]', n=1)",
    "Settings(api_key=abc, n=1)": "Settings(api_key=[redacted], n=1)",
    '"""password": """a\nb""" x': '"""password": """[redacted]""" x',
    "api-key => 'x'": "api-key => '[redacted]'",
    "the author: bob": "the author: bob",
    "a monkey=1": "a monkey=1",
    "no secrets here": "no secrets here",
    "password=": "password=",
    "password: ''": "password: ''",
}


@pytest.mark.parametrize("text", IN_TEXT)
def test_values_are_found_by_the_names_before_them(text):
    assert redacted(text) == IN_TEXT[text]


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\ndef\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"
IN_FORM = {
    "postgres://bob:s3cr@t/x@db.example/x": "postgres://bob:[redacted]@db.example/x",
    "redis://:pw@cache:6379/0": "redis://:[redacted]@cache:6379/0",
    "https://example.org/a?b=c": "https://example.org/a?b=c",
    "sent Bearer abc.DEF-123": "sent Bearer [redacted]",
    "bearer authentication failed": "bearer authentication failed",
    "sent Basic Ym9iOmh1bnRlcjI=": "sent Basic [redacted]",
    "basic authentication failed": "basic authentication failed",
    f"got {JWT}!": "got [redacted]!",
    f"x {PEM} y": "x [redacted] y",
    PEM[:40]: "[redacted]",
    "id AKIAIOSFODNN7EXAMPLE": "id [redacted]",
    "id ASIAIOSFODNN7EXAMPLE.": "id [redacted].",
    f"g AIza{'a1_-' * 8}abc": "g [redacted]",
    f"h ghp_{'a1' * 18}": "h [redacted]",
    "s xoxb-123456789012-abc": "s [redacted]",
    f"p sk_{'live'}_abcdefghij": "p [redacted]",
}


@pytest.mark.parametrize("text", IN_FORM)
def test_secrets_are_found_by_their_form(text):
    assert redacted(text) == IN_FORM[text]
    assert redacted(text, patterns=False) == text


VALUE = "v4lue/of a+secret\"'\n&"


@pytest.mark.parametrize(
    "form",
    [VALUE, repr(VALUE)[1:-1], quote(VALUE, safe=""), json.dumps(VALUE)[1:-1]],
    ids=["itself", "repr", "quoted", "json"],
)
def test_values_of_sensitive_variables_are_found_anywhere(form):
    process = {"SHOP_SECRET": VALUE, "HOME": "/home/bob", "SHORT_KEY": "abc"}
    assert redacted(f"abc in /home/bob: {form}.", process=process) == (
        f"abc in /home/bob: {GONE}."
    )
    assert form in redacted(f"x {form}", process=process, environment_values=False)


def test_the_password_in_a_variable_that_is_a_url_is_found_anywhere():
    process = {"DATABASE_URL": "postgres://bob:s3cret-pw@db/x"}
    assert redacted("tried s3cret-pw", process=process) == f"tried {GONE}"


def test_variables_that_change_are_noticed():
    process = {}
    redactor = Redactor(process=process)
    assert redactor.begin().text("abcdefgh") == "abcdefgh"
    process["TOKEN"] = "abcdefgh"
    assert redactor.begin().text("abcdefgh") == GONE


def test_values_that_everybody_has_are_left():
    process = {
        "AUTH_MODE": "production",
        "XDG_SESSION_TYPE": "wayland",
        "PWD": "/srv/shop",
        "KEY_FILE": "/run/key",
    }
    text = "production on wayland in /srv/shop with /run/key"
    assert redacted(text, process=process) == text


def test_values_of_the_request_are_found_anywhere():
    environ = {
        "HTTP_AUTHORIZATION": "Basic Ym9iOmh1bnRlcjItcHc=",
        "HTTP_COOKIE": "sid=abcdef123456; theme=dark-theme",
        "HTTP_X_API_KEY": "key-key-key",
        "QUERY_STRING": "token=q%2Fu%2Fe%2Fr%2Fy&page=checkout",
        "wsgi.input": object(),
        "AUTH_TYPE": "Negotiate",
    }
    text = "hunter2-pw abcdef123456 key-key-key q/u/e/r/y q%2Fu%2Fe%2Fr%2Fy checkout"
    assert redacted(text, environ) == f"{GONE} {GONE} {GONE} {GONE} {GONE} checkout"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("keys", f"token={GONE}&page={GONE}&{GONE}&empty="),
        ("filtered", f"token={GONE}&page=2&bare&empty="),
        ("drop", ""),
    ],
)
def test_a_query_string_is_shown_as_configured(mode, expected):
    redaction = Redactor(query=mode).begin()
    assert redaction.query("token=abc&page=2&bare&empty=") == expected


def test_source_keeps_its_names_and_loses_its_literals():
    redaction = Redactor().begin()
    line = 'password = get("password", user)'
    assert redaction.code(line) == line
    assert redaction.code('login(password="hunter2", n=1)') == (
        'login(password="[redacted]", n=1)'
    )
    assert redaction.code('token: str = "abc"') == 'token: str = "[redacted]"'
    assert redaction.code('if secret == "abc":') == 'if secret == "[redacted]":'


def test_nested_values_are_redacted_by_name_at_any_depth():
    data = {
        "user": "bob",
        "Password": {"a": 1},
        "list": [{"token": "x"}, ("Cookie", "a=b"), {"n": 1.5, "ok": True}],
        "key": None,
        1: b"secret=abc",
        "object": object(),
    }
    assert Redactor().begin().data(data) == {
        "user": "bob",
        "Password": GONE,
        "list": [{"token": GONE}, ["Cookie", GONE], {"n": 1.5, "ok": True}],
        "key": None,
        "1": f"secret={GONE}",
        "object": "<object>",
    }


class Hostile(dict):
    def items(self):
        raise ZeroDivisionError

    __iter__ = __len__ = __eq__ = __bool__ = __hash__ = __repr__ = items


class HostileText(str):
    __slots__ = ()

    def __str__(self):
        raise ZeroDivisionError

    __len__ = __eq__ = __hash__ = __repr__ = __str__


class HostileList(list):
    def __iter__(self):
        raise ZeroDivisionError

    __len__ = __eq__ = __bool__ = __iter__
    __hash__ = None


def test_no_method_of_a_foreign_class_is_called():
    data = [Hostile(a=1), HostileText("x"), HostileList([1, 2, 3]), 10**10_000]
    assert Redactor().begin().data(data) == [{"a": 1}, "x", [1, 2, 3], CUT]


def test_nested_values_are_bounded():
    deep = circle = []
    for _ in range(10_000):
        deep = [deep]
    circle.append(circle)
    wide = [list(range(1000)) for _ in range(1000)]
    for data in (deep, circle, wide, dict.fromkeys(range(50), wide)):
        before = time.thread_time()
        assert len(json.dumps(Redactor().begin().data(data))) < 1_000_000
        assert time.thread_time() - before < 2


def test_a_long_text_is_cut_and_says_so():
    text = redacted("x" * 10_000, limit=100)
    assert len(text) == 100
    assert text.endswith(CUT)


@pytest.mark.parametrize("at", range(60, 110))
def test_a_cut_leaves_no_half_of_a_secret(at):
    process = {"API_KEY": "0123456789abcdefghij"}
    text = "x" * at + process["API_KEY"] + "y" * 5000
    assert "0123" not in redacted(text, limit=100, process=process)


def test_nothing_goes_where_it_is_switched_off():
    redaction = Redactor(enabled=False, process={"KEY": "abcdefgh"}).begin()
    assert redaction.text("password=abcdefgh") == "password=abcdefgh"
    assert redaction.code("password='x'") == "password='x'"
    assert redaction.query("token=x") == "token=x"
    assert redaction.data({"token": "x"}) == {"token": "x"}


HOSTILE = {
    "words": "a" * 20_000,
    "names": "password " * 3000,
    "equals": "key=" * 5000,
    "colons": "key:" * 5000,
    "quotes": 'key="' * 4000,
    "escapes": 'key=\\"' * 4000 + "\\" * 10_000,
    "backslashes": "key=" + "\\" * 20_000,
    "brackets": "key=[" * 4000,
    "urls": "://a:" * 5000,
    "ats": "://" + "a:" * 10_000 + "@" * 5000,
    "pem": "-----BEGIN A-----" * 1500,
    "jwt": "eyJ" * 7000,
    "jwts": "eyJhbGciOi." * 2000,
    "bearer": "bearer " * 3000,
    "spaces": "key" + " " * 20_000 + "=",
    "dashes": "-" * 20_000,
    "dots": "key." * 5000,
    "basic": "basic " + "a" * 20_000,
    "angle": "<key>" * 4000,
    "newlines": "key:\n" * 4000,
    "akia": "AKIA" * 5000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear_in_the_text(name):
    """Ten times the text takes ten times as long, and not a hundred times."""
    text = HOSTILE[name]
    redaction = Redactor().begin()

    def seconds(text):
        before = time.thread_time()
        redaction.text(text, limit=None)
        return time.thread_time() - before

    tries = ((seconds(text * 10), seconds(text)) for _ in range(3))
    assert any(long < 50 * max(short, 0.002) for long, short in tries)


SECRET = "S3cr3t-planted-Value"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
NAMES = st.sampled_from(
    ["password", "X-Api-Key", "db_token", "Cookie", "client_secret", "sid"]
)


def nested(planted):
    """Values in which ``planted`` stands under a sensitive name, however deep."""
    under = st.builds(lambda name, rest: {**rest, name: planted}, NAMES, st.just({}))
    return st.recursive(
        under,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.builds(lambda key, value: {key: value}, WORDS, inner),
            st.builds(lambda name, value: (name, value), NAMES, inner),
            st.builds(lambda a, b: [a, b], WORDS, inner),
        ),
        max_leaves=6,
    )


@settings(max_examples=150, deadline=None)
@given(nested(SECRET))
def test_a_secret_under_a_sensitive_name_never_goes_out(data):
    redaction = Redactor().begin()
    assert SECRET not in json.dumps(redaction.data(data))
    for text in (repr(data), json.dumps(data), json.dumps(json.dumps(data))):
        assert SECRET not in redaction.text(text, limit=None)


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, st.sampled_from([str, repr, json.dumps, quote, quote_plus]))
def test_a_known_value_never_goes_out(before, after, form):
    process = {"SHOP_TOKEN": SECRET}
    text = form(f"{before}{SECRET}{after}")
    assert SECRET not in redacted(text, process=process)


PIECES = st.sampled_from(
    [
        *("password", "token", "key", "user", "Cookie", "=", ": ", "'", '"', "\\", ","),
        *(
            " ",
            "\n",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "&",
            ";",
            "<",
            ">",
            "--",
            "abc",
            "://",
        ),
        *("@", "Bearer ", "eyJabcdefgh.abcdefgh", "[redacted]", CUT, "%3D", "AKIA"),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from([64, 80, None]))
def test_redacting_twice_changes_nothing(text, limit):
    once = redacted(text, limit=limit, process={"K_TOKEN": "abcabc"})
    assert redacted(once, limit=limit, process={"K_TOKEN": "abcabc"}) == once


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.integers() | TEXTS, st.lists))
def test_redacting_a_value_twice_changes_nothing(data):
    once = Redactor().begin().data(data)
    assert Redactor().begin().data(once) == once


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_AUTHORIZATION": "Basic \u0142!!"},
        {"HTTP_AUTHORIZATION": "Basic"},
        {"QUERY_STRING": "token=%zz%f&&=x&secret"},
        {"HTTP_COOKIE": ";;=;a"},
        {"HTTP_COOKIE": 3, 4: "x"},
    ],
)
def test_a_malformed_request_hinders_nothing(environ):
    assert redacted("said", environ) == "said"


def test_the_lines_of_a_long_secret_are_found_one_by_one():
    lines = ["first-line-of-a-private-thing", "second-line-of-a-private-thing"]
    process = {"DEPLOY_KEY": "\n".join(lines)}
    assert redacted(f"saw {lines[1]}", process=process) == f"saw {GONE}"


def test_json_that_is_none_is_redacted_as_text():
    assert redacted('{"token": "abc", oops') == '{"token": "[redacted]", oops'


def test_values_of_the_configuration_are_found_and_documents_are_not():
    page = "<html>\n<p>a line of an error page\n</html>"
    rules = {"secrets": ["c0nfigured", page]}
    assert redacted("c0nfigured", **rules) == GONE
    assert redacted("<p>a line of an error page", **rules) == (
        "<p>a line of an error page"
    )


def test_what_begins_where_a_secret_ends_is_found_too():
    text = "abcabc" + "eyJhbGciOiJIUzI1NiJ9.c0mpact-payload"
    assert redacted(text, process={"K_TOKEN": "abcabc"}) == GONE + GONE
