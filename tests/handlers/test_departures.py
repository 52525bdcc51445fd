"""D1 to D18: each departure from wsgiref.handlers, the old fault and its mend.

The same small app runs in the running interpreter's own class and in handlerkit's.
``old`` tests show the fault; where a newer CPython has mended it, they are skipped
and say so.
"""

import io
import operator
import os
import subprocess
import sys
import wsgiref.handlers
from pathlib import Path

import pytest

import handlerkit
from handlerkit.errors import ClientDisconnected, ResponseAborted
from handlerkit.handlers import (
    BaseCGIHandler,
    FastCGIHandler,
    HostedHandler,
    SCGIHandler,
    SimpleHandler,
)

ROOT = Path(handlerkit.__file__).parents[1]
OLD = wsgiref.handlers.SimpleHandler
OLD_CGI = wsgiref.handlers.BaseCGIHandler
LONG = "9" * 5000
PAGE = b"A server error occurred.  Please contact the administrator."
TEXT = [("Content-Type", "text/plain")]

# Releases in which the faults were seen; later ones may have some of them mended.
SEEN_IN = {11: 7, 12: 1, 13: 0}


def fault(shown):
    """Assert that CPython has the fault, or skip where it has been mended since."""
    major, minor, micro = sys.version_info[:3]
    if not shown and (major, micro) > (3, SEEN_IN.get(minor, -1)):
        pytest.skip(f"CPython {major}.{minor}.{micro} has this fault no more")
    assert shown


def hello(environ, start_response):
    start_response("200 OK", TEXT[:])
    return [b"hello"]


def python(*arguments, env=None, stdin=b""):
    """Run a program in an interpreter that finds the package under test."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
        env={"PYTHONPATH": str(ROOT), **(env or {})},
    )


class TestD1:
    """A connection error of the app's own is an error, not a disconnect."""

    @staticmethod
    def app(environ, start_response):
        raise ConnectionResetError("the app's database")

    def test_old(self, exchange):
        answer = exchange(OLD, self.app)

        fault((answer.out, answer.errors) == (b"", ""))

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind):
        answer = exchange(kind, self.app)

        assert answer.status == "500 Internal Server Error"
        assert answer.body == PAGE
        assert "the app's database" in answer.errors
        assert answer.handler.ended == "error"

    def test_hosted(self, host, hosted_environ):
        answer = host().serve(HostedHandler.hosting(self.app), hosted_environ())

        assert answer.status == "500 Internal Server Error"

    def test_our_own_write_is_a_disconnect_that_hooks_see(self, exchange, plan):
        class Gone:
            def write(self, data):
                raise BrokenPipeError

            def flush(self):
                pass

        outcomes = []
        hooks = plan(request_finished=lambda outcome: outcomes.append(outcome.kind))
        answer = exchange(SimpleHandler, hello, stdout=Gone(), plan=hooks)

        assert outcomes == ["disconnected"]
        assert answer.errors == ""


class TestD2:
    """A reporter or a page that raises costs nobody the answer."""

    @staticmethod
    def app(environ, start_response):
        raise ValueError("the first")

    @staticmethod
    def broken(kind, step):
        def fails(self, *args):
            raise RuntimeError("the second")

        return type("Broken", (kind,), {step: fails})

    @pytest.mark.parametrize("step", ["log_exception", "error_output"])
    def test_old(self, exchange, step):
        answer = exchange(self.broken(OLD, step), self.app)

        fault(answer.out == b"" and isinstance(answer.raised, RuntimeError))

    @pytest.mark.parametrize("step", ["log_exception", "error_output"])
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind, step):
        answer = exchange(self.broken(kind, step), self.app)

        assert answer.raised is None
        assert answer.status == "500 Internal Server Error"
        assert answer.body == PAGE
        assert "the first" in answer.errors
        assert "the second" in answer.errors


class TestD3:
    """An error after the head is no clean end."""

    @staticmethod
    def app(environ, start_response):
        start_response("200 OK", TEXT[:])
        yield b"part"
        raise ValueError("too late")

    def test_old(self, exchange):
        answer = exchange(OLD, self.app)

        fault(answer.out.endswith(b"\r\n\r\npart") and answer.raised is None)
        fault(not hasattr(answer.handler, "ended"))

    def test_new(self, exchange, plan, request_environ):
        outcomes = []
        answer = exchange(
            SimpleHandler,
            self.app,
            environ=request_environ(SERVER_PROTOCOL="HTTP/1.1"),
            http_version="1.1",
            plan=plan(request_finished=lambda outcome: outcomes.append(outcome.kind)),
        )

        assert answer.body == b"4\r\npart\r\n"  # and no last chunk
        assert answer.handler.ended == "aborted"
        assert outcomes == ["aborted"]

    def test_hosted(self, host, hosted_environ):
        answer = host().serve(HostedHandler.hosting(self.app), hosted_environ())

        assert answer.body == b"part"
        assert isinstance(answer.raised, ResponseAborted)


