"""HostedHandler inside a strict WSGI server: rule by rule of what it may ask of one."""

import io
import sys
from wsgiref.validate import validator

import pytest

from handlerkit.errors import ClientDisconnected, ResponseAborted
from handlerkit.handlers import HostedHandler

TEXT = [("Content-Type", "text/plain")]
PAGE = b"A server error occurred.  Please contact the administrator."


def lazy(environ, start_response):
    yield b""
    start_response("200 OK", TEXT[:])
    yield b""
    yield b"hello"
    yield b" world"


def listed(environ, start_response):
    start_response("200 OK", TEXT[:])
    return [b"hello"]


def writing(environ, start_response):
    write = start_response("200 OK", TEXT[:])
    write(b"hello")
    write(b" ")
    return [b"world"]


def failing(environ, start_response):
    raise ValueError("the app")


class TestStart:
    """The outer start_response is called once, late, and without exc_info."""

    def test_once_the_first_block_is_known(self, host, hosted_environ):
        started = []

        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            started.append(len(server.started))
            yield b""
            started.append(len(server.started))
            yield b"hello"

        server = host()
        server.serve(HostedHandler.hosting(app), hosted_environ())

        assert started == [0, 0]
        assert server.body == b"hello"

    def test_an_app_that_starts_when_it_is_iterated(self, host, hosted_environ):
        served = host().serve(HostedHandler.hosting(lazy), hosted_environ())

        assert served.status == "200 OK"
        assert served.body == b"hello world"

    def test_an_error_before_it_never_shows_the_first_head(self, host, hosted_environ):
        def app(environ, start_response):
            start_response("200 OK", [("X-First", "1")])
            yield b""
            raise ValueError("before the first block")

        served = host().serve(HostedHandler.hosting(app), hosted_environ())

        assert served.status == "500 Internal Server Error"
        assert "x-first" not in served.headers
        assert served.body == PAGE

    def test_exc_info_stays_inside(self, host, hosted_environ):
        def app(environ, start_response):
            start_response("200 OK", [("X-First", "1")])
            try:
                raise ValueError("handled by the app")
            except ValueError:
                start_response("500 Sorry", TEXT[:], sys.exc_info())
            return [b"sorry"]

        served = host().serve(HostedHandler.hosting(app), hosted_environ())

        assert served.status == "500 Sorry"
        assert "x-first" not in served.headers

    def test_a_second_start_is_an_error_page(self, host, hosted_environ):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            start_response("201 Created", TEXT[:])
            return [b"hello"]

        served = host().serve(HostedHandler.hosting(app), hosted_environ())

        assert served.body == PAGE

    def test_pairs_are_tuples_of_str(self, host, hosted_environ):
        def app(environ, start_response):
            start_response("200 OK", [["X", "1"]])
            return [b"hello"]

        served = host().serve(HostedHandler.hosting(app), hosted_environ())

        assert served.raised is None
        assert served.headers["x"] == "1"


class TestWrite:
    """The outer write is used where the app writes, and there is one."""

    def test_written_is_passed_on_at_once(self, host, hosted_environ):
        served = host().serve(HostedHandler.hosting(writing), hosted_environ())

        assert served.written == [b"hello", b" "]
        assert served.sent == [b"world"]

    def test_written_is_kept_where_there_is_no_write(self, host, hosted_environ):
        server = host(has_write=False)
        server.serve(HostedHandler.hosting(writing), hosted_environ())

        assert server.written == []
        assert server.body == b"hello world"

    def test_what_is_iterated_never_goes_through_write(self, host, hosted_environ):
        for app in (lazy, listed):
            assert (
                not host().serve(HostedHandler.hosting(app), hosted_environ()).written
            )

    @pytest.mark.parametrize("error", [BrokenPipeError("gone"), LookupError("gone")])
    def test_a_write_that_fails_is_the_servers_affair(
        self, host, hosted_environ, error
    ):
        environ = hosted_environ()
        server = host(refuses=error)
        server.serve(HostedHandler.hosting(writing), environ)

        assert server.raised is error
        assert environ["wsgi.errors"].getvalue() == ""


