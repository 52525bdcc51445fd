"""The kit: configuration, plugins and application, put together and ready to run.

The one place that knows everybody. What it makes knows nobody: a handler class
with plain attributes, a plan of plain callables, an application.
"""

from handlerkit.kit.assembly import Kit, load
from handlerkit.kit.describing import describe_plugins, review
from handlerkit.kit.running import run_cgi, serve, wsgi

__all__ = [
    "Kit",
    "describe_plugins",
    "load",
    "review",
    "run_cgi",
    "serve",
    "wsgi",
]
