"""The rows of a report: invented for each day, grouped by buckets in some sets, then corrected."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.report_corrections import RestatedDay
from bulkgladly.emulator.organisation.told_facts import ToldFacts
from bulkgladly.emulator.reports.cell_values import measure_of, text_of
from bulkgladly.emulator.reports.facts import CHANNELS, Directory, Fact, ReportView, facts_of
from bulkgladly.emulator.reports.metric_sets import Column, MetricSet
from bulkgladly.emulator.reports.periods import Level, Period, buckets, days
from bulkgladly.emulator.reports.recorded_facts import recorded_facts

__all__ = ("ANCHORS", "FIRST_DAY", "Cells", "ReportRequest", "RowSources", "rows_of")

Cells = list[str]
"""One row: the texts of all columns of the set, in their order."""

ANCHORS = ("moment", "contact.ended", "contact.created")
"""The values that give the date of a row; the first that is not empty counts."""

FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)
"""The first day of the organisation; reports about earlier days are empty."""


class ReportRequest(NamedTuple):
    """A checked request for a report. Empty filters let everything pass."""

    metric_set: MetricSet
    period: Period
    view: ReportView
    level: Level = "daily"
    channel: str | None = None
    inboxes: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    @property
    def filtered(self) -> bool:
        """Whether there is a filter."""
        return self.channel is not None or bool(self.inboxes) or bool(self.teams)


class RowSources(NamedTuple):
    """What rows are made from, as it was at the time of the request."""

    directory: Directory
    seed: int
    per_day: int
    empty_days: frozenset[date]
    restated: Mapping[date, RestatedDay]
    told: ToldFacts | None = None


class _Row(NamedTuple):
    cells: Cells
    moment: datetime
    inbox: str
    agent: str
    channel: str


def rows_of(request: ReportRequest, sources: RowSources) -> Iterator[Cells]:
    """Return the rows, which are made while they are read. Their order has no meaning."""
    return _bucket_rows(request, sources) if request.metric_set.by else _fact_rows(request, sources)


def _fact_rows(request: ReportRequest, sources: RowSources) -> Iterator[Cells]:
    columns = request.metric_set.columns
    for day in days(request.period):
        restated = sources.restated.get(day.date())
        if restated is None:
            wanted = filter(_filter_for(request), _facts(request, sources, day))
            yield from ([text_of(fact, column.value) for column in columns] for fact in wanted)
        else:
            yield from _restated_rows(request, sources, day, restated)


def _facts(request: ReportRequest, sources: RowSources, day: datetime) -> Iterator[Fact]:
    if day.date() in sources.empty_days:
        return iter(())
    if sources.told is not None:
        found = recorded_facts(sources.told, request.metric_set, day, sources.directory, request.view)
        if found is not None:
            return found
    return facts_of(
        request.metric_set.subject, day, sources.per_day, sources.directory, request.view, seed=sources.seed
    )


def _filter_for(request: ReportRequest) -> Callable[[Fact], bool]:
    channel = None if request.channel is None else CHANNELS[request.channel]

    def judge(fact: Fact) -> bool:
        return (
            request.period.start <= fact.moment < request.period.end
            and (channel is None or fact.channel == channel)
            and (not request.inboxes or fact.inbox["id"] in request.inboxes)
            and (not request.teams or any(team["id"] in request.teams for team in fact.teams))
        )

    return judge


def _restated_rows(
    request: ReportRequest, sources: RowSources, day: datetime, restated: RestatedDay
) -> Iterator[Cells]:
    columns = request.metric_set.columns
    rows = [
        _Row([text_of(t, c.value) for c in columns], t.moment, t.inbox["id"], t.agent["id"], t.channel)
        for t in (() if restated.whole else _facts(request, sources, day))
    ]
    known = [row.cells for row in rows]
    new = _apply_corrections(request.metric_set, known, restated.rows)
    rows += [_Row(cells, day, _some_inbox(cells, sources.directory), "", _some_channel(cells)) for cells in new]
    teams = sources.directory.teams
    for row in (_with_own_place(row, request.metric_set) for row in rows):
        if (
            request.period.start <= row.moment < request.period.end
            and (request.channel is None or row.channel == CHANNELS[request.channel])
            and (not request.inboxes or row.inbox in request.inboxes)
            and (not request.teams or any(team["id"] in request.teams for team in teams.get(row.agent, ())))
        ):
            yield row.cells


def _apply_corrections(
    metric_set: MetricSet, known: Sequence[Cells], said: Sequence[Mapping[str, str]]
) -> Sequence[Cells]:
    """Change the known rows in place, and return the new ones."""
    key, headers = metric_set.key, [column.header for column in metric_set.columns]
    by_key = {tuple(cells[n] for n in key): cells for cells in known} if key else {}
    new: list[Cells] = []
    for row in said:
        name = tuple(row[headers[n]] for n in key)
        cells = by_key.get(name) if key else None
        if cells is None:
            cells = [""] * len(headers)
            new.append(cells)
            by_key[name] = cells
        for n, header in enumerate(headers):
            cells[n] = row.get(header, cells[n])
    return new


def _with_own_place(row: _Row, metric_set: MetricSet) -> _Row:
    """Return the row with the date, inbox, agent and channel of its own cells, if they have any."""
    said = {value: row.cells[n] for value in _PLACES if (n := metric_set.position(value)) is not None and row.cells[n]}
    dated = next((said[value] for value in ANCHORS if value in said), None)
    return row._replace(
        moment=row.moment if dated is None else moment_of(dated),
        inbox=said.get("inbox.id", row.inbox),
        agent=said.get("agent.id", said.get("handler.id", row.agent)),
        channel=said.get("channel", row.channel),
    )


_PLACES = (*ANCHORS, "inbox.id", "agent.id", "handler.id", "channel")


def _some_inbox(cells: Cells, directory: Directory) -> str:
    return str(directory.inboxes[crc32("\n".join(cells).encode()) % len(directory.inboxes)]["id"])


def _some_channel(cells: Cells) -> str:
    return tuple(CHANNELS.values())[crc32("\n".join(cells).encode()) % len(CHANNELS)]


class _Group:
    """The facts of one row in a report with buckets."""

    def __init__(self, first: Fact, measures: Iterable[str]) -> None:
        self.first = first
        self.moments: list[datetime] = []
        self.sums = dict.fromkeys(measures, 0.0)

    def add(self, fact: Fact) -> None:
        self.moments.append(fact.moment)
        for name in self.sums:
            self.sums[name] += measure_of(fact, name)

    def cell(self, column: Column, bucket: Period) -> str:
        match column.value.split():
            case ["begin"]:
                return self.first.write(bucket.start)
            case ["end"]:
                return self.first.write(bucket.end)
            case ["earliest"]:
                return self.first.write(min(self.moments))
            case ["latest"]:
                return self.first.write(max(self.moments))
            case ["count"]:
                return str(len(self.moments))
            case ["sum", name]:
                return _number(self.sums[name])
            case ["mean", name]:
                return _number(self.sums[name] / len(self.moments))
            case _:
                return text_of(self.first, column.value)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").removesuffix(".")


def _bucket_rows(request: ReportRequest, sources: RowSources) -> Iterator[Cells]:
    columns, by = request.metric_set.columns, request.metric_set.by or "moment"
    measures = {column.value.split()[1] for column in columns if column.value.startswith(("sum ", "mean "))}
    # Buckets follow the report's time zone, facts the days of UTC, so two days in memory are enough.
    facts = lru_cache(maxsize=2)(lambda day: tuple(_facts(request, sources, day)))
    for bucket in buckets(request.period, request.level, request.view.zone):
        wanted = _filter_for(request._replace(period=bucket))
        groups: dict[str, _Group] = {}
        for day in days(bucket):
            for fact in filter(wanted, facts(day)):
                name = text_of(fact, by)
                group = groups.get(name) or groups.setdefault(name, _Group(fact, measures))
                group.add(fact)
        rows = [[group.cell(column, bucket) for column in columns] for group in groups.values()]
        yield from _with_corrections(
            rows, request, sources.restated.get(bucket.start.astimezone(request.view.zone).date())
        )


def _with_corrections(rows: list[Cells], request: ReportRequest, restated: RestatedDay | None) -> list[Cells]:
    """Return the rows with the corrections of the day, which apply only to daily rows without filters."""
    if restated is None or request.level != "daily" or request.filtered:
        return rows
    kept = [] if restated.whole else rows
    return [*kept, *_apply_corrections(request.metric_set, kept, restated.rows)]
