from __future__ import annotations

import sys

import pytest

from handlerkit.reports.making import ReportMaker
from handlerkit.reports.redaction import Redactor


@pytest.fixture
def raised():
    """Raise an exception in a function, or let it fail by itself; give exc_info."""

    def raised(thing):
        def failing():
            raise thing

        try:
            failing() if isinstance(thing, BaseException) else thing()
        except BaseException:
            return sys.exc_info()
        raise AssertionError("it did not raise")

    return raised


@pytest.fixture
def report(raised):
    """Make the report of an exception, by rules of the test's own."""

    def report(thing, limit=None, handler=None, phase="", **rules):
        return ReportMaker(Redactor(**rules))(raised(thing), limit, handler, phase)

    return report
