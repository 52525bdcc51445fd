"""The demo application: what each of its pages shows, on the kit that serves it."""

import io
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

import handlerkit
from handlerkit.demo import application

PAGES = ["stream", "file", "fail", "fail-late"]


def ask(path, body=b""):
    environ = {
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "demo.tag": "<b>",
    }
    setup_testing_defaults(environ)
    if body:
        environ["REQUEST_METHOD"] = "POST"
    stdout, stderr = io.BytesIO(), io.StringIO()
    kit = handlerkit.load({}, validator(application))
    handler = kit.handler(io.BytesIO(body), stdout, stderr, environ)
    handler.run(kit.application)
    head, _, answer = stdout.getvalue().partition(b"\r\n\r\n")
    status = head.split(b"\r\n")[0].decode().partition(" ")[2]
    return status, answer.decode(), stderr.getvalue(), handler.ended


def test_the_first_page_shows_environ_escaped_and_links_to_the_others():
    status, body, log, _ = ask("/")

    assert (status, log) == ("200 OK", "")
    assert "<tr><th>PATH_INFO<td>" in body
    assert "&lt;b&gt;" in body
    assert "<b>" not in body
    assert all(f'<a href="{page}">' in body for page in PAGES)


@pytest.mark.parametrize(("path", "lines"), [("/stream", 10), ("/file", 1000)])
def test_bodies_in_pieces_are_whole(path, lines):
    status, body, log, ended = ask(path)

    assert (status, log, ended) == ("200 OK", "", "ok")
    assert body.count("\n") == lines


def test_it_fails_before_the_headers_with_an_error_page():
    status, body, log, ended = ask("/fail")

    assert (status, ended) == ("500 Internal Server Error", "error")
    assert "asked to fail" not in body
    assert log.endswith("ValueError: the demo was asked to fail\n")


def test_it_fails_after_the_headers_with_an_abort():
    status, body, log, ended = ask("/fail-late")

    assert (status, body, ended) == ("200 OK", "this much went well\n", "aborted")
    assert "ValueError: the demo was asked to fail late\n" in log


def test_it_echoes_what_is_posted():
    assert ask("/echo", b"shout")[:2] == ("200 OK", "shout")


def test_other_pages_are_not_found():
    assert ask("/nothing")[0] == "404 Not Found"
