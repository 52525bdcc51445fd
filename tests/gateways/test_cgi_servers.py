"""CGI for real: under Debian's lighttpd (mod_cgi) and Apache httpd (mod_cgid)."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import handlerkit

PACKAGE = str(Path(handlerkit.__file__).parent.parent)

SCRIPT = """\
#!{python}
import sys

sys.path.insert(0, {package!r})
import handlerkit

raise SystemExit(handlerkit.run_cgi({config!r}))
"""

CONFIG = """\
[app]
target = "app:application"
path = ["."]

[handler]
error_status = "500 It Broke"
error_body = "the page of handlerkit.toml"
"""

BROKEN = """\
[app]
target = "app:application"
pth = ["."]

[handler]
traceback_limit = "ten"
eror_status = "500 Oops"
"""

MISSING = """\
[app]
target = "no_such_module:application"
"""

APP = """\
import hashlib
import json
import os
import urllib.parse

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].split("/")[1]](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return [b"hello"]


def environ(environ, start_response):
    start_response("200 OK", TEXT)
    shown = {key: value for key, value in environ.items() if isinstance(value, str)}
    return [json.dumps(shown).encode()]


def digest(environ, start_response):
    digest, length = hashlib.sha256(), 0
    while block := environ["wsgi.input"].read(65536):
        digest.update(block)
        length += len(block)
    start_response("200 OK", TEXT)
    told = {
        "digest": digest.hexdigest(),
        "length": length,
        "CONTENT_LENGTH": environ.get("CONTENT_LENGTH"),
        "HTTP_TRANSFER_ENCODING": environ.get("HTTP_TRANSFER_ENCODING"),
    }
    return [json.dumps(told).encode()]


def fail(environ, start_response):
    raise ValueError("a secret of the application")


def noisy(environ, start_response):
    print("printed by the application")
    os.system("echo echoed by a child")
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    print("printed late")
    return [b"clean"]


def status(environ, start_response):
    start_response(urllib.parse.unquote(environ["QUERY_STRING"]), TEXT)
    return [b"the body"]


def nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def found(environ, start_response):
    to = urllib.parse.unquote(environ["QUERY_STRING"])
    start_response("302 Found", [*TEXT, ("Location", to)])
    return [b"elsewhere"]


def cookies(environ, start_response):
    start_response("200 OK", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b""]


def late(environ, start_response):
    length = environ["QUERY_STRING"]
    start_response("200 OK", TEXT + [("Content-Length", length)] * bool(length))
    yield b"half"
    raise ValueError("too late for a page")
"""

# A CGI process that breaks off, in every way it could tell the server of it.
HEAD = "Content-Type: text/plain\r\n"
BREAKING_OFF = {
    "exit-code": ("Status: 200 OK\r\n" + HEAD + "\r\nhalf", "os._exit(1)"),
    "killed": ("Status: 200 OK\r\n" + HEAD + "\r\nhalf", "os.kill(os.getpid(), 9)"),
    "length": ("Status: 200 OK\r\n" + HEAD + "Content-Length: 9\r\n\r\nhalf", ""),
    "chunked": (
        "Status: 200 OK\r\n" + HEAD + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "",
    ),
    "nph-chunked": (
        "HTTP/1.1 200 OK\r\n"
        + HEAD
        + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "",
    ),
}
BREAKING_SCRIPT = """\
#!{python} -S
import os
import time

os.write(1, {output!r})
while not os.path.exists(os.environ["QUERY_STRING"] or "/"):
    time.sleep(0.01)
{end}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory of CGI scripts, each with its configuration beside it."""
    site = tmp_path_factory.mktemp("site")
    (site / "app.py").write_text(APP)
    for name, config in [("app", CONFIG), ("broken", BROKEN), ("missing", MISSING)]:
        file = site / f"{name}.toml"
        file.write_text(config)
        script = site / f"{name}.cgi"
        script.write_text(
            SCRIPT.format(python=sys.executable, package=PACKAGE, config=str(file))
        )
        script.chmod(0o755)
    for name, (output, end) in BREAKING_OFF.items():
        script = site / f"{name}.cgi"
        script.write_text(
            BREAKING_SCRIPT.format(
                python=sys.executable, output=output.encode(), end=end
            )
        )
        script.chmod(0o755)
    return site


@pytest.fixture(scope="module", params=["lighttpd", "apache"])
def front(
    request: pytest.FixtureRequest,
    site: Path,
    tmp_path_factory: pytest.TempPathFactory,
    start_front: Callable[..., Any],
) -> Iterator[Any]:
    run = tmp_path_factory.mktemp(request.param)
    environ = {"PATH": os.environ["PATH"], "PROCESS_SECRET": "of the server"}
    with start_front(request.param, site, run, environ) as front:
        yield front


def test_get_is_answered_with_the_apps_own_head(front: Any) -> None:
    answer = front.ask("GET", "/app.cgi/hello")

    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"hello")
    assert answer.headers["Content-Type"] == "text/plain"


def test_head_has_the_head_of_get_and_no_body(front: Any) -> None:
    answer = front.ask("HEAD", "/app.cgi/hello")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "text/plain"


def test_post_of_10_mib_arrives_whole(front: Any) -> None:
    body = os.urandom(1 << 20) * 10

    answer = front.ask("POST", "/app.cgi/digest", body)

    told = json.loads(answer.body)
    assert told["length"] == len(body)
    assert told["digest"] == hashlib.sha256(body).hexdigest()


def test_chunked_upload_arrives_whole(front: Any) -> None:
    """Apache gives no length and says chunked (D11); lighttpd counts it first."""
    blocks = [os.urandom(100_000) for _ in range(20)]

    answer = front.ask(
        "POST",
        "/app.cgi/digest",
        iter(blocks),
        {"Transfer-Encoding": "chunked"},
        chunked=True,
    )

    body = b"".join(blocks)
    assert json.loads(answer.body) == {
        "digest": hashlib.sha256(body).hexdigest(),
        "length": len(body),
        "CONTENT_LENGTH": None if front.kind == "apache" else str(len(body)),
        "HTTP_TRANSFER_ENCODING": "chunked" if front.kind == "apache" else None,
    }


def test_an_empty_chunked_upload_is_an_empty_body(front: Any) -> None:
    answer = front.ask(
        "POST",
        "/app.cgi/digest",
        iter(()),
        {"Transfer-Encoding": "chunked"},
        chunked=True,
    )

    assert json.loads(answer.body)["length"] == 0


@pytest.mark.parametrize(
    ("target", "status"),
    [("/app.cgi/hello", 200), ("/app.cgi/fail", 500), ("/broken.cgi/hello", 500)],
    ids=["app", "error-page", "failing-config"],
)
def test_a_body_that_nobody_reads_costs_no_answer(
    front: Any, target: str, status: int
) -> None:
    """mod_cgid uses one socket for both ways: closed with bytes unread, it resets."""
    answer = front.ask("POST", target, bytes(1 << 20))

    assert answer.status == status
    assert answer.body


def test_an_error_is_the_configured_page_and_its_traceback_is_logged(
    front: Any,
) -> None:
    answer = front.ask("GET", "/app.cgi/fail")

    assert (answer.status, answer.body) == (500, b"the page of handlerkit.toml")
    assert answer.headers["Content-Type"].startswith("text/plain")
    front.logged("Traceback", "ValueError: a secret of the application")


@pytest.mark.parametrize("script", ["broken", "missing"])
def test_a_start_that_fails_answers_500_and_tells_the_client_nothing(
    front: Any, script: str
) -> None:
    answer = front.ask("GET", f"/{script}.cgi/hello")

    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert not any(word in answer.body for word in (b"app", b"toml", b"module"))


def test_every_mistake_of_a_failing_config_is_logged(front: Any) -> None:
    front.ask("GET", "/broken.cgi/hello")

    front.logged("pth", "traceback_limit", "eror_status")


def test_an_application_that_does_not_import_is_logged(front: Any) -> None:
    front.ask("GET", "/missing.cgi/hello")

    front.logged("no_such_module")


def test_what_the_app_and_its_children_print_is_logged_not_answered(
    front: Any,
) -> None:
    answer = front.ask("GET", "/app.cgi/noisy")

    assert (answer.status, answer.body) == (200, b"clean")
    front.logged("printed by the application", "echoed by a child", "printed late")


@pytest.mark.parametrize("path", ["caf%C3%A9", "caf\u00e9"], ids=["quoted", "raw"])
def test_a_path_beyond_ascii_arrives_as_bytes_in_latin_1(front: Any, path: str) -> None:
    answer = front.ask("GET", f"/app.cgi/environ/{path}")

    told = json.loads(answer.body)
    assert told["PATH_INFO"] == "/environ/caf\u00c3\u00a9"
    assert told["SCRIPT_NAME"] == "/app.cgi"


@pytest.mark.parametrize(
    "status", ["404 Not Found", "201 Created", "410 Gone", "503 Service Unavailable"]
)
def test_the_status_is_the_apps(front: Any, status: str) -> None:
    answer = front.ask("GET", f"/app.cgi/status?{status.replace(' ', '%20')}")

    assert f"{answer.status} {answer.reason}" == status
    assert answer.body == b"the body"


def test_a_status_of_ones_own_keeps_its_number(front: Any) -> None:
    answer = front.ask("GET", "/app.cgi/status?299%20Quite%20Fine")

    assert (answer.status, answer.body) == (299, b"the body")
    assert answer.reason == {"apache": "Quite Fine", "lighttpd": ""}[front.kind]


def test_204_has_no_body(front: Any) -> None:
    answer = front.ask("GET", "/app.cgi/nothing")

    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("to", ["/app.cgi/hello", "http://example.invalid/there"])
def test_a_redirect_reaches_the_client(front: Any, to: str) -> None:
    answer = front.ask("GET", f"/app.cgi/found?{to}")

    assert (answer.status, answer.body) == (302, b"elsewhere")
    assert answer.headers["Location"] == to


def test_two_cookies_are_two_headers(front: Any) -> None:
    answer = front.ask("GET", "/app.cgi/cookies")

    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_what_the_server_sets_for_the_script_stays_visible(front: Any) -> None:
    """In CGI the process variables are the request (D12)."""
    answer = front.ask("GET", "/app.cgi/environ?a=b")

    told = json.loads(answer.body)
    assert told["SITE_SECRET"] == "from the server"
    assert told["QUERY_STRING"] == "a=b"
    assert told["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert told["wsgi.url_scheme"] == "http"


def test_a_proxy_header_never_poses_as_http_proxy(front: Any) -> None:
    answer = front.ask("GET", "/app.cgi/environ", None, {"Proxy": "http://evil"})

    assert "HTTP_PROXY" not in json.loads(answer.body)


def test_an_error_after_the_head_is_logged(front: Any) -> None:
    front.ask("GET", "/app.cgi/late")

    front.logged("ValueError: too late for a page")


@pytest.mark.parametrize("promised", ["", "10"], ids=["no-length", "length"])
def test_what_the_client_sees_of_an_error_after_the_head(
    front: Any, promised: str
) -> None:
    """Measured: only lighttpd passes the app's Content-Length on, to be missed."""
    answer = front.ask("GET", f"/app.cgi/late?{promised}")

    seen = front.kind == "lighttpd" and promised == "10"
    assert (answer.status, answer.body) == (200, b"half")
    assert answer.complete == (not seen)


@pytest.mark.parametrize("way", BREAKING_OFF)
@pytest.mark.parametrize(
    ("front", "shown_by"),
    [
        ("lighttpd", {"length"}),
        ("lighttpd-streaming", {"length", "chunked", "nph-chunked"}),
        ("apache", {"nph-chunked"}),
    ],
    indirect=["front"],
)
def test_by_what_means_a_cgi_process_can_show_that_it_broke_off(
    front: Any, way: str, shown_by: set[str], tmp_path: Path
) -> None:
    """Measured, for D3, without handlerkit: no server heeds how a process ends.

    lighttpd passes a length on, and decodes chunks, which RFC 3875 does not know;
    it tells their end from a break only where it streams. httpd drops the length
    and takes the chunks for content, except from a script that is named nph-.
    """
    if front.kind == "lighttpd-streaming":  # what comes with the end is not streamed
        seen = tmp_path / "seen"
        answer = front.ask("GET", f"/{way}.cgi?{seen}", after_head=seen.touch)
    else:
        answer = front.ask("GET", f"/{way}.cgi")

    undecoded = (front.kind, way) == ("apache", "chunked")
    assert answer.status == 200
    assert answer.body == (b"4\r\nhalf\r\n" if undecoded else b"half")
    assert answer.complete == (way not in shown_by)
