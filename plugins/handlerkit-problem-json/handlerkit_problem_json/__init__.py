"""handlerkit-problem-json: error answers as application/problem+json (RFC 9457)."""

from __future__ import annotations

from handlerkit import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from handlerkit.hooks.specs import Handler
    from handlerkit.plan import Report
    from handlerkit_problem_json import settings as table


class ProblemJson:
    """Answer errors with a problem object that names the report, and no more."""

    Settings = "handlerkit_problem_json.settings:Settings"

    def __init__(self, settings: table.Settings) -> None:
        self._type = settings.type
        self._paths = tuple(settings.paths)

    @hookimpl
    def error_output(
        self,
        handler: Handler,
        environ: dict[str, Any],
        start_response: Callable[..., object],
        report: Report | None,
    ) -> list[bytes] | None:
        """Answer, where the path is one of ours."""
        if self._paths and not self._is_ours(environ):
            return None
        # Imported when it fails: a CGI process that serves well does without.
        import json

        status = handler.error_status
        code, _, title = status.partition(" ")
        problem = {"type": self._type, "title": title, "status": int(code)}
        if report is not None:
            problem["instance"] = f"urn:uuid:{_hyphenated(report.id)}"
        body = json.dumps(problem).encode("ascii") + b"\n"
        headers = [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(status, headers)
        return [body]

    def _is_ours(self, environ: dict[str, Any]) -> bool:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return any(path == ours or path.startswith(f"{ours}/") for ours in self._paths)


def _hyphenated(digits: str) -> str:
    """Write 32 hex digits as RFC 9562 does."""
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return "-".join(parts)
