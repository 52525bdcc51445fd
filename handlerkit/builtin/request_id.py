"""request-id: one id per exchange, in environ, logs and response."""

from __future__ import annotations

from handlerkit.builtin.peers import Peers
from handlerkit.hooks.markers import hookimpl
from handlerkit.reports.ids import new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from handlerkit.builtin.settings import RequestIdSettings
    from handlerkit.hooks.specs import Handler

KEY = "handlerkit.request_id"
CLIENT_KEY = "handlerkit.request_id.client"

_LONGEST = 128
_REMEMBERED = 1000  # names of headers
_PUNCTUATION = str.maketrans("", "", "._-")


class RequestId:
    """Take over the id of a trusted proxy, or make one; echo it in the response.

    The id is ``environ["handlerkit.request_id"]``. The request's own header is taken
    out of environ: of anybody but a trusted proxy it says nothing, and is kept, where
    it is a valid id at all, as ``environ["handlerkit.request_id.client"]``. Valid
    are 1 to 128 letters, digits, ``.``, ``_`` and ``-``: it ends up in logs.
    """

    Settings = "handlerkit.builtin.settings:RequestIdSettings"
    proxies: tuple[str, ...] = ()

    def __init__(self, settings: RequestIdSettings) -> None:
        self._header = settings.header
        self._lower = settings.header.lower()
        self._others: set[str] = set()  # names of headers
        self._key = "HTTP_" + settings.header.upper().replace("-", "_")
        self._peers: Peers | None = None

    # First, so that REMOTE_ADDR is still the peer's, whatever other plugins make of it.
    @hookimpl(tryfirst=True)
    def setup_environ(
        self,
        handler: Handler,  # noqa: ARG002 - all arguments, for a call without adapter
        environ: dict[str, Any],
    ) -> None:
        """Decide on the id."""
        environ.pop(CLIENT_KEY, None)
        if self._key in environ:
            given = environ.pop(self._key)
            if _valid(given):
                if self._trusts(environ):
                    environ[KEY] = given
                    return
                environ[CLIENT_KEY] = given
        environ[KEY] = new_id()

    @hookimpl
    def response_starting(
        self,
        handler: Handler,
        status: str,  # noqa: ARG002 - likewise
        headers: list[tuple[str, str]],
    ) -> None:
        """Echo the id, unless the application has a header of that name."""
        environ: dict[str, Any] | None = handler.environ
        request_id = None if environ is None else environ.get(KEY)
        if type(request_id) is not str:
            return  # the error came before there was an id
        others = self._others
        for name, _ in headers:
            if name not in others and self._is_ours(name):
                return
        headers.append((self._header, request_id))

    def _is_ours(self, name: str) -> bool:
        """Say whether a header is that of the id; remember one that is not."""
        if name.lower() == self._lower:
            return True
        if len(self._others) < _REMEMBERED:
            self._others.add(name)
        return False

    def _trusts(self, environ: dict[str, Any]) -> bool:
        if self._peers is None:
            self._peers = Peers(self.proxies)
        return self._peers.trusts(environ)


def _valid(text: str) -> bool:
    rest = text.translate(_PUNCTUATION)
    return 0 < len(text) <= _LONGEST and text.isascii() and (not rest or rest.isalnum())
