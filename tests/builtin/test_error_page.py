"""error-page: in the format that the client prefers, and never a word too much."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import uuid
from html.parser import HTMLParser
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import handlerkit
from handlerkit import hookimpl
from handlerkit.builtin import error_page
from handlerkit.builtin.error_page import ErrorPage, negotiate
from handlerkit.builtin.error_page_variants import STYLE, STYLE_SHA256
from handlerkit.builtin.settings import ErrorPageSettings
from handlerkit.errors import ConfigError
from handlerkit.plan import Report

FORMATS = ("text", "html", "problem", "json")
BROWSER = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,"
    "image/avif,image/webp,image/apng,*/*;q=0.8"
)
NEGOTIATION = [
    # Nothing, or anything.
    (None, "text"),
    ("", "text"),
    ("*/*", "text"),
    ("*/*;q=0.1", "text"),
    # Browsers and clients as they are.
    (BROWSER, "html"),
    ("text/html, text/plain;q=0.9, */*;q=0.01", "html"),
    ("text/html, application/xhtml+xml, */*", "html"),
    ("application/json, text/plain, */*", "text"),
    ("application/json, */*", "json"),
    ("Application/JSON, */*", "json"),
    ("application/json;charset=utf-8", "json"),
    ("application/json; odata=verbose", "json"),
    ("image/avif,image/webp,*/*;q=0.8", "text"),
    # One by its name, in any case.
    ("text/plain", "text"),
    ("text/html", "html"),
    ("TEXT/HTML", "html"),
    ("application/json", "json"),
    ("application/problem+json", "problem"),
    ("application/problem+json, application/json", "problem"),
    ("application/json, application/problem+json;q=0.9", "json"),
    # Quality.
    ("text/html;q=0.5, application/json;q=0.6", "json"),
    ("text/html;q=0.5, application/json;q=0.5", "html"),
    ("text/html;q=0.001, image/png", "html"),
    ("text/plain;q=0, */*", "html"),
    ("text/*;q=0, */*", "problem"),
    ("text/html;q=0", "text"),
    ("*/*;q=0", "text"),
    # Wildcards, and what is more exact.
    ("text/*", "text"),
    ("application/*", "problem"),
    ("application/*;q=0.5, text/html;q=0.4", "problem"),
    ("text/*;q=0.3, text/html;q=0.7, */*;q=0.5", "html"),
    ("text/html, */*", "html"),
    # Acceptable is none of ours.
    ("image/png", "text"),
    ("application/vnd.api+json", "text"),
    # Malformed.
    ("text/html;q=high", "text"),
    ("text/html;q=2", "text"),
    ("text/html;;q=1", "text"),
    ("text", "text"),
    ("*", "text"),
    ("*/html", "text"),
    (";q=1", "text"),
    (",,,", "text"),
    ("text/html, *; q=.2", "text"),
    # Empty elements are none (RFC 9110, 5.6.1).
    ("text/html, ,,", "html"),
    # Hostile.
    ("text/html\0", "text"),
    ("text/h\xe4tml", "text"),
    ("text/html; a=\xff", "text"),
    ("\u4f60/\u597d", "text"),
    ("text/html," * 1000, "text"),
    ("a" * 10_000, "text"),
    ("text/html;" + "a=b;" * 2500, "text"),
    ("text/html;q=0." + "1" * 900, "text"),
]
MEDIA = {
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "problem": "application/problem+json",
    "json": "application/json",
}


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status, *lines = head.decode("latin-1").split("\r\n")
        self.status = self.status.removeprefix("HTTP/1.0 ")
        self.pairs = [tuple(line.split(": ", 1)) for line in lines]
        self.headers = dict(self.pairs)

    @property
    def json(self):
        return json.loads(self.body)


def broken(environ, start_response):
    start_response("200 OK", [("Content-Type", "image/png"), ("ETag", '"1"')])
    raise ValueError("a secret")


@pytest.fixture
def ask():
    """Ask a kit with error-page once; give the answer, and the log."""

    def ask(accept=None, table=(), handler=(), app=broken, plugins=(), **variables):
        kit = handlerkit.load(
            {
                "handler": dict(handler),
                "plugins": {"error-page": dict(table), **dict(plugins)},
            },
            app=app,
        )
        environ = dict(variables)
        if accept is not None:
            environ["HTTP_ACCEPT"] = accept
        setup_testing_defaults(environ)
        stdout, stderr = io.BytesIO(), io.StringIO()
        kit.handler(io.BytesIO(), stdout, stderr, environ).run(kit.application)
        return Answer(stdout.getvalue()), stderr.getvalue()

    return ask


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.lasttag != "style":
            self.text += data


# --- Which format --------------------------------------------------------------


@pytest.mark.parametrize(("accept", "name"), NEGOTIATION)
def test_the_format_is_the_one_that_the_client_prefers(ask, accept, name):
    answer, _ = ask(accept)

    assert answer.headers["Content-Type"] == MEDIA[name]
    assert answer.status == "500 Internal Server Error"
    assert answer.headers["Vary"] == "Accept"


@given(st.text(max_size=200) | st.from_regex(r"[a-z*/;=q0-9., \"\\]{0,80}"))
def test_no_accept_makes_it_fail(accept):
    assert negotiate(accept, FORMATS) in FORMATS


def test_what_a_plugin_may_have_put_in_its_place_does_not_either(ask):
    class Odd:
        @hookimpl
        def setup_environ(self, environ):
            environ["HTTP_ACCEPT"] = 7

    sys.modules[__name__].Odd = Odd
    answer, _ = ask("text/html", plugins={"odd": {"use": f"{__name__}:Odd"}})

    assert answer.headers["Content-Type"] == MEDIA["text"]


def test_only_formats_that_are_configured_are_given(ask):
    answer, _ = ask("text/html, */*;q=0.1", {"formats": ["problem", "json"]})

    assert answer.headers["Content-Type"] == MEDIA["problem"]


def test_one_format_alone_does_not_vary(ask):
    answer, _ = ask("application/json", {"formats": ["html"]})

    assert answer.headers["Content-Type"] == MEDIA["html"]
    assert "Vary" not in answer.headers


def test_a_header_that_was_parsed_is_not_parsed_again(monkeypatch):
    page = ErrorPage(ErrorPageSettings())
    assert page._chosen(BROWSER) == "html"

    monkeypatch.setattr(error_page, "negotiate", None)

    assert page._chosen(BROWSER) == "html"


def test_what_is_remembered_is_bounded():
    page = ErrorPage(ErrorPageSettings())

    for number in range(300):
        assert page._chosen(f"text/html, text/x{number}") == "html"

    assert len(page._remembered) == 256


def test_without_webob_the_start_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    for name in [name for name in sys.modules if name.split(".")[0] == "webob"]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(ConfigError) as caught:
        handlerkit.load({"plugins": {"error-page": {}}}, app=broken)

    [fault] = caught.value.faults
    assert "WebOb" in fault.message
    assert fault.path == ("plugins", "error-page")
    assert "pip install 'handlerkit[pages]'" in fault.hint


def test_one_format_alone_needs_no_webob(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "webob", raising=False)

    ErrorPage(ErrorPageSettings(formats=["html"]))


def test_a_webob_that_cannot_be_imported_in_time_leaves_the_first_format(
    ask, monkeypatch
):
    """As with no file descriptor left; it is there at start."""
    monkeypatch.setitem(sys.modules, "webob.acceptparse", None)

    answer, _ = ask(BROWSER)

    assert answer.headers["Content-Type"] == MEDIA["text"]


def test_webob_is_imported_only_when_an_error_comes():
    code = (
        "import sys, handlerkit\n"
        "handlerkit.load({'plugins': {'error-page': {}}}, app=print)\n"
        "print('webob' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"False\n"


# --- What is said --------------------------------------------------------------


def test_html_is_a_whole_page_that_a_screen_reader_can_read(ask):
    answer, _ = ask("text/html", {"language": "en-GB", "home": "/"})
    page = answer.body.decode()
    found = Tags(page)
    names = [name for name, _ in found.tags]

    assert page.startswith("<!doctype html>\n")
    assert ("html", {"lang": "en-GB"}) in found.tags
    assert names.count("h1") == names.count("title") == names.count("main") == 1
    assert ("a", {"href": "/"}) in found.tags
    assert "500 Internal Server Error" in found.text
    assert not {"script", "img", "link", "iframe", "form"} & set(names)
    assert not any("style" in attrs for _, attrs in found.tags)
    assert not re.search(r"https?:|url\(|@import", page)


def contrast(one, other):
    """Give the contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour):
        digits = colour if len(colour) == 6 else "".join(2 * each for each in colour)
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        return sum(f * p for f, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(scheme):
    colours = dict(
        re.findall(r"--(\w+):#(\w+)", STYLE.split("prefers-color-scheme")[scheme])
    )

    for text in ("ink", "soft", "accent"):
        assert contrast(colours[text], colours["card"]) >= 4.5


def test_problem_json_is_what_rfc_9457_says(ask):
    answer, _ = ask("application/problem+json")
    problem = answer.json

    assert problem["type"] == "about:blank"
    assert problem["title"] == "Internal Server Error"
    assert problem["status"] == 500
    assert isinstance(problem["detail"], str)
    instance = uuid.UUID(problem["instance"])
    assert problem["instance"] == instance.urn
    assert problem["id"] == instance.hex == answer.headers["X-Error-ID"]
    assert set(problem) == {"type", "title", "status", "detail", "instance", "id"}


def test_plain_json_and_text_say_the_same(ask):
    said, _ = ask("application/json", {"title": "Oh no", "message": "Sorry."})
    assert said.json == {
        "status": 500,
        "title": "Oh no",
        "message": "Sorry.",
        "id": said.headers["X-Error-ID"],
    }

    table = {"title": "Oh no", "message": "Sorry.", "contact": "tel:110"}
    said, _ = ask("text/plain", table)
    assert said.body.decode() == (
        "500 Internal Server Error\n\nOh no\nSorry.\n\n"
        f"Error id: {said.headers['X-Error-ID']}\nContact: tel:110\n"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_the_id_is_the_reports(ask, name):
    ids = []

    class Watching:
        @hookimpl
        def log_exception(self, report):
            ids.append(report.id)

    sys.modules[__name__].Watching = Watching
    plugins = {"watching": {"use": f"{__name__}:Watching"}}
    answer, _ = ask(MEDIA[name], plugins=plugins)

    assert [answer.headers["X-Error-ID"]] == ids
    assert ids[0] in answer.body.decode()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("report_id", [None, "", "abc", "x" * 32 + "\r\n", "\xe9" * 32])
@pytest.mark.parametrize("own", [False, True])
def test_without_an_id_fit_to_show_there_is_a_page_all_the_same(name, report_id, own):
    class Handler:
        error_status = "500 Internal Server Error"
        error_headers = ()

    report = None if report_id is None else Report(report_id, "ValueError", str)
    given = []

    settings = ErrorPageSettings(static={"500": "<p>Error id: {{id}}"} if own else {})
    body = ErrorPage(settings).error_output(
        Handler, {"HTTP_ACCEPT": MEDIA[name]}, lambda *args: given.append(args), report
    )

    [(_, headers)] = given
    assert "X-Error-ID" not in dict(headers)
    assert own or b"rror id" not in body[0]
    assert b"{{" not in body[0]
    assert b'"instance"' not in body[0]


TRAPS = "<script>&'\"\\\n{{{}}}%s é\u2028\U0001f41b\x7f"


def test_texts_of_the_configuration_are_escaped(ask):
    table = dict.fromkeys(
        ("title", "message", "id_label", "home_label", "contact_label"), TRAPS
    )
    table |= {"home": "/?a='\"<>&", "contact": "https://a/?<&"}

    page, _ = ask("text/html", table)
    found = Tags(page.body.decode())
    assert found.text.count(TRAPS) == 6  # the title stands in <title>, too
    assert [attrs["href"] for name, attrs in found.tags if name == "a"] == [
        table["home"],
        table["contact"],
    ]
    assert "script" not in [name for name, _ in found.tags]
    said, _ = ask("application/json", table)
    assert (said.json["title"], said.json["message"]) == (TRAPS, TRAPS)
    said, _ = ask("application/problem+json", table)
    assert said.json["detail"] == TRAPS


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_is_valid_in_json(text):
    class Handler:
        error_status = "500 Internal Server Error"
        error_headers = ()

    page = ErrorPage(ErrorPageSettings(formats=["json"], message=text))
    [body] = page.error_output(Handler, {}, lambda *_: None, None)

    assert json.loads(body)["message"] == text.replace("{{id}}", "")


# --- Status and headers ----------------------------------------------------------


def test_the_status_is_the_handlers(ask):
    handler = {"error_status": "502 Bad <Gateway>"}

    answer, _ = ask("application/problem+json", handler=handler)
    assert answer.status == "502 Bad <Gateway>"
    assert (answer.json["status"], answer.json["title"]) == (502, "Bad <Gateway>")
    answer, _ = ask("text/html", handler=handler)
    assert b"502 Bad &lt;Gateway&gt;" in answer.body


def test_a_request_at_fault_is_told_so(ask):
    table = {"refused_title": "Not like this", "retry_after": 9}
    answer, _ = ask("application/json", table, CONTENT_LENGTH="ten")

    assert answer.status == "400 Bad Request"
    assert answer.json["title"] == "Not like this"
    assert "Retry-After" not in answer.headers


def test_html_has_a_policy_that_allows_its_own_style_only(ask):
    answer, _ = ask("text/html")
    [style] = re.findall(rb"<style>(.*?)</style>", answer.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()

    assert digest == STYLE_SHA256, "STYLE has changed: this is to be STYLE_SHA256"
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_headers_that_every_format_has(ask, name):
    answer, _ = ask(MEDIA[name], {"retry_after": 30, "language": "de"})

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Language"] == "de"
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert "ETag" not in answer.headers
    assert len(answer.pairs) == len(answer.headers)


def test_configured_error_headers_are_kept_but_for_those_of_another_body(ask):
    headers = [
        ["content-type", "image/gif"],
        ["x-error-id", "7"],
        ["Cache-Control", "no-cache"],
        ["Vary", "Cookie"],
        ["Access-Control-Allow-Origin", "*"],
    ]
    answer, _ = ask("text/html", handler={"error_headers": headers})
    found = [(name.lower(), value) for name, value in answer.pairs]

    assert answer.headers["Content-Type"] == MEDIA["html"]
    assert ("content-type", "image/gif") not in found
    assert [v for k, v in found if k == "content-length"] == [str(len(answer.body))]
    assert len([v for k, v in found if k == "x-error-id"]) == 1
    assert [v for k, v in found if k == "cache-control"] == ["no-cache"]
    assert [v for k, v in found if k == "vary"] == ["Accept", "Cookie"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", FORMATS)
def test_head_gets_the_headers_of_get_and_no_body(ask, name):
    answer, _ = ask(MEDIA[name], REQUEST_METHOD="HEAD")
    other, _ = ask(MEDIA[name])

    assert answer.body == b""
    assert answer.headers["Content-Length"] == str(len(other.body))
    assert answer.headers.keys() == other.headers.keys()


# --- Pages of one's own ----------------------------------------------------------

OWN = "<!doctype html><title>Ours</title><p>We know: {{id}}."


@pytest.mark.parametrize(
    ("pattern", "own"), [("500", True), ("5xx", True), ("4xx", False), ("503", False)]
)
def test_a_page_of_ones_own_answers_for_its_statuses(ask, tmp_path, pattern, own):
    (tmp_path / "own.html").write_text(OWN)
    table = {"static": {pattern: {"file": str(tmp_path / "own.html")}}}

    answer, _ = ask("text/html", table)

    shown = OWN.replace("{{id}}", answer.headers["X-Error-ID"]).encode()
    assert (answer.body == shown) is own
    assert ("'self'" in answer.headers["Content-Security-Policy"]) is own


def test_the_exact_status_comes_before_its_class(ask):
    answer, _ = ask("text/html", {"static": {"5xx": "<p>any", "500": "<p>this"}})
    assert answer.body == b"<p>this"


def test_other_formats_stay_as_they_are(ask):
    answer, _ = ask("application/json", {"static": {"500": "<p>this"}})
    assert answer.json["status"] == 500


def test_a_page_that_cannot_be_read_is_a_mistake_in_the_file(tmp_path):
    path = tmp_path / "handlerkit.toml"
    path.write_text(
        '[plugins.error-page]\nstatic = { "500" = { file = "no/such.html" } }\n'
    )

    with pytest.raises(ConfigError) as caught:
        handlerkit.load(path, app=broken)

    [fault] = caught.value.faults
    assert fault.path == ("plugins", "error-page", "static", "500")
    assert "cannot be read" in fault.message


@pytest.mark.parametrize(
    "table",
    [
        {"formats": []},
        {"formats": ["html", "html"]},
        {"formats": ["pdf"]},
        {"title": ""},
        {"language": "e n"},
        {"language": ""},
        {"home": "javascript:alert(1)"},
        {"contact": "https://a b"},
        {"retry_after": 0},
        {"retry_after": "30"},
        {"static": {"500": "pages/500.html"}},
        {"static": {"200": "<p>"}},
        {"static": {"xxx": "<p>"}},
        {"static": {"": "<p>"}},
        {"static_policy": "a\r\nSet-Cookie: b"},
        {"titel": "a"},
    ],
)
def test_settings_that_make_no_sense_are_refused(table):
    with pytest.raises(ValidationError):
        ErrorPageSettings(**table)


# --- Nothing private, and always an answer ---------------------------------------

SECRET = "hunter2-planted"


def leaking(environ, start_response):
    secret = SECRET
    try:
        raise KeyError({"password": secret})
    except KeyError as cause:
        error = ExceptionGroup(f"https://u:{secret}@host/", [ValueError(secret)])
        error.add_note(secret)
        raise error from cause


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_of_the_error_or_the_request_is_in_the_answer(ask, name):
    answer, log = ask(
        MEDIA[name],
        app=leaking,
        QUERY_STRING=f"token={SECRET}",
        HTTP_COOKIE=SECRET,
        HTTP_AUTHORIZATION=SECRET,
        PATH_INFO=f"/{SECRET}",
        SECRET_KEY=SECRET,
    )
    said = repr(answer.pairs).encode() + answer.body

    assert log
    for private in (SECRET, "KeyError", "ExceptionGroup", "Traceback", __file__):
        assert private.encode() not in said


class Failing:
    """Every reporter fails, each in its own way."""

    @hookimpl
    def log_exception(self):
        raise SystemError("in the reporter")

    @hookimpl
    def request_finished(self):
        raise OSError("in the last hook")


def test_every_reporter_failing_leaves_the_page_as_it_is(ask):
    plugins = {"failing": {"use": f"{__name__}:Failing"}}
    table = {"text-log": {"enabled": False}, **plugins}

    answer, log = ask("application/problem+json", plugins=table)

    assert answer.json["id"] == answer.headers["X-Error-ID"]
    assert "in the reporter" in log


def test_a_log_that_cannot_be_written_to_leaves_the_page_as_it_is():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    kit = handlerkit.load({"plugins": {"error-page": {}}}, app=broken)
    environ = {}
    setup_testing_defaults(environ)
    stdout = io.BytesIO()

    kit.handler(io.BytesIO(), stdout, Full(), environ).run(kit.application)

    assert "X-Error-ID" in Answer(stdout.getvalue()).headers


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_cgi_process_answers_the_same(tmp_path, accept):
    (tmp_path / "broken.py").write_text("def app(environ, start): 1 / 0\n")
    (tmp_path / "handlerkit.toml").write_text(
        '[app]\ntarget = "broken:app"\npath = ["."]\n[plugins.error-page]\n'
    )
    environ = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ACCEPT": accept,
        "PYTHONPATH": str(Path(handlerkit.__file__).parents[1]),
        "SECRET_KEY": SECRET,
    }

    done = subprocess.run(
        [sys.executable, "-m", "handlerkit", "cgi"],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert done.stdout.startswith(b"Status: 500 Internal Server Error\r\n")
    assert f"Content-Type: {accept}".encode() in done.stdout
    assert b"ZeroDivisionError" in done.stderr
    assert b"ZeroDivisionError" not in done.stdout
