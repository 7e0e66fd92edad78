"""Which windows of which reports an export asks for."""

import datetime as dt
from collections.abc import Mapping

from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.exports.report_history import ReportHistory
from bulkgladly.lake.folder import DataFolder
from bulkgladly.resources.metric_sets import sets_without_required_options
from bulkgladly.resources.report_windows import Days, Due, Grid, Reading, due, grid_of
from bulkgladly.resources.reports import Query, query_for

__all__ = ("FIRST_DAYS", "estimate", "grid_for", "queries_of", "windows_due")

ALL = "all"
FIRST_DAYS = 31
"""So many days a report begins with that nobody gave a first day for and nothing is there of."""
_DAY = dt.timedelta(days=1)


def queries_of(asked: ReportQuery) -> tuple[Query, ...]:
    """Return what is asked of each metric set; `all` stands for every set without required options.

    Raises:
        UsageError: No report is named, or none of this name exists, or an option is given
            that one of them does not take.
    """
    if not asked.metric_sets:
        raise UsageError(f"name a report: a metric set such as ConversationExportReport, or {ALL}")
    names: dict[str, None] = {}
    for name in asked.metric_sets:
        names |= dict.fromkeys(sets_without_required_options() if name.lower() == ALL else (name,))
    found = [
        query_for(
            name,
            aggregation=asked.aggregation,
            channel=asked.channel,
            inboxes=asked.inboxes,
            teams=asked.teams,
            phone_number=asked.phone_number,
        )
        for name in names
    ]
    return tuple({query.data_set: query for query in found}.values())


def estimate(asked: ReportQuery, folder: DataFolder, today: dt.date, *, refresh: bool = False) -> int:
    """Return how many requests are needed at least: one for each window. Ten of them may go out a minute."""
    count = 0
    for query in queries_of(asked):
        readings = ReportHistory(folder, query).readings()
        count += len(windows_due(query, asked, readings, today, refresh=refresh))
    return count


def grid_for(query: Query) -> Grid:
    """Return the grid on which the windows of a query lie."""
    return grid_of(query.metrics.grain, query.aggregation)


def windows_due(
    query: Query, asked: ReportQuery, readings: Mapping[str, Reading], today: dt.date, *, refresh: bool
) -> list[Due]:
    """Return the windows to ask for.

    Without a first day, all days from the first that is there until yesterday are looked
    at, so that gaps are closed as well. A reading on a day that is still to come was made by a
    clock that was ahead, and counts as one that may have come too early.
    """
    readings = {
        name: found if found.on <= today else Reading(found.days, found.days.last) for name, found in readings.items()
    }
    last = min(asked.last or today - _DAY, today)
    earliest = min((reading.days.first for reading in readings.values()), default=last - (FIRST_DAYS - 1) * _DAY)
    days = Days(asked.first or earliest, last)
    if days.length < 1:
        return []
    return list(due(grid_for(query), days, readings, look_back_days=asked.look_back_days, refresh=refresh))
