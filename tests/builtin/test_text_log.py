"""text-log: what log_exception documents, as a plugin."""

from __future__ import annotations

import io
import re
import sys
import traceback
from types import SimpleNamespace

from handlerkit.builtin.text_log import TextLog
from handlerkit.hooks.markers import hookimpl


class Stream(io.StringIO):
    flushed = 0

    def flush(self):
        self.flushed += 1


def test_the_traceback_goes_to_wsgi_errors(serve, failing):
    served = serve(TextLog(), app=failing)
    heading, traceback, *_ = served.log.splitlines()
    assert re.fullmatch(
        r"error [0-9a-f]{32} \[[0-9a-f]{16}\] GET /, before headers.*", heading
    )
    assert traceback == "Traceback (most recent call last):"
    assert served.log.endswith("ZeroDivisionError: of the application\n")
    assert served.head.startswith(b"HTTP/1.0 500 ")


def test_nothing_is_written_when_nothing_fails(serve):
    assert serve(TextLog()).log == ""


def test_it_is_the_last_to_log(serve, failing):
    class Other:
        @hookimpl
        def log_exception(self, handler):
            handler.get_stderr().write("first\n")

    served = serve(TextLog(), Other(), app=failing)
    assert served.log.startswith("first\nerror ")


def test_it_flushes_and_needs_no_report():
    stream = Stream()
    handler = SimpleNamespace(get_stderr=lambda: stream, traceback_limit=1)
    try:
        int("x")
    except ValueError:
        exc_info = sys.exc_info()
    TextLog().log_exception(handler, exc_info, None)
    expected = "".join(traceback.format_exception(*exc_info, limit=1))
    assert stream.getvalue().partition("\n")[2] == expected
    assert stream.flushed == 1
