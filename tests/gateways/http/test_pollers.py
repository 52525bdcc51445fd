"""The server where there is no epoll."""

import fcntl
import resource
import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlerkit.gateways import server
from handlerkit.gateways.poller import SelectorPoller
from tests.gateways.clock import PATIENCE

LONG = 600.0  # a server that forgets something must not be helped by its clock
TIMES = dict.fromkeys(
    ("header_timeout", "keep_alive_timeout", "read_timeout", "farewell_timeout"), LONG
)
KINDS = [
    getattr(selectors, name)
    for name in ("SelectSelector", "PollSelector", "EpollSelector")
    if hasattr(selectors, name)
]


@pytest.fixture(params=KINDS)
def selector(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "DefaultSelector", request.param)
    monkeypatch.setattr(server, "make_poller", SelectorPoller)


@pytest.mark.usefixtures("selector")
def test_what_comes_during_an_exchange_is_read_right_after_it(
    serve: Callable[..., Any],
) -> None:
    go = threading.Event()

    def application(_: Any, start_response: Any) -> list[bytes]:
        go.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    served = serve(application, **TIMES)
    client = served.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while not served.kit.handlers:
        threading.Event().wait(0.001)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while not served.server._crew._at_rest:  # another thread waits for events
        threading.Event().wait(0.001)
    go.set()

    assert [client.answer().body for _ in range(2)] == [b"hello"] * 2


def test_a_connection_that_is_closed_meanwhile_ends_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    poller = SelectorPoller()
    ours, theirs = socket.socketpair()
    poller.add(ours.fileno(), "a thing")
    ours.close()

    assert poller.wait(0.0) == []
    theirs.close()
    poller.close()


def above(client: Any) -> Any:
    """Have the descriptor of a client in nobody's way."""
    low = client.socket
    high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1100)
    client.socket = socket.socket(fileno=high)
    client.socket.settimeout(PATIENCE)
    low.close()
    return client


def test_more_connections_than_select_takes_wait_to_be_accepted(
    serve: Callable[..., Any],
    hello: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    monkeypatch.setattr(server, "make_poller", SelectorPoller)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 3000:
        pytest.skip("there are too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, limits[1]))
    try:
        served = serve(hello, f"unix:{tmp_path}/socket", **TIMES, max_connections=3000)
        clients = [above(served.client()) for _ in range(1100)]
        assert clients[0].get().body == b"hello"
        while served.server._entrance.is_open and served.thread.is_alive():
            threading.Event().wait(0.001)
        for client in clients[:-1]:
            client.close()

        assert clients[-1].get().body == b"hello"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