class TestD4:
    """What an app hands to start_response as exc_info is reported, once."""

    @staticmethod
    def app(environ, start_response):
        try:
            raise ValueError("handled by the app")
        except ValueError:
            start_response("500 Sorry", TEXT[:], sys.exc_info())
        return [b"sorry"]

    def test_old(self, exchange):
        fault(exchange(OLD, self.app).errors == "")

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind):
        answer = exchange(kind, self.app)

        assert answer.body == b"sorry"
        assert answer.errors.count("ValueError: handled by the app") == 1
        assert answer.handler.ended == "error"

    def test_hosted(self, host, hosted_environ):
        environ = hosted_environ()
        answer = host().serve(HostedHandler.hosting(self.app), environ)

        assert answer.status == "500 Sorry"
        assert "handled by the app" in environ["wsgi.errors"].getvalue()


class TestD5:
    """What is no Exception passes on, after the page."""

    @staticmethod
    def app(kind):
        def app(environ, start_response):
            raise kind("stop")

        return app

    def test_old(self, exchange):
        fault(exchange(OLD, self.app(KeyboardInterrupt)).raised is None)

    @pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit])
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind, raised):
        answer = exchange(kind, self.app(raised))

        assert answer.body == PAGE
        assert "stop" in answer.errors
        assert type(answer.raised) is raised

    def test_hosted_answers_for_system_exit(self, host, hosted_environ):
        app = HostedHandler.hosting(self.app(SystemExit))
        answer = host().serve(app, hosted_environ())

        assert answer.raised is None
        assert answer.body == PAGE

    def test_hosted_passes_the_others_on(self, host, hosted_environ):
        app = HostedHandler.hosting(self.app(KeyboardInterrupt))

        assert isinstance(host().serve(app, hosted_environ()).raised, KeyboardInterrupt)


class TestD6:
    """HEAD, 1xx, 204 and 304 have no body, and no length is made up."""

    @staticmethod
    def app(status, *headers, result=(b"body",)):
        def app(environ, start_response):
            start_response(status, list(headers))
            return list(result)

        return app

    def test_old_body(self, exchange, request_environ):
        head = request_environ(REQUEST_METHOD="HEAD")

        fault(exchange(OLD, self.app("200 OK"), environ=head).body == b"body")

    def test_old_length(self, exchange):
        answer = exchange(OLD, self.app("204 No Content", result=()))

        fault(answer.headers["content-length"] == "0")

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    @pytest.mark.parametrize(
        ("method", "status"),
        [
            ("HEAD", "200 OK"),
            *(
                (method, status)
                for method in ("GET", "HEAD")
                for status in ("100 Continue", "204 No Content", "304 Not Modified")
            ),
        ],
    )
    @pytest.mark.parametrize("result", [(b"body",), (b"bo", b"dy"), ()])
    def test_new(self, exchange, request_environ, kind, method, status, result):
        answer = exchange(
            kind,
            self.app(status, result=result),
            environ=request_environ(REQUEST_METHOD=method),
        )

        assert answer.body == b""
        if status != "200 OK":
            assert "content-length" not in answer.headers
        else:  # of one block, the length is known
            assert answer.headers.get("content-length") in (None, "4")
        assert answer.handler.ended == "ok"

    @pytest.mark.parametrize(
        ("method", "status", "kept"),
        [
            ("HEAD", "200 OK", "7"),
            ("GET", "304 Not Modified", "7"),
            ("GET", "204 No Content", None),
            ("HEAD", "204 No Content", None),
        ],
    )
    @pytest.mark.parametrize("result", [(), (b"7 bytes",)])
    def test_own_length_stays_where_it_may(
        self, exchange, request_environ, method, status, kept, result
    ):
        answer = exchange(
            SimpleHandler,
            self.app(status, ("Content-Length", "7"), result=result),
            environ=request_environ(REQUEST_METHOD=method),
        )

        assert answer.headers.get("content-length") == kept
        assert answer.handler.ended == "ok"

    def test_an_error_page_has_no_body_for_head_however_early_it_failed(
        self, exchange, plan, request_environ
    ):
        def fails(environ):
            raise ValueError("an enricher")

        answer = exchange(
            SimpleHandler,
            hello,
            environ=request_environ(REQUEST_METHOD="HEAD"),
            plan=plan(setup_environ=fails),
        )

        assert answer.status == "500 Internal Server Error"
        assert answer.body == b""

    def test_hosted(self, host, hosted_environ):
        app = HostedHandler.hosting(self.app("200 OK", ("Content-Length", "4")))
        answer = host().serve(app, hosted_environ(REQUEST_METHOD="HEAD"))

        assert answer.body == b""
        assert answer.headers["content-length"] == "4"