class TestResult:
    """A list where the body is known, else an iterator with close."""

    @pytest.mark.parametrize("app", [listed, failing, writing])
    def test_a_list(self, host, hosted_environ, app):
        assert host().serve(HostedHandler.hosting(app), hosted_environ()).kind is list

    def test_an_iterator_with_close(self, hosted_environ, host):
        result = HostedHandler.hosting(lazy)(hosted_environ(), host().start_response)

        assert iter(result) is result
        result.close()

    def test_blocks_stay_blocks_as_they_come(self, host, hosted_environ):
        made = []

        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            for block in (b"a", b"b", b"c"):
                made.append(block)
                yield block

        server = host()
        result = HostedHandler.hosting(app)(hosted_environ(), server.start_response)

        assert made == [b"a"]
        assert next(result) == b"a"
        assert made == [b"a"]
        assert next(result) == b"b"
        assert made == [b"a", b"b"]
        result.close()

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_the_apps_iterable_is_closed_once(self, host, hosted_environ, method):
        class Body:
            closed = 0

            def __iter__(self):
                return iter([b"a", b"b"])

            def close(self):
                self.closed += 1

        body = Body()

        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            return body

        environ = hosted_environ(REQUEST_METHOD=method)
        host().serve(HostedHandler.hosting(app), environ)

        assert body.closed == 1


class TestEnd:
    """After the head, an error is raised; what the server leaves is a disconnect."""

    @pytest.fixture
    def hooked(self, plan):
        class Hooked(HostedHandler):
            pass

        Hooked.outcomes = []

        def note(outcome):
            Hooked.outcomes.append(outcome)

        Hooked.plan = plan(request_finished=note)
        return Hooked

    @staticmethod
    def kinds(hooked):
        return [outcome.kind for outcome in hooked.outcomes]

    def test_an_error_breaks_off(self, host, hosted_environ, hooked):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            yield b"part"
            raise ValueError("late")

        environ = hosted_environ()
        served = host().serve(hooked.hosting(app), environ)

        assert served.body == b"part"
        assert isinstance(served.raised, ResponseAborted)
        assert "late" not in str(served.raised)
        assert self.kinds(hooked) == ["aborted"]

    def test_an_error_in_a_list_breaks_off(self, host, hosted_environ, hooked):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            return [b"part", "text"]

        served = host().serve(hooked.hosting(app), hosted_environ())

        assert served.body == b"part"
        assert isinstance(served.raised, ResponseAborted)
        assert self.kinds(hooked) == ["aborted"]

    def test_an_interrupt_passes(self, host, hosted_environ, hooked):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            yield b"part"
            raise KeyboardInterrupt

        served = host().serve(hooked.hosting(app), hosted_environ())

        assert isinstance(served.raised, KeyboardInterrupt)
        assert self.kinds(hooked) == ["aborted"]

    def test_system_exit_breaks_off_like_an_error(self, host, hosted_environ, hooked):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            yield b"part"
            raise SystemExit(3)

        served = host().serve(hooked.hosting(app), hosted_environ())

        assert isinstance(served.raised, ResponseAborted)
        assert self.kinds(hooked) == ["aborted"]

    def test_a_server_that_asks_no_further(self, host, hosted_environ, hooked):
        served = host()
        served.serve(hooked.hosting(lazy), hosted_environ(), stop_after=1)

        assert self.kinds(hooked) == ["disconnected"]

    def test_what_a_server_did_not_take_was_not_sent(
        self, host, hosted_environ, hooked
    ):
        application = hooked.hosting(lazy)
        application(hosted_environ(), host().start_response).close()
        served = host()
        served.serve(application, hosted_environ(), stop_after=1)

        assert [each.bytes_sent for each in hooked.outcomes] == [0, len(served.body)]
        assert served.body

    def test_a_server_that_counts_may_stop_at_the_length(
        self, host, hosted_environ, hooked
    ):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "5")])
            yield b"hello"

        host().serve(hooked.hosting(app), hosted_environ(), stop_after=1)

        assert self.kinds(hooked) == ["ok"]

    @pytest.mark.parametrize("stop_after", [None, 1])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_in_a_hook_at_the_end_passes(
        self, host, hosted_environ, plan, error, stop_after
    ):
        def finished():
            raise error

        class Hooked(HostedHandler):
            pass

        Hooked.plan = plan(request_finished=finished)
        server = host()
        passed = None
        try:
            server.serve(Hooked.hosting(lazy), hosted_environ(), stop_after)
        except BaseException as exc:  # out of close()
            passed = exc

        if error is SystemExit:
            assert (passed, server.raised) == (None, None)
        else:
            assert isinstance(passed or server.raised, error)

    def test_a_whole_answer(self, host, hosted_environ, hooked):
        for app in (listed, lazy, writing):
            host().serve(hooked.hosting(app), hosted_environ())

        assert self.kinds(hooked) == ["ok"] * 3
        assert [outcome.bytes_sent for outcome in hooked.outcomes] == [5, 11, 11]
        assert all(outcome.first_byte is not None for outcome in hooked.outcomes)

    def test_a_body_of_the_request_that_breaks_off(self, host, hosted_environ, hooked):
        def app(environ, start_response):
            environ["wsgi.input"].read()
            start_response("200 OK", TEXT[:])
            return [b"hello"]

        environ = hosted_environ(b"half", CONTENT_LENGTH="50")
        served = host().serve(hooked.hosting(app), environ)

        assert isinstance(served.raised, ClientDisconnected)
        assert self.kinds(hooked) == ["disconnected"]

    def test_a_streamed_error_page(self, host, hosted_environ, plan):
        def page(start_response):
            start_response("503 Busy", TEXT[:])
            yield b"one "
            yield b"two"

        class Hooked(HostedHandler):
            pass

        outcomes = []
        Hooked.plan = plan(
            error_output=page,
            request_finished=lambda outcome: outcomes.append(outcome.kind),
        )
        served = host().serve(Hooked.hosting(failing), hosted_environ())

        assert (served.status, served.body) == ("503 Busy", b"one two")
        assert outcomes == ["error"]


