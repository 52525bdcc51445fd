"""The handlers: each runs one application for one exchange, by the rules of PEP 3333.

What `wsgiref.handlers` has, with the same names and override points, and what the
gateways of handlerkit add. A handler knows a plan of plain callables; it knows no
configuration and no plugin manager.
"""

from handlerkit.handlers.base import BaseHandler
from handlerkit.handlers.cgi import CGIHandler, IISCGIHandler
from handlerkit.handlers.environ import read_environ
from handlerkit.handlers.hosted import HostedHandler
from handlerkit.handlers.simple import BaseCGIHandler, SimpleHandler

__all__ = [
    "BaseCGIHandler",
    "BaseHandler",
    "CGIHandler",
    "HostedHandler",
    "IISCGIHandler",
    "SimpleHandler",
    "read_environ",
]
