"""The kit: configuration, plugins and application, put together and ready to run.

The one place that knows everybody. What it makes knows nobody: a handler class
with plain attributes, a plan of plain callables, an application. Each way of running
imports its own module, and with it only the gateway that it uses. The way of CGI
begins here, as it is to import nothing before the bundle is read; that is why
``__future__`` is not imported.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from handlerkit.kit.assembly import Source


def run_cgi(source: "Source", app: "WSGIApplication | None" = None) -> "int":
    """Serve the one request of this CGI process; give the exit code (RFC 3875).

    File descriptor 1 goes to stderr from here on, so that nothing that is printed
    gets into the response. An invalid configuration answers 500, with the mistakes
    on stderr. What `handlerkit freeze` wrote beside the file is taken, if it is fresh.
    """
    if isinstance(source, (str, os.PathLike)):
        from handlerkit.kit.bundle import take

        take(*os.path.split(os.path.abspath(source)))
    from handlerkit.kit.one_shot import run  # one of those that were taken

    return run(source, app)
