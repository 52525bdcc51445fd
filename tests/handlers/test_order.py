"""The steps of a handler: wsgiref's names, defaults and signatures, in its order."""

import inspect
import io
import wsgiref.handlers
from wsgiref.util import FileWrapper

import pytest

import handlerkit.handlers

CLASSES = (
    "BaseHandler",
    "SimpleHandler",
    "BaseCGIHandler",
    "CGIHandler",
    "IISCGIHandler",
)
STEPS = (
    *("setup_environ", "add_cgi_vars", "get_stdin", "get_stderr", "get_scheme"),
    *("start_response", "finish_response", "result_is_file", "sendfile", "write"),
    *("send_headers", "cleanup_headers", "set_content_length", "send_preamble"),
    *("client_is_modern", "finish_content", "close", "_write", "_flush"),
    *("handle_error", "log_exception", "error_output"),
)


def tracing(kind, **overrides):
    """Make a subclass that overrides every step, to note its call."""

    def step(name):
        def call(self, *args):
            # What is written at once, or in pieces, is written.
            if name != "_write" or self.calls[-1:] != ["_write"]:
                self.calls.append(name)
            result = overrides.get(name, getattr(kind, name))(self, *args)
            vars(self).pop("_flush", None)  # wsgiref's hides the override with it
            return result

        return call

    return type("Tracing", (kind,), {name: step(name) for name in STEPS})


def listed(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def generated(environ, start_response):
    start_response("200 OK", [])
    yield b"hel"
    yield b"lo"


def sized(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return iter([b"hello"])


def written(environ, start_response):
    write = start_response("200 OK", [])
    write(b"hel")
    return [b"lo"]


def empty(environ, start_response):
    start_response("200 OK", [])
    return []


def failing_early(environ, start_response):
    raise ValueError("before the head")


def failing_before_head(environ, start_response):
    start_response("200 OK", [])
    raise ValueError("before the head is out")


def replacing(environ, start_response):
    start_response("200 OK", [])
    try:
        raise ValueError("handled by the app")
    except ValueError as exc:
        start_response("500 Sorry", [], (type(exc), exc, exc.__traceback__))
    return [b"sorry"]


def failing_late(environ, start_response):
    start_response("200 OK", [])
    yield b"part"
    raise ValueError("after the head")


def file(environ, start_response):
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), 4)


def sent_by_platform(self):
    self.send_headers()
    self._write(self.result.filelike.read())
    return True


def longer_preamble(kind):
    def send_preamble(self):
        kind.send_preamble(self)
        self._write(b"X-Preamble: mine\r\n")

    return send_preamble


APPS = (
    *(listed, generated, sized, written, empty, file),
    *(failing_early, failing_before_head, failing_late, replacing),
)


def run(kind, app, environ):
    out = io.BytesIO()
    handler = kind(io.BytesIO(), out, io.StringIO(), environ)
    handler.calls = []
    handler.run(app)
    lines = out.getvalue().splitlines(keepends=True)
    return handler.calls, [line for line in lines if not line.startswith(b"Date:")]


def both(name, app, environ, overrides=None):
    """Give calls and bytes of wsgiref's class and of ours, Date apart."""
    return [
        run(
            tracing(getattr(module, name), **(overrides(module) if overrides else {})),
            app,
            environ,
        )
        for module in (wsgiref.handlers, handlerkit.handlers)
    ]


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/0.9"])
@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("name", ["SimpleHandler", "BaseCGIHandler"])
def test_steps_are_called_in_wsgirefs_order(request_environ, name, app, protocol):
    theirs, ours = both(name, app, request_environ(SERVER_PROTOCOL=protocol))

    if app is replacing:  # D4: ours reports what the app hands over
        place = ours[0].index("log_exception")
        assert ours[0][place : place + 2] == ["log_exception", "get_stderr"]
        del ours[0][place : place + 2]
    assert ours == theirs


@pytest.mark.parametrize("name", ["SimpleHandler", "BaseCGIHandler"])
@pytest.mark.parametrize("answer", [sent_by_platform, lambda self: False], ids=range(2))
def test_a_sendfile_override_is_called_in_order(request_environ, name, answer):
    theirs, ours = both(name, file, request_environ(), lambda _: {"sendfile": answer})

    assert ours == theirs
    assert "sendfile" in ours[0]


@pytest.mark.parametrize("name", ["SimpleHandler", "BaseCGIHandler"])
@pytest.mark.parametrize("app", [listed, generated, written, empty, failing_early])
def test_a_preamble_may_write_its_own_lines(request_environ, name, app):
    def overrides(module):
        return {"send_preamble": longer_preamble(getattr(module, name))}

    theirs, ours = both(name, app, request_environ(), overrides)

    assert ours == theirs
    assert b"X-Preamble: mine\r\n" in ours[1]


@pytest.mark.parametrize("app", APPS)
def test_without_overrides_the_bytes_are_wsgirefs(request_environ, app):
    found = []
    for module in (wsgiref.handlers, handlerkit.handlers):
        out = io.BytesIO()
        environ = request_environ()
        module.BaseCGIHandler(io.BytesIO(), out, io.StringIO(), environ).run(app)
        found.append(out.getvalue())

    assert found[0] == found[1]


def test_the_module_exports_what_wsgirefs_does():
    assert {*wsgiref.handlers.__all__} <= {*handlerkit.handlers.__all__}


# Undocumented, of some CPython versions only, and called by nobody else.
INTERNAL = {"_validate_status"}
# D12: less what poses as a request header; DESIGN: a Headers that needs no `re`.
CHANGED = {"os_environ", "headers_class"}


def attributes(name):
    theirs = getattr(wsgiref.handlers, name)
    for attribute in dir(theirs):
        own = not attribute.startswith("__") or attribute == "__init__"
        if own and attribute not in INTERNAL:
            yield name, attribute


@pytest.mark.parametrize(
    ("name", "attribute"), [pair for name in CLASSES for pair in attributes(name)]
)
def test_attributes_are_wsgirefs(name, attribute):
    """Every attribute exists, with an equal default or an equal signature."""
    theirs = getattr(getattr(wsgiref.handlers, name), attribute)
    ours = getattr(getattr(handlerkit.handlers, name), attribute)

    if attribute in CHANGED:
        assert type(ours) is type(theirs) or callable(ours)
    elif inspect.isroutine(theirs):
        assert bare(ours) == bare(theirs)
    else:
        assert ours == theirs


def bare(function):
    """Give a signature without annotations."""
    return [
        (each.name, each.kind, each.default)
        for each in inspect.signature(function).parameters.values()
    ]


def test_state_before_a_run_is_wsgirefs(request_environ):
    made = [
        module.SimpleHandler(None, None, None, {})
        for module in (wsgiref.handlers, handlerkit.handlers)
    ]

    for name in ("status", "result", "headers", "headers_sent", "bytes_sent"):
        assert getattr(made[0], name) == getattr(made[1], name)
    assert vars(made[0]) == vars(made[1])


@pytest.mark.parametrize("name", ["BaseHandler", "SimpleHandler"])
def test_the_file_wrapper_is_wsgirefs(name):
    assert getattr(handlerkit.handlers, name).wsgi_file_wrapper is FileWrapper


@pytest.mark.parametrize(
    "name",
    ["_write", "_flush", "get_stdin", "get_stderr", "add_cgi_vars"],
)
def test_abstract_methods_raise_not_implemented(name):
    handler = handlerkit.handlers.BaseHandler()

    with pytest.raises(NotImplementedError):
        getattr(handler, name)(*([b""] if name == "_write" else []))
