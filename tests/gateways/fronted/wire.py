"""Clients of FastCGI and SCGI, by hand: every byte of them is in this file."""

import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from tests.gateways.clock import PATIENCE

HEADER = struct.Struct("!BBHHBx")
BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
KEEP = 1

GET = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "PATH_INFO": "/"}


def record(kind: int, number: int, content: bytes = b"") -> bytes:
    return HEADER.pack(1, kind, number, len(content), 0) + content


def pairs(params: dict[str, str]) -> bytes:
    found = b""
    for name, value in params.items():
        for text in (name, value):
            size = len(text)
            found += bytes([size]) if size < 128 else struct.pack("!I", size | 1 << 31)
        found += f"{name}{value}".encode("latin-1")
    return found


def head(number: int = 1, *, keep: bool = False, **params: str) -> bytes:
    """Give a FastCGI request up to the end of its parameters."""
    begin = record(BEGIN, number, struct.pack("!HB5x", 1, KEEP if keep else 0))
    return begin + record(PARAMS, number, pairs(GET | params)) + record(PARAMS, number)


def request(
    number: int = 1, body: bytes = b"", *, keep: bool = False, **params: str
) -> bytes:
    """Give a whole FastCGI request with a body of up to 65535 bytes."""
    params = {"CONTENT_LENGTH": str(len(body))} | params
    content = record(STDIN, number, body) if body else b""
    return head(number, keep=keep, **params) + content + record(STDIN, number)


def scgi(body: bytes = b"", **params: str) -> bytes:
    """Give a whole SCGI request."""
    given = {"CONTENT_LENGTH": str(len(body)), "SCGI": "1", **GET, **params}
    content = "".join(f"{k}\0{v}\0" for k, v in given.items()).encode("latin-1")
    return b"%d:%b,%b" % (len(content), content, body)


@dataclass
class Answer:
    """A response in the form of CGI, and how it ended."""

    status: str
    headers: dict[str, str]
    body: bytes
    end: str = ""


def parse(data: bytes, end: str = "") -> Answer:
    lines, _, body = data.partition(b"\r\n\r\n")
    headers = {}
    for line in filter(None, lines.decode("latin-1").split("\r\n")):
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Answer(headers.pop("status", ""), headers, body, end)


class Client:
    """A connection to the server under test, which must answer in time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        self.socket = sock
        self.ahead = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def rest(self) -> tuple[bytes, str]:
        """Read to the end; say whether it was one, "end", or a "reset"."""
        data, self.ahead = self.ahead, b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            return data, "reset"
        return data, "end"

    def ended(self) -> bool:
        """Wait for the server's end of the connection; False if it sends more."""
        data, _ = self.rest()
        return not data

    def scgi(self, body: bytes = b"", **params: str) -> Answer:
        self.send(scgi(body, **params))
        return parse(*self.rest())

    def exactly(self, size: int) -> bytes:
        while len(self.ahead) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.ahead)
            self.ahead += data
        data, self.ahead = self.ahead[:size], self.ahead[size:]
        return data

    def record(self) -> tuple[int, int, bytes]:
        """Read a record: type, id, content."""
        version, kind, number, size, padding = HEADER.unpack(self.exactly(8))
        assert version == 1
        content = self.exactly(size + padding)[:size]
        return kind, number, content

    def answers(self, *numbers: int) -> dict[int, Answer]:
        """Read until the requests of these ids are ended, in any order."""
        found: dict[int, bytes] = dict.fromkeys(numbers, b"")
        given: dict[int, Answer] = {}
        while len(given) < len(found):
            kind, number, content = self.record()
            assert number not in given
            if kind == STDOUT:
                found[number] += content
            else:
                assert kind == END
                status, protocol_status = struct.unpack("!IB3x", content)
                end = f"{status}/{protocol_status}"
                given[number] = parse(found[number], end)
        return given

    def answer(self, number: int = 1) -> Answer:
        return self.answers(number)[number]

    def ask(self, body: bytes = b"", **more: Any) -> Answer:
        self.send(request(body=body, **more))
        return self.answer()

    def close(self) -> None:
        self.socket.close()


@dataclass
class Front:
    """Connects to a server as a front does, and closes everything at the end."""

    url: str
    clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        path = self.url.removeprefix("unix:")
        if path != self.url:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path)  # blocks while the backlog is full
            except OSError:
                sock.close()
                raise
        else:
            port = int(self.url.rpartition(":")[2])
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.clients.append(Client(sock))
        return self.clients[-1]

    def close(self) -> None:
        for client in self.clients:
            client.close()
