"""Which requests a range of days becomes: windows, which of them are due, and how a full one is split. Pure.

Windows are on a fixed grid, so that a later run finds what an earlier one has read: one day,
seven days from a Monday, or calendar months. A window of which only some days are read covers one
range of days; a later reading covers at least the same days.

A response with as many rows as the cap was cut without notice (gladly-api, reports, limits). Its
days are halved until each response is below the cap, and then the values of a filter.
"""

import enum
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

__all__ = (
    "ROW_CAP",
    "Days",
    "Due",
    "Filters",
    "Grain",
    "Grid",
    "Reading",
    "Split",
    "by_days",
    "by_filters",
    "due",
    "grid_of",
)

ROW_CAP = 100_000
"""The most rows of a response, for most reports [gladly-api, reports]. As many or more count as cut."""

Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Filter name to its values, as a request has them."""

_DAY = timedelta(days=1)
_MONDAY = date(1970, 1, 5)


class Grain(enum.StrEnum):
    """What one row of a report stands for. It decides how a period may be split."""

    THING = "thing"
    """A conversation, a contact, a session. Seven days a request."""
    EVENT = "event"
    """Something that happened; there are many each day. One day a request."""
    BUCKET = "bucket"
    """Sums over a bucket of time. A month a request, split only between buckets."""
    PERIOD = "period"
    """Sums over the whole period: other days would give other rows. A month a request, never split."""


class Days(NamedTuple):
    """A range of days, both ends included."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def name(self) -> str:
        """The name of the window in files and units."""
        return f"{self.first.isoformat()}_{self.last.isoformat()}"

    def covers(self, other: "Days") -> bool:
        """Tell whether all days of another range are among these."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `length` days from a Monday, or of `length` calendar months.

    A window may be split into multiples of `step` days; None if it must not be split.
    """

    length: int
    step: int | None
    in_months: bool = False

    def window_of(self, day: date) -> Days:
        """Return the window that contains a day."""
        if not self.in_months:
            first = day - timedelta(days=(day - _MONDAY).days % self.length)
            return Days(first, first + timedelta(days=self.length - 1))
        begin = (day.year * 12 + day.month - 1) // self.length * self.length
        return Days(_month(begin), _month(begin + self.length) - _DAY)

    def windows(self, days: Days) -> Iterator[Days]:
        """Yield the windows that contain any of these days, in order."""
        window = self.window_of(days.first)
        while window.first <= days.last:
            yield window
            window = self.window_of(window.last + _DAY)

    def asked(self, window: Days, days: Days) -> Days:
        """Return the days of a window to request for some days: from the beginning of a bucket."""
        first = max(window.first, days.first)
        into = (first - window.first).days
        # A bucket that is read from its middle would have the sums of some of its days only.
        first -= timedelta(days=into % self.step if self.step else into)
        return Days(first, min(window.last, days.last))


def grid_of(grain: Grain, aggregation: str | None) -> Grid:
    """Return the grid of a report.

    A connector requests seven days of things and one day of events to stay far below the cap.
    One set refuses half-hourly buckets of more than a month, so they get a week.
    """
    if grain is Grain.EVENT:
        return Grid(1, step=1)
    if grain is Grain.THING:
        return Grid(7, step=1)
    if grain is Grain.PERIOD:
        return Grid(1, step=None, in_months=True)
    # Each window is a multiple of the bucket, because a bucket that is cut has other sums.
    return {
        "halfHourly": Grid(7, step=1),
        "weekly": Grid(28, step=7),
        "monthly": Grid(1, step=None, in_months=True),
        "quarterly": Grid(3, step=None, in_months=True),
    }.get(aggregation or "daily", Grid(1, step=1, in_months=True))


class Reading(NamedTuple):
    """The days of a window that were read, and on which day (UTC)."""

    days: Days
    on: date


class Due(NamedTuple):
    """A window to request, and which of its days."""

    window: Days
    days: Days


def due(
    grid: Grid, days: Days, readings: Mapping[str, Reading], *, look_back_days: int, refresh: bool = False
) -> Iterator[Due]:
    """Yield what to request for a range of days, in order.

    `readings` are by the name of the window. Gladly revises rows for some time after their day,
    so a window is read again until it was read more than `look_back_days` after its last day.
    A reading never covers fewer days than the one before.
    """
    for window in grid.windows(days):
        wanted = grid.asked(window, days)
        reading = readings.get(window.name)
        if reading:
            is_settled = (reading.on - reading.days.last).days > look_back_days
            if is_settled and reading.days.covers(wanted) and not refresh:
                continue
            # A reading replaces the one before, so it must not lose days that were read.
            wanted = Days(min(wanted.first, reading.days.first), max(wanted.last, reading.days.last))
        yield Due(window, wanted)


def by_days(days: Days, step: int | None, longest: int | None = None) -> Generator[Days, bool, list[Days]]:
    """Yield ranges of days to request; each is sent back whether its response was cut.

    Returns the ranges whose response was cut although they cannot be halved. These and the
    uncut ranges together are all days, each once. `longest` is the most days to begin with, if
    an earlier window has shown that more are cut.
    """
    todo = [days]
    if step and longest:
        todo = list(reversed(_in_pieces(days, max(step, longest - longest % step))))
    full: list[Days] = []
    while todo:
        stretch = todo.pop()
        if not (yield stretch):
            continue
        if step is None or stretch.length <= step:
            full.append(stretch)
        else:
            middle = stretch.first + timedelta(days=-(-stretch.length // step) // 2 * step)
            todo += [Days(middle, stretch.last), Days(stretch.first, middle - _DAY)]
    return full


class Split(NamedTuple):
    """A filter that splits rows. `is_whole` says that each requested row has one of the values."""

    name: str
    values: tuple[str, ...]
    is_whole: bool = False

    @property
    def takes_one(self) -> bool:
        """Whether a request can name one value only."""
        return self.name == "channel"


def by_filters(splits: Sequence[Split], within: Filters = ()) -> Generator[Filters, bool, bool]:
    """Yield filters for a day that was cut without them; each is sent back whether its response was cut.

    Returns whether the responses together must be the whole day. They may not be if there can be
    rows that no value of a filter returns (a contact without an inbox).
    """
    if not splits:
        return False
    split, rest = splits[0], splits[1:]
    if not split.values or (split.is_whole and len(split.values) == 1):
        return (yield from by_filters(rest, within))
    is_whole = split.is_whole
    todo = [(value,) for value in reversed(split.values)] if split.takes_one else _halves(split.values)
    while todo:
        values = todo.pop()
        filters = (*within, (split.name, values))
        if not (yield filters):
            continue
        if len(values) > 1:
            todo += _halves(values)
        else:
            is_whole &= yield from by_filters(rest, filters)
    return is_whole


def _halves(values: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the halves of a list, the first one last, because the last is popped first."""
    middle = -(-len(values) // 2)
    return [half for half in (values[middle:], values[:middle]) if half]


def _in_pieces(days: Days, length: int) -> list[Days]:
    starts = range(0, days.length, length)
    return [
        Days(begin, min(days.last, begin + timedelta(days=length - 1)))
        for begin in (days.first + timedelta(days=at) for at in starts)
    ]


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
