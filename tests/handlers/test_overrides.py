"""What people override in a handler of wsgiref goes on working."""

import io
import subprocess
import sys
import warnings
from pathlib import Path
from wsgiref.headers import Headers

import pytest

import handlerkit
from handlerkit import pep3333
from handlerkit.errors import PluginError
from handlerkit.handlers import BaseCGIHandler, SimpleHandler

ROOT = Path(handlerkit.__file__).parents[1]


def listed(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def generated(environ, start_response):
    start_response("200 OK", [])
    yield b"hel"
    yield b"lo"


def failing(environ, start_response):
    raise ValueError("the app")


def subclass(kind=SimpleHandler, **steps):
    return type("Sub", (kind,), steps)


PAGE = {
    "error_status": "503 Busy",
    "error_headers": [("Content-Type", "text/html"), ("X-Page", "1")],
    "error_body": b"<p>busy",
}


class TestAttributes:
    """Every attribute may be set per subclass or per instance."""

    @pytest.mark.parametrize("kind", [SimpleHandler, subclass(**PAGE)], ids=range(2))
    def test_of_the_error_page(self, exchange, kind):
        attributes = PAGE if kind is SimpleHandler else {}
        answer = exchange(kind, failing, **attributes)

        assert (answer.status, answer.body) == ("503 Busy", b"<p>busy")
        assert answer.headers["x-page"] == "1"
        assert len(PAGE["error_headers"]) == 2  # nothing was added to it

    @pytest.mark.parametrize("limit", [0, 1, None])
    def test_traceback_limit(self, exchange, limit):
        answer = exchange(SimpleHandler, failing, traceback_limit=limit)

        frames = answer.errors.count('  File "')
        assert frames == (limit if limit is not None else frames)
        assert answer.errors.endswith("ValueError: the app\n")

    def test_of_environ(self, exchange):
        seen = {}

        def app(environ, start_response):
            seen.update(environ)
            return listed(environ, start_response)

        exchange(
            SimpleHandler,
            app,
            wsgi_version=(1, 1),
            wsgi_run_once=True,
            wsgi_multithread=False,
            wsgi_multiprocess=True,
            wsgi_file_wrapper=None,
            os_environ={"LANG": "C", "PATH_INFO": "the process's"},
            server_software="testing/1",
        )

        assert seen["wsgi.version"] == (1, 1)
        assert seen["wsgi.run_once"] is True
        assert seen["wsgi.multithread"] is False
        assert seen["wsgi.multiprocess"] is True
        assert "wsgi.file_wrapper" not in seen
        assert seen["LANG"] == "C"
        assert seen["PATH_INFO"] == "/"
        assert seen["SERVER_SOFTWARE"] == "testing/1"

    def test_server_software_gives_way_to_the_app_and_to_environ(
        self, exchange, request_environ
    ):
        def app(environ, start_response):
            start_response("200 OK", [("server", "of the app")])
            return [environ["SERVER_SOFTWARE"].encode()]

        environ = request_environ(SERVER_SOFTWARE="of environ")
        answer = exchange(
            SimpleHandler, app, environ=environ, server_software="testing/1"
        )

        assert answer.body == b"of environ"
        assert answer.names.count("server") == 1

    def test_of_a_cgi_handler_server_software_says_nothing(self, exchange):
        answer = exchange(BaseCGIHandler, listed, server_software="testing/1")

        assert {"server", "date"}.isdisjoint(answer.headers)

    def test_no_file_wrapper_no_file(self, exchange):
        handler = SimpleHandler(None, None, None, {})
        handler.wsgi_file_wrapper = None
        handler.result = []

        assert handler.result_is_file() is False

    def test_environ_is_a_plain_dict_and_base_env_stays(self, exchange):
        from collections import OrderedDict

        kinds = []

        def app(environ, start_response):
            kinds.append(type(environ))
            environ["MINE"] = "1"
            return listed(environ, start_response)

        base = OrderedDict(REQUEST_METHOD="GET")
        exchange(SimpleHandler, app, environ=base, os_environ={})

        assert kinds == [dict]
        assert base == {"REQUEST_METHOD": "GET"}

    @pytest.mark.parametrize("https", ["on", "yes", "1", "off", "0", "", None])
    def test_scheme(self, exchange, request_environ, https):
        def app(environ, start_response):
            start_response("200 OK", [])
            return [environ["wsgi.url_scheme"].encode()]

        answer = exchange(SimpleHandler, app, environ=request_environ(HTTPS=https))

        assert answer.body == (b"https" if https in ("on", "yes", "1") else b"http")


class TestSteps:
    """A step overridden in a subclass is called, whatever the answer is."""

    @pytest.mark.parametrize("app", [listed, generated])
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_cleanup_headers(self, exchange, kind, app):
        def cleanup_headers(self):
            super(sub, self).cleanup_headers()
            self.headers["X-Clean"] = "1"
            del self.headers["Content-Type"]

        sub = subclass(kind, cleanup_headers=cleanup_headers)
        answer = exchange(sub, app)

        assert answer.headers["x-clean"] == "1"
        assert "content-type" not in answer.headers
        assert answer.body == b"hello"

    @pytest.mark.parametrize("length", ["3", "5"])
    def test_cleanup_headers_may_say_another_length(self, exchange, length):
        def cleanup_headers(self):
            self.headers["Content-Length"] = length

        answer = exchange(subclass(cleanup_headers=cleanup_headers), generated)

        assert answer.headers["content-length"] == length
        assert answer.body == b"hello"[: int(length)]

    @pytest.mark.parametrize("value", ["a\r\nb", "a\rb", "\u2603", "a\0"])
    @pytest.mark.parametrize("name", ["X-Clean", "Connection"])
    def test_cleanup_headers_splits_no_head(self, exchange, name, value):
        def cleanup_headers(self):
            if self.status.startswith("200"):
                self.headers.setdefault(name, value)

        answer = exchange(subclass(cleanup_headers=cleanup_headers), generated)

        assert answer.status == "500 Internal Server Error"

    def test_cleanup_headers_may_close_the_connection(self, exchange, request_environ):
        def cleanup_headers(self):
            super(sub, self).cleanup_headers()
            self.headers["Connection"] = "close"

        sub = subclass(cleanup_headers=cleanup_headers)
        answer = exchange(
            sub,
            listed,
            environ=request_environ(SERVER_PROTOCOL="HTTP/1.1"),
            http_version="1.1",
            keep_alive=True,
        )

        assert answer.names.count("connection") == 1
        assert answer.handler.keep_alive is False

    def test_set_content_length_may_be_called_anew(self, exchange):
        def cleanup_headers(self):
            self.headers["Content-Length"] = "99"
            self.set_content_length()

        answer = exchange(subclass(cleanup_headers=cleanup_headers), listed)

        assert answer.headers["content-length"] == "5"
        assert answer.handler.ended == "ok"

    def test_set_content_length_may_do_nothing(self, exchange):
        sub = subclass(set_content_length=lambda self: None)

        assert "content-length" not in exchange(sub, listed).headers

    def test_headers_class(self, exchange):
        class Shouting(Headers):
            def __str__(self):
                return super().__str__().replace("text/", "TEXT/")

        answer = exchange(subclass(headers_class=Shouting), listed)

        assert answer.headers["content-type"] == "TEXT/plain"
        assert answer.body == b"hello"

    @pytest.mark.parametrize("app", [listed, generated])
    def test_write_and_flush(self, exchange, app):
        class Upper(SimpleHandler):
            flushed = 0

            def _write(self, data):
                super()._write(data.upper())

            def _flush(self):
                super()._flush()
                self.flushed += 1

        answer = exchange(Upper, app)

        assert answer.out.endswith(b"HELLO")
        assert answer.handler.flushed == (1 if app is listed else 2)

    def test_client_is_modern(self, exchange):
        sub = subclass(client_is_modern=lambda self: False)

        assert exchange(sub, listed).out == b"hello"

    @pytest.mark.parametrize("protocol", ["HTTP/0.9", "http/0.9"])
    def test_an_old_client_gets_no_head(self, exchange, request_environ, protocol):
        environ = request_environ(SERVER_PROTOCOL=protocol)

        assert exchange(SimpleHandler, listed, environ=environ).out == b"hello"

    def test_sendfile(self, exchange):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        def sendfile(self):
            self.send_headers()
            self._write(self.result.filelike.read(3))
            return True

        answer = exchange(subclass(sendfile=sendfile), app)

        assert answer.body == b"012"
        assert answer.handler.ended == "ok"

    def test_sendfile_of_unknown_length_ends_with_the_connection(
        self, exchange, request_environ
    ):
        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        def sendfile(self):
            self.send_headers()
            self._write(self.result.filelike.read())
            return True

        answer = exchange(
            subclass(sendfile=sendfile),
            app,
            environ=request_environ(SERVER_PROTOCOL="HTTP/1.1"),
            http_version="1.1",
            keep_alive=True,
        )

        assert answer.body == b"0123456789"
        assert answer.headers["connection"] == "close"
        assert answer.handler.keep_alive is False

    def test_sendfile_that_meets_a_client_gone_is_a_disconnect(self, exchange):
        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        def sendfile(self):
            self.send_headers()
            raise BrokenPipeError

        answer = exchange(subclass(sendfile=sendfile), app)

        assert answer.handler.ended == "disconnected"
        assert answer.errors == ""

    def test_sendfile_that_sent_nothing_is_named(self, exchange):
        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        answer = exchange(subclass(sendfile=lambda self: True), app)

        assert answer.status == "500 Internal Server Error"
        assert "sendfile answered True" in answer.errors

    @pytest.mark.parametrize("app", [listed, generated])
    def test_log_exception_and_handle_error(self, exchange, app):
        called = []

        class Noting(SimpleHandler):
            def handle_error(self):
                called.append(sys.exc_info()[0])
                super().handle_error()

            def log_exception(self, exc_info):
                called.append(exc_info[0])

        exchange(Noting, failing)

        assert called == [ValueError, ValueError]

    def test_a_step_of_an_instance_that_every_answer_calls(self, exchange):
        written = []
        exchange(SimpleHandler, listed, _write=written.append)

        assert written[0].endswith(b"\r\n\r\nhello")

    def test_an_asynchronous_server_may_finish_later(self, exchange, plan):
        """finish_response may return with output to come; close() ends the exchange."""
        outcomes = []

        def finish_response(self):
            self.left = iter(self.result)

        def note(outcome):
            outcomes.append(outcome.kind)

        sub = subclass(finish_response=finish_response)
        answer = exchange(sub, generated, plan=plan(request_finished=note))
        handler = answer.handler
        assert (handler.ended, outcomes) == (None, [])
        for data in handler.left:
            handler.write(data)
        handler.finish_content()
        handler.close()

        assert handler.stdout.getvalue().endswith(b"hello")
        assert (handler.ended, outcomes) == ("ok", ["ok"])


class TestPartialWrites:
    """A stream that writes in parts is written to until all is out, with a warning."""

    class Partial(io.BytesIO):
        def write(self, data):
            super().write(data[:7])
            return len(data[:7])

    @pytest.mark.parametrize("app", [listed, generated])
    def test_all_is_written(self, exchange, app):
        with pytest.warns(DeprecationWarning, match="should not do partial writes"):
            answer = exchange(SimpleHandler, app, stdout=self.Partial())

        assert answer.body == b"hello"
        assert answer.handler.ended == "ok"

    def test_a_stream_that_stops_telling_is_believed(self, exchange):
        class Stops(io.BytesIO):
            def write(self, data):
                if not self.getvalue():
                    super().write(data[:7])
                    return 7
                super().write(data)
                return None

        with pytest.warns(DeprecationWarning, match="partial"):
            answer = exchange(SimpleHandler, listed, stdout=Stops())

        assert answer.body == b"hello"

    def test_a_whole_write_warns_of_nothing(self, exchange):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exchange(SimpleHandler, listed)


class TestHooks:
    """An override wins over the hook of its name; super() runs the hook."""

    # Step, what the hook gives, what the override gives.
    STEPS = (
        "add_cgi_vars",
        "setup_environ",
        "get_scheme",
        "get_stdin",
        "get_stderr",
        "sendfile",
        "log_exception",
        "error_output",
    )

    @staticmethod
    def app(environ, start_response):
        start_response("200 OK", [])
        environ["wsgi.file_wrapper"](io.BytesIO())
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("the app")
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file"))

    @pytest.mark.parametrize("path", ["/", "/fail"])
    @pytest.mark.parametrize("calls_super", [True, False])
    @pytest.mark.parametrize("step", STEPS)
    def test_each(self, exchange, plan, request_environ, step, calls_super, path):
        called = []

        def hook():
            called.append("hook")

        def override(self, *args):
            called.append("override")
            if calls_super:
                return getattr(SimpleHandler, step)(self, *args)
            return alone(step, self, *args)

        exchange(
            subclass(**{step: override}),
            self.app,
            environ=request_environ(PATH_INFO=path),
            plan=plan(**{step: hook}),
        )
        wanted = {"sendfile": "/", "log_exception": "/fail", "error_output": "/fail"}

        if wanted.get(step, path) != path:
            assert called == []
        elif calls_super:
            assert called[:2] == ["override", "hook"]
        else:
            assert {*called} == {"override"}


def alone(step, handler, *args):
    """Do a step without the class's own."""
    if step == "setup_environ":
        handler.environ = {
            **handler.base_env,
            "wsgi.input": handler.stdin,
            "wsgi.file_wrapper": handler.wsgi_file_wrapper,
        }
        return None
    if step == "add_cgi_vars":
        return handler.environ.update(handler.base_env)
    if step == "error_output":
        args[1]("500 Mine", [], sys.exc_info())
        return [b"mine"]
    answers = {
        "get_scheme": "http",
        "get_stdin": handler.stdin,
        "get_stderr": handler.stderr,
    }
    return answers.get(step, False)


class TestHookAnswers:
    """What hooks give is held to what the step may give."""

    def test_sendfile_of_a_hook(self, exchange, plan):
        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        def sendfile(handler, wrapper):
            handler.send_headers()
            handler._write(wrapper.filelike.read())
            return True

        answer = exchange(SimpleHandler, app, plan=plan(sendfile=sendfile))

        assert answer.body == b"0123456789"
        assert answer.handler.ended == "ok"

    @pytest.mark.parametrize("headers", [[("Content-Length", "7")], []])
    def test_bytes_that_sendfile_sent_are_counted(self, exchange, plan, headers):
        """By the Content-Length, or where there is none, by sendfile itself."""

        def app(environ, start_response):
            start_response("200 OK", headers)
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        def sendfile(handler, wrapper):
            handler.send_headers()
            data = wrapper.filelike.read(7)
            handler._write(data)
            if not headers:
                handler.bytes_sent = len(data)
            return True

        sent = []
        hooks = plan(
            sendfile=sendfile,
            request_finished=lambda outcome: sent.append(outcome.bytes_sent),
        )
        exchange(SimpleHandler, app, plan=hooks)

        assert sent == [7]

    def test_sendfile_is_not_asked_where_there_is_no_body(
        self, exchange, plan, request_environ
    ):
        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"))

        asked = []

        def sendfile():
            asked.append(1)

        answer = exchange(
            SimpleHandler,
            app,
            environ=request_environ(REQUEST_METHOD="HEAD"),
            plan=plan(sendfile=sendfile),
        )

        assert (answer.body, asked) == (b"", [])

    @pytest.mark.parametrize("scheme", ["ftp", 5, ""])
    def test_a_wrong_scheme_is_named(self, exchange, plan, scheme):
        answer = exchange(SimpleHandler, listed, plan=plan(get_scheme=lambda: scheme))

        assert answer.status == "500 Internal Server Error"
        assert (
            PluginError.__name__
            in exchange(
                subclass(get_scheme=SimpleHandler.get_scheme, log_exception=printed),
                listed,
                plan=plan(get_scheme=lambda: scheme),
            ).errors
        )

    @pytest.mark.parametrize("app", [listed, generated])
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_response_starting_changes_headers(self, exchange, plan, kind, app):
        def starting(status, headers):
            assert status == "200 OK"
            headers[:] = [("X-New", "1")]

        answer = exchange(kind, app, plan=plan(response_starting=starting))

        assert answer.headers["x-new"] == "1"
        assert "content-type" not in answer.headers
        assert answer.body == b"hello"

    @pytest.mark.parametrize(
        "pair",
        [("X", "a\r\nb"), ("Connection", "close"), ("Content-Length", "x"), (1, "x")],
        ids=range(4),
    )
    @pytest.mark.parametrize("app", [listed, generated])
    @pytest.mark.parametrize("adds", [True, False])
    def test_response_starting_is_held_to_the_rules(
        self, exchange, plan, app, pair, adds
    ):
        def starting(headers):
            if adds:
                headers.append(pair)
            else:
                headers[:] = [pair]

        answer = exchange(SimpleHandler, app, plan=plan(response_starting=starting))

        assert answer.status == "500 Internal Server Error"
        assert answer.body.startswith(b"A server error occurred.")

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    @pytest.mark.parametrize(
        "headers_class", [pep3333.Headers, Headers], ids=["ours", "wsgiref"]
    )
    @pytest.mark.parametrize("app", [listed, generated])
    @pytest.mark.parametrize("adds", [True, False])
    def test_a_status_of_response_starting_goes_nowhere(
        self, exchange, plan, kind, headers_class, app, adds
    ):
        """As one of the application: behind CGI it would be the status."""

        def starting(headers):
            if not adds:
                del headers[:]
            headers += [("status", "404 Not Found"), ["X-New", "1"]]

        answer = exchange(
            subclass(kind, headers_class=headers_class),
            app,
            plan=plan(response_starting=starting),
        )

        assert answer.status == "200 OK"
        assert b"404" not in answer.out
        assert answer.headers["x-new"] == "1"
        assert answer.body == b"hello"

    def test_response_starting_gives_no_204_a_length(self, exchange, plan):
        def app(environ, start_response):
            start_response("204 No Content", [])
            return []

        def starting(headers):
            headers.append(("Content-Length", "0"))

        answer = exchange(SimpleHandler, app, plan=plan(response_starting=starting))

        assert "content-length" not in answer.headers

    def test_response_starting_may_shorten_a_body(self, exchange, plan):
        def starting(headers):
            headers.append(("Content-Length", "3"))

        answer = exchange(
            SimpleHandler, generated, plan=plan(response_starting=starting)
        )

        assert answer.body == b"hel"

    def test_the_hooks_argument_is_the_handler(self, exchange, plan):
        seen = []

        def finished(handler):
            seen.append(handler)

        answer = exchange(SimpleHandler, listed, plan=plan(request_finished=finished))

        assert seen == [answer.handler]


def printed(self, exc_info):
    self.get_stderr().write(exc_info[0].__name__)


DJANGO = """
import http.client, sys, threading
sys.path.insert(0, {root!r})
import handlerkit.handlers, wsgiref.handlers
if {swapped}:
    for name in wsgiref.handlers.__all__:
        setattr(wsgiref.handlers, name, getattr(handlerkit.handlers, name))
from django.conf import settings
settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__",
                   SECRET_KEY="x",
                   MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
                   LOGGING_CONFIG=None)
import django
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers import basehttp
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path
import io

ours = issubclass(basehttp.ServerHandler, handlerkit.handlers.SimpleHandler)
assert ours is {swapped}

def echo(request):
    return HttpResponse(request.body[::-1], content_type="text/plain")
def stream(request):
    return StreamingHttpResponse(iter([b"one ", b"two ", b"three"]))
def late(request):
    def body():
        yield b"part"
        raise ValueError("late")
    return StreamingHttpResponse(body())
def file(request):
    return FileResponse(io.BytesIO(b"x" * 100000))
def empty(request):
    return HttpResponse(status=204)
urlpatterns = [path("", echo), path("stream", stream), path("file", file),
               path("late", late), path("empty", empty)]
django.setup()

class Quiet(basehttp.WSGIRequestHandler):
    def log_message(self, *args):
        pass

class Threaded(basehttp.ThreadedWSGIServer):
    daemon_threads = True

server = Threaded(("127.0.0.1", 0), Quiet)
server.set_app(WSGIHandler())
threading.Thread(target=server.serve_forever, daemon=True).start()
connection = http.client.HTTPConnection(*server.server_address, timeout=20)

def ask(method, target, body=None):
    connection.request(method, target, body)
    answer = connection.getresponse()
    print(method, target, answer.status, answer.getheader("Content-Length"),
          answer.getheader("Connection"), ascii(answer.read()[:20].decode()))

ask("GET", "/")
ask("POST", "/", b"abc")
ask("HEAD", "/")
ask("HEAD", "/stream")
ask("GET", "/stream")
ask("GET", "/file")
ask("GET", "/empty")
ask("POST", "/missing", b"unread")
ask("GET", "/")
connection.close()
try:
    ask("GET", "/late")
except http.client.IncompleteRead as exc:
    print("incomplete", exc.partial.decode())
server.shutdown()
"""


def django(swapped):
    """Give what clients of runserver's server see, with or without our base."""
    program = DJANGO.format(root=str(ROOT), swapped=swapped)
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_djangos_development_server_runs_with_its_handlers_base_swapped():
    pytest.importorskip("django")
    old, new = django(swapped=False), django(swapped=True)

    same = [
        "GET / 200 0 None ''",
        "POST / 200 3 None 'cba'",
        "HEAD / 200 None None ''",
        "HEAD /stream 200 None None ''",
        "GET /stream 200 None close 'one two three'",
        "GET /file 200 100000 None 'xxxxxxxxxxxxxxxxxxxx'",
        "POST /missing 404 179 None '\\n<!doctype html>\\n<ht'",
        "GET / 200 0 None ''",
    ]
    d6 = ["GET /empty 204 0 None ''", "GET /empty 204 None close ''"]
    d17 = ["GET /late 200 None close 'part'", "incomplete part"]

    assert old.stdout.splitlines() == [*same[:6], d6[0], *same[6:], d17[0]], old.stderr
    assert new.stdout.splitlines() == [*same[:6], d6[1], *same[6:], d17[1]], new.stderr