class TestD7:
    """A body is held to its Content-Length, and that to its grammar."""

    @staticmethod
    def app(*lengths, body=(b"hello",)):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", each) for each in lengths])
            return list(body)

        return app

    @pytest.mark.parametrize("lengths", [("3",), ("9",), ("abc",), ("5", "6")])
    def test_old(self, exchange, lengths):
        answer = exchange(OLD, self.app(*lengths))

        fault(answer.body == b"hello" and answer.errors == "")

    @pytest.mark.parametrize("body", [(b"hello",), (b"he", b"llo"), (b"hel", b"lo")])
    def test_longer_is_cut_and_reported(self, exchange, body):
        answer = exchange(SimpleHandler, self.app("3", body=body))

        assert answer.body == b"hel"
        assert "longer than its Content-Length of 3 bytes" in answer.errors
        assert answer.handler.ended == "error"

    @pytest.mark.parametrize("body", [(b"hello",), (b"he", b"llo")])
    def test_shorter_is_aborted_and_reported(self, exchange, body):
        answer = exchange(SimpleHandler, self.app("9", body=body))

        assert answer.body == b"hello"
        assert "ended after 5 bytes, before its Content-Length of 9" in answer.errors
        assert answer.handler.ended == "aborted"

    @pytest.mark.parametrize(
        "lengths",
        [("abc",), ("-5",), ("5,5",), ("",), ("5", "6"), ("5", "5"), (LONG,)],
        ids=lambda lengths: " and ".join(lengths)[:9] or "empty",
    )
    def test_invalid_or_repeated_is_an_error(self, exchange, lengths):
        answer = exchange(SimpleHandler, self.app(*lengths))

        assert answer.body == PAGE
        assert "Content-Length" in answer.errors

    def test_an_empty_body_sends_its_head(self, exchange):
        answer = exchange(SimpleHandler, self.app("7", body=()))

        assert answer.headers["content-length"] == "7"
        assert answer.handler.ended == "aborted"

    @pytest.mark.parametrize(("length", "ended"), [("3", None), ("9", ResponseAborted)])
    @pytest.mark.parametrize("body", [(b"hello",), (b"he", b"llo")])
    def test_hosted(self, host, hosted_environ, length, ended, body):
        app = HostedHandler.hosting(self.app(length, body=body))
        answer = host().serve(app, hosted_environ())

        assert answer.body == b"hello"[: int(length)]
        assert (answer.raised and type(answer.raised)) is ended


# What wsgiref lets through, or lets through under -O.
BAD_HEADS = {
    "crlf-value": ("200 OK", [("X", "a\r\nSet-Cookie: evil=1")]),
    "lf-value": ("200 OK", [("X", "a\nb")]),
    "cr-value": ("200 OK", [("X", "a\rb")]),
    "nul-value": ("200 OK", [("X", "a\0b")]),
    "crlf-name": ("200 OK", [("X: 1\r\nY", "b")]),
    "crlf-status": ("200 OK\r\nX: evil", []),
    "not-latin-1-value": ("200 OK", [("X", "\u2603")]),
    "not-latin-1-status": ("200 \u2603", []),
}
BAD_ONLY_OPTIMIZED = {
    "short-status": ("20", []),
    "no-code": ("abc OK", []),
    "no-space": ("200OK", []),
    "bytes-name": ("200 OK", [(b"X", "b")]),
    "number-value": ("200 OK", [("X", 1)]),
    "hop-by-hop": ("200 OK", [("Connection", "close")]),
}
OPTIMIZED = """
import io, sys, {module} as handlers
status, headers = {head!r}
def app(environ, start_response):
    start_response(status, headers)
    return {result!r}
out = io.BytesIO()
environ = dict(REQUEST_METHOD="GET", SERVER_PROTOCOL="HTTP/1.0")
try:
    handlers.SimpleHandler(io.BytesIO(), out, sys.stderr, environ).run(app)
finally:
    sys.stdout.buffer.write(out.getvalue())
"""


def optimized(module, head, result=(b"hello",)):
    """Give the answer under ``python -O``, where assert statements are gone."""
    program = OPTIMIZED.format(module=module, head=head, result=list(result))
    return python("-O", "-c", program)


