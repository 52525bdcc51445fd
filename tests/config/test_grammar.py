"""What the text of a setting may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit import config


def accepts(table, key, value) -> bool:
    found, _ = config.validate(config.read({table: {key: value}}))
    return found is not None


@pytest.mark.parametrize(
    "target", ["a:b", "a.b:c", "a:b.c", "a:make()", "größe:app", "_a:_b"]
)
def test_a_target_is_a_module_and_an_attribute(target):
    assert accepts("app", "target", target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        ":b",
        "a:",
        "a:b:c",
        "a-b:c",
        "a:b(1)",
        "a:()",
        ".a:b",
        "a:b()()",
        "a: b",
    ],
)
def test_anything_else_is_no_target(target):
    assert not accepts("app", "target", target)


@pytest.mark.parametrize(
    ("bind", "meant"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:0", "localhost:0"),
        ("[::1]:8000", "[::1]:8000"),
        ("unix:/run/a b.sock", "unix:/run/a b.sock"),
        ("unix:app.sock", "unix:app.sock"),
        ("fd:0", "fd:0"),
        ("systemd", "systemd"),
        ("8123", "127.0.0.1:8123"),
    ],
)
def test_an_address_is_taken(valid, bind, meant):
    assert valid({"server": {"bind": bind}}).server.bind == meant


@pytest.mark.parametrize(
    "bind",
    [
        *("", ":", "a", ":80", "a:", "a:b", "a:65536", "::1:80", "[::g]:80"),
        *("unix:", "unix:a\0b", "fd:", "fd:-1", "fd:x", "systemd:", "a b:80"),
        *("fd:2147483648", f"fd:{'9' * 5000}", f"a:{'9' * 5000}", "9" * 5000),
        *("http://a:80", "a:80/", "a:\u0663", "70000"),
    ],
)
def test_anything_else_is_no_address(bind):
    assert not accepts("server", "bind", bind)


@given(st.text())
def test_an_address_that_is_taken_is_one_of_the_forms(text):
    found, _ = config.validate(config.read({"server": {"bind": text}}))

    if found is not None:
        bind = found.server.bind
        port = bind.rpartition(":")[2]
        assert (
            bind == "systemd"
            or bind.startswith(("unix:", "fd:"))
            or 0 <= int(port) <= 65535
        )


@pytest.mark.parametrize(
    "status",
    ["", "500", "abc Oops", "50 Oops", "5000 Oops", "204 No Content",
     "304 Not Modified", "101 Switching", "500 A\r\nX: y", "500 \u20ac", "500\tOops"],
)  # fmt: skip
def test_what_is_no_status_of_an_error_page_is_refused(status):
    assert not accepts("handler", "error_status", status)


@pytest.mark.parametrize(
    "pair",
    [
        ["A b", "c"],
        ["", "c"],
        ["A", "b\r\nC: d"],
        ["A", "b\0"],
        ["A", "\u20ac"],
        ["Connection", "close"],
        ["Transfer-Encoding", "chunked"],
        ["content-length", "3"],
    ],
)
def test_what_is_no_header_of_an_error_page_is_refused(pair):
    assert not accepts("handler", "error_headers", [pair])


@given(st.text(), st.text())
def test_no_header_that_is_taken_can_break_a_line(name, value):
    if accepts("handler", "error_headers", [[name, value]]):
        assert not set(name + value) & set("\r\n\0")
        assert (name + value).encode("latin-1")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "", "A=B", "A\0"])
def test_what_may_not_pass_from_the_process_is_refused(name):
    assert not accepts("handler", "os_environ", [name])


@pytest.mark.parametrize("mode", ["", "66", "66666", "068", "rw-", "0o660"])
def test_what_are_no_permissions_is_refused(mode):
    assert not accepts("server", "unix_mode", mode)


@pytest.mark.parametrize(
    "trusted", ["unix", "10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"]
)
def test_who_may_be_trusted(trusted):
    assert accepts("proxies", "trusted", [trusted])


@pytest.mark.parametrize("trusted", ["", "any", "10.0.0.1/8", "10.0.0", "*", "UNIX"])
def test_whom_nobody_can_trust(trusted):
    assert not accepts("proxies", "trusted", [trusted])
