"""Sockets whose peer takes its time."""

import selectors
import socket
import threading

import pytest

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways import channels
from handlerkit.gateways.channels import Channel


@pytest.fixture(params=["poll", "select"])
def _waits(request, monkeypatch):
    """Wait by each of the ways that platforms have."""
    if request.param == "select":
        monkeypatch.setattr(channels, "_poll", None)
        monkeypatch.setattr(channels, "_READ", selectors.EVENT_READ)
        monkeypatch.setattr(channels, "_WRITE", selectors.EVENT_WRITE)
    elif channels._poll is None:
        pytest.skip("this platform has no poll")


@pytest.mark.usefixtures("_waits")
def test_what_does_not_fit_at_once_arrives_whole():
    here, there = socket.socketpair()
    data = bytes(range(256)) * 16384
    with here, there:
        channel = Channel(here, local=True)
        sending = threading.Thread(target=channel.send, args=(data, 60))
        sending.start()
        assert b"".join(_pieces(there, len(data))) == data
        sending.join()


def _pieces(sock, left):
    while left:
        piece = sock.recv(65536)
        left -= len(piece)
        yield piece


@pytest.mark.usefixtures("_waits")
def test_a_peer_that_says_nothing_is_waited_for_and_no_longer():
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError):
        Channel(here, local=True).receive(1, 0.01)


@pytest.mark.usefixtures("_waits")
def test_a_peer_that_takes_nothing_is_gone():
    here, there = socket.socketpair()
    with here, there, pytest.raises(ClientDisconnected, match=r"0\.01 seconds"):
        Channel(here, local=True).send(bytes(1 << 24), 0.01)


class Closing(socket.socket):
    """Another thread closes it between a call and the wait that follows."""

    def recv(self, *args):
        self.close()
        raise BlockingIOError

    def send(self, *args):
        self.close()
        raise BlockingIOError


@pytest.mark.usefixtures("_waits")
@pytest.mark.parametrize("call", [("receive", 1), ("send", b"data")])
def test_a_socket_that_is_closed_meanwhile_is_a_disconnect(call):
    there, here = socket.socketpair()
    name, argument = call
    with there:
        closing = Closing(here.family, here.type, fileno=here.detach())
        channel = Channel(closing, local=True)
        with pytest.raises(ClientDisconnected, match="closed"):
            getattr(channel, name)(argument, 60)