class TestD8:
    """Nothing that splits a head gets into it; the whole head is encoded first."""

    @staticmethod
    def app(head):
        def app(environ, start_response):
            start_response(head[0], head[1])
            return [b"hello"]

        return app

    @pytest.mark.parametrize("name", BAD_HEADS)
    def test_old(self, exchange, name):
        answer = exchange(OLD, self.app(BAD_HEADS[name]))

        if name == "not-latin-1-value":  # half a head is out, and no page can be
            fault(answer.out.startswith(b"HTTP/1.0 200 OK") and not answer.body)
        elif name == "not-latin-1-status":
            fault(answer.out == b"")
        else:
            fault(answer.body == b"hello")

    @pytest.mark.parametrize("name", BAD_HEADS)
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind, name):
        answer = exchange(kind, self.app(BAD_HEADS[name]))

        assert answer.status == "500 Internal Server Error"
        assert answer.body == PAGE
        assert "x" not in answer.headers

    @pytest.mark.parametrize("name", BAD_HEADS)
    def test_hosted(self, host, hosted_environ, name):
        app = HostedHandler.hosting(self.app(BAD_HEADS[name]))
        answer = host().serve(app, hosted_environ())

        assert answer.status == "500 Internal Server Error"

    def test_old_optimized(self):
        done = optimized("wsgiref.handlers", BAD_ONLY_OPTIMIZED["number-value"])

        fault(b"\r\nX: 1\r\n" in done.stdout)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("number-value", b"Header names/values must be of type str (got 1)"),
            ("short-status", b"Status must be at least 4 characters"),
        ],
    )
    def test_new_optimized(self, name, text):
        done = optimized("handlerkit.handlers", BAD_ONLY_OPTIMIZED[name])

        assert done.stdout.startswith(b"HTTP/1.0 500 ")
        assert b"AssertionError: " + text in done.stderr

    @pytest.mark.parametrize("name", BAD_ONLY_OPTIMIZED)
    def test_same_text_as_the_assertion(self, exchange, name):
        app = self.app(BAD_ONLY_OPTIMIZED[name])
        last = [
            exchange(kind, app).errors.splitlines()[-1] for kind in (OLD, SimpleHandler)
        ]

        assert last[1].startswith("AssertionError: ")
        assert last[0] == last[1]

    @pytest.mark.parametrize("name", [b"X", [], "X: 1", "Connection"])
    def test_it_is_told_without_how_it_was_found(self, exchange, name):
        answer = exchange(SimpleHandler, self.app(("200 OK", [(name, "b")])))

        assert answer.body == PAGE
        assert answer.errors.count("Error: ") == 1

    def test_optimized_text_for_bytes(self):
        head = ("200 OK", [])
        old = optimized("wsgiref.handlers", head, ["text"])
        new = optimized("handlerkit.handlers", head, ["text"])

        fault(b"200 OK" in old.stdout and b"text" not in old.stdout)
        assert new.stdout.endswith(PAGE)
        assert b"write() argument must be a bytes instance" in new.stderr


class TestD9:
    """A hop-by-hop header is an error always; a header is no status."""

    head = BAD_ONLY_OPTIMIZED["hop-by-hop"]
    two = ("200 OK", [("status", "404 Not Found"), ("X", "1")])

    def test_old_status(self, exchange):
        answer = exchange(OLD_CGI, TestD8.app(self.two))

        fault(answer.out.lower().count(b"status: ") == 2)

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_a_status_in_a_header_goes_nowhere(self, exchange, kind):
        answer = exchange(kind, TestD8.app(self.two))

        assert answer.status == "200 OK"
        assert b"404" not in answer.out
        assert answer.headers["x"] == "1"

    def test_a_status_in_a_header_goes_nowhere_hosted(self, host, hosted_environ):
        app = HostedHandler.hosting(TestD8.app(self.two))
        answer = host().serve(app, hosted_environ())

        assert answer.status == "200 OK"
        assert "status" not in answer.headers

    def test_old(self):
        fault(b"Connection: close" in optimized("wsgiref.handlers", self.head).stdout)

    def test_new(self):
        done = optimized("handlerkit.handlers", self.head)

        assert done.stdout.endswith(PAGE)
        assert b"Hop-by-hop header, 'Connection: close', not allowed" in done.stderr


