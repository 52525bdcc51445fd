"""What the kit makes reports with: the rules of ``[redact]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit.handlers.environ import process_variables
from handlerkit.reports.making import ReportMaker
from handlerkit.reports.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handlerkit.config import Config


def redactor(settings: Config, secrets: Iterable[str] = ()) -> Redactor:
    """Make the redactor of a configuration.

    Args:
        settings: of which ``[redact]`` has the rules.
        secrets: values that the file took from outside of it.
    """
    table = settings.redact
    rules = {name: getattr(table, name) for name in type(table).model_fields}
    return Redactor(**rules, process=process_variables(), secrets=secrets)


def report_maker(settings: Config, secrets: Iterable[str] = ()) -> ReportMaker:
    """Make what the handlers of a kit make reports with."""
    return ReportMaker(redactor(settings, secrets))
