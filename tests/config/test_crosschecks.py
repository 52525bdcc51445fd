"""Settings are held to the way of running, and the right call is named."""

import pytest

from handlerkit import config
from handlerkit.config import crosschecks


def check(valid, table, entry, nearest=None):
    faults, warnings = config.check_entry(valid(table), entry, nearest)
    return [fault.code for fault in faults], [fault.code for fault in warnings]


@pytest.mark.parametrize("entry", ["cgi", "wsgi", "serve", "handler"])
def test_one_file_serves_every_way_of_running(valid, entry):
    assert check(valid, {"app": {"target": "a:b"}}, entry) == ([], [])


@pytest.mark.parametrize(
    ("kind", "entry", "engine", "fits"),
    [
        ("CGIHandler", "cgi", "builtin", True),
        ("IISCGIHandler", "cgi", "builtin", True),
        ("SimpleHandler", "cgi", "builtin", False),
        ("HostedHandler", "cgi", "builtin", False),
        ("BaseCGIHandler", "cgi", "builtin", False),
        ("HostedHandler", "wsgi", "builtin", True),
        ("SimpleHandler", "wsgi", "builtin", False),
        ("SimpleHandler", "serve", "builtin", True),
        ("HostedHandler", "serve", "builtin", False),
        ("HostedHandler", "serve", "granian", True),
        ("SimpleHandler", "serve", "gunicorn", False),
        ("BaseHandler", "serve", "builtin", False),
        ("BaseHandler", "handler", "builtin", True),
        ("BaseCGIHandler", "handler", "builtin", True),
        ("FastCGIHandler", "serve", "builtin", True),
        ("SCGIHandler", "serve", "builtin", True),
        ("FastCGIHandler", "serve", "granian", False),
        ("SCGIHandler", "cgi", "builtin", False),
        ("FastCGIHandler", "handler", "builtin", True),
    ],
)
def test_a_class_fits_its_way_of_running_only(valid, kind, entry, engine, fits):
    table = {"handler": {"class": kind}, "server": {"engine": engine}}

    assert check(valid, table, entry) == ([] if fits else ["HK407"], [])


@pytest.mark.parametrize(
    ("kind", "entry", "call"),
    [
        ("CGIHandler", "serve", "handlerkit.run_cgi()"),
        ("HostedHandler", "cgi", "handlerkit.wsgi()"),
        ("SimpleHandler", "wsgi", "handlerkit.serve()"),
        ("BaseCGIHandler", "cgi", "kit.handler()"),
    ],
)
def test_the_right_call_is_named(valid, kind, entry, call):
    (fault,), _ = config.check_entry(valid({"handler": {"class": kind}}), entry)

    assert fault.path == ("handler", "class")
    assert call in fault.hint


@pytest.mark.parametrize(("entry", "codes"), [("cgi", []), ("serve", ["HK407"])])
def test_a_class_of_ones_own_is_taken_for_its_nearest(valid, entry, codes):
    table = {"handler": {"class": "shop:Handler"}}

    assert check(valid, table, entry, "IISCGIHandler") == (codes, [])


def test_a_class_of_ones_own_is_told_by_its_name(valid):
    table = valid({"handler": {"class": "shop:Handler"}})

    (fault,), _ = config.check_entry(table, "serve", "CGIHandler")

    assert fault.message == (
        "shop:Handler, a CGIHandler, does not fit the built-in server"
    )


def test_a_class_of_ones_own_fits_until_it_is_known(valid):
    assert check(valid, {"handler": {"class": "shop:Handler"}}, "serve") == ([], [])


@pytest.mark.parametrize(
    ("key", "value", "refused"),
    [
        ("origin_server", True, {"wsgi", "builtin", "granian"}),
        ("http_version", "1.1", {"wsgi", "builtin", "granian"}),
        ("wsgi_multithread", True, {"builtin"}),
        ("wsgi_multiprocess", True, {"builtin"}),
        ("wsgi_run_once", True, set()),
    ],
)
def test_what_a_gateway_derives_is_no_setting_there(valid, key, value, refused):
    table = {"handler": {key: value}}
    ways = {
        "cgi": check(valid, table, "cgi"),
        "wsgi": check(valid, table, "wsgi"),
        "handler": check(valid, table, "handler"),
        "builtin": check(valid, table, "serve"),
        "granian": check(valid, table | {"server": {"engine": "granian"}}, "serve"),
    }

    assert {way for way, found in ways.items() if found == (["HK408"], [])} == refused
    assert {way for way, found in ways.items() if found == ([], [])} == {
        *ways
    } - refused


