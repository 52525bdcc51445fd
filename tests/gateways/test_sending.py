"""A file as a body leaves through os.sendfile, and as it would have without."""

import errno
import gzip
import io
import os
import socket
import threading
from wsgiref.util import FileWrapper

import pytest

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways.channels import Channel
from handlerkit.handlers import SimpleHandler

SIZE = 3_000_000
ENVIRON = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
NO_SENDFILE = not hasattr(os, "sendfile")


class Output:
    """A stdout over a channel, as gateways have it."""

    def __init__(self, channel, patience=60.0):
        self.channel = channel
        self.patience = patience

    def write(self, data):
        self.channel.send(data, self.patience)

    def flush(self):
        pass

    def sendfile(self, descriptor, start, count):
        return self.channel.send_file(descriptor, start, count, self.patience)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "file"
    made.write_bytes(os.urandom(SIZE))
    return made


@pytest.fixture
def calls(monkeypatch):
    """Count what the system is asked to send."""
    seen = []
    if not NO_SENDFILE:
        real = os.sendfile

        def counting(*args):
            seen.append(args)
            return real(*args)

        monkeypatch.setattr(os, "sendfile", counting)
    return seen


def send(open_file, length=None, kind=SimpleHandler, patience=60.0, wrap=None):
    """Serve one file over a pair of sockets; give head, body and handler."""
    here, there = socket.socketpair()
    received = []

    def read():
        while data := there.recv(65536):
            received.append(data)

    def app(environ, start_response):
        headers = [] if length is None else [("Content-Length", str(length))]
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return (wrap or environ["wsgi.file_wrapper"])(open_file())

    reader = threading.Thread(target=read)
    reader.start()
    stdout = Output(Channel(here, local=True), patience)
    handler = kind(None, stdout, io.StringIO(), ENVIRON)
    handler.http_version = "1.1"
    outcomes = []
    conclude = handler._conclude

    def concluding():
        outcomes.append(handler.bytes_sent)
        conclude()

    handler._conclude = concluding
    handler.run(app)
    here.close()
    reader.join(60)
    there.close()
    head, _, body = b"".join(received).partition(b"\r\n\r\n")
    return head, body, handler.ended, outcomes[0]


def opened(path, at=0, mode="rb", **options):
    def open_file():
        file = path.open(mode, **options)
        file.read(at)
        return file

    return open_file


@pytest.mark.skipif(NO_SENDFILE, reason="this platform has no os.sendfile")
@pytest.mark.parametrize("mode", [{}, {"buffering": 0}, {"mode": "r+b"}], ids=str)
def test_the_system_sends_it(path, calls, mode):
    head, body, ended, sent = send(opened(path, **mode))

    assert body == path.read_bytes()
    assert f"Content-Length: {SIZE}".encode() in head
    assert (ended, sent) == ("ok", SIZE)
    assert calls


@pytest.mark.parametrize("at", [0, 1, 70_000, SIZE])
@pytest.mark.parametrize("length", [None, 0, 5, 100_000])
@pytest.mark.parametrize("means", ["system", "refused", "missing"])
def test_it_starts_at_the_position_and_stops_at_the_length(
    path, monkeypatch, at, length, means
):
    def refuse(*_):
        raise OSError(errno.EINVAL, "not this one")

    if means == "missing":
        monkeypatch.delattr(os, "sendfile", raising=False)
    elif means == "refused":
        monkeypatch.setattr(os, "sendfile", refuse, raising=False)
    _, body, ended, sent = send(opened(path, at), length)

    expected = path.read_bytes()[at:][:length]
    assert body == expected
    assert sent == len(expected)
    whole = length is None or length == len(expected)
    assert ended == ("ok" if whole else "aborted")


def test_a_file_that_is_more_than_its_descriptor_is_read(tmp_path, calls):
    """A GzipFile's descriptor has the bytes that nobody asked for."""
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(b"plain"))
    _, body, ended, _ = send(lambda: gzip.GzipFile(packed), length=5)

    assert (body, ended) == (b"plain", "ok")
    assert calls == []


def test_what_a_wrapper_makes_of_a_file_is_sent(path, calls):
    """Its own iteration is not passed over for the descriptor's bytes."""

    class Next(FileWrapper):
        def __next__(self):
            return super().__next__()[:7]

    class Iter(FileWrapper):
        def __iter__(self):
            yield b"own bytes"

    class Handler(SimpleHandler):
        wsgi_file_wrapper = Next

    start = path.read_bytes()[:7]
    assert send(opened(path), 7, kind=Handler)[1] == start
    assert send(opened(path), 14, wrap=Next)[1][:7] == start
    assert send(opened(path), 9, wrap=Iter)[1] == b"own bytes"
    assert calls == []


def test_a_file_before_start_response_is_named_for_what_it_is(path):
    stdout, errors = io.BytesIO(), io.StringIO()
    stdout.sendfile = lambda *_: None
    handler = SimpleHandler(None, stdout, errors, ENVIRON)
    handler.run(lambda environ, _: environ["wsgi.file_wrapper"](path.open("rb")))

    assert handler.ended == "error"
    assert "start_response" in errors.getvalue().splitlines()[-1]


def test_an_override_sees_every_byte(path, calls):
    seen = []

    class Counting(SimpleHandler):
        def _write(self, data):
            seen.append(len(data))
            super()._write(data)

    head, body, _, _ = send(opened(path), SIZE, kind=Counting)

    assert sum(seen) == len(head) + len(b"\r\n\r\n") + len(body)
    assert calls == []


@pytest.mark.skipif(NO_SENDFILE, reason="this platform has no os.sendfile")
def test_a_client_that_takes_nothing_is_given_up(path):
    here, there = socket.socketpair()
    channel = Channel(here, local=True)
    with here, there, path.open("rb") as file:
        taken = 0
        with pytest.raises(ClientDisconnected, match="took nothing"):  # noqa: PT012
            while True:
                taken += channel.send_file(file.fileno(), 0, SIZE, 0.01)
        assert taken > 0


@pytest.mark.skipif(NO_SENDFILE, reason="this platform has no os.sendfile")
def test_a_client_that_left_is_a_disconnect(path):
    here, there = socket.socketpair()
    there.close()
    with here, path.open("rb") as file, pytest.raises(ClientDisconnected):
        Channel(here, local=True).send_file(file.fileno(), 0, SIZE, 5)
