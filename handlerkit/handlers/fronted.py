"""Handlers behind a web server that speaks FastCGI or SCGI."""

from __future__ import annotations

from handlerkit.handlers.response import DISCONNECTS
from handlerkit.handlers.simple import BaseCGIHandler
from handlerkit.pep3333 import head_lines


class FastCGIHandler(BaseCGIHandler):
    """Serve one FastCGI request (FastCGI specification 1.0, role Responder).

    `handlerkit.serve` runs it, as often as the web server asks. A ``stdout`` may have
    ``write_last``, which is given a response that is known whole.
    """

    os_environ: dict[str, str] = {}  # noqa: RUF012 - read only, as in wsgiref

    def _send_whole(self, headers: list[tuple[str, str]], data: bytes) -> None:
        write_last = getattr(self.stdout, "write_last", None)
        if write_last is None:
            super()._send_whole(headers, data)
            return
        if self.bytes_sent < (self._length or 0):  # it will not be whole
            write_last = self.stdout.write
        head = f"{self._preamble()}{head_lines(headers)}\r\n".encode("iso-8859-1")
        self.headers_sent = True
        try:
            write_last(head + data)
        except DISCONNECTS as exc:
            self._gone = exc
            raise


class SCGIHandler(BaseCGIHandler):
    """Serve one SCGI request.

    `handlerkit.serve` runs it, as often as the web server asks.
    """

    os_environ: dict[str, str] = {}  # noqa: RUF012 - read only, as in wsgiref
