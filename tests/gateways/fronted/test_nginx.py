"""Behind a real nginx: by FastCGI, with and without kept connections, and by SCGI."""

import contextlib
import http.client
import os
import threading

import pytest

from tests.fronts import running
from tests.gateways.fronted.wire import PATIENCE

LOCATION = """
    client_max_body_size 0;
    location / {{
      {kind}_param REQUEST_METHOD $request_method;
      {kind}_param PATH_INFO $document_uri;
      {kind}_param QUERY_STRING $query_string;
      {kind}_param SERVER_PROTOCOL $server_protocol;
      {kind}_param REMOTE_ADDR $remote_addr;
      {more}
      {kind}_pass app;
    }}
"""
LENGTH = "fastcgi_param CONTENT_LENGTH $content_length;"  # SCGI has it by itself
WAYS = {
    "FastCGI": ("FastCGI", "", LENGTH),
    "FastCGI kept": ("FastCGI", "keepalive 4;", f"{LENGTH} fastcgi_keep_conn on;"),
    "SCGI": ("SCGI", "", "scgi_param SCGI 1;"),
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/echo":
        return [environ["wsgi.input"].read()]
    if path == "/late":
        return failing()
    return [f"{path} {environ['REMOTE_ADDR']}".encode("latin-1")]


def failing():
    yield b"x" * 100_000
    raise RuntimeError("too late")


@pytest.fixture(params=WAYS)
def nginx(request, serve, tmp_path):
    """Give the port of an nginx in front of a server of ours, and the server."""
    protocol, keepalive, more = WAYS[request.param]
    served = serve(application, protocol)
    location = LOCATION.format(kind=protocol.lower(), more=more)
    http = f"upstream app {{ server {served.front.url}; {keepalive} }}"
    with running("nginx", tmp_path, location, http=http) as port:
        yield port, served


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().read()


def test_requests_are_answered_one_after_the_other_and_at_once(nginx):
    port, _ = nginx
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(ask(port, f"/{n}")))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == sorted(f"/{n} 127.0.0.1".encode() for n in range(20))
    assert ask(port, "/caf%C3%A9") == "/café 127.0.0.1".encode()


def test_an_upload_goes_through(nginx):
    port, _ = nginx
    body = os.urandom(3_000_000)

    assert ask(port, "/echo", body) == body


def test_a_response_that_breaks_off_is_seen_to(nginx):
    port, served = nginx

    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(port, "/late")
    assert ask(port, "/after") == b"/after 127.0.0.1"
    assert served.kit.handlers[0].ended == "aborted"
