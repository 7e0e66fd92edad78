"""Which windows of which reports an export requests, by what the data set has of them.

The columns of a report are chosen once. The manifests say which windows were read on which day.
"""

import datetime as dt
import threading
from collections.abc import Mapping

from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.gladly.report_queries import Query, query_for, sets_without_required_options
from bulkgladly.gladly.report_windows import Days, Due, Grid, Reading, due, grid_of
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Span
from bulkgladly.lake.old_units import removed_before
from bulkgladly.lake.report_csv import NotAReport
from bulkgladly.lake.report_table import COLUMNS_MEMO, ReportColumn, ReportLayout, layout_in

__all__ = (
    "ALL",
    "FIRST_DAYS",
    "ReportHistory",
    "days_of",
    "estimate",
    "grid_for",
    "queries_of",
    "span_of",
    "windows_due",
)

ALL = "all"
"""Every set without required options."""
FIRST_DAYS = 31
"""How many days of a report are read first, if no first day is given and the data set has none of it."""
_READINGS = "readings"
_DAY = dt.timedelta(days=1)


class ReportHistory:
    """The memos and manifests of one query's data set. Two threads may work on its windows at once."""

    def __init__(self, folder: DataFolder, query: Query) -> None:
        self._folder = folder
        self._query = query
        self._lock = threading.Lock()
        self._layout: ReportLayout | None = None
        self.longest: int | None = None
        """The most days that fit into one reply; None as long as every window does."""
        self.refused = ""
        """Why Gladly refuses the metric set; empty as long as it does not."""

    def layout(self) -> ReportLayout | None:
        """Return the columns that were chosen, or None as long as no row was seen.

        Raises:
            InputError: The memo about them is damaged.
        """
        if self._layout is None:
            self._layout = layout_in(self._folder, self._query.data_set, self._query.metrics.key)
        return self._layout

    def expected(self) -> ReportLayout:
        """Return the columns that were chosen, or those that are known in advance."""
        return self.layout() or self._laid_out(())

    def check(self, names: tuple[str, ...]) -> None:
        """Refuse a header that is not that of this report.

        Raises:
            NotAReport: It lacks the key, or every expected column.
        """
        expected = self.expected()
        missing = [name for name in expected.data_set.key if name not in names]
        if missing:
            raise NotAReport(f"its first line has no column {' and '.join(missing)}")
        if expected.columns and not {column.name for column in expected.columns}.intersection(names):
            raise NotAReport("its first line has no column of this report")

    def settle(self, headers: tuple[str, ...], names: tuple[str, ...]) -> ReportLayout:
        """Return the columns of the data set, and choose them once: those of the report with the first row.

        After a kill the columns may be chosen without any row, which does no harm.
        """
        # Two windows may read their first rows at the same time; the layout of the first one stays.
        with self._lock:
            found = self.layout()
            if found is None:
                found = self._laid_out(tuple(zip(names, headers, strict=True)))
                self._folder.remember(self._query.data_set, COLUMNS_MEMO, found.as_memo())
                self._layout = found
            return found

    def _laid_out(self, seen: tuple[tuple[str, str], ...]) -> ReportLayout:
        headers = dict(seen)
        columns = [
            ReportColumn(known.name, headers.pop(known.name, known.header or known.name), known.kind.value)
            for known in self._query.metrics.columns
        ]
        columns += [ReportColumn(name, header, "text") for name, header in headers.items()]
        return ReportLayout.of(self._query.data_set, columns, self._query.metrics.key)

    def readings(self) -> Mapping[str, Reading]:
        """Return for each window its days, and when it was last requested."""
        noted = self._folder.remembered(self._query.data_set, _READINGS) or {}
        found: dict[str, Reading] = {}
        for manifest in self._folder.iter_manifests(self._query.data_set):
            if manifest.covered is None:
                continue
            on = manifest.written_at.date()
            if isinstance(later := noted.get(manifest.unit), str):
                on = max(on, dt.date.fromisoformat(later))
            found[manifest.unit] = Reading(days_of(manifest.covered), on)
        return found

    def kept_from(self) -> dt.datetime | None:
        """Return the time before which all windows were removed because they are old, or None."""
        return removed_before(self._folder, self._query.data_set)

    def note_reading(self, unit: str, on: dt.date) -> None:
        """Remember when a window was requested that has not changed, since its manifest does not say so."""
        with self._lock:
            noted = self._folder.remembered(self._query.data_set, _READINGS) or {}
            if noted.get(unit) != on.isoformat():
                self._folder.remember(self._query.data_set, _READINGS, noted | {unit: on.isoformat()})


def span_of(days: Days) -> Span:
    """Return the period of days, in UTC."""
    first, last = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in days)
    return first, last + _DAY


def days_of(span: Span) -> Days:
    """Return the days of a period that `span_of` returned."""
    return Days(span[0].astimezone(dt.UTC).date(), (span[1].astimezone(dt.UTC) - _DAY).date())


def queries_of(asked: ReportQuery) -> tuple[Query, ...]:
    """Return the query for each metric set; `all` stands for every set without required options.

    Raises:
        UsageError: No report is named, a name is unknown, or one of them does not take an option.
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
    """Return the fewest requests needed: one for each window. Gladly allows ten per minute."""
    count = 0
    for query in queries_of(asked):
        history = ReportHistory(folder, query)
        kept_from = history.kept_from()
        count += len(windows_due(query, asked, history.readings(), today, refresh=refresh, kept_from=kept_from))
    return count


def grid_for(query: Query) -> Grid:
    """Return the grid on which the windows of a query lie."""
    return grid_of(query.metrics.grain, query.aggregation)


def windows_due(
    query: Query,
    asked: ReportQuery,
    readings: Mapping[str, Reading],
    today: dt.date,
    *,
    refresh: bool,
    kept_from: dt.datetime | None = None,
) -> list[Due]:
    """Return the windows to request.

    Without a first day, all days from the first one in the data set until yesterday are considered, so
    that gaps are closed as well. A reading on a day in the future was dated by a fast clock, and counts
    as one that may have been too early. Windows that end before `kept_from` were removed because they are
    old, and only `refresh` requests them again.
    """
    readings = {
        name: found if found.on <= today else Reading(found.days, found.days.last) for name, found in readings.items()
    }
    last = min(asked.last or today - _DAY, today)
    earliest = min((reading.days.first for reading in readings.values()), default=last - (FIRST_DAYS - 1) * _DAY)
    days = Days(asked.first or earliest, last)
    if days.length < 1:
        return []
    found = due(grid_for(query), days, readings, look_back_days=asked.look_back_days, refresh=refresh)
    return [each for each in found if refresh or kept_from is None or span_of(each.window)[1] > kept_from]
