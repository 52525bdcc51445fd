"""The straight way of a handler gives the same answer as the step-by-step way."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlerkit.handlers import BaseCGIHandler, HostedHandler, SimpleHandler
from handlerkit.plan import HOOKS, Impl, compile_plan

DATE = ("Date", "Sat, 21 Nov 2026 09:00:00 GMT")


def stepwise(kind):
    """Override one step without changing it: then no step is skipped."""

    class Stepwise(kind):
        def write(self, data):
            super().write(data)

    assert kind._straight
    assert not Stepwise._straight
    return Stepwise


headers = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["X-A", "Server", "Content-Type"]),
            st.sampled_from(["", "a", "caf\xe9", "a\tb", "bad\r\n", "bad\u2603", 5]),
        ),
        st.tuples(
            st.just("Content-Length"), st.sampled_from(["0", "1", "5", "07", "99", "x"])
        ),
        st.just(("Connection", "close")),
        st.just((b"X", "bytes")),
    ),
    max_size=3,
)
blocks = st.sampled_from([b"hello", b"", b"a", b"x" * 70000, "text", None])
apps = st.fixed_dictionaries(
    {
        "status": st.sampled_from(
            ["200 OK", "204 No Content", "304 Not", "404 Caf\xe9", "100 Go", "20", "x"]
        ),
        "headers": headers,
        "blocks": st.one_of(
            st.tuples(blocks).map(list),  # what the straight way is for
            st.lists(blocks, max_size=3),
        ),
        "shape": st.sampled_from(
            [
                "list",
                "list",
                "tuple",
                "iterator",
                "write",
                "write first",
                "raise",
                "silent",
            ]
        ),
    }
)
requests = st.fixed_dictionaries(
    {
        "REQUEST_METHOD": st.sampled_from(["GET", "HEAD", "POST"]),
        "SERVER_PROTOCOL": st.sampled_from(
            ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "http/0.9", "HTTP/2.0", "HTTP/3"]
        ),
        "CONTENT_LENGTH": st.sampled_from(["", "0", "3", "50", "x"]),
    },
    optional={"HTTPS": st.just("on"), "HTTP_PROXY": st.just("evil")},
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "http_version": st.sampled_from(["1.0", "1.1"]),
        "keep_alive": st.booleans(),
        "server_software": st.sampled_from(["testing/1", "bad\n"]),
        "wsgi_file_wrapper": st.none(),
        "wsgi_multithread": st.booleans(),
    },
)
# What each hook does: note the call, or that and a change, or that and a failure.
hooks = st.dictionaries(
    st.sampled_from(sorted({*HOOKS} - {"get_stderr"})),
    st.sampled_from(["note", "change", "raise"]),
)


def make_app(trial, seen):
    def app(environ, start_response):
        seen.update({k: v for k, v in environ.items() if isinstance(v, (str, bool))})
        seen["input"] = environ["wsgi.input"].read(3)
        blocks = list(trial["blocks"])
        if trial["shape"] == "silent":
            return blocks
        write = start_response(trial["status"], [DATE, *trial["headers"]])
        if trial["shape"] == "raise":
            raise ValueError("the app")
        if trial["shape"].startswith("write") and blocks:
            write(blocks.pop(0))
        if trial["shape"] == "write":
            for block in blocks:
                write(block)
            return []
        if trial["shape"] == "tuple":
            return tuple(blocks)
        return iter(blocks) if trial["shape"] == "iterator" else blocks

    return app


def make_plan(wanted, calls):
    def make(hook, doing):
        def function(*args):
            details = [each for each in args if isinstance(each, (str, list))]
            if hook == "request_finished":
                outcome = args[1]
                details = [outcome.kind, outcome.status, outcome.bytes_sent]
                details.append(outcome.first_byte is None)
            calls.append((hook, repr(details), args[0].bytes_sent))
            if doing == "raise":
                raise LookupError(hook)
            return change(hook, args) if doing == "change" else None

        return Impl(hook, "plugin", function, HOOKS[hook].arguments)

    return compile_plan(make(*each) for each in wanted.items())


def change(hook, args):
    if hook in ("add_cgi_vars", "setup_environ"):
        args[1]["ADDED"] = hook
    elif hook == "get_scheme":
        return "https"
    elif hook == "response_starting":
        args[2][:] = [pair for pair in args[2] if pair[0] != "X-A"] + [("X-New", "1")]
    elif hook == "error_output":
        args[2]("503 Busy", [DATE, ("Content-Type", "text/plain")])
        return [b"busy"]
    elif hook == "get_stdin":
        return io.BytesIO(b"of the hook")
    return None


def undated(data):
    """Take the Date of an error page out."""
    lines = data.split(b"\r\n")
    return [line for line in lines if not line.startswith(b"Date: ")]


@pytest.mark.parametrize("kind", [SimpleHandler, BaseCGIHandler])
@settings(max_examples=250, deadline=None)
@given(trial=apps, request=requests, changed=attributes, wanted=hooks)
def test_streams_get_the_same_either_way(kind, trial, request, changed, wanted):
    found = []
    for way in (kind, stepwise(kind)):
        calls, seen, out, errors = [], {}, io.BytesIO(), io.StringIO()
        handler = way(io.BytesIO(b"request body"), out, errors, dict(request))
        handler.os_environ = {"PROCESS": "1"}
        handler.plan = make_plan(wanted, calls)
        for name, value in changed.items():
            setattr(handler, name, value)
        handler.run(make_app(trial, seen))
        found.append(
            {
                "sent": undated(out.getvalue()),
                "environ": seen,
                "hooks": calls,
                "ended": handler.ended,
                "keep_alive": handler.keep_alive,
                "errors": [e for e in errors.getvalue().splitlines() if e[:1] != " "],
            }
        )

    assert found[0] == found[1]


def outer(app, environ):
    """Serve as a server does; give all that it was given."""
    given = []

    def start_response(status, headers, exc_info=None):
        given.append((status, headers, exc_info))
        return given.append

    try:
        result = app(environ, start_response)
        given.extend(result)
        if hasattr(result, "close"):
            result.close()
    except Exception as exc:
        given.append(type(exc))
    return given


@settings(max_examples=250, deadline=None)
@given(trial=apps, request=requests, changed=attributes, wanted=hooks)
def test_a_server_gets_the_same_either_way(trial, request, changed, wanted):
    found = []
    for way in (HostedHandler, stepwise(HostedHandler)):
        calls, seen, handlers = [], {}, []
        environ = {
            **request,
            "wsgi.input": io.BytesIO(b"request body"),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

        def application(
            environ, start_response, way=way, seen=seen, calls=calls, handlers=handlers
        ):
            handler = way(environ, start_response)
            handler.plan = make_plan(wanted, calls)
            for name, value in changed.items():
                setattr(handler, name, value)
            handlers.append(handler)
            return handler.run(make_app(trial, seen))

        sent = outer(application, environ)
        errors = environ["wsgi.errors"].getvalue().splitlines()
        found.append(
            {
                "sent": [each for each in sent if each != b""],
                "environ": seen,
                "hooks": calls,
                "ended": handlers[0].ended,
                "errors": [line for line in errors if line[:1] != " "],
            }
        )

    assert found[0] == found[1]
