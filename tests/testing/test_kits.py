"""Exchanges in process: what a test sees of them is what happened."""

import subprocess
import sys
from threading import Thread

import pytest

import handlerkit
from handlerkit import hookimpl
from handlerkit.testing import run, running

KINDS = ["simple", "cgi", "hosted"]


def shop(environ, start_response):
    start_response("201 Created", [("Content-Type", "text/plain"), ("X-A", "1")])
    return [b"the ", b"shop"]


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


def failing(environ, start_response):
    environ["wsgi.errors"].write("before\n")
    raise ZeroDivisionError("of the shop")


def late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"a part"
    raise ZeroDivisionError


class Counter:
    """A plugin that says how often it was asked, started and closed."""

    def __init__(self):
        self.asked = self.started = self.closed = 0

    def start(self):
        self.started += 1

    def close(self):
        self.closed += 1

    @hookimpl
    def setup_environ(self, environ):
        self.asked += 1
        environ["counter.asked"] = self.asked


class Late:
    """A plugin that keeps a report, and does not read it."""

    @hookimpl
    def log_exception(self, report):
        self.report = report


COUNTER = {"plugins": {"counter": {"use": f"{__name__}:Counter"}}}


@pytest.mark.parametrize("kind", KINDS)
def test_status_headers_and_body_are_those_of_the_response(kind):
    exchange = run({}, shop, kind=kind)

    assert (exchange.status, exchange.body) == ("201 Created", b"the shop")
    assert ("X-A", "1") in exchange.headers
    assert exchange.header("x-a") == "1"
    assert exchange.header("X-B") is None
    assert exchange.ended == exchange.outcome.kind == "ok"
    assert exchange.outcome.bytes_sent == 8
    assert exchange.reports == []
    assert exchange.report is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [("simple", "SimpleHandler"), ("cgi", "CGIHandler"), ("hosted", "HostedHandler")],
)
def test_a_kind_names_the_handler_that_auto_stands_for(kind, name):
    with running({}, shop, kind=kind) as kit:
        assert kit.kit.handler_class.__name__ == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_what_was_asked_for(kind):
    exchange = run(
        {},
        echo,
        "/caf%C3%A9?a=1",
        kind=kind,
        method="POST",
        headers={"X-Tenant": "blue", "Content-Type": "text/x", "X_Forged": "1"},
        body=b"said",
        environ={"REMOTE_ADDR": "192.0.2.1", "SERVER_PORT": None},
    )

    assert exchange.body == b"said"
    environ = exchange.environ
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"] == "/caf\xc3\xa9"
    assert environ["QUERY_STRING"] == "a=1"
    assert environ["HTTP_X_TENANT"] == "blue"
    assert "HTTP_X_FORGED" not in environ
    assert environ["CONTENT_TYPE"] == "text/x"
    assert environ["CONTENT_LENGTH"] == "4"
    assert environ["REMOTE_ADDR"] == "192.0.2.1"
    assert "SERVER_PORT" not in environ


