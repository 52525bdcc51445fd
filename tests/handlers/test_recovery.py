"""Whatever fails: an answer or a visible abort, one outcome, nothing kept."""

import gc
import io
import sys
import weakref
from contextlib import suppress
from traceback import print_exception
from wsgiref.headers import Headers

import pytest

from handlerkit.errors import RequestError
from handlerkit.handlers import BaseCGIHandler, HostedHandler, SimpleHandler
from handlerkit.plan import HOOKS, Impl, compile_plan

PAGE = b"A server error occurred.  Please contact the administrator."


class Body:
    """An iterable that counts its closes."""

    def __init__(self, *blocks, fails=None):
        self.blocks = blocks
        self.fails = fails
        self.closed = 0

    def __iter__(self):
        yield from self.blocks
        if self.fails is not None:
            raise self.fails

    def close(self):
        self.closed += 1


def answering(body, *headers):
    def app(environ, start_response):
        start_response("200 OK", list(headers))
        return body

    return app


def failing(environ, start_response):
    raise ValueError("the app")


def in_turn(*apps):
    left = list(apps)

    def app(environ, start_response):
        return left.pop(0)(environ, start_response)

    return app


class Pipe(io.BytesIO):
    """A stream to the client that breaks at its nth write."""

    def __init__(self, breaks_at, error):
        super().__init__()
        self.breaks_at = breaks_at
        self.error = error

    def write(self, data):
        if not self.breaks_at:
            raise self.error
        self.breaks_at -= 1
        return super().write(data)


GONE = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


def log(handler, exc_info):
    print_exception(*exc_info, file=handler.get_stderr())


@pytest.fixture
def watch(exchange, plan):
    """Run an exchange whose outcomes are noted; give the answer and the outcomes."""

    def watch(kind, app, **arguments):
        outcomes = []
        hooks = arguments.pop("hooks", {})

        def note(outcome):
            outcomes.append(outcome)

        hooks = {"log_exception": log, "request_finished": note, **hooks}
        arguments["plan"] = plan(**hooks)
        return exchange(kind, app, **arguments), outcomes

    return watch


class TestOutcome:
    """request_finished is called once, with the right kind, the result closed once."""

    def check(self, watched, body, kind, raised=None):
        answer, outcomes = watched

        assert [outcome.kind for outcome in outcomes] == [kind]
        assert answer.handler.ended == kind
        assert (answer.raised and type(answer.raised)) is raised
        assert body.closed == 1
        return answer, outcomes[0]

    def test_ok(self, watch):
        body = Body(b"a", b"bc")
        _, outcome = self.check(watch(SimpleHandler, answering(body)), body, "ok")

        assert (outcome.status, outcome.bytes_sent) == ("200 OK", 3)
        assert 0 <= outcome.first_byte <= outcome.duration

    def test_error_before_the_head(self, watch):
        body = Body(fails=ValueError())
        watched = watch(SimpleHandler, answering(body))
        answer, outcome = self.check(watched, body, "error")

        assert answer.body == PAGE
        assert outcome.status == "500 Internal Server Error"

    def test_error_after_the_head(self, watch):
        body = Body(b"part", fails=ValueError())
        watched = watch(SimpleHandler, answering(body))
        _, outcome = self.check(watched, body, "aborted")

        assert (outcome.status, outcome.bytes_sent) == ("200 OK", 4)

    def test_interrupt_after_the_head(self, watch):
        body = Body(b"part", fails=KeyboardInterrupt())
        watched = watch(SimpleHandler, answering(body))

        self.check(watched, body, "aborted", KeyboardInterrupt)

    @pytest.mark.parametrize("error", GONE)
    @pytest.mark.parametrize("breaks_at", [0, 1])
    def test_client_gone(self, watch, error, breaks_at):
        body = Body(b"a", b"b")
        stdout = Pipe(breaks_at, error())
        watched = watch(SimpleHandler, answering(body), stdout=stdout)
        answer, _ = self.check(watched, body, "disconnected")

        assert answer.errors == ""

    @pytest.mark.parametrize("error", GONE)
    def test_client_gone_before_one_block(self, watch, error):
        app = answering([b"hello"])
        answer, outcomes = watch(SimpleHandler, app, stdout=Pipe(0, error()))

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]
        assert answer.errors == ""

    def test_client_gone_while_the_page_is_sent(self, watch):
        stdout = Pipe(0, BrokenPipeError())
        answer, outcomes = watch(SimpleHandler, failing, stdout=stdout)

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]
        assert "the app" in answer.errors

    def test_another_error_of_the_stream_is_reported(self, watch):
        body = Body(b"a", b"b")
        stdout = Pipe(1, ValueError("closed file"))
        watched = watch(SimpleHandler, answering(body), stdout=stdout)
        answer, _ = self.check(watched, body, "aborted")

        assert "closed file" in answer.errors

    def test_an_app_that_goes_on_after_its_write_failed(self, watch):
        def app(environ, start_response):
            write = start_response("200 OK", [])
            try:
                write(b"a")
            except OSError:
                return []

        _answer, outcomes = watch(SimpleHandler, app, stdout=Pipe(0, BrokenPipeError()))

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]