class TestD10:
    """A file is sent from where it stands, and no further than Content-Length."""

    @staticmethod
    def app(environ, start_response):
        file = io.BytesIO(b"0123456789")
        file.seek(2)
        start_response("200 OK", [("Content-Length", "3")])
        return environ["wsgi.file_wrapper"](file)

    def test_old(self, exchange):
        fault(exchange(OLD, self.app).body == b"23456789")

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind):
        answer = exchange(kind, self.app)

        assert answer.body == b"234"
        assert answer.handler.ended == "ok"  # PEP 3333: a part of a file is no fault
        assert answer.errors == ""

    def test_hosted(self, host, hosted_environ):
        environ = hosted_environ()
        answer = host().serve(HostedHandler.hosting(self.app), environ)

        assert answer.body == b"234"
        assert answer.raised is None
        assert environ["wsgi.errors"].getvalue() == ""


READS = {
    "all": operator.methodcaller("read"),
    "more": lambda stream: stream.read(100),
    "lines": lambda stream: stream.readline() + stream.readline(),
    "iteration": b"".join,
    "readlines": lambda stream: b"".join(stream.readlines()),
}


class TestD11:
    """wsgi.input ends with the body."""

    @staticmethod
    def reading(read):
        def app(environ, start_response):
            body = read(environ["wsgi.input"])
            start_response("200 OK", [])
            return [body + b" " + repr(environ.get("wsgi.input_terminated")).encode()]

        return app

    @pytest.mark.parametrize("read", READS)
    def test_old(self, exchange, request_environ, read):
        environ = request_environ(CONTENT_LENGTH="5")
        answer = exchange(
            OLD, self.reading(READS[read]), b"ab\ncdNEXT", environ=environ
        )

        fault(b"NEXT" in answer.body)

    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, request_environ, kind, read):
        environ = request_environ(CONTENT_LENGTH="5")
        answer = exchange(
            kind, self.reading(READS[read]), b"ab\ncdNEXT", environ=environ
        )

        assert answer.body == b"ab\ncd True"

    @pytest.mark.parametrize("length", [None, "", "0"])
    def test_no_length_is_no_body(self, exchange, request_environ, length):
        environ = request_environ(CONTENT_LENGTH=length)
        answer = exchange(
            SimpleHandler, self.reading(READS["all"]), b"NEXT", environ=environ
        )

        assert answer.body == b" True"

    @pytest.mark.parametrize(
        "length", ["x", "-1", "5,5", " 5", "+5", LONG], ids=range(6)
    )
    def test_a_bad_length_is_a_bad_request(self, exchange, request_environ, length):
        environ = request_environ(CONTENT_LENGTH=length)
        answer = exchange(SimpleHandler, hello, environ=environ)

        assert answer.status == "400 Bad Request"
        assert answer.errors == ""

    def test_a_body_that_breaks_off_is_a_disconnect(self, exchange, request_environ):
        environ = request_environ(CONTENT_LENGTH="50")
        answer = exchange(
            SimpleHandler, self.reading(READS["all"]), b"half", environ=environ
        )

        assert (answer.out, answer.errors) == (b"", "")
        assert answer.handler.ended == "disconnected"

    def test_documented_result_of_setup_environ_stays(self, request_environ):
        stdin = io.BytesIO()
        handler = SimpleHandler(stdin, io.BytesIO(), io.StringIO(), request_environ())
        handler.setup_environ()

        assert handler.environ["wsgi.input"] is stdin
        assert "wsgi.input_terminated" not in handler.environ

    def test_an_embedders_own_terminated_stream_passes_through(
        self, exchange, request_environ
    ):
        environ = request_environ(**{"wsgi.input_terminated": True})
        app = self.reading(READS["all"])
        answer = exchange(SimpleHandler, app, b"to the end", environ=environ)

        assert answer.body == b"to the end True"

    CGI = """
from handlerkit.handlers import CGIHandler
def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]
CGIHandler().run(app)
"""

    @pytest.mark.parametrize(
        ("variables", "body"),
        [
            ({"HTTP_TRANSFER_ENCODING": "chunked"}, b"to the end"),
            ({"CONTENT_LENGTH": "2", "HTTP_TRANSFER_ENCODING": "chunked"}, b"to"),
            ({}, b""),
        ],
    )
    def test_chunked_cgi_reads_to_end_of_file(self, variables, body):
        done = python("-c", self.CGI, env=variables, stdin=b"to the end")

        assert done.stdout.partition(b"\r\n\r\n")[2] == body

    def test_hosted(self, host, hosted_environ):
        app = HostedHandler.hosting(self.reading(READS["iteration"]))
        environ = hosted_environ(b"ab\ncdNEXT", CONTENT_LENGTH="5")

        assert host().serve(app, environ).body == b"ab\ncd True"


