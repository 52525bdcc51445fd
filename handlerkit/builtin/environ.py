"""environ: set, drop and copy keys of the environ."""

from __future__ import annotations

from wsgiref.util import guess_scheme

from handlerkit.hooks.markers import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from handlerkit.builtin.settings import EnvironSettings
    from handlerkit.hooks.specs import Handler


class Environ:
    """Change the CGI variables: copy first, then drop, then set.

    So a key is renamed by copying it and dropping the old one, and what is set is
    what the application gets. A key to copy that is not there is passed over. Where
    ``HTTPS`` is set or copied to, it decides ``wsgi.url_scheme``, in a hosting
    server too.
    """

    Settings = "handlerkit.builtin.settings:EnvironSettings"

    def __new__(cls, settings: EnvironSettings) -> Environ:  # noqa: PYI034 - a subclass, too
        """Answer for the scheme only where HTTPS is ours: every answer costs."""
        decides = "HTTPS" in {**settings.values, **settings.copies}
        return super().__new__(_Deciding if decides else cls)

    def __init__(self, settings: EnvironSettings) -> None:
        self._values = dict(settings.values)
        self._dropped = tuple(settings.drop)
        self._copies = tuple(settings.copies.items())
        self._moves = bool(self._copies or self._dropped)

    @hookimpl
    def add_cgi_vars(
        self,
        handler: Handler,  # noqa: ARG002 - all arguments, for a call without adapter
        environ: dict[str, Any],
    ) -> None:
        """Apply the settings, before the scheme is taken from environ."""
        if self._moves:
            for name, old in self._copies:
                if old in environ:
                    environ[name] = environ[old]
            for name in self._dropped:
                environ.pop(name, None)
        environ |= self._values


class _Deciding(Environ):
    @hookimpl
    def get_scheme(self, environ: dict[str, Any]) -> str:
        """Let HTTPS decide."""
        return guess_scheme(environ)
