"""Reports into the data set: one unit for each window of days of each metric set.

Each query has a data set of its own (`reports/AgentSummary`, `reports/AgentSummary~weekly`), so that
rows of different queries never mix. Its windows lie on a fixed grid; a window that is read again is
merged with what the data set has, and published only if something has changed.
"""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from bulkgladly.api.budget_pacers import REPORTS
from bulkgladly.errors import UsageError
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.exports.price import Price
from bulkgladly.exports.report_fetch import FullDays, ReportFailed, ReportFetch, WindowReplies
from bulkgladly.exports.report_plan import ReportHistory, estimate, grid_for, queries_of, span_of, windows_due
from bulkgladly.exports.unit_kinds import ExportUnit, UnitResult, UnitState
from bulkgladly.gladly.report_queries import Query
from bulkgladly.gladly.report_windows import ROW_CAP, Due, Grid
from bulkgladly.journal.units import UnitLine
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.merge import joined, restate, unite
from bulkgladly.lake.published_rows import read_rows
from bulkgladly.lake.report_table import ReportLayout
from bulkgladly.lake.rows import DriftLog, Origin, Rows
from bulkgladly.runs.observer import duration_text

__all__ = ("Reports",)


class Reports:
    """The requested reports, window by window, the oldest first."""

    name = "reports"
    workers = 2  # the API answers two at a time

    def __init__(self, asked: ReportQuery, *, row_cap: int = ROW_CAP) -> None:
        """Choose the reports. `row_cap` is the most rows that a reply has.

        Raises:
            UsageError: They cannot be requested.
        """
        if asked.first and asked.last and asked.first > asked.last:
            raise UsageError(f"the first day of the report, {asked.first}, is after its last, {asked.last}")
        self._asked, self._row_cap = asked, row_cap
        self._queries = queries_of(asked)

    async def units(self, context: Context) -> AsyncIterator[ExportUnit]:
        """Yield the windows that are missing, or were read so early that their rows may have changed."""
        today = context.now.astimezone(dt.UTC).date()
        for day in (self._asked.first, self._asked.last):
            if day is not None and day > today:
                context.note(f"reports: {day} is in the future; reading until today, {today}")
        for query in self._queries:
            if query.warning:
                context.note(query.warning)
            history = ReportHistory(context.folder, query)
            readings = await context.in_thread(history.readings)
            ended = {line.name for line in await context.in_thread(context.log.units) if _has_ended(line, query)}
            kept_from = await context.in_thread(history.kept_from)
            refresh = context.options.refresh
            for each in windows_due(query, self._asked, readings, today, refresh=refresh, kept_from=kept_from):
                reading = readings.get(each.window.name)
                # What this run read before it was interrupted is not requested again.
                if each.window.name not in ended or reading is None or not reading.days.covers(each.days):
                    yield _WindowUnit(query, history, grid_for(query), each, self._row_cap)

    async def add_price(self, context: Context, price: Price) -> None:
        """Tell how long the API's limit for reports makes it take, which is not that of others; a split takes more."""
        del price
        options, today = context.options, context.now.astimezone(dt.UTC).date()
        count: int = await context.in_thread(estimate, self._asked, context.folder, today, refresh=options.refresh)
        if count > 1 and not options.pace.unlimited:
            a_minute = REPORTS.limit * (1 - options.pace.reserve)
            time = duration_text(60 * count / a_minute)
            context.observer.note(f"reports: {count:,} windows at {a_minute:g} per minute take {time} or more")


def _has_ended(line: UnitLine, query: Query) -> bool:
    """Tell whether a unit of the run is a window of this query that was read successfully."""
    return line.data_set == query.data_set and line.state in (UnitState.DONE, UnitState.UNCHANGED)