PROCESS = """
import io, sys, {module} as handlers
def app(environ, start_response):
    start_response("200 OK", [])
    names = ("HTTP_X_FORGED", "HTTP_PROXY", "SETTING")
    return [",".join(name for name in names if name in environ).encode()]
{run}
"""
RUN_SIMPLE = """
environ = dict(REQUEST_METHOD="GET", SERVER_PROTOCOL="HTTP/1.0", HTTP_PROXY="evil")
out = io.BytesIO()
handlers.SimpleHandler(io.BytesIO(), out, sys.stderr, environ).run(app)
sys.stdout.buffer.write(out.getvalue())
"""
RUN_CGI = "handlers.CGIHandler().run(app)"


class TestD12:
    """The process never poses as the request, nor a Proxy header as HTTP_PROXY."""

    def names(self, module, run):
        env = {"HTTP_X_FORGED": "1", "SETTING": "1", "HTTP_PROXY": "evil"}
        done = python("-c", PROCESS.format(module=module, run=run), env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition(b"\r\n\r\n")[2].decode()

    def test_old(self):
        names = self.names("wsgiref.handlers", RUN_SIMPLE)

        fault("HTTP_X_FORGED" in names)
        fault("HTTP_PROXY" in names)

    def test_new(self):
        assert self.names("handlerkit.handlers", RUN_SIMPLE) == "SETTING"

    def test_old_cgi(self):
        fault("HTTP_PROXY" in self.names("wsgiref.handlers", RUN_CGI))

    def test_cgi_variables_are_the_request(self):
        assert self.names("handlerkit.handlers", RUN_CGI) == "HTTP_X_FORGED,SETTING"

    @pytest.mark.parametrize("kind", [BaseCGIHandler, FastCGIHandler, SCGIHandler])
    def test_type_and_length_are_not_there_as_headers_too(
        self, exchange, request_environ, kind
    ):
        """As RFC 3875, 4.1.18 has it, and wsgiref.validate; nginx sends them twice."""
        doubles = {"HTTP_CONTENT_TYPE": "text/plain", "HTTP_CONTENT_LENGTH": "2"}
        usual = {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "2"}
        seen = {}

        def app(environ, start_response):
            seen.update(environ)
            return hello(environ, start_response)

        exchange(kind, app, b"hi", environ=request_environ(**doubles, **usual))

        assert usual.items() <= seen.items()
        assert doubles.keys().isdisjoint(seen)

    def test_an_overridden_os_environ_does_not_pose_either(self, exchange):
        process = {"HTTP_X_FORGED": "1", "LANG": "C"}
        configured = type("Configured", (SimpleHandler,), {"os_environ": process})

        seen = {}

        def app(environ, start_response):
            seen.update(environ)
            return hello(environ, start_response)

        exchange(configured, app)

        assert seen["LANG"] == "C"
        assert "HTTP_X_FORGED" not in seen

    def test_hosted_strips_what_the_server_took_from_the_process(
        self, host, hosted_environ, monkeypatch
    ):
        monkeypatch.setenv("A_SECRET", "from the process")
        monkeypatch.setenv("REMOTE_USER", "me")
        seen = {}

        def app(environ, start_response):
            seen.update(environ)
            return hello(environ, start_response)

        class Fresh(HostedHandler):
            pass

        environ = hosted_environ(
            A_SECRET="from the process",
            REMOTE_USER="me",
            PATH="another's",
            HTTP_PROXY="evil",
        )
        host().serve(Fresh.hosting(app), environ)

        assert "A_SECRET" not in seen
        assert "HTTP_PROXY" not in seen
        assert seen["REMOTE_USER"] == "me"
        assert seen["PATH"] == "another's"
        assert environ["A_SECRET"] == "from the process"  # the server's own stays


PRINTING = """
import os
def application(environ, start_response):
    print("from print", flush=True)
    os.system("echo from a child")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
CGI_REQUEST = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.0"}
OLD_PRINT = f"""{PRINTING}
from wsgiref.handlers import CGIHandler
CGIHandler().run(application)
"""
NEW_PRINT = f"{PRINTING}\nimport handlerkit\nhandlerkit.run_cgi({{}}, application)"


class TestD13:
    """What an app prints is no part of the response."""

    def test_old(self):
        out = python("-c", OLD_PRINT, env=CGI_REQUEST).stdout

        fault(out.startswith(b"from print\nfrom a child\n"))

    def test_new(self):
        env = {**CGI_REQUEST, "PATH": os.environ["PATH"]}
        done = python("-c", NEW_PRINT, env=env)

        assert done.stdout.startswith(b"Status: 200 OK\r\n")
        assert done.stdout.endswith(b"\r\n\r\nhello")
        assert b"from print" in done.stderr
        assert b"from a child" in done.stderr


class Body:
    """An iterable that counts how often it is closed, and fails at it."""

    def __init__(self, *blocks):
        self.blocks = blocks
        self.closed = 0

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        self.closed += 1
        raise RuntimeError("in close()")


class TestD14:
    """An error in close() masks nothing, and close() is called once."""

    @staticmethod
    def app(body):
        def app(environ, start_response):
            start_response("200 OK", [])
            return body

        return app

    def test_old(self, exchange):
        body = Body(b"hello")
        answer = exchange(OLD, self.app(body))

        fault(isinstance(answer.raised, (TypeError, AttributeError)))

    def test_old_masks(self, exchange):
        answer = exchange(OLD, self.app(Body(b"hello", "text")))

        fault("write() argument" not in answer.errors.splitlines()[-1])

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_new(self, exchange, kind):
        body = Body(b"hello")
        answer = exchange(kind, self.app(body))

        assert answer.raised is None
        assert answer.body == b"hello"
        assert "RuntimeError: in close()" in answer.errors
        assert answer.handler.ended == "error"
        assert body.closed == 1

    def test_both_errors_are_reported_once_each(self, exchange, plan):
        body = Body("text")
        logged = []
        hooks = plan(log_exception=lambda exc_info: logged.append(exc_info[0]))
        answer = exchange(SimpleHandler, self.app(body), plan=hooks)

        assert answer.body == PAGE
        assert logged == [RuntimeError, AssertionError]
        assert body.closed == 1

    def test_hosted(self, host, hosted_environ):
        body = Body(b"hello")
        environ = hosted_environ()
        answer = host().serve(HostedHandler.hosting(self.app(body)), environ)

        assert answer.raised is None
        assert answer.body == b"hello"
        assert "in close()" in environ["wsgi.errors"].getvalue()
        assert body.closed == 1


class TestD15:
    """The app's header list is its own."""

    @staticmethod
    def run(serve):
        headers = TEXT[:]

        def app(environ, start_response):
            start_response("200 OK", headers)
            return [b"hello"]

        serve(app)
        return headers

    def test_old(self, exchange):
        headers = self.run(lambda app: exchange(OLD, app))

        fault(headers != TEXT)

    def test_new(self, exchange):
        assert self.run(lambda app: exchange(SimpleHandler, app)) == TEXT

    def test_new_with_the_headers_class_of_wsgiref(self, exchange):
        from wsgiref.headers import Headers

        class Classic(SimpleHandler):
            headers_class = Headers

        assert self.run(lambda app: exchange(Classic, app)) == TEXT


class TestD16:
    """A missing SERVER_PROTOCOL is no error, nor a second one in an error."""

    @staticmethod
    def failing(environ, start_response):
        raise ValueError("the app")

    @pytest.mark.parametrize("app", [hello, failing])
    def test_old(self, exchange, request_environ, app):
        environ = request_environ(SERVER_PROTOCOL=None)
        answer = exchange(OLD, app, environ=environ)

        fault(answer.out == b"")

    @pytest.mark.parametrize("app", [hello, failing])
    def test_new(self, exchange, request_environ, app):
        environ = request_environ(SERVER_PROTOCOL=None)
        answer = exchange(SimpleHandler, app, environ=environ)

        assert answer.raised is None
        assert answer.body == (b"hello" if app is hello else PAGE)

    def test_an_app_may_empty_its_environ(self, exchange):
        def app(environ, start_response):
            start_response("200 OK", [])
            environ.clear()
            yield b"hello"

        assert exchange(SimpleHandler, app).body == b"hello"


class WritesLate:
    """An application whose iterable writes when it is closed."""

    def __init__(self, environ, start_response):
        self.write = start_response("200 OK", TEXT[:])

    def __iter__(self):
        yield b"hel"
        yield b"lo"

    def close(self):
        self.write(b"late")


class TestD17:
    """On HTTP/1.1 a body is framed, and so may the connection be kept."""

    @staticmethod
    def app(environ, start_response):
        start_response("200 OK", TEXT[:])
        yield b"hel"
        yield b"lo"

    def answer(
        self, exchange, request_environ, kind, protocol="HTTP/1.1", **attributes
    ):
        return exchange(
            kind,
            attributes.pop("app", self.app),
            environ=request_environ(SERVER_PROTOCOL=protocol),
            http_version="1.1",
            **attributes,
        )

    def test_old(self, exchange, request_environ):
        answer = self.answer(exchange, request_environ, OLD)

        fault(
            not {"content-length", "transfer-encoding", "connection"}
            & {*answer.headers}
        )

    @pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/1.0"])
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_nothing_is_written_after_the_end(
        self, exchange, request_environ, kind, protocol
    ):
        """On a connection that is kept, it would be the begin of the next response."""
        answer = self.answer(
            exchange, request_environ, kind, protocol, app=WritesLate, keep_alive=True
        )

        assert b"late" not in answer.out
        assert answer.body.endswith((b"\r\n0\r\n\r\n", b"hello"))
        assert "write() after the body had ended" in answer.errors
        assert answer.handler.ended == "error"

    def test_nothing_is_written_after_the_end_hosted(self, host, hosted_environ):
        environ = hosted_environ()
        answer = host().serve(HostedHandler.hosting(WritesLate), environ)

        assert answer.body == b"hello"
        assert "write() after the body" in environ["wsgi.errors"].getvalue()

    def test_chunked(self, exchange, request_environ):
        answer = self.answer(exchange, request_environ, SimpleHandler, keep_alive=True)

        assert answer.body == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.handler.keep_alive is True

    def test_an_old_client_is_told_by_closing(self, exchange, request_environ):
        answer = self.answer(
            exchange, request_environ, SimpleHandler, "HTTP/1.0", keep_alive=True
        )

        assert answer.body == b"hello"
        assert answer.headers["connection"] == "close"
        assert answer.handler.keep_alive is False

    @pytest.mark.parametrize(
        ("protocol", "keep", "connection"),
        [
            ("HTTP/1.1", True, None),
            ("HTTP/1.1", False, "close"),
            ("HTTP/1.0", True, "keep-alive"),
            ("HTTP/1.0", False, "close"),
            ("HTTP/1.1", None, None),
        ],
    )
    def test_a_known_length_frames(
        self, exchange, request_environ, protocol, keep, connection
    ):
        answer = self.answer(
            exchange,
            request_environ,
            SimpleHandler,
            protocol,
            app=hello,
            keep_alive=keep,
        )

        assert answer.body == b"hello"
        assert answer.headers["content-length"] == "5"
        assert answer.headers.get("connection") == connection
        assert answer.handler.keep_alive is keep

    def test_a_failed_head_leaves_no_framing_to_the_page(
        self, exchange, request_environ
    ):
        class Once(SimpleHandler):
            failed = False

            def send_preamble(self):
                super().send_preamble()

            def send_headers(self):
                self._complete_headers()
                if not self.failed:
                    self.failed = True
                    raise ValueError("after the framing was decided")
                super().send_headers()

        answer = self.answer(exchange, request_environ, Once)

        assert answer.body == PAGE


RESULTS = {"None": None, "bytes": b"hello", "str": "hello"}


class TestD18:
    """A wrong result is named for what it is."""

    @staticmethod
    def app(result):
        def app(environ, start_response):
            start_response("200 OK", [])
            return result

        return app

    @staticmethod
    def silent(environ, start_response):
        return []

    def test_old(self, exchange):
        errors = exchange(OLD, self.silent).errors

        fault("'NoneType' object has no attribute" in errors)
        fault(
            "'NoneType' object is not iterable" in exchange(OLD, self.app(None)).errors
        )

    @pytest.mark.parametrize("name", RESULTS)
    def test_wrong_result(self, exchange, name):
        answer = exchange(SimpleHandler, self.app(RESULTS[name]))

        assert answer.body == PAGE
        assert f"must return an iterable of bytes, not {name.removesuffix('Type')}" in (
            answer.errors
        )

    @pytest.mark.parametrize("result", [[], [b"hello"], iter([b"hello"])])
    def test_start_response_never_called(self, exchange, result):
        answer = exchange(SimpleHandler, lambda environ, start_response: result)

        assert answer.body == PAGE
        assert "start_response" in answer.errors.splitlines()[-1]

    @pytest.mark.parametrize("name", RESULTS)
    def test_hosted(self, host, hosted_environ, name):
        environ = hosted_environ()
        app = HostedHandler.hosting(self.app(RESULTS[name]))
        answer = host().serve(app, environ)

        assert answer.body == PAGE
        assert "must return an iterable" in environ["wsgi.errors"].getvalue()


def test_a_hosted_disconnect_is_told_to_the_server(host, hosted_environ):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"first"
        yield environ["wsgi.input"].read()

    environ = hosted_environ(b"half", CONTENT_LENGTH="50")
    answer = host().serve(HostedHandler.hosting(app), environ)

    assert answer.body == b"first"
    assert isinstance(answer.raised, ClientDisconnected)
    assert environ["wsgi.errors"].getvalue() == ""