# How a plugin, or an override, may fail.
FAILURES = (ValueError, ConnectionResetError, KeyboardInterrupt, SystemExit)


def raising(error):
    def fails(*args):
        raise error("in the plugin")

    return fails


def page(*blocks, starts=True, fails=None):
    def hook(start_response):
        if starts:
            start_response("503 Busy", [])
        return Body(*blocks, fails=fails)

    return hook


class TestHooks:
    """A hook that raises anything, in any place, costs nobody the answer."""

    @pytest.mark.parametrize("app", [answering([b"hello"]), failing], ids=range(2))
    @pytest.mark.parametrize("error", FAILURES)
    @pytest.mark.parametrize("hook", HOOKS)
    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_each(self, watch, kind, hook, error, app):
        answer, outcomes = watch(kind, app, hooks=self.hooks(hook, error))

        self.check(hook, answer.body, app)
        assert [outcome.kind for outcome in outcomes] == [answer.handler.ended]
        assert answer.handler.ended in ("ok", "error")
        if answer.raised is not None:
            assert type(answer.raised) is error
            assert not issubclass(error, Exception)

    @staticmethod
    def hooks(hook, error):
        if hook == "request_finished":  # the fixture's own is called all the same
            return {}
        return {hook: raising(error)}

    @staticmethod
    def check(hook, body, app):
        fails = HOOKS[hook].kind == "enrich" or hook in ("get_stdin", "get_stderr")
        fails |= hook == "get_scheme" or app is failing
        assert body == (PAGE if fails else b"hello")

    @pytest.mark.parametrize("error", [ValueError, SystemExit])
    @pytest.mark.parametrize("hook", HOOKS)
    def test_each_hosted(self, host, hosted_environ, plan, hook, error):
        class Hooked(HostedHandler):
            pass

        hooks = {hook: raising(error)}
        Hooked.plan = plan(**hooks)
        for app in (answering([b"hello"]), failing):
            served = host().serve(Hooked.hosting(app), hosted_environ())

            self.check(hook, served.body, app)
            assert served.raised is None

    @pytest.mark.parametrize("error", FAILURES)
    def test_request_finished(self, exchange, plan, error):
        called = []

        def fails():
            called.append(1)
            raise error("in the plugin")

        later = [fails, lambda outcome: called.append(outcome.kind)]
        answer = exchange(
            SimpleHandler, answering([b"hello"]), plan=plan(request_finished=later)
        )

        assert answer.body == b"hello"
        assert called == [1, "ok"]
        assert "in the plugin" in answer.errors

    def test_every_reporter_is_asked(self, exchange, plan):
        asked = []
        reporters = [raising(ValueError), lambda exc_info: asked.append(exc_info[0])]
        answer = exchange(SimpleHandler, failing, plan=plan(log_exception=reporters))

        assert answer.body == PAGE
        assert asked == [ValueError]

    @pytest.mark.parametrize("error", FAILURES)
    def test_a_maker_of_reports_that_fails_stops_no_reporter(
        self, exchange, plan, error
    ):
        asked = []
        hooks = plan(log_exception=lambda exc_info, report: asked.append(report))
        answer = exchange(
            SimpleHandler, failing, plan=hooks, make_report=raising(error)
        )

        assert answer.body == PAGE
        assert asked == [None]

    def test_an_error_page_that_failed_is_undone_before_the_next(self, exchange, plan):
        def first(start_response):
            start_response("503 Busy", [("X-First", "1")])
            raise ValueError("the first page")

        def second(start_response):
            start_response("502 Bad", [])
            return [b"second"]

        answer = exchange(
            SimpleHandler, failing, plan=plan(error_output=[first, second])
        )

        assert (answer.status, answer.body) == ("502 Bad", b"second")
        assert "x-first" not in answer.headers

    @pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
    def test_a_lazy_page_that_failed_is_undone_before_the_next(
        self, exchange, plan, kind
    ):
        def hook(start_response):
            start_response("503 Busy", [("X-First", "1")])
            if start_response:
                raise ValueError("the page")
            yield b""

        answer = exchange(
            kind,
            failing,
            plan=plan(error_output=hook),
            error_status="502 Bad",
            error_body=b"configured",
        )

        assert (answer.status, answer.body) == ("502 Bad", b"configured")
        assert "x-first" not in answer.headers

    @pytest.mark.parametrize(
        "hook",
        [
            pytest.param(page(fails=ValueError("page")), id="fails before its head"),
            pytest.param(page("text"), id="is no bytes"),
            pytest.param(page(b"x", starts=False), id="never started"),
        ],
    )
    def test_a_broken_page_gives_the_last_resort(self, watch, hook):
        hooks = {"error_output": hook}
        answer, outcomes = watch(SimpleHandler, failing, hooks=hooks)

        assert answer.status == "500 Internal Server Error"
        assert answer.body == PAGE
        assert [outcome.kind for outcome in outcomes] == ["error"]

    def test_a_page_that_breaks_off_is_aborted(self, watch):
        hooks = {"error_output": page(b"p", fails=ValueError())}
        answer, outcomes = watch(SimpleHandler, failing, hooks=hooks)

        assert answer.body == b"p"
        assert [outcome.kind for outcome in outcomes] == ["aborted"]