@dataclass(frozen=True, slots=True)
class _WindowUnit:
    """One window of one report: requested, merged with what the data set has, published as a whole."""

    query: Query
    history: ReportHistory
    grid: Grid
    due: Due
    row_cap: int

    @property
    def data_set(self) -> str:
        """The data set of the query."""
        return self.query.data_set

    @property
    def name(self) -> str:
        """The first and the last day of the window."""
        return self.due.window.name

    async def run(self, context: Context) -> UnitResult:
        """Fetch all replies, then publish the rows of the window."""
        fetch = ReportFetch(context, self.query, self.history, self.grid, row_cap=self.row_cap)
        try:
            answers = await fetch.answers(self.due.days)
        except ReportFailed as error:
            return UnitResult(UnitState.FAILED, detail=str(error))
        result: UnitResult = await context.in_thread(self._publish, context, answers)
        return result

    def _publish(self, context: Context, answers: WindowReplies) -> UnitResult:
        folder = context.folder
        fetched_at = folder.now()
        layout = self.history.expected()
        old = folder.manifest(self.data_set, self.name)
        days = self.due.days
        origin = {"_fetched_at": fetched_at, "_window_start": str(days.first), "_window_end": str(days.last)}
        rows, key, gaps = _assembled(answers, layout, origin)
        before = read_rows(folder, [old] if old else [], data_set=layout.data_set)
        rejected = sum(len(body.rejects) for body in answers.bodies)
        # A line that is not a row may be the new version of any row that is missing.
        found = restate(before, rows, key, at=fetched_at, is_whole=not gaps and not rejected)
        incomplete = "; ".join(gaps) or None
        is_published = found.doubt is None and (
            found.table is not None or old is None or (old.covered, old.incomplete) != (span_of(days), incomplete)
        )
        if is_published:
            table = before if found.table is None else found.table
            self._commit(context, table, layout, origin, answers, old, incomplete)
        # The manifest keeps its time if nothing has changed, so the reading is remembered beside it: otherwise the
        # same window would be requested again every night.
        elif old is not None and old.written_at.date() != fetched_at.date():
            self.history.note_reading(self.name, fetched_at.date())
        detail = found.doubt or incomplete or ""
        return UnitResult(
            state=UnitState.INCOMPLETE if detail else UnitState.DONE if is_published else UnitState.UNCHANGED,
            created=found.created,
            updated=found.updated,
            unchanged=found.unchanged,
            rejected=rejected,
            detail=detail,
        )

    def _commit(
        self,
        context: Context,
        table: Any,
        layout: ReportLayout,
        origin: Mapping[str, Any],
        answers: WindowReplies,
        old: Manifest | None,
        incomplete: str | None,
    ) -> None:
        query = self.query
        source = Origin(self.name, f"POST {query.metrics.path} {query.metrics.name}", origin)
        with context.writer(layout.data_set, self.name, source) as writer:
            drift = DriftLog()
            bodies = list(answers.bodies)
            for batch in table.to_batches():
                writer.write(Rows((("window", self.name),), batch))
            for body in bodies:
                drift.take(body.drift)
                for refused in body.rejects:
                    writer.reject(refused)
            about = {
                "metric_set": query.metrics.name,
                "aggregation": query.aggregation,
                "filters": {name: list(values) for name, values in query.filters},
                "answers": len(bodies),
                "missing_columns": sorted({name for body in bodies for name in body.missing}),
            }
            writer.commit(
                covered=span_of(self.due.days),
                about=about,
                incomplete=incomplete,
                replaces=[old] if old else [],
                drift=drift,
            )


def _assembled(
    answers: WindowReplies, layout: ReportLayout, origin: Mapping[str, Any]
) -> tuple[Any, tuple[str, ...], list[str]]:
    """Return the rows of all replies, their key, and where rows may be missing."""
    key = layout.data_set.key
    gaps: list[str] = []
    tables = [body.table(origin) for body in answers.plain if body.rows]
    for full in answers.full:
        filtered = [body.table(origin) for body in full.filtered if body.rows]
        united = unite([*filtered, full.cut.table(origin)], key)
        tables.append(united.table)
        key = united.key
        if not (full.is_whole or (full.filtered and full.is_uncut and not united.beyond)):
            gaps.append(_gap(full, united.table.num_rows, united.alone))
    return joined(tables, layout.data_set.schema), key, gaps


def _gap(full: FullDays, rows: int, alone: int) -> str:
    # Manifests hold this text and are compared with it: in other words every such window would be published again.
    text = f"{full.days.name}: an answer was cut at {full.cut.rows:,} rows"
    if not full.filtered:
        return f"{text}, and no filter divides it further"
    return f"{text}; filters brought it to {rows:,}, and {alone:,} rows of the cut answer were in no filtered one"