class OnlyRead:
    """A wsgi.input as the poorest server's."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, size, /):
        assert size >= 0
        return self._data.read(size)


class TestInput:
    """wsgi.input is wrapped; of the server's only read(n) is used."""

    READS = (
        *("read", "readlines", "__iter__"),
        *(("read", 3), ("readline",), ("readline", 1), ("readlines", 2)),
    )

    @pytest.mark.parametrize("variables", [{"CONTENT_LENGTH": "5"}, {}], ids=range(2))
    @pytest.mark.parametrize("read", READS, ids=range(7))
    def test_only_read_is_used(self, host, hosted_environ, read, variables):
        name, *arguments = (read,) if isinstance(read, str) else read

        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            assert environ["wsgi.input_terminated"] is True
            found = getattr(environ["wsgi.input"], name)(*arguments)
            return [found if isinstance(found, bytes) else b"".join(found)]

        environ = hosted_environ(**variables)
        environ["wsgi.input"] = OnlyRead(b"ab\ncd")
        if not variables:
            environ["wsgi.input_terminated"] = True
        served = host().serve(HostedHandler.hosting(app), environ)

        found = getattr(io.BytesIO(b"ab\ncd"), name)(*arguments)
        assert served.body == (found if isinstance(found, bytes) else b"".join(found))

    def test_a_terminated_stream_is_bounded_all_the_same(self, host, hosted_environ):
        def app(environ, start_response):
            start_response("200 OK", TEXT[:])
            return [environ["wsgi.input"].read()]

        environ = hosted_environ(b"bodyNEXT", CONTENT_LENGTH="4")
        environ["wsgi.input_terminated"] = True

        assert host().serve(HostedHandler.hosting(app), environ).body == b"body"