def overriding(step, function, kind=SimpleHandler):
    return type("Overriding", (kind,), {step: function})


class TestOverrides:
    """A step that raises in a subclass costs nobody the answer."""

    @pytest.mark.parametrize("error", FAILURES)
    @pytest.mark.parametrize("step", ["log_exception", "error_output", "get_stderr"])
    def test_while_handling_an_error(self, watch, step, error):
        kind = overriding(step, raising(error))
        answer, outcomes = watch(kind, failing)

        assert answer.body == PAGE
        assert [outcome.kind for outcome in outcomes] == ["error"]

    @pytest.mark.parametrize("error", FAILURES)
    def test_close(self, watch, error):
        def close(self):
            SimpleHandler.close(self)
            raise error("in close")

        answer, outcomes = watch(overriding("close", close), answering([b"hello"]))

        assert answer.body == b"hello"
        assert len(outcomes) == 1
        assert "in close" in answer.errors

    def test_handle_error_that_raises(self, watch):
        kind = overriding("handle_error", raising(LookupError))
        answer, outcomes = watch(kind, failing)

        assert type(answer.raised) is LookupError  # an override's last word
        assert answer.body == PAGE
        assert [outcome.kind for outcome in outcomes] == ["error"]

    def test_handle_error_that_does_nothing(self, watch):
        kind = overriding("handle_error", lambda self: None)
        answer, outcomes = watch(kind, failing)

        assert answer.out == b""
        assert [outcome.kind for outcome in outcomes] == ["aborted"]

    @pytest.mark.parametrize(
        "step",
        [
            *("cleanup_headers", "finish_response", "result_is_file", "send_headers"),
            *("set_content_length", "start_response", "write"),
        ],
    )
    def test_a_step_that_always_raises_is_answered_past_it(self, watch, step):
        kind = overriding(step, raising(LookupError))
        answer, outcomes = watch(kind, answering([b"hello"]))

        assert answer.body == PAGE
        assert [outcome.kind for outcome in outcomes] == ["error"]

    def test_headers_that_the_app_changes_afterwards_stay_as_they_were(self, watch):
        pair = ["X-A", "b"]

        def app(environ, start_response):
            start_response("200 OK", [pair])
            pair[1] = "b\r\nX-Injected: 1"
            return [b"hello"]

        answer, _ = watch(SimpleHandler, app)

        assert b"Injected" not in answer.out

    def test_a_final_1xx_ends_the_connection(self, watch):
        class Kept(SimpleHandler):
            http_version = "1.1"
            keep_alive = True

        def early(environ, start_response):
            start_response("100 Continue", [])
            return []

        answer, _ = watch(Kept, early)

        assert answer.handler.keep_alive is False

    def test_close_before_the_error_still_answers(self, watch, request_environ):
        """Django's handler closes in a finally clause; then the error comes."""

        def finish_response(self):
            assert self.environ["REQUEST_METHOD"]
            try:
                for data in self.result:
                    self.write(data)
            finally:
                self.close()

        kind = overriding("finish_response", finish_response)
        answer, outcomes = watch(kind, answering(Body(fails=ValueError("late"))))

        assert answer.body == PAGE
        assert answer.handler.ended == "error"
        assert len(outcomes) == 1

    def test_an_empty_page_after_a_failed_head_goes_out(self, exchange, plan):
        failures = [ValueError("once")]

        def once():
            if failures:
                raise failures.pop()

        answer = exchange(
            SimpleHandler,
            answering(iter([b"hello"])),
            plan=plan(response_starting=once),
            error_body=b"",
        )

        assert answer.status == "500 Internal Server Error"
        assert answer.body == b""

    @pytest.mark.parametrize("software", ["a\r\nX: evil", "\u2603"])
    def test_a_bad_server_software_is_an_error_page(self, exchange, software):
        answer = exchange(
            SimpleHandler, answering([b"hello"]), server_software=software
        )

        assert answer.body == PAGE
        assert "x" not in answer.headers

    @pytest.mark.parametrize(
        "attribute",
        [
            {"error_status": "no status"},
            {"error_headers": [("Connection", "close")]},
            {"error_headers": None},
            {"error_body": "text"},
        ],
        ids=range(4),
    )
    def test_a_bad_setting_of_the_page_gives_the_last_resort(self, exchange, attribute):
        answer = exchange(SimpleHandler, failing, **attribute)

        assert answer.status == "500 Internal Server Error"
        assert answer.body == PAGE


