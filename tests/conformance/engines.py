"""Start a server: ``python -m tests.conformance.engines NAME PORT TARGET``.

The servers that bring a command of their own are started by it; see `COMMANDS`.
"""

import importlib
import socketserver
import sys
import wsgiref.handlers
import wsgiref.simple_server


class Fragile:
    """Put a fault, on request, into what wsgiref lets a subclass override."""

    def log_exception(self, exc_info):
        if "break=log" in self.environ["QUERY_STRING"]:
            raise RuntimeError("a reporter that fails")
        super().log_exception(exc_info)

    def error_output(self, environ, start_response):
        if "break=page" in environ["QUERY_STRING"]:
            raise RuntimeError("a page that fails")
        return super().error_output(environ, start_response)


class FragileCGIHandler(Fragile, wsgiref.handlers.CGIHandler):
    """What the suite's CGI script runs when the standard library is its subject."""


class FragileServerHandler(Fragile, wsgiref.simple_server.ServerHandler):
    """What simple_server runs when the standard library is the suite's subject."""


class ThreadingServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


def simple_server(port, application):
    wsgiref.simple_server.ServerHandler = FragileServerHandler
    with wsgiref.simple_server.make_server(
        "127.0.0.1", port, application, ThreadingServer
    ) as server:
        server.serve_forever()


def waitress(port, application):
    import waitress

    waitress.serve(application, host="127.0.0.1", port=port, threads=4)


def cheroot(port, application):
    from cheroot import wsgi

    server = wsgi.Server(("127.0.0.1", port), application, numthreads=4, timeout=5)
    server.safe_start()


def _python(name):
    return lambda port, target: [
        *(sys.executable, "-m", "tests.conformance.engines"),
        *(name, str(port), target),
    ]


def _gunicorn(kind):
    return lambda port, target: [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", kind, "--workers", "2", "--threads", "4"),
        *("--graceful-timeout", "1", "--no-control-socket", target),
    ]


def _granian(port, target):
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "4"),
        target,
    ]


def _uwsgi(port, target):
    return [
        *(sys.executable, "-c", "import pyuwsgi; pyuwsgi.run()"),
        *("--http-socket", f"127.0.0.1:{port}", "--module", target, "--need-app"),
        *("--master", "--processes", "1", "--threads", "4", "--die-on-term"),
    ]


COMMANDS = {
    "granian": _granian,
    "gunicorn sync": _gunicorn("sync"),
    "gunicorn gthread": _gunicorn("gthread"),
    "waitress": _python("waitress"),
    "cheroot": _python("cheroot"),
    "uWSGI": _uwsgi,
    "simple_server": _python("simple_server"),
}


def main():
    name, port, target = sys.argv[1:]
    module, _, attribute = target.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    {"simple_server": simple_server, "waitress": waitress, "cheroot": cheroot}[name](
        int(port), application
    )


if __name__ == "__main__":
    main()
