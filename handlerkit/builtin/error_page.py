"""error-page: an answer to errors that people and programs can read."""

from __future__ import annotations

import sys

from handlerkit.builtin.error_page_variants import MEDIA, render
from handlerkit.errors import PluginError
from handlerkit.hooks.markers import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from handlerkit.builtin.settings import ErrorPageSettings
    from handlerkit.hooks.specs import Handler
    from handlerkit.plan import Report

# Another status is rendered when it is needed, by the same function, which has no way
# to fail; all of them would cost a CGI process that answers well a third of a ms.
_PREPARED = (
    "400 Bad Request",
    "413 Content Too Large",
    "500 Internal Server Error",
    "503 Service Unavailable",
)

_LONGEST_ACCEPT = 1024  # characters; browsers send about 150
_MOST_REMEMBERED = 256
_DIGITS_OF_ID = 32

# Of the configured error_headers, these are about a body that is not sent.
_OF_THE_BODY = frozenset(
    ("content-type", "content-length", "content-encoding", "x-error-id")
)


class ErrorPage:
    """Answer errors in the format that the client prefers, with the report's id.

    The pages are bytes before the first request; when an error comes, only the id is
    put in. Nothing of the error but its id is shown. The status is the handler's
    ``error_status``; ``error_headers`` are kept, and win over headers of the page,
    except those about the body.
    """

    Settings = "handlerkit.builtin.settings:ErrorPageSettings"

    def __init__(self, settings: ErrorPageSettings) -> None:
        self._settings = settings
        self._formats = tuple(settings.formats)
        if len(self._formats) > 1:
            _require_webob()
        self._pages = {status: render(status, settings) for status in _PREPARED}
        self._remembered: dict[str, str] = {}

    @hookimpl
    def error_output(
        self,
        handler: Handler,
        environ: dict[str, Any],
        start_response: Callable[..., object],
        report: Report | None,
    ) -> list[bytes]:
        """Answer."""
        status = handler.error_status
        page = self._pages.get(status) or render(status, self._settings)
        variant = page[self._chosen(environ.get("HTTP_ACCEPT"))]
        report_id = _shown_id(report)
        body = variant.body(report_id)
        headers = _joined(variant.headers, handler.error_headers)
        headers.append(("Content-Length", str(len(body))))
        if report_id is not None:
            headers.append(("X-Error-ID", report_id))
        start_response(status, headers)
        return [body]

    def _chosen(self, accept: object) -> str:
        """Give the format for a request's Accept; each is parsed but once."""
        first = self._formats[0]
        if not isinstance(accept, str) or len(accept) > _LONGEST_ACCEPT:
            return first
        if len(self._formats) == 1 or accept in ("", "*/*"):
            return first
        name = self._remembered.get(accept)
        if name is None:
            name = negotiate(accept, self._formats)
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[accept] = name
        return name


def negotiate(accept: str, formats: Sequence[str]) -> str:
    """Choose a format by an Accept header (RFC 9110, 12.5.1); never raises.

    Of formats that are equally welcome, one that is named comes before one that only
    a wildcard allows, and then the first. The first also answers where the header is
    malformed, or allows none: an error in a format that is not understood says more
    than a 406.
    """
    try:
        # Imported when it fails: it costs three CGI processes.
        from webob.acceptparse import create_accept_header

        header = create_accept_header(accept)
        ranges = header.parsed or []
        names = {text.partition(";")[0].lower() for text, *_ in ranges}
        if any(parameters for _, _, parameters, _ in ranges):
            header = create_accept_header(_without_parameters(ranges))
        media = {MEDIA[name]: name for name in formats}
        offers = header.acceptable_offers(list(media))
        best = max(offers, key=lambda offer: (offer[1], offer[0] in names))
        return media[best[0]]
    except Exception:  # noqa: BLE001 - an error page that fails helps nobody
        return formats[0]


def _without_parameters(ranges: Sequence[tuple[str, float, Any, Any]]) -> str:
    """Give media ranges as if ``application/json;charset=utf-8`` had no charset."""
    return ", ".join(
        f"{text.partition(';')[0]};q={quality}" for text, quality, *_ in ranges
    )


def _require_webob() -> None:
    """Find the parser of Accept; it is imported only when an error comes.

    Raises:
        PluginError: it is not installed.
    """
    if "webob" in sys.modules:
        return
    # importlib.util.find_spec does the same, after costly imports of its own.
    if any(finder.find_spec("webob", None) for finder in sys.meta_path):
        return
    raise PluginError(
        "it needs WebOb to negotiate formats, which is not installed",
        hint="pip install 'handlerkit[pages]'",
    )


def _shown_id(report: Report | None) -> str | None:
    """Give the id to show, if there is one of the form that is promised."""
    if report is None or len(report.id) != _DIGITS_OF_ID:
        return None
    return report.id if report.id.isascii() and report.id.isalnum() else None


def _joined(
    own: Sequence[tuple[str, str]], configured: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Join the page's headers with the configured ones, which win."""
    kept = [pair for pair in configured if pair[0].lower() not in _OF_THE_BODY]
    if not kept:
        return list(own)
    taken = {name.lower() for name, _ in kept} - {"vary"}
    return [pair for pair in own if pair[0].lower() not in taken] + kept
