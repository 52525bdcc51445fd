"""text-log: what log_exception documents, as a plugin."""

from __future__ import annotations

import io
import re
import sys
import threading
import traceback
from types import SimpleNamespace

import handlerkit
from handlerkit.builtin.settings import TextLogSettings
from handlerkit.builtin.text_log import TextLog
from handlerkit.hooks.markers import hookimpl


def text_log(**settings):
    return TextLog(TextLogSettings(**settings))


class Stream(io.StringIO):
    flushed = 0

    def flush(self):
        self.flushed += 1


def test_the_traceback_goes_to_wsgi_errors(serve, failing):
    served = serve(text_log(), app=failing)
    heading, traceback, *_ = served.log.splitlines()
    assert re.fullmatch(
        r"error [0-9a-f]{32} \[[0-9a-f]{16}\] GET /, before headers.*", heading
    )
    assert traceback == "Traceback (most recent call last):"
    assert served.log.endswith("ZeroDivisionError: of the application\n")
    assert served.head.startswith(b"HTTP/1.0 500 ")


def test_nothing_is_written_when_nothing_fails(serve):
    assert serve(text_log()).log == ""


def test_it_is_the_last_to_log(serve, failing):
    class Other:
        @hookimpl
        def log_exception(self, handler):
            handler.get_stderr().write("first\n")

    served = serve(text_log(), Other(), app=failing)
    assert served.log.startswith("first\nerror ")


def test_it_flushes_and_needs_no_report():
    stream = Stream()
    handler = SimpleNamespace(get_stderr=lambda: stream, traceback_limit=1)
    try:
        int("x")
    except ValueError:
        exc_info = sys.exc_info()
    text_log().log_exception(handler, exc_info, None)
    expected = "".join(traceback.format_exception(*exc_info, limit=1))
    assert stream.getvalue().partition("\n")[2] == expected
    assert stream.flushed == 1


class Site:
    """A kit that serves one application, with a log of its own."""

    def __init__(self, app, **config):
        self.kit = handlerkit.load(config, app=app)
        self.log = io.StringIO()

    def get(self, path="/", **variables):
        """Serve one request; give what was logged of it."""
        before = len(self.log.getvalue())
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, **variables}
        streams = io.BytesIO(), io.BytesIO(), self.log
        self.kit.handler(*streams, environ).run(self.kit.application)
        return self.log.getvalue()[before:]


def falling(environ, start_response):
    """Fail at one place, with the path in the message; at another for /other."""
    if environ["PATH_INFO"] == "/other":
        raise LookupError("elsewhere")
    try:
        return [environ["absent"]]
    except KeyError as exc:
        raise ValueError(f"no {environ['PATH_INFO']}") from exc


class TestFlood:
    """Errors that come again and again from one place."""

    def test_the_first_have_their_frames_the_others_name_one_that_has(self):
        site = Site(falling)
        first = [site.get(f"/{number}") for number in range(3)]
        later = [site.get(f"/{number}") for number in range(3, 6)]
        like = first[-1].split()[1]

        assert all("Traceback" in entry and "number" not in entry for entry in first)
        for index, entry in enumerate(later, start=3):
            heading, *rest = entry.splitlines()
            assert re.fullmatch(
                rf"error [0-9a-f]{{32}} \[[0-9a-f]{{16}}\] GET /{index}, "
                rf"before headers, after [\d.]+ s, number {index + 1} in [\d.]+ s "
                rf"with the frames of error {like}",
                heading,
            )
            assert rest == [
                "KeyError: 'absent'",
                "",
                "The above exception was the direct cause of the following exception:",
                "",
                f"ValueError: no /{index}",
            ]

    def test_another_place_has_its_frames_in_the_middle_of_it(self):
        site = Site(falling)
        for _ in range(10):
            site.get()

        assert "Traceback" in site.get("/other")
        assert "Traceback" not in site.get()

    def test_a_secret_of_this_request_stays_out_of_what_is_said_in_short(self):
        def app(environ, start_response):
            raise ValueError(f"cannot use {environ['HTTP_AUTHORIZATION'][7:]}")

        site = Site(app)
        said = [
            site.get(HTTP_AUTHORIZATION=f"Bearer topsecret{number}")
            for number in range(8)
        ]

        assert all("ValueError: cannot use [redacted]" in entry for entry in said)
        assert "topsecret" not in site.log.getvalue()

    def test_a_message_that_was_harmless_once_is_redacted_for_who_has_it_as_secret(
        self,
    ):
        def app(environ, start_response):
            raise ValueError("about sesamopen")

        site = Site(app)
        for _ in range(5):
            assert "about sesamopen" in site.get()

        assert "about [redacted]" in site.get(HTTP_COOKIE="session=sesamopen")
        assert "about sesamopen" in site.get()

    def test_in_short_and_whole_say_the_same_but_for_the_frames(self):
        def app(environ, start_response):
            error = AttributeError("one")
            error.add_note("and a note\nof lines")
            try:
                raise error
            except AttributeError:
                [].appendd  # noqa: B018 - what Python has a suggestion for

        site = Site(app)
        *_, whole, short = [site.get() for _ in range(4)]
        kept = [
            line
            for line in whole.splitlines()[1:]
            if not line.startswith(("Traceback", "  File", "    "))
        ]

        assert short.splitlines()[1:] == kept
        assert whole.split()[2] == short.split()[2]  # the fingerprint

    def test_all_of_them_have_their_frames_where_that_is_wanted(self):
        site = Site(falling, plugins={"text-log": {"tracebacks": 0}})

        assert all("Traceback" in site.get() for _ in range(20))

    def test_each_is_written_whatever_thread_it_was_in(self):
        site = Site(falling)
        threads = [
            threading.Thread(target=lambda: [site.get() for _ in range(50)])
            for _ in range(4)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        said = site.log.getvalue()
        numbers = [int(found) for found in re.findall(r"number (\d+) in", said)]

        assert len(set(re.findall(r"^error (\w{32})", said, re.MULTILINE))) == 200
        assert sorted(numbers) == list(range(4, 201))