class TestDoubleFaults:
    """What fails while an error is dealt with is reported, and leaves an answer."""

    @pytest.mark.parametrize(
        "headers", [None, (), (("X", "1"),), {"X": "1"}], ids=range(4)
    )
    def test_headers_that_are_no_list(self, exchange, headers):
        def app(environ, start_response):
            start_response("200 OK", headers)

        answer = exchange(SimpleHandler, app)

        assert answer.body == PAGE
        assert "Headers must be a list of name/value tuples" in answer.errors

    def test_a_status_that_is_no_str(self, exchange):
        def app(environ, start_response):
            start_response(b"200 OK", [])

        answer = exchange(SimpleHandler, app)

        assert answer.body == PAGE
        assert "Status must be of type str (got b'200 OK')" in answer.errors

    def test_an_override_may_convert_a_status(self, exchange):
        def app(environ, start_response):
            start_response(b"201 Made", [])
            return [b"hello"]

        kind = overriding("_convert_string_type", lambda self, value, _: value.decode())

        assert exchange(kind, app).status == "201 Made"

    def test_exc_info_of_nothing(self, exchange):
        def app(environ, start_response):
            start_response("200 OK", [])
            start_response("201 Made", [], sys.exc_info())
            return [b"hello"]

        answer = exchange(SimpleHandler, app)

        assert (answer.status, answer.errors) == ("201 Made", "")

    def test_an_app_that_fails_on_after_its_client_left(self, watch):
        def app(environ, start_response):
            try:
                start_response("200 OK", [])(b"a")
            except BrokenPipeError:
                raise LookupError("then") from None

        answer, outcomes = watch(SimpleHandler, app, stdout=Pipe(0, BrokenPipeError()))

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]
        assert "LookupError: then" in answer.errors

    def test_a_client_that_left_before_an_empty_answer(self, watch):
        stdout = Pipe(0, BrokenPipeError())
        _, outcomes = watch(SimpleHandler, answering([]), stdout=stdout)

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]

    def test_a_client_that_left_before_the_last_resort(self, watch):
        hooks = {"error_output": page("text")}
        stdout = Pipe(0, BrokenPipeError())
        _, outcomes = watch(SimpleHandler, failing, stdout=stdout, hooks=hooks)

        assert [outcome.kind for outcome in outcomes] == ["disconnected"]

    def test_a_close_that_fails_after_a_page_that_broke_off(self, watch):
        kind = overriding("close", raising(LookupError))
        hooks = {"error_output": page(b"p", fails=ValueError("page"))}
        answer, outcomes = watch(kind, failing, hooks=hooks)

        assert answer.body == b"p"
        assert [outcome.kind for outcome in outcomes] == ["aborted"]
        assert "LookupError" in answer.errors
        assert answer.handler.environ is None

    def test_a_close_that_fails_after_the_page(self, watch):
        def close(self):
            SimpleHandler.close(self)
            raise LookupError("in close")

        answer, outcomes = watch(overriding("close", close), failing)

        assert answer.body == PAGE
        assert [outcome.kind for outcome in outcomes] == ["error"]
        assert answer.errors.count("LookupError: in close\n") == 1

    def test_environ_that_cannot_be_had_again(self, exchange):
        class Early(SimpleHandler):
            times = 0

            def add_cgi_vars(self):
                self.times += 1
                if self.times > 1:
                    raise LookupError
                super().add_cgi_vars()

            def setup_environ(self):
                super().setup_environ()
                self.environ = None

        assert exchange(Early, failing).body == PAGE

    def test_handle_error_needs_an_error(self, request_environ):
        handler = SimpleHandler(None, None, None, request_environ())

        with pytest.raises(RuntimeError, match="while handling an exception"):
            handler.handle_error()

    def test_a_wrapper_of_the_page_that_fails(self, exchange):
        def wrapper():
            raise LookupError("before it yields")
            yield

        wrapping = Impl("error_output", "w", wrapper, (), wrapper=True)
        answer = exchange(SimpleHandler, failing, plan=compile_plan([wrapping]))

        assert answer.body == PAGE
        assert "before it yields" in answer.errors

    def test_an_exception_that_cannot_be_shown(self, exchange, plan):
        class Shy(Exception):
            @property
            def __notes__(self):
                raise LookupError

        def log():
            raise Shy

        answer = exchange(SimpleHandler, failing, plan=plan(log_exception=log))

        assert answer.body == PAGE
        assert "Shy" in answer.errors

    def test_a_log_that_is_closed(self, exchange, capfd):
        closed = io.StringIO()
        closed.close()
        answer = exchange(SimpleHandler, failing, get_stderr=lambda: closed)

        assert answer.body == PAGE
        assert "ValueError: the app" in capfd.readouterr().err

    def test_a_headers_class_that_splits_the_head(self, exchange):
        class Splitting(Headers):
            def __bytes__(self):
                return super().__bytes__().replace(b"a-b", b"a\r\nb")

        def app(environ, start_response):
            start_response("200 OK", [("X", "a-b")])
            return [b"hello"]

        answer = exchange(SimpleHandler, app, headers_class=Splitting)

        assert answer.body == PAGE

    def test_a_fatal_exception_that_is_false_passes_on(self, exchange):
        class Empty(BaseException):
            def __len__(self):
                return 0

        answer = exchange(SimpleHandler, raising_app(Empty))

        assert type(answer.raised) is Empty


