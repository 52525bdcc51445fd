"""What a client sees when the responder behind a front server breaks off.

The responder is written by hand, byte by byte, without handlerkit: the table is of the
front servers. handlerkit's gateways use the means that it shows to work.
"""

import os
import signal
import socket
import struct
import threading
from dataclasses import dataclass

from tests.conformance.client import Connection
from tests.conformance.fronts import Fronted
from tests.conformance.hosts import head_of

HEAD = b"Status: 200 OK\r\nContent-Type: text/plain\r\n"
HEADS = {"no length": HEAD + b"\r\n", "length": HEAD + b"Content-Length: 9\r\n\r\n"}
INVALID = b"\xff" * 8  # a record of no version of FastCGI

AT_ONCE = " at once"

PATIENCE = 60.0  # seconds; the fronts close after one that brings nothing


@dataclass(frozen=True)
class Row:
    """One way of breaking off, and what the client (HTTP/1.1) then sees.

    ``sees`` is "break", "nothing" (a whole response) or "page" (of the front's own),
    for a response without Content-Length and with one. Some fronts leave the client
    waiting for the rest until the time for keep-alive is over, which is a break, too.
    """

    front: str
    protocol: str
    transport: str
    means: str
    sees: tuple[str, str]


def rows() -> list[Row]:
    return [
        Row(front, protocol, transport, means, sees)
        for (fronts, protocol, transports, means), sees in _TABLE.items()
        for front in fronts.split(", ")
        for transport in transports.split(", ")
    ]


_BREAK = ("break", "break")
_LENGTH = ("nothing", "break")
_PAGE = ("page", "page")
_BOTH = "unix, tcp"
_TABLE = {
    ("nginx, Apache, lighttpd", "FastCGI", _BOTH, "application status 1"): _LENGTH,
    ("nginx", "FastCGI", _BOTH, "close without END_REQUEST"): _LENGTH,
    ("Apache, lighttpd", "FastCGI", _BOTH, "close without END_REQUEST"): _BREAK,
    ("nginx", "FastCGI", "unix", "reset"): _LENGTH,
    ("nginx", "FastCGI", "tcp", "reset"): _BREAK,
    ("Apache, lighttpd", "FastCGI", _BOTH, "reset"): _BREAK,
    ("nginx, Apache, lighttpd", "FastCGI", _BOTH, "invalid record"): _BREAK,
    ("nginx, Apache, lighttpd", "SCGI", _BOTH, "close"): _LENGTH,
    ("nginx, Apache, lighttpd", "SCGI", "tcp", "reset"): _BREAK,
    ("nginx, Apache, lighttpd", "SCGI", "unix", "close on an unread byte"): _BREAK,
    # What the front finds there when it comes to read.
    ("nginx, Apache", "FastCGI", "unix", "invalid record at once"): _BREAK,
    ("lighttpd", "FastCGI", "unix", "invalid record at once"): _LENGTH,
    ("nginx", "SCGI", "unix", "close on an unread byte at once"): _BREAK,
    ("Apache", "SCGI", "unix", "close on an unread byte at once"): _PAGE,
    ("lighttpd", "SCGI", "unix", "close on an unread byte at once"): _LENGTH,
}


class Responder(Fronted):
    """A front server, and behind it a responder that sends half, and breaks off."""

    def __init__(self, front, protocol, transport, directory):
        super().__init__(front, protocol, ours=False, directory=directory)
        self.transport = transport
        self.seen = threading.Event()
        self.head = self.means = ""
        self.variables = b""
        if transport == "unix":
            self.directory.mkdir(parents=True)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.socket))
            self.socket.chmod(0o777)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen()

    def start_application(self):
        self.application = threading.Thread(target=self.serve)
        self.application.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                if self.protocol == "FastCGI":
                    self.fastcgi(connection)
                else:
                    self.scgi(connection)
            if self.means.endswith(AT_ONCE):
                os.killpg(self.process.pid, signal.SIGCONT)

    def send(self, connection, data):
        """Send the head and half of a body; the client gets to see it, or not yet."""
        if self.means.endswith(AT_ONCE):
            os.killpg(self.process.pid, signal.SIGSTOP)
            self.seen.set()
        connection.sendall(data)
        self.seen.wait(10)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # to close it would wake nobody
        application, self.application = self.application, None
        super().stop()
        application.join()
        self.listener.close()

    def ready(self):
        return self.listening()

    def ask(self, means, head) -> str:
        """Give what the client sees of one exchange."""
        self.means, self.head = means, head
        self.seen.clear()
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with Connection(self.port, PATIENCE) as connection:
            connection.send(request)
            answer = connection.answer(watch=lambda _: self.seen.set())
        assert connection.ended != "timeout", self.name
        if answer.status is None:
            return "break"
        if answer.status >= 500:
            return "page"
        assert answer.body[:4] == b"half", self.name
        return "nothing" if answer.complete else "break"

    def sent(self, case) -> tuple[int, bytes]:
        """Give the status of a case's answer, and the variables that the front sends.

        They are given as one text, of names and values alone.
        """
        self.means, self.head, self.variables = "end", "no length", b""
        self.seen.set()
        with Connection(self.port, PATIENCE) as connection:
            connection.send(head_of(case, case.id) + case.body)
            answer = connection.answer()
        return answer.status, self.variables.translate(None, bytes(range(32)))

    def fastcgi(self, connection):
        number = None
        variables = b""
        buffer = b""
        while number is None:
            data = connection.recv(65536)
            if not data:
                return
            buffer += data
            while len(buffer) >= 8:
                _, kind, at, length, padding = struct.unpack(">BBHHB", buffer[:7])
                variables += buffer[8 : 8 + length] if kind == 4 else b""
                buffer = buffer[8 + length + padding :]
                number = at if kind == 5 and not length else None
        self.variables = variables
        self.send(connection, record(6, number, HEADS[self.head] + b"half"))
        if self.means in ("application status 1", "end"):
            end = struct.pack(">IB3x", self.means != "end", 0)
            connection.sendall(record(6, number, b"") + record(3, number, end))
        elif self.means.startswith("invalid record"):
            connection.sendall(INVALID)
        elif self.means == "reset":
            reset(connection)

    def scgi(self, connection):
        digits = b""
        while (byte := connection.recv(1)) != b":":
            if not byte:
                return
            digits += byte
        self.variables = received(connection, int(digits))
        if self.means.startswith("close on an unread byte"):
            connection.recv(1, socket.MSG_PEEK)
        else:
            connection.recv(1)
        self.send(connection, HEADS[self.head] + b"half")
        if self.means == "reset":
            reset(connection)


def received(connection, size):
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data


def record(kind, number, content):
    return struct.pack(">BBHHBx", 1, kind, number, len(content), 0) + content


def reset(connection):
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
