"""Handlers from which one rule is taken out, for the cases that no server here fails.

Each is named by the case that must catch it.
"""

import io
import os
import socketserver
import sys
import urllib.parse
from contextlib import suppress
from wsgiref.util import FileWrapper

from handlerkit import CGIHandler, HostedHandler
from tests.conformance.app import application

BROKEN = {}


def without(*cases):
    def enter(handler):
        BROKEN.update(dict.fromkeys(cases, handler))
        return handler

    return enter


class Altering(CGIHandler):
    def setup_environ(self):
        super().setup_environ()
        self.alter(self.environ)


@without("environ-required")
class NoServerName(Altering):
    def alter(self, environ):
        del environ["SERVER_NAME"]


@without("environ-native")
class NumberInEnviron(Altering):
    def alter(self, environ):
        environ["SERVER_PORT"] = 80


class NotQuiteDict(dict):
    pass


@without("environ-dict")
class Subclassed(Altering):
    def alter(self, environ):
        self.environ = NotQuiteDict(environ)


@without("wsgi-version")
class OldVersion(CGIHandler):
    wsgi_version = (0, 9)


@without("scheme-http")
class AlwaysSecure(CGIHandler):
    def get_scheme(self):
        return "https"


@without("scheme-https")
class NeverSecure(CGIHandler):
    def get_scheme(self):
        return "http"


@without("flags")
class WordyFlags(Altering):
    def alter(self, environ):
        environ["wsgi.multithread"] = "no"


@without("run-once-cgi")
class Repeated(CGIHandler):
    wsgi_run_once = False


@without("path-decoded")
class DecodedPath(Altering):
    def alter(self, environ):
        environ["PATH_INFO"] = environ["PATH_INFO"].encode("latin-1").decode("utf-8")


@without("query-raw")
class DecodedQuery(Altering):
    def alter(self, environ):
        environ["QUERY_STRING"] = urllib.parse.unquote(environ["QUERY_STRING"])


@without("method")
class KnownMethods(Altering):
    def alter(self, environ):
        environ["REQUEST_METHOD"] = "GET"


@without("header-variable", "content-type", "content-length")
class NoHeaders(Altering):
    def alter(self, environ):
        for name in ("HTTP_X_NAME", "CONTENT_TYPE", "CONTENT_LENGTH"):
            environ.pop(name, None)


@without("errors-stream")
class DeafErrors(CGIHandler):
    def get_stderr(self):
        return io.StringIO()


@without("input-length")
class NoInput(CGIHandler):
    def get_stdin(self):
        return io.BytesIO()


@without("input-unread")
class DemandsReading(CGIHandler):
    def finish_response(self):
        if self.environ["wsgi.input"].read():
            raise RuntimeError("the application has not read the body")
        super().finish_response()


@without("body-list")
class NoContentType(CGIHandler):
    def cleanup_headers(self):
        super().cleanup_headers()
        del self.headers["Content-Type"]


@without("status-unusual")
class KnownStatuses(CGIHandler):
    def start_response(self, status, headers, exc_info=None):
        if status[:3] not in ("200", "204", "304", "404", "500"):
            raise ValueError(status)
        return super().start_response(status, headers, exc_info)


@without("header-repeated")
class HeadersInDict(CGIHandler):
    def start_response(self, status, headers, exc_info=None):
        return super().start_response(status, list(dict(headers).items()), exc_info)


class Sending(CGIHandler):
    """Change how the result is sent, and leave all else to the handler."""

    def finish_response(self):
        self.result = self.changed(self.result)
        super().finish_response()


@without("body-generator")
class FirstBlockOnly(Sending):
    def changed(self, result):
        return iter([next(iter(result))])


@without("body-holes")
class StopsAtEmpty(Sending):
    def changed(self, result):
        return iter(iter(result).__next__, b"")


@without("body-empty", "body-only-empty")
class NoHeadWithoutBody(CGIHandler):
    def finish_content(self):
        if self.headers_sent:
            super().finish_content()


@without("body-tuple")
class ListsOnly(Sending):
    def changed(self, result):
        if isinstance(result, tuple):
            raise TypeError("the result must be a list")
        return result


@without("body-getitem")
class DemandsIter(Sending):
    def changed(self, result):
        return result.__iter__()


@without("app-class")
class DemandsNext(Sending):
    def changed(self, result):
        next(result)
        return result


@without("streaming")
class Buffering(Sending):
    def changed(self, result):
        return [b"".join(result)]


@without("body-large")
class SmallBuffer(CGIHandler):
    total = 0

    def _write(self, data):
        self.total += len(data)
        if self.total < 1 << 20:
            super()._write(data)


@without("close-once")
class ClosesTwice(Sending):
    def changed(self, result):
        result.close()
        return result


@without("client-gone")
class IgnoresClient(CGIHandler):
    def _write(self, data):
        with suppress(OSError):
            super()._write(data)

    def _flush(self):
        with suppress(OSError):
            super()._flush()


@without("error-late-length")
class PadsBody(CGIHandler):
    def handle_error(self):
        self._write(b"      ")
        self._flush()


class LosesTail(FileWrapper):
    def __next__(self):
        block = super().__next__()
        if len(block) < self.blksize:
            raise StopIteration
        return block


@without("file", "file-like")
class FileCut(CGIHandler):
    wsgi_file_wrapper = LosesTail


class RunOnce(HostedHandler):
    wsgi_run_once = True


class NoLength(HostedHandler):
    def send_headers(self):
        del self.headers["Content-Length"]
        super().send_headers()


HOSTED = {"run-once-server": RunOnce, "length-kept": NoLength}


def hosted(environ, start_response):
    handler = HOSTED[os.environ["CONFORMANCE_MUTANT"]]
    return handler(environ, start_response).run(application)


class Careless(socketserver.StreamRequestHandler):
    """HTTP/1.1 without its rules: chunked for everybody, bodies taken for requests."""

    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            body = {b"/generator": b"one two three", b"/unread": b"not read"}.get(
                line.split()[1].partition(b"?")[0], b"hello"
            )
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            self.wfile.write(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            if body == b"one two three":
                self.wfile.write(b"HTTP/1.1 500 Left Over\r\nContent-Length: 0\r\n\r\n")


CARELESS = ("http-1.0", "keep-alive", "keep-alive-unread")


class Threading(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main():
    """Run one exchange in the CGI handler, or serve carelessly on the port, named."""
    name = sys.argv[1]
    if name in BROKEN:
        BROKEN[name]().run(application)
    elif name == "none":
        CGIHandler().run(application)
    else:
        Threading(("127.0.0.1", int(name)), Careless).serve_forever()


if __name__ == "__main__":
    main()
