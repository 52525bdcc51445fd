"""`make_report` by the rules that hold where no configuration says otherwise."""

from __future__ import annotations

from handlerkit.reports.making import ReportMaker

make_report = ReportMaker()
