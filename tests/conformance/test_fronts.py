"""Behind each front server: much data, clients that leave, and curl's exit codes."""

import hashlib
import http.client
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.app import hundred_mib
from tests.conformance.client import Connection
from tests.conformance.fronts import fronted_hosts
from tests.fronts import program

pytestmark = pytest.mark.timeout(900)

PATIENCE = 30.0  # seconds; what must happen happens much sooner
SIZE = 100 << 20
GROWTH = 16 << 10  # KiB of memory, a sixth of what passes through it
NAMES = [host.name for host in fronted_hosts(Path())]
BROKEN = (18, 52, 56)  # what curl says of a response that is incomplete


@pytest.fixture(scope="module", params=range(len(NAMES)), ids=NAMES)
def host(request, tmp_path_factory):
    """Serve behind a front server; the tests of one host are run together."""
    place = tmp_path_factory.mktemp("fronts")
    host = fronted_hosts(place)[request.param]
    host.start()
    yield host
    host.stop()


@contextmanager
def asking(host, method, path, **more):
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=PATIENCE)
    try:
        connection.request(method, path, **more)
        yield connection.getresponse()
    finally:
        connection.close()


def body_of(host, path, method="GET", **more):
    with asking(host, method, path, **more) as response:
        assert response.status == 200
        return response.read()


def peak(host):
    return int(body_of(host, "/memory"))


def outcome(host, token):
    """Give how an exchange ended, once a plugin has been told."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        events = host.events(token)
        if "outcome" in events:
            return events["outcome"]
        time.sleep(0.01)
    raise AssertionError(f"{token} has not ended: {host.log()[-2000:]}")


@pytest.fixture(scope="module")
def digest():
    found = hashlib.sha256()
    for block in hundred_mib():
        found.update(block)
    return found.hexdigest()


def test_a_large_download_arrives_whole_and_is_never_in_memory(host, digest):
    before = peak(host)
    found = hashlib.sha256()
    with asking(host, "GET", "/pours") as response:
        while block := response.read(1 << 20):
            found.update(block)

    assert found.hexdigest() == digest
    assert peak(host) - before < GROWTH


def test_a_large_upload_arrives_whole_and_is_never_in_memory(host, digest):
    before = peak(host)
    headers = {"Content-Length": str(SIZE)}
    found = body_of(host, "/drinks", "POST", body=hundred_mib(), headers=headers)

    assert found.decode() == digest
    assert peak(host) - before < GROWTH


def test_a_client_that_leaves_a_download_is_a_disconnect(host):
    with Connection(host.port, PATIENCE) as connection:
        connection.send(b"GET /pours-seen?t=left HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while len(connection.buffer) < 1 << 16:
            connection.more()
        connection.reset()

    (host.directory / "left").touch()
    assert outcome(host, "left") == ["disconnected"]
    assert body_of(host, "/hello") == b"hello"


def test_a_client_that_leaves_an_upload_is_a_disconnect(host):
    """Not where the front waits for the whole body: then no request is made of it."""
    head = "POST /drinks?t=left.up HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Length: {SIZE}\r\n\r\n"
    waits = host.name == "nginx SCGI"
    with Connection(host.port, PATIENCE) as connection:
        connection.send(head.encode() + bytes(1 << 20))
        end = time.monotonic() + PATIENCE
        while not waits and "begun" not in host.events("left.up"):
            assert time.monotonic() < end
            time.sleep(0.01)
        connection.reset()

    assert waits or outcome(host, "left.up") == ["disconnected"]
    assert body_of(host, "/hello") == b"hello"
    assert not waits or host.events("left.up") == {}


def curl(host, path, *options):
    url = f"http://127.0.0.1:{host.port}{path}"
    return subprocess.Popen(
        [program("curl"), "-sS", "-N", "--max-time", "30", *options, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_curl_gets_a_page_for_an_error_before_the_head(host):
    with curl(host, "/fail-first?t=first", "-w", " %{http_code}") as process:
        output, said = process.communicate()

    assert (process.returncode, output[-4:]) == (0, b" 500"), said
    assert outcome(host, "first") == ["error"]


def test_curl_says_that_a_response_that_fails_after_the_head_is_incomplete(host):
    with curl(host, "/fail-seen?t=seen") as process:
        assert process.stdout.read(6) == b"first "
        (host.directory / "seen").touch()
        rest, said = process.communicate()

    assert rest == b""
    assert process.returncode in BROKEN, said
    assert outcome(host, "seen") == ["aborted"]


def test_the_application_knows_client_and_scheme(host):
    assert body_of(host, "/variable?v=REMOTE_ADDR") == b"REMOTE_ADDR='127.0.0.1'"
    scheme = "/variable?v=wsgi.url_scheme"
    assert body_of(host, scheme) == b"wsgi.url_scheme='http'"
    secure = body_of(host, scheme, headers={"X-TLS": "on"})
    assert secure == b"wsgi.url_scheme='https'"
