"""FastCGI records on their way out: one request's are not mixed with another's."""

from __future__ import annotations

import os
import socket
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from handlerkit.errors import ClientDisconnected
from handlerkit.gateways.conversation import Conversation
from handlerkit.protocols.fastcgi_records import STDOUT, WHOLE_PAGES, spans

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.gateways.server import Server

_MORE = int(getattr(socket, "MSG_MORE", 0))  # a hint: content follows its header


class RecordSender(Conversation):
    """A connection that several threads send whole records on."""

    __slots__ = ("_answers", "_sending")

    def __init__(self, sock: socket.socket, peer: Any, server: Server) -> None:
        super().__init__(sock, peer, server)
        self._answers: deque[bytes] = deque()  # to the front itself
        self._sending = Lock()  # taken before any other lock of the connection

    def _give_up(self) -> None:
        """Be over: a record could not be sent whole."""
        raise NotImplementedError

    def send_records(self, data: bytes) -> None:
        """Send records, not mixed with those of other requests.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
        """
        with self._sending:
            self._send_whole(data)
        if self._answers:
            self._send_answers()

    def _send_whole(self, data: bytes) -> None:
        if self._answers:  # of which one may have gone out in part
            data = self._take_answers() + data
        try:
            self.send(data, self.server.settings.write_timeout)
        except ClientDisconnected:
            self._give_up()
            raise

    def _take_answers(self) -> bytes:
        answers = self._answers
        return b"".join([answers.popleft() for _ in range(len(answers))])

    def _send_answers(self) -> bool:
        """Send the answers, as far as the front takes them now; say if it does.

        Nobody waits for that. Who sends something else at this time sees to them.
        """
        while self._answers and self._sending.acquire(blocking=False):
            try:
                data = self._take_answers()
                sent = self._send_some(data, 0)
            except ClientDisconnected:
                self._give_up()
                return True
            else:
                if sent < len(data):
                    self._answers.appendleft(data[sent:])
                    return False
            finally:
                self._sending.release()
        return True

    def send_spans(self, number: int, descriptor: int, start: int, size: int) -> None:
        """Send records of STDOUT whose content is ``size`` bytes of a file.

        Raises:
            ClientDisconnected: the front is gone, or takes nothing.
            OSError: the file cannot be read, or is shorter than it was.
        """
        patience = self.server.settings.write_timeout
        with self._sending:
            if self._answers:
                self._send_whole(b"")
            if self.socket.gettimeout() != 0:
                self.socket.settimeout(0)  # sendfile has no flag for one call
            try:
                for header, length in spans(STDOUT, number, size, WHOLE_PAGES):
                    sent = self._send_span(header, descriptor, start, length)
                    if sent < 0:
                        self.send(header[sent:], patience, _MORE)
                        sent = 0
                    if sent < length:
                        rest = start + sent, length - sent
                        self._send_content(descriptor, *rest, patience)
                    start += length
            except OSError:
                self._give_up()
                raise

    def _send_span(self, header: bytes, descriptor: int, start: int, size: int) -> int:
        """Send a record, as far as goes at once; give how much of its content went.

        What of the header did not go is counted below 0. What is wrong is met again by
        who sends the rest.
        """
        sent = -len(header)
        try:
            sent += self.socket.send(header, _MORE)
            if not sent:
                sent = os.sendfile(self.socket.fileno(), descriptor, start, size)
        except OSError:
            return sent
        return sent

    def _send_content(
        self, descriptor: int, start: int, size: int, patience: float
    ) -> None:
        while size:
            sent = self.send_file(descriptor, start, size, patience)
            if sent is None:
                data = os.pread(descriptor, size, start)
                self.send(data, patience)
                sent = len(data)
            if not sent:
                raise OSError("the file is shorter than it was")
            start += sent
            size -= sent
