"""handlerkit: the edge of a WSGI application, declared in TOML, extended by plugins.

Names are imported when they are first used: a CGI process that needs a handler
pays for a handler, and for no more. That is why ``__future__`` is not imported here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handlerkit.config import Config
    from handlerkit.errors import ConfigError, HandlerkitError
    from handlerkit.handlers import (
        BaseCGIHandler,
        BaseHandler,
        CGIHandler,
        FastCGIHandler,
        HostedHandler,
        IISCGIHandler,
        SCGIHandler,
        SimpleHandler,
        read_environ,
    )
    from handlerkit.hooks.markers import hookimpl
    from handlerkit.kit import run_cgi
    from handlerkit.kit.assembly import Kit, load
    from handlerkit.kit.running import wsgi
    from handlerkit.kit.serving import serve

__version__ = "0.1.0"

__all__ = [
    "BaseCGIHandler",
    "BaseHandler",
    "CGIHandler",
    "Config",
    "ConfigError",
    "FastCGIHandler",
    "HandlerkitError",
    "HostedHandler",
    "IISCGIHandler",
    "Kit",
    "SCGIHandler",
    "SimpleHandler",
    "hookimpl",
    "load",
    "read_environ",
    "run_cgi",
    "serve",
    "wsgi",
]

_HOMES = {
    "Config": "config",
    "ConfigError": "errors",
    "HandlerkitError": "errors",
    "Kit": "kit.assembly",
    "hookimpl": "hooks.markers",
    "load": "kit.assembly",
    "run_cgi": "kit",
    "serve": "kit.serving",
    "wsgi": "kit.running",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "handlers")
    module = __import__(f"handlerkit.{home}", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value
