"""A small HTTP/1.1 client that shows what was really on the wire.

Libraries for clients repair and hide; this one reads strictly (RFC 9112), tells a
whole response from a broken one, and keeps every byte that came after it.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

Watch = Callable[[bytes], None]


class Broken(Exception):
    """The bytes ended, or did not come in time, before what was awaited."""


@dataclass
class Answer:
    """One response, as it was received.

    ``framing`` says how the end of the body was found: "length", "chunked",
    "close" (the end of the connection), "none" (a response that has no body) or
    "exit" (the end of a CGI process). ``extra`` is what followed the response.
    """

    status: int | None = None
    reason: str = ""
    version: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    framing: str = ""
    extra: bytes = b""
    interim: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    exit_status: int | None = None

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def persistent(self) -> bool:
        """Whether the server says that the connection takes another request."""
        says = ",".join(self.values("Connection")).lower()
        if self.version == "HTTP/1.1":
            return "close" not in says and self.framing != "close"
        return "keep-alive" in says and self.framing in ("length", "none")

    def take_fields(self, lines: list[bytes]) -> None:
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name.strip() != name or b" " in name:
                self.faults.append(f"not a header line: {line!r}")
            elif set(value) & {0, 10, 13}:
                self.faults.append(f"a control character in a value: {line!r}")
            self.headers.append(
                (name.decode("latin-1"), value.decode("latin-1").strip())
            )

    def length(self) -> int | None:
        """Content-Length; a bad or contradictory one is a fault of the answer."""
        values = self.values("Content-Length")
        if len(values) > 1:
            self.faults.append(f"{len(values)} Content-Length headers: {values}")
        if values and not (values[0].isascii() and values[0].isdigit()):
            self.faults.append(f"Content-Length: {values[0]}")
            return None
        return int(values[0]) if values else None


class Connection:
    """One connection; every wait on it ends at one deadline (seconds from now)."""

    def __init__(self, port: int, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has already answered and closed is no fault here."""
        self.socket.settimeout(max(0.01, self.end - time.monotonic()))
        try:
            self.socket.sendall(data)
        except OSError:
            return

    def finish(self) -> None:
        """Say that nothing more will be sent (half close)."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away at once, as a client that crashed."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def more(self) -> bytes:
        """Read once into the buffer; remember how the stream ended, if it did."""
        left = self.end - time.monotonic()
        if not self.ended and left <= 0:
            self.ended = "timeout"
        if self.ended:
            raise Broken(self.ended)
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(262144)
        except TimeoutError:
            self.ended = "timeout"
        except OSError:
            self.ended = "reset"
        else:
            self.ended = "" if data else "closed"
        if self.ended:
            raise Broken(self.ended)
        self.buffer += data
        return data

    def take(self, count: int) -> bytes:
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def until(self, mark: bytes) -> bytes:
        """Give what stands before a mark, and drop both."""
        while mark not in self.buffer:
            self.more()
        data, _, self.buffer = self.buffer.partition(mark)
        return data

    def answer(self, method: str = "GET", watch: Watch | None = None) -> Answer:
        """Read one response; ``watch`` sees the body as it comes."""
        answer = Answer()
        try:
            self._head(answer)
            self._body(answer, method, watch)
            answer.complete = True
        except Broken as broken:
            if str(broken) == "timeout":
                answer.faults.append("no end within the deadline")
        return answer

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        try:
            while True:
                self.more()
        except Broken:
            return self.take(len(self.buffer))

    def _head(self, answer: Answer) -> None:
        while True:
            lines = self.until(b"\r\n\r\n").split(b"\r\n")
            parts = lines[0].decode("latin-1").split(" ", 2)
            if (
                not parts[0].startswith("HTTP/1.")
                or not parts[1:]
                or len(parts[1]) != 3
            ):
                answer.faults.append(f"not a status line: {lines[0]!r}")
                raise Broken("syntax")
            if parts[1] != "100":
                break
            answer.interim.append(100)
        answer.version, answer.reason = parts[0], "".join(parts[2:])
        if parts[1].isdigit():
            answer.status = int(parts[1])
        else:
            answer.faults.append(f"not a status line: {lines[0]!r}")
        answer.take_fields(lines[1:])

    def _body(self, answer: Answer, method: str, watch: Watch | None) -> None:
        """Read the body by the rules of RFC 9112, section 6.3."""
        length = answer.length()
        coding = ",".join(answer.values("Transfer-Encoding")).lower()
        if method == "HEAD" or answer.status in (204, 304):
            answer.framing = "none"
        elif coding:
            answer.framing = "chunked"
            if length is not None:
                answer.faults.append("Content-Length beside Transfer-Encoding")
            if coding != "chunked" or answer.version != "HTTP/1.1":
                answer.faults.append(f"{answer.version} with coding {coding}")
            self._chunks(answer, watch)
        elif length is not None:
            answer.framing = "length"
            while len(answer.body) < length:
                self._piece(answer, length - len(answer.body), watch)
        else:
            answer.framing = "close"
            self._to_the_end(answer, watch)

    def _piece(self, answer: Answer, limit: int, watch: Watch | None) -> None:
        if not self.buffer:
            self.more()
        answer.body += self.take(limit)
        if watch is not None:
            watch(answer.body)

    def _to_the_end(self, answer: Answer, watch: Watch | None) -> None:
        try:
            while True:
                self._piece(answer, 1 << 30, watch)
        except Broken:
            if self.ended != "closed":
                raise

    def _chunks(self, answer: Answer, watch: Watch | None) -> None:
        while True:
            text = self.until(b"\r\n").partition(b";")[0].strip()
            try:
                size = int(text, 16)
            except ValueError:
                answer.faults.append(f"not a chunk size: {text!r}")
                raise Broken("syntax") from None
            if not size:
                while self.until(b"\r\n"):
                    pass
                return
            end = len(answer.body) + size
            while len(answer.body) < end:
                self._piece(answer, end - len(answer.body), watch)
            if self.until(b"\r\n"):
                answer.faults.append("a chunk longer than its size")
                raise Broken("syntax")
