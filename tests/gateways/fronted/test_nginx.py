"""Behind a real nginx: by FastCGI, with and without kept connections, and by SCGI."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from tests.gateways.fronted.wire import PATIENCE

NGINX = """
daemon off;
pid {run}/pid;
error_log {run}/log;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {run}/t1; proxy_temp_path {run}/t2; scgi_temp_path {run}/t3;
  fastcgi_temp_path {run}/t4; uwsgi_temp_path {run}/t5;
  upstream app {{ server {address}; {keepalive} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      {kind}_param REQUEST_METHOD $request_method;
      {kind}_param PATH_INFO $document_uri;
      {kind}_param QUERY_STRING $query_string;
      {kind}_param SERVER_PROTOCOL $server_protocol;
      {kind}_param REMOTE_ADDR $remote_addr;
      {more}
      {kind}_pass app;
    }}
  }}
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


def program():
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("nginx is not installed: its tests prove nothing here")
    if found is None:
        pytest.skip("nginx is not installed: its tests prove nothing here")
    return found


@pytest.fixture(params=WAYS)
def nginx(request, serve, tmp_path):
    """Give the port of an nginx in front of a server of ours, and the server."""
    command = program()
    protocol, keepalive, more = WAYS[request.param]
    served = serve(application, protocol)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = NGINX.format(
        run=tmp_path,
        user="user root;" if os.geteuid() == 0 else "",
        address=served.front.url,
        kind=protocol.lower(),
        keepalive=keepalive,
        more=more,
        port=port,
    )
    (tmp_path / "nginx.conf").write_text(config)
    arguments = [
        "-p",
        str(tmp_path),
        "-e",
        "stderr",
        "-c",
        str(tmp_path / "nginx.conf"),
    ]
    with subprocess.Popen([command, *arguments]) as process:
        try:
            wait_for(port, process)
            yield port, served
        finally:
            process.terminate()


def wait_for(port, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        time.sleep(0.02)
    pytest.fail("nginx does not start")


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
