"""Which windows of a report are requested."""

import datetime as dt

import pytest

from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.exports.report_plan import queries_of, windows_due

TODAY = dt.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("kept_from", "refresh", "first"),
    [(None, False, "2026-08-01"), ("2026-10-10", False, "2026-10-01"), ("2026-10-01", True, "2026-08-01")],
)
def test_windows_that_were_removed_are_not_requested_again(kept_from: str | None, refresh: bool, first: str) -> None:
    """But one that reaches into the time that is kept; `refresh` asks for all."""
    asked = ReportQuery(("AgentSummaryV2",), first=dt.date(2026, 8, 1))
    (query,) = queries_of(asked)
    begin = None if kept_from is None else dt.datetime.fromisoformat(kept_from).replace(tzinfo=dt.UTC)

    due = windows_due(query, asked, {}, TODAY, refresh=refresh, kept_from=begin)

    assert str(due[0].window.first) == first