class TestEnviron:
    """The server's word stands, unless the config or a hook says otherwise."""

    def seen(self, host, environ, kind=HostedHandler):
        found = {}

        def app(environ, start_response):
            found.update(environ)
            return listed(environ, start_response)

        host().serve(kind.hosting(app), environ)
        return found

    def test_scheme_and_flags_are_the_servers(self, host, hosted_environ):
        flags = {
            "wsgi.url_scheme": "https",
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": True,
        }
        found = self.seen(host, hosted_environ(**flags))

        assert {name: found[name] for name in flags} == flags

    def test_unless_they_are_set(self, host, hosted_environ):
        class Set(HostedHandler):
            wsgi_multithread = False
            wsgi_multiprocess = True
            wsgi_run_once = True
            wsgi_file_wrapper = None

        environ = hosted_environ(**{"wsgi.file_wrapper": list})
        found = self.seen(host, environ, Set)

        assert found["wsgi.multithread"] is False
        assert found["wsgi.multiprocess"] is True
        assert found["wsgi.run_once"] is True
        assert "wsgi.file_wrapper" not in found

    def test_or_a_hook_answers(self, host, hosted_environ, plan):
        class Hooked(HostedHandler):
            pass

        Hooked.plan = plan(get_scheme=lambda environ: "https")

        assert self.seen(host, hosted_environ(), Hooked)["wsgi.url_scheme"] == "https"

    def test_a_status_of_response_starting_goes_nowhere(
        self, host, hosted_environ, plan
    ):
        class Hooked(HostedHandler):
            pass

        Hooked.plan = plan(
            response_starting=lambda headers: headers.append(("Status", "404 No"))
        )
        served = host().serve(Hooked.hosting(listed), hosted_environ())

        assert served.status == "200 OK"
        assert "status" not in served.headers

    def test_the_servers_environ_is_left_alone(self, host, hosted_environ):
        environ = hosted_environ(HTTP_PROXY="evil", CONTENT_LENGTH="")
        before = dict(environ)
        self.seen(host, environ)

        assert environ == before

    def test_a_server_that_leaves_out_the_protocol(self, host, hosted_environ):
        found = self.seen(host, hosted_environ(SERVER_PROTOCOL=None))

        assert found["SERVER_PROTOCOL"] == "HTTP/1.0"

    def test_each_exchange_is_stripped_of_what_it_has_itself(
        self, host, hosted_environ, monkeypatch
    ):
        """Whatever the server gave in the exchanges before."""
        for name in ("ONE", "TWO"):
            monkeypatch.setenv(name, "secret")
        kind = type("Fresh", (HostedHandler,), {})
        given = [
            {"ONE": one, "TWO": two}
            for one in ("secret", "own", None)
            for two in (None, "own", "secret")
        ]
        for variables in [*given, *reversed(given)]:
            found = self.seen(host, hosted_environ(**variables), kind)

            assert [found.get(name) for name in variables] == [
                value if value == "own" else None for value in variables.values()
            ]

    def test_one_class_does_not_strip_for_another(
        self, host, hosted_environ, monkeypatch
    ):
        """A subclass that wants a variable of the process gets it."""
        monkeypatch.setenv("WANTED", "1")
        self.seen(host, hosted_environ(), HostedHandler)
        wanting = type("Wanting", (HostedHandler,), {"os_environ": {"WANTED": "1"}})

        assert self.seen(host, hosted_environ(WANTED="1"), wanting)["WANTED"] == "1"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("app", [listed, lazy, writing, failing])
def test_the_validator_finds_nothing_on_either_side(host, hosted_environ, app, method):
    environ = hosted_environ(b"body", REQUEST_METHOD=method, CONTENT_LENGTH="4")
    inside = app if app in (failing, lazy) else validator(app)
    outside = validator(HostedHandler.hosting(inside))
    served = host().serve(outside, environ)

    assert served.raised is None
    assert served.status == (
        "500 Internal Server Error" if app is failing else "200 OK"
    )
    assert (served.body == b"") is (method == "HEAD")