@pytest.mark.parametrize("kind", KINDS)
def test_environ_is_what_the_application_was_given_not_what_it_left(kind):
    def app(environ, start_response):
        seen.append(environ["wsgi.input"])
        environ["PATH_INFO"] = "/changed"
        return shop(environ, start_response)

    seen = []
    exchange = run(COUNTER, app, kind=kind)

    assert exchange.environ["PATH_INFO"] == "/"
    assert exchange.environ["counter.asked"] == 1
    assert exchange.environ["wsgi.input"] is seen[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_seen_whole(kind):
    exchange = run({}, failing, kind=kind)

    assert exchange.status == "500 Internal Server Error"
    assert exchange.ended == "error"
    assert exchange.errors.startswith("before\n")
    assert "ZeroDivisionError: of the shop" in exchange.errors
    assert exchange.report.type == "ZeroDivisionError"
    assert "of the shop" in exchange.report.text
    assert exchange.report.id == exchange.outcome.report_id


def test_tests_are_in_no_traceback_and_no_report():
    exchange = run({}, failing)

    assert "handlerkit/testing" not in exchange.errors + exchange.report.text
    assert exchange.errors.count("  File ") == exchange.report.text.count("  File ")


def test_a_report_that_a_plugin_did_not_read_in_time_is_not_read_for_it():
    late = {"use": f"{__name__}:Late"}
    config = {"plugins": {"late": late, "text-log": {"enabled": False}}}
    with running(config, failing) as kit:
        exchange = kit.run()
        kept = kit.plugin("late").report

    assert "of the shop" not in kept.text
    assert "of the shop" in exchange.report.text
    assert exchange.report.id == kept.id


def test_a_refused_request_has_a_report_too():
    exchange = run({}, shop, environ={"CONTENT_LENGTH": "ten"})

    assert exchange.status == "400 Bad Request"
    assert exchange.environ == {}
    assert exchange.report.id == exchange.outcome.report_id


@pytest.mark.parametrize("kind", KINDS)
def test_a_response_that_breaks_off_is_told_from_a_whole_one(kind):
    exchange = run({}, late, kind=kind)

    assert (exchange.ended, exchange.body) == ("aborted", b"a part")
    assert (exchange.raised is not None) == (kind == "hosted")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_exception_passes_on_with_the_exchange_kept(kind):
    def app(environ, start_response):
        raise KeyboardInterrupt

    with running({}, app, kind=kind) as kit:
        with pytest.raises(KeyboardInterrupt) as caught:
            kit.run()
        [exchange] = kit.exchanges

    assert exchange.raised is caught.value
    assert exchange.report.type == "KeyboardInterrupt"
    assert exchange.ended == "error"


def test_head_and_chunks_are_without_their_framing():
    config = {"handler": {"http_version": "1.1"}}

    exchange = run(config, shop)

    assert exchange.header("Transfer-Encoding") == "chunked"
    assert exchange.body == b"the shop"
    assert run(config, late).body == b"a part"


def test_a_response_without_a_head_is_all_body():
    exchange = run({}, shop, environ={"SERVER_PROTOCOL": "HTTP/0.9"})

    assert (exchange.status, exchange.headers) == ("", [])
    assert exchange.body == b"the shop"


def test_attributes_of_the_configuration_hold_in_a_cgi_handler_too():
    config = {"handler": {"wsgi_multithread": True}}

    assert run(config, shop, kind="cgi").environ["wsgi.multithread"] is True
    assert run({}, shop, kind="cgi").environ["wsgi.multithread"] is False
    assert run({}, shop, kind="cgi").environ["wsgi.run_once"] is True


def test_without_plugins_there_is_still_something_to_see(monkeypatch):
    monkeypatch.setenv("HANDLERKIT_SAFE", "1")
    exchange = run(COUNTER, failing)

    assert (exchange.ended, exchange.calls) == ("error", [])
    assert "ZeroDivisionError" in exchange.errors
    assert exchange.outcome is exchange.report is None


def test_text_and_json_are_read_from_the_body():
    def app(environ, start_response):
        kind = 'application/json; charset="iso-8859-1"; x=1'
        start_response("200 OK", [("Content-Type", kind)])
        return ['{"a": "é"}'.encode("latin-1")]

    assert run({}, app).text == '{"a": "é"}'
    assert run({}, lambda e, s: (s("200 OK", []), [b"[1]"])[1]).json() == [1]


def test_plugins_of_one_kit_live_for_all_of_its_exchanges():
    with running(COUNTER, shop) as kit:
        counter = kit.plugin("counter")
        asked = [kit.run().environ["counter.asked"] for _ in range(3)]
        assert (counter.started, counter.closed) == (1, 0)

    assert asked == [1, 2, 3]
    assert (counter.started, counter.closed) == (1, 1)
    assert len(kit.exchanges) == 3


def test_plugins_are_closed_when_the_test_fails():
    with pytest.raises(ZeroDivisionError), running(COUNTER, shop) as kit:
        _ = 1 / 0

    assert kit.plugin("counter").closed == 1


def test_a_kit_that_is_there_already_is_run_as_it_is():
    kit = handlerkit.load(COUNTER, shop, entry="wsgi")

    with running(kit) as of:
        assert of.run().body == b"the shop"
    assert of.kit is kit
    assert kit.plan.request_finished is None, "the kit's own plan is left alone"


def test_a_plugin_that_is_not_there_is_a_key_error():
    with running(COUNTER, shop) as kit, pytest.raises(KeyError):
        kit.plugin("count")


def test_a_configuration_is_text_a_path_or_a_mapping(tmp_path):
    text = f'[plugins.counter]\nuse = "{__name__}:Counter"\n'
    path = tmp_path / "handlerkit.toml"
    path.write_text(text)

    for config in (text, path, str(path), COUNTER):
        assert run(config, shop).environ["counter.asked"] == 1


def test_a_mistake_in_the_configuration_is_raised_with_all_others():
    with pytest.raises(handlerkit.ConfigError) as caught:
        run("[handler]\ntraceback_limit = 'ten'\nerror_statu = '1'\n", shop)

    assert len(caught.value.faults) == 2


def test_a_configuration_without_an_application_is_a_mistake():
    with pytest.raises(handlerkit.ConfigError, match="HK401"), running({}):
        pass


def test_exchanges_may_be_made_in_threads():
    with running(COUNTER, echo) as kit:
        threads = [
            Thread(target=kit.run, kwargs={"method": "POST", "body": b"%d" % n})
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert {each.body for each in kit.exchanges} == {b"0", b"1", b"2", b"3"}
    assert all(each.hooks("counter") == ["setup_environ"] for each in kit.exchanges)


def test_pytest_is_imported_by_the_fixtures_only():
    code = "import handlerkit.testing, sys; print('pytest' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert said == "False\n"