class TestRequestError:
    """A request that cannot be served gets its own status, and no log."""

    @staticmethod
    def app(environ, start_response):
        raise RequestError("too big", "413 Content Too Large")

    def test_status(self, watch):
        answer, outcomes = watch(SimpleHandler, self.app)

        assert answer.status == "413 Content Too Large"
        assert answer.errors == ""
        assert [outcome.kind for outcome in outcomes] == ["error"]

    def test_a_handler_used_again_has_its_own_status_again(self, exchange):
        app = in_turn(self.app, failing)
        answer = exchange(SimpleHandler, app, times=2, error_status="503 Ours")

        assert answer.out.count(b"413 Content Too Large") == 1
        assert answer.out.count(b"503 Ours") == 1


@pytest.mark.parametrize("first", [failing, answering(Body(b"a", fails=ValueError()))])
def test_a_handler_may_be_used_again_after_an_error(exchange, first):
    app = in_turn(first, answering([b"hello"]))
    answer = exchange(SimpleHandler, app, times=2)

    assert answer.out.endswith(b"hello")
    assert answer.handler.ended == "ok"


class Watched(Exception):
    """An exception that can be watched going away."""


class Fatal(BaseException):
    """Likewise, but no Exception."""


def handing_over(kind):
    def app(environ, start_response):
        start_response("200 OK", [])(b"part")
        try:
            raise kind("late")
        except kind:
            start_response("500 Sorry", [], sys.exc_info())

    return app