@pytest.mark.parametrize(
    ("entry", "origin", "warned"),
    [
        ("cgi", {}, True),
        ("cgi", {"origin_server": True}, False),
        ("wsgi", {}, True),
        ("serve", {}, False),
        ("handler", {}, False),
    ],
)
def test_server_software_without_effect_is_warned_of(valid, entry, origin, warned):
    table = {"handler": {"server_software": "shop/1", **origin}}

    assert check(valid, table, entry) == ([], ["HK409"] if warned else [])


@pytest.mark.parametrize(
    ("server", "warned"),
    [
        ({"max_body": 5, "engine": "granian"}, ["HK409"]),
        ({"max_body": 1073741824, "engine": "granian"}, []),
        ({"max_body": 5, "write_timeout": 1, "engine": "gunicorn"}, ["HK409", "HK409"]),
        ({"max_body": 5}, []),
        ({"backlog": 5, "threads": 2, "engine": "granian"}, []),
    ],
)
def test_a_limit_that_an_engine_does_not_hold_is_warned_of(valid, server, warned):
    assert check(valid, {"server": server}, "serve") == ([], warned)
    assert check(valid, {"server": server}, "wsgi") == ([], [])


@pytest.mark.parametrize(
    ("kind", "names", "warned"),
    [
        ("FastCGIHandler", ["limit_request_line", "forwarded_allow_ips"], 2),
        ("SCGIHandler", ["keepalive", "max_requests", "proc_name"], 1),
        ("FastCGIHandler", ["max_requests", "loglevel", "timeout"], 0),
        ("auto", ["limit_request_line"], 0),
    ],
)
def test_what_gunicorn_heeds_for_http_only_is_warned_of(valid, kind, names, warned):
    table = {
        "handler": {"class": kind},
        "server": {"gunicorn": dict.fromkeys(names, "1")},
    }
    _, warnings = config.check_entry(valid(table), "serve")

    assert [fault.code for fault in warnings] == ["HK409"] * warned
    assert [fault.path[-1] for fault in warnings] == names[:warned]


def test_what_gunicorn_heeds_for_http_only_is_known_to_gunicorn():
    known = pytest.importorskip("gunicorn.config").make_settings()

    assert known.keys() >= crosschecks._OF_HTTP


@pytest.mark.parametrize(
    ("kind", "warned"), [("FastCGIHandler", 0), ("SCGIHandler", 5), ("auto", 5)]
)
def test_a_limit_of_fastcgi_is_warned_of_elsewhere(valid, kind, warned):
    names = (
        *("max_param_name", "max_param_value"),
        *("max_requests", "max_unread", "max_idle_records"),
    )
    table = {"handler": {"class": kind}, "server": dict.fromkeys(names, 999)}

    assert check(valid, table, "serve") == ([], ["HK409"] * warned)


def test_the_builtin_server_has_one_process(valid):
    table = {"server": {"workers": 2}}

    assert check(valid, table, "serve") == (["HK412"], [])
    assert check(valid, {"server": {"workers": 2, "engine": "granian"}}, "serve") == (
        [],
        [],
    )


@pytest.mark.parametrize(
    ("body", "kind", "warned"),
    [
        ("Schade", "text/plain", False),
        ("Schön", "text/plain; charset=utf-8", False),
        ("Schön", "text/plain", True),
    ],
)
def test_an_error_page_must_tell_its_encoding(valid, body, kind, warned):
    table = {"handler": {"error_body": body, "error_headers": [["content-type", kind]]}}

    assert check(valid, table, "cgi") == ([], ["HK204"] if warned else [])
