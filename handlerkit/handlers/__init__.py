"""The handlers: each runs one application for one exchange, by the rules of PEP 3333.

What `wsgiref.handlers` has, with the same names and override points, and what the
gateways of handlerkit add. A handler knows a plan of plain callables; it knows no
configuration and no plugin manager. Each is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.handlers.base import BaseHandler
    from handlerkit.handlers.cgi import CGIHandler, IISCGIHandler
    from handlerkit.handlers.environ import read_environ
    from handlerkit.handlers.fronted import FastCGIHandler, SCGIHandler
    from handlerkit.handlers.hosted import HostedHandler
    from handlerkit.handlers.simple import BaseCGIHandler, SimpleHandler

__all__ = [
    "BaseCGIHandler",
    "BaseHandler",
    "CGIHandler",
    "FastCGIHandler",
    "HostedHandler",
    "IISCGIHandler",
    "SCGIHandler",
    "SimpleHandler",
    "read_environ",
]

_HOMES = {
    "BaseCGIHandler": "simple",
    "BaseHandler": "base",
    "CGIHandler": "cgi",
    "FastCGIHandler": "fronted",
    "HostedHandler": "hosted",
    "IISCGIHandler": "cgi",
    "SCGIHandler": "fronted",
    "SimpleHandler": "simple",
    "read_environ": "environ",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOMES[name]}", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value
