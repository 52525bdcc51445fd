"""Reports in an exchange: phase, one id for all, nothing kept, no body read."""

from __future__ import annotations

import gc
import io
import re
import sys
import weakref
from wsgiref.util import setup_testing_defaults

import pytest

from handlerkit.handlers import SimpleHandler
from handlerkit.hooks.markers import hookimpl
from handlerkit.hooks.registry import Named, resolve
from handlerkit.plan import compile_plan
from handlerkit.reports.making import ReportMaker
from handlerkit.reports.redaction import Redactor


class Stdin(io.BytesIO):
    def read(self, *_):
        pytest.fail("wsgi.input was read")

    readline = read1 = read


class Keeping:
    """Keep every report, and what it says if asked."""

    def __init__(self, *, read=True):
        self.reports = []
        self.pages = []
        self.outcome = None
        self.read = read

    @hookimpl
    def log_exception(self, report):
        self.reports.append(report)
        if self.read:
            report.to_dict()

    @hookimpl
    def error_output(self, report, start_response):
        self.pages.append(report.id)

    @hookimpl
    def request_finished(self, outcome):
        self.outcome = outcome


@pytest.fixture
def serve():
    def serve(app, plugin, **rules):
        class Handler(SimpleHandler):
            plan = compile_plan(resolve([Named("keeping", plugin)]))
            make_report = ReportMaker(Redactor(**rules))
            os_environ = {}  # noqa: RUF012 - as documented

        environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5"}
        setup_testing_defaults(environ)
        Handler(Stdin(b"body!"), io.BytesIO(), io.StringIO(), environ).run(app)

    return serve


class WatchedError(Exception):
    pass


def before(environ, start_response):
    raise WatchedError


def after(environ, start_response):
    start_response("200 OK", [])
    yield b"part"
    raise WatchedError


class Body:
    def __iter__(self):
        return iter([b"all"])

    def close(self):
        raise WatchedError


def in_close(environ, start_response):
    start_response("200 OK", [])
    return Body()


def handed(environ, start_response):
    try:
        raise WatchedError
    except WatchedError:
        start_response("500 Failed", [], sys.exc_info())
    return [b"failed"]


PHASES = {
    "before headers": before,
    "after headers": after,
    "in close": in_close,
    "handed to start_response": handed,
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_report_knows_the_phase_and_reads_no_body(serve, phase):
    plugin = Keeping()
    serve(PHASES[phase], plugin)
    (report,) = plugin.reports
    assert report.phase == phase
    assert report.request_line == "POST /"
    assert 0 <= report.duration < 60


def test_log_page_and_outcome_have_one_id(serve):
    plugin = Keeping()
    serve(before, plugin)
    (report,) = plugin.reports
    assert re.fullmatch("[0-9a-f]{32}", report.id)
    assert plugin.pages == [report.id] == [plugin.outcome.report_id]


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("phase", PHASES)
def test_a_report_that_is_kept_keeps_no_exception(serve, phase, read):
    alive = []

    class Watching(Keeping):
        @hookimpl
        def log_exception(self, exc_info, report):
            alive.append(weakref.ref(exc_info[1]))
            super().log_exception(report)

    plugin = Watching(read=read)
    gc.collect()
    gc.disable()
    try:
        serve(PHASES[phase], plugin)
        assert [ref() for ref in alive] == [None]
    finally:
        gc.enable()
    (report,) = plugin.reports
    assert report.type.endswith("WatchedError")
    assert ("Traceback" in report.text) == read


def test_what_a_plugin_raises_is_logged_redacted():
    class Failing:
        @hookimpl
        def log_exception(self):
            raise ValueError("token=abc")

    class Handler(SimpleHandler):
        plan = compile_plan(resolve([Named("failing", Failing())]))
        make_report = ReportMaker()

    environ = {}
    setup_testing_defaults(environ)
    stderr = io.StringIO()
    Handler(io.BytesIO(), io.BytesIO(), stderr, environ).run(before)
    assert "handlerkit: failing failed in log_exception\n" in stderr.getvalue()
    assert "ValueError: token=[redacted]" in stderr.getvalue()
