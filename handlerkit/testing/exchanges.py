"""One exchange, as a test makes it and looks at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlerkit.kit.exchanging import Answer

if TYPE_CHECKING:
    from typing import Any

    from handlerkit.plan import Outcome, Report
    from handlerkit.testing.recording import Call, Notes


class Exchange(Answer):
    """One request and its response, and what happened in between.

    * ``status``, ``headers`` (pairs), ``body``: what the client got; the status is ""
      if it got no head. The body is without its framing.
    * ``ended``: ``"ok"``, ``"error"``, ``"aborted"`` or ``"disconnected"``;
      ``outcome``: what request_finished was given.
    * ``environ``: as the application was given it; empty if it was never called.
    * ``errors``: the text written to ``wsgi.errors``.
    * ``calls``: the calls of hooks, in order.
    * ``reports``: of each error that was reported, in order; readable for good.
    * ``raised``: what came out of the handler: ResponseAborted, which tells a hosting
      server that the response broke off, or what is no Exception.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: str | None = None
        self.environ: dict[str, Any] = {}
        self.calls: list[Call] = []
        self.outcome: Outcome | None = None
        self.reports: list[Report] = []
        self.raised: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Exchange {self.ended}: {self.status}, {len(self.body)} bytes>"

    @property
    def report(self) -> Report | None:
        """The last error's report, the one that outcome and page name."""
        return self.reports[-1] if self.reports else None

    @property
    def text(self) -> str:
        """The body as text, by the charset of its Content-Type, else as UTF-8."""
        _, found, charset = (self.header("Content-Type") or "").partition("charset=")
        charset = charset.partition(";")[0].strip('" ')
        return self.body.decode(charset if found else "utf-8")

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.body)

    def hooks(self, plugin: str | None = None) -> list[str]:
        """Name the hooks that were called, in order: of all plugins, or of one."""
        return [call.hook for call in self.calls if plugin in (None, call.plugin)]

    def take_notes(self, notes: Notes) -> None:
        """Take over what was seen inside the handler."""
        self.calls = notes.calls
        self.outcome = notes.outcome
        ids = notes.report_ids
        self.reports = [notes.reports[each] for each in ids if each in notes.reports]
