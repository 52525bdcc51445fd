"""One exchange with a handler, of ours or of the standard library, and its answer."""

import io

import pytest

from handlerkit.plan import Impl, compile_plan

REQUEST = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "testing",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.0",
}


class Answer:
    """What came out of one exchange."""

    def __init__(self, out, errors, handler, raised):
        self.out = out
        self.errors = errors
        self.handler = handler
        self.raised = raised
        head, _, self.body = out.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = first.partition(" ")[2]
        pairs = [line.partition(": ")[::2] for line in lines]
        self.headers = {name.lower(): value for name, value in pairs}
        self.names = [name.lower() for name, _ in pairs]


@pytest.fixture
def request_environ():
    def make(**changes):
        environ = {**REQUEST, **changes}
        return {name: value for name, value in environ.items() if value is not None}

    return make


@pytest.fixture
def exchange(request_environ):
    """Run an app in a handler over streams; what run() raises is in the answer."""

    def run(kind, app, body=b"", *, environ=None, stdout=None, times=1, **attributes):
        out = io.BytesIO() if stdout is None else stdout
        errors = io.StringIO()
        made = kind(
            io.BytesIO(body),
            out,
            errors,
            environ if environ is not None else request_environ(),
        )
        for name, value in attributes.items():
            setattr(made, name, value)
        raised = None
        for _ in range(times):
            try:
                made.run(app)
            except BaseException as exc:
                raised = exc
        sent = out.getvalue() if hasattr(out, "getvalue") else b""
        return Answer(sent, errors.getvalue(), made, raised)

    return run


@pytest.fixture
def plan():
    """Make a plan of hooks: ``plan(log_exception=function, …)``; names as arguments."""

    def make(**hooks):
        return compile_plan(
            Impl(hook, "a plugin", function, _arguments(function))
            for hook, functions in hooks.items()
            for function in (functions if isinstance(functions, list) else [functions])
        )

    return make


def _arguments(function):
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


class Host:
    """A small WSGI server that insists on what servers may insist on."""

    def __init__(self, *, has_write=True, refuses=None):
        self.started = []
        self.written = []
        self.sent = []
        self.has_write = has_write
        self.refuses = refuses
        self.raised = None
        self.iterated = False

    def start_response(self, status, headers, exc_info=None):
        assert not self.started, "start_response called twice"
        assert exc_info is None, "exc_info passed outward"
        assert type(status) is str
        assert type(headers) is list
        assert all(type(pair) is tuple for pair in headers)
        self.started.append((status, headers))
        return self.write if self.has_write else None

    def write(self, data):
        assert type(data) is bytes
        if self.refuses is not None:
            raise self.refuses
        self.written.append(data)

    def serve(self, app, environ, stop_after=None):
        """Serve one request; what it raised is kept in ``raised``."""
        result = None
        try:
            result = app(environ, self.start_response)
            self.kind = type(result)
            for data in result:
                assert self.started, "body before start_response"
                assert type(data) is bytes
                self.sent.append(data)
                if stop_after is not None and len(self.sent) >= stop_after:
                    break
        except BaseException as exc:
            self.raised = exc
        finally:
            if hasattr(result, "close"):
                result.close()
        return self

    @property
    def status(self):
        return self.started[0][0]

    @property
    def headers(self):
        return {name.lower(): value for name, value in self.started[0][1]}

    @property
    def body(self):
        return b"".join(self.written + self.sent)


@pytest.fixture
def host():
    return Host


@pytest.fixture
def hosted_environ(request_environ):
    def make(body=b"", **changes):
        errors = io.StringIO()
        return request_environ(
            **{
                "wsgi.version": (1, 0),
                "wsgi.input": io.BytesIO(body),
                "wsgi.errors": errors,
                "wsgi.url_scheme": "http",
                "wsgi.multithread": True,
                "wsgi.multiprocess": False,
                "wsgi.run_once": False,
                **changes,
            }
        )

    return make
