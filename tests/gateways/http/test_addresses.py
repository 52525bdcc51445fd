"""What environ says of the two ends, by the kind of socket."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ends() -> Any:
    """Answer with the variables of the two ends."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        names = "SERVER_NAME SERVER_PORT REMOTE_ADDR REMOTE_PORT HTTP_HOST"
        names += " wsgi.multithread wsgi.multiprocess wsgi.input_terminated"
        return [
            json.dumps({name: environ.get(name) for name in names.split()}).encode()
        ]

    return application


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("", "localhost", "80"),
        ("example.org", "example.org", "80"),
        ("example.org:81", "example.org", "81"),
        ("example.org:", "example.org", "80"),
        ("[::1]", "[::1]", "80"),
        ("[::1]:81", "[::1]", "81"),
    ],
)
def test_a_unix_socket_is_named_by_the_host_that_was_asked_for(
    serve: Callable[..., Any],
    ends: Any,
    tmp_path: Path,
    host: str,
    name: str,
    port: str,
) -> None:
    client = serve(ends, bind=f"unix:{tmp_path / 's'}").client()

    client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    found = json.loads(client.answer().body)

    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == (name, port)
    assert (found["REMOTE_ADDR"], found["REMOTE_PORT"]) == ("", None)


@pytest.mark.parametrize(("bind", "family"), [("[::1]:0", socket.AF_INET6)])
def test_an_ipv6_server_is_named_in_brackets_its_client_without(
    serve: Callable[..., Any], ends: Any, bind: str, family: int
) -> None:
    try:
        socket.create_server(("::1", 0), family=family).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    served = serve(ends, bind=bind)
    with socket.create_connection(("::1", served.port)) as sock:
        sock.settimeout(60)
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        while data := sock.recv(4096):
            received += data

    found = json.loads(received.partition(b"\r\n\r\n")[2])
    assert (found["SERVER_NAME"], found["REMOTE_ADDR"]) == ("[::1]", "::1")


def test_a_client_of_ipv4_on_a_socket_of_both_is_named_as_such(
    serve: Callable[..., Any], ends: Any
) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no dual-stack sockets here")
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    served = serve(ends, bind=f"fd:{both.detach()}")

    found = json.loads(served.get().body)

    assert (found["SERVER_NAME"], found["REMOTE_ADDR"]) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_flags_say_how_many_threads_there_are(
    serve: Callable[..., Any], ends: Any, threads: int
) -> None:
    found = json.loads(serve(ends, threads=threads).get().body)

    assert found["wsgi.multithread"] is (threads > 1)
    assert found["wsgi.multiprocess"] is False
    assert found["wsgi.input_terminated"] is True
