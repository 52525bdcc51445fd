"""Every hook: when it is called, with what, and what its answer means.

A plugin implements a hook by a function of the same name, marked with
`handlerkit.hookimpl`, that takes any of the arguments below, by name. Three kinds:

* enrich: all run, in order, each sees what the one before did. One that raises
  fails the exchange: the client gets the error page. ``on_error = "skip"`` in the
  plugin's table writes the exception to ``wsgi.errors`` instead, and goes on.
* answer: the first that gives something other than None wins; where none does, the
  handler does what the standard library documents.
* observe: all run, each isolated. What one raises goes to ``wsgi.errors``.

The order of calls is the order of the plugins in the TOML; ``tryfirst`` and
``trylast`` mean what they do in pluggy, and ``[hooks.<hook>]`` has the last word.

Hooks are called in the thread that serves the exchange, many at a time on a threaded
server: a plugin's own state needs a lock, what a hook is given does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluggy import HookspecMarker

from handlerkit.hooks.markers import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, Protocol, TypeAlias

    from handlerkit.plan import Outcome, Report

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

    class Handler(Protocol):
        """What hooks may rely on in the handler of the exchange.

        Any attribute of the `handlerkit.handlers` class is there too; these hold for
        each of them. ``environ`` is None or half filled when the error came early.
        ``kit_generation`` is 1 for the configuration that the process started with,
        and one more with each reload.
        """

        environ: dict[str, Any]
        status: str | None
        headers_sent: bool
        error_status: str
        error_headers: list[tuple[str, str]]
        traceback_limit: int | None
        kit_generation: int

        def get_stderr(self) -> Any:
            """Give the stream that is ``wsgi.errors``."""


_hook = HookspecMarker(PROJECT)
enrich = _hook
observe = _hook
answer = _hook(firstresult=True)


@enrich
def add_cgi_vars(handler: Handler, environ: dict[str, Any]) -> None:
    """Add to the CGI variables, as the front gave them; change environ in place.

    Kind: enrich. Called from ``setup_environ``, after the handler has added its own,
    before any ``wsgi.*`` key is there. Stands for ``BaseHandler.add_cgi_vars``.
    """


@enrich
def setup_environ(handler: Handler, environ: dict[str, Any]) -> None:
    """Change the environ that the application will get, in place.

    Kind: enrich. Called last in ``setup_environ``: every key is there, and
    ``CONTENT_LENGTH`` is not applied to ``wsgi.input`` yet. Stands for
    ``BaseHandler.setup_environ``.
    """


@answer
def get_scheme(handler: Handler, environ: dict[str, Any]) -> str | None:
    """Say ``"http"`` or ``"https"`` for ``wsgi.url_scheme``; None: no opinion.

    Kind: answer. Called from ``setup_environ``, once the CGI variables are there;
    anything else fails the exchange. Stands for ``BaseHandler.get_scheme``, which
    looks at ``HTTPS`` in environ.
    """


@answer
def get_stdin(handler: Handler) -> Any | None:
    """Give the stream for ``wsgi.input``; None: the handler's own.

    Kind: answer. Called from ``setup_environ``; the handler bounds the stream by
    ``CONTENT_LENGTH``. Stands for ``BaseHandler.get_stdin``.
    """


@answer
def get_stderr(handler: Handler) -> Any | None:
    """Give the stream for ``wsgi.errors``; None: the handler's own.

    Kind: answer. Called from ``setup_environ``, and each time that something is
    written about an error; it may be the cause that failed. Stands for
    ``BaseHandler.get_stderr``.
    """


@enrich
def response_starting(
    handler: Handler, status: str, headers: list[tuple[str, str]]
) -> None:
    """Change the response's headers, a list of (name, value), in place.

    Kind: enrich. Called once, before the head is sent, for error pages too; what it
    leaves is checked as the application's headers are. Stands for
    ``BaseHandler.cleanup_headers``, which the standard library does not document.
    """


@answer
def sendfile(handler: Handler, wrapper: Any) -> bool | None:
    """Send the file of a ``wsgi.file_wrapper`` and say True; else decline.

    Kind: answer. False or None decline: the next is asked, at the end the file is
    iterated. Call ``handler.send_headers()`` before the first byte; start at the
    file's position, stop at the response's Content-Length; where it has none, set
    ``handler.bytes_sent``. Not called inside another server, which has the socket.
    Stands for ``BaseHandler.sendfile``.
    """


@observe
def log_exception(handler: Handler, exc_info: ExcInfo, report: Report | None) -> None:
    """Log an exception of the exchange.

    Kind: observe. Called while the exception is being handled, before any error page
    is made, so that the page can name what was logged. ``report.id`` is the id that
    page, log and response share, ``report.text`` the traceback; None only where a
    handler is used without a kit. Stands for ``BaseHandler.log_exception``.
    """


@answer
def error_output(
    handler: Handler,
    environ: dict[str, Any],
    start_response: Callable[..., object],
    report: Report | None,
) -> Iterable[bytes] | None:
    """Answer an error as a small WSGI application: the body, or None to decline.

    Kind: answer. Called after the reporters, where no byte of a response is out. If
    one raises, what it started is undone and the next one is asked, at the end the
    built-in page goes out. Never show the client what ``report`` knows, but its id.
    Stands for ``BaseHandler.error_output``.
    """


@observe
def request_finished(handler: Handler, outcome: Outcome) -> None:
    """See how the exchange ended; always called, once, when all else is done.

    Kind: observe. ``outcome.kind`` is ok, error, aborted or disconnected. Stands for
    ``BaseHandler.close``.
    """
