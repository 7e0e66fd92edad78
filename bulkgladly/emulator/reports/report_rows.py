"""The rows of a report: invented for each day, grouped by buckets where the set asks for it, put right by the book."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.report_corrections import Restated
from bulkgladly.emulator.reports.cell_values import MEASURES, VALUES
from bulkgladly.emulator.reports.facts import CHANNELS, Directory, Thing, View, things_of
from bulkgladly.emulator.reports.metric_sets import Column, MetricSet
from bulkgladly.emulator.reports.periods import Level, Period, buckets, days

__all__ = ("ANCHORS", "FIRST_DAY", "Ask", "Cells", "World", "rows_of")

Cells = list[str]
"""One row: the text of every column of the set, in its order."""

ANCHORS = ("moment", "contact.ended", "contact.created")
"""The values that date a row, the first one with a text."""

FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)
"""The organization is no older; reports about earlier days are empty."""


class Ask(NamedTuple):
    """What a report is asked for, after all checks. Empty filters let everything pass."""

    metric_set: MetricSet
    period: Period
    view: View
    level: Level = "daily"
    channel: str | None = None
    inboxes: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    @property
    def filtered(self) -> bool:
        """Whether a filter leaves rows out."""
        return self.channel is not None or bool(self.inboxes) or bool(self.teams)


class World(NamedTuple):
    """What rows are made from, as it was when the report was asked for."""

    directory: Directory
    seed: int
    per_day: int
    empty_days: frozenset[date]
    restated: Mapping[date, Restated]


class _Row(NamedTuple):
    cells: Cells
    moment: datetime
    inbox: str
    agent: str
    channel: str


def rows_of(ask: Ask, world: World) -> Iterator[Cells]:
    """The rows, made while they are read. Their order says nothing."""
    return _bucket_rows(ask, world) if ask.metric_set.by else _thing_rows(ask, world)


def _thing_rows(ask: Ask, world: World) -> Iterator[Cells]:
    columns = ask.metric_set.columns
    for day in days(ask.period):
        restated = world.restated.get(day.date())
        if restated is None:
            wanted = filter(_wanted(ask), _things(ask, world, day))
            yield from ([VALUES[column.value](thing) for column in columns] for thing in wanted)
        else:
            yield from _restated_rows(ask, world, day, restated)


def _things(ask: Ask, world: World, day: datetime) -> Iterator[Thing]:
    if day.date() in world.empty_days:
        return iter(())
    return things_of(ask.metric_set.subject, day, world.per_day, world.directory, ask.view, seed=world.seed)


def _wanted(ask: Ask) -> Callable[[Thing], bool]:
    channel = None if ask.channel is None else CHANNELS[ask.channel]

    def judge(thing: Thing) -> bool:
        return (
            ask.period.start <= thing.moment < ask.period.end
            and (channel is None or thing.channel == channel)
            and (not ask.inboxes or thing.inbox["id"] in ask.inboxes)
            and (not ask.teams or any(team["id"] in ask.teams for team in thing.teams))
        )

    return judge


def _restated_rows(ask: Ask, world: World, day: datetime, restated: Restated) -> Iterator[Cells]:
    columns = ask.metric_set.columns
    rows = [
        _Row([VALUES[c.value](t) for c in columns], t.moment, t.inbox["id"], t.agent["id"], t.channel)
        for t in (() if restated.whole else _things(ask, world, day))
    ]
    known = [row.cells for row in rows]
    new = _put_right(ask.metric_set, known, restated.rows)
    rows += [_Row(cells, day, _some_inbox(cells, world.directory), "", _some_channel(cells)) for cells in new]
    teams = world.directory.teams
    for row in (_placed(row, ask.metric_set) for row in rows):
        if (
            ask.period.start <= row.moment < ask.period.end
            and (ask.channel is None or row.channel == CHANNELS[ask.channel])
            and (not ask.inboxes or row.inbox in ask.inboxes)
            and (not ask.teams or any(team["id"] in ask.teams for team in teams.get(row.agent, ())))
        ):
            yield row.cells


def _put_right(metric_set: MetricSet, known: Sequence[Cells], said: Sequence[Mapping[str, str]]) -> Sequence[Cells]:
    """Change the known rows in place; the rows that are new are returned."""
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


def _placed(row: _Row, metric_set: MetricSet) -> _Row:
    """Where the row says by itself when and where it belongs, that counts."""
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
    """What bucketed reports add up."""

    def __init__(self, first: Thing, measures: Iterable[str]) -> None:
        self.first = first
        self.moments: list[datetime] = []
        self.sums = dict.fromkeys(measures, 0.0)

    def add(self, thing: Thing) -> None:
        self.moments.append(thing.moment)
        for name in self.sums:
            self.sums[name] += MEASURES[name](thing)

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
                return VALUES[column.value](self.first)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").removesuffix(".")


def _bucket_rows(ask: Ask, world: World) -> Iterator[Cells]:
    columns, by = ask.metric_set.columns, VALUES[ask.metric_set.by or "moment"]
    measures = {column.value.split()[1] for column in columns if column.value.startswith(("sum ", "mean "))}
    # Buckets follow the report's time zone, things the days of UTC: two days are enough to have at hand.
    things = lru_cache(maxsize=2)(lambda day: tuple(_things(ask, world, day)))
    for bucket in buckets(ask.period, ask.level, ask.view.zone):
        wanted = _wanted(ask._replace(period=bucket))
        groups: dict[str, _Group] = {}
        for day in days(bucket):
            for thing in filter(wanted, things(day)):
                name = by(thing)
                group = groups.get(name) or groups.setdefault(name, _Group(thing, measures))
                group.add(thing)
        rows = [[group.cell(column, bucket) for column in columns] for group in groups.values()]
        yield from _corrected(rows, ask, world.restated.get(bucket.start.astimezone(ask.view.zone).date()))


def _corrected(rows: list[Cells], ask: Ask, restated: Restated | None) -> list[Cells]:
    """What the book says of a day is said of its daily rows, and of everybody together."""
    if restated is None or ask.level != "daily" or ask.filtered:
        return rows
    kept = [] if restated.whole else rows
    return [*kept, *_put_right(ask.metric_set, kept, restated.rows)]