def raising_app(kind):
    def app(environ, start_response):
        raise kind("app")

    return app


def raising_late(kind):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"part"
        raise kind("late")

    return app


class TestNothingIsKept:
    """After the exchange no reference to the exception, or its frames, is left."""

    APPS = (raising_app, raising_late, handing_over)

    @pytest.fixture(autouse=True)
    def no_collector(self):
        gc.collect()
        gc.disable()
        yield
        gc.enable()

    @staticmethod
    def make_report(*args):
        from handlerkit.reports.plain import make_report

        return make_report(*args)

    @pytest.mark.parametrize("kind", [Watched, Fatal])
    @pytest.mark.parametrize("app", APPS)
    def test_by_a_handler(self, app, kind, request_environ, plan):
        seen = []

        def note(exc_info):
            seen.append(weakref.ref(exc_info[1]))

        handler = SimpleHandler(
            io.BytesIO(), io.BytesIO(), io.StringIO(), request_environ()
        )
        handler.plan = plan(log_exception=note)
        handler.make_report = self.make_report
        with suppress(Fatal):
            handler.run(app(kind))

        assert [ref() for ref in seen] == [None]

    def test_by_a_hosted_handler(self, host, hosted_environ, plan):
        seen = []

        class Hooked(HostedHandler):
            pass

        Hooked.plan = plan(
            log_exception=lambda exc_info: seen.append(weakref.ref(exc_info[1]))
        )
        for app in self.APPS:
            served = host().serve(Hooked.hosting(app(Watched)), hosted_environ())
            served.raised = None

        assert [ref() for ref in seen] == [None, None, None]
