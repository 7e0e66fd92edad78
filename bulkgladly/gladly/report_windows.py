"""Which requests a range of days becomes, as data: windows, what is due, and how a full answer is halved. Pure.

Windows lie on a fixed grid, so that what was read once is found again: one day, seven days
from a Monday, or calendar months. A window that has only begun, or of which only some days are
asked for, covers one stretch of days; a later reading covers at least the same.

An answer of as many rows as the cap was cut without a word (gladly-api, reports, limits). Its
days are halved until each answer is below the cap, then the values of a filter are.
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
"""Rows of an answer, at most, for most reports [gladly-api, reports]. As many or more count as cut."""

Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Filter name to its values, as a request has them."""

_DAY = timedelta(days=1)
_MONDAY = date(1970, 1, 5)


class Grain(enum.StrEnum):
    """What one row of a report stands for: it decides how a period may be cut."""

    THING = "thing"
    """A conversation, a contact, a session. Seven days a request."""
    EVENT = "event"
    """Something that happened; there are many a day. One day a request."""
    BUCKET = "bucket"
    """Sums over a bucket of time. A month a request, cut between buckets only."""
    PERIOD = "period"
    """Sums over all that was asked for: other days would be other rows. A month, never cut."""


class Days(NamedTuple):
    """A stretch of days, both ends included."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """How many days they are."""
        return (self.last - self.first).days + 1

    @property
    def name(self) -> str:
        """The name of the window in files and units."""
        return f"{self.first.isoformat()}_{self.last.isoformat()}"

    def covers(self, other: "Days") -> bool:
        """Tell whether all days of another stretch are among these."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `length` days from a Monday, or of `length` calendar months.

    `step` is the fewest days that a window may be cut into; None if it must stay whole.
    """

    length: int
    step: int | None
    in_months: bool = False

    def window_of(self, day: date) -> Days:
        """Return the window in which a day lies."""
        if not self.in_months:
            first = day - timedelta(days=(day - _MONDAY).days % self.length)
            return Days(first, first + timedelta(days=self.length - 1))
        begin = (day.year * 12 + day.month - 1) // self.length * self.length
        return Days(_month(begin), _month(begin + self.length) - _DAY)

    def windows(self, days: Days) -> Iterator[Days]:
        """Yield the windows that have any of these days, in order."""
        window = self.window_of(days.first)
        while window.first <= days.last:
            yield window
            window = self.window_of(window.last + _DAY)

    def asked(self, window: Days, days: Days) -> Days:
        """Return what to ask of a window for the sake of some days: from the beginning of a bucket on."""
        first = max(window.first, days.first)
        into = (first - window.first).days
        first -= timedelta(days=into % self.step if self.step else into)
        return Days(first, min(window.last, days.last))


def grid_of(grain: Grain, aggregation: str | None) -> Grid:
    """Return the grid of a report.

    Seven days for things and one for events are what a connector uses to stay far below the
    cap. Half-hourly buckets are refused beyond a month for one set, so they get a week.
    """
    if grain is Grain.EVENT:
        return Grid(1, step=1)
    if grain is Grain.THING:
        return Grid(7, step=1)
    if grain is Grain.PERIOD:
        return Grid(1, step=None, in_months=True)
    return {
        "halfHourly": Grid(7, step=1),
        "weekly": Grid(28, step=7),
        "monthly": Grid(1, step=None, in_months=True),
        "quarterly": Grid(3, step=None, in_months=True),
    }.get(aggregation or "daily", Grid(1, step=1, in_months=True))


class Reading(NamedTuple):
    """What was read of a window, and on which day (UTC)."""

    days: Days
    on: date


class Due(NamedTuple):
    """A window to ask for, and the days of it."""

    window: Days
    days: Days


def due(
    grid: Grid, days: Days, readings: Mapping[str, Reading], *, look_back_days: int, refresh: bool = False
) -> Iterator[Due]:
    """Yield what to ask for so that some days are known, in order.

    `readings` are by the name of the window. Rows change for some time after their day, so a
    window is asked for again until it was read more than `look_back_days` after its last day.
    A reading never covers less than the one before.
    """
    for window in grid.windows(days):
        wanted = grid.asked(window, days)
        reading = readings.get(window.name)
        if reading:
            is_settled = (reading.on - reading.days.last).days > look_back_days
            if is_settled and reading.days.covers(wanted) and not refresh:
                continue
            wanted = Days(min(wanted.first, reading.days.first), max(wanted.last, reading.days.last))
        yield Due(window, wanted)


def by_days(days: Days, step: int | None, longest: int | None = None) -> Generator[Days, bool, list[Days]]:
    """Yield stretches of days to ask for, and be told of each whether the answer was cut.

    The uncut stretches and those returned together are all days, each once. Returned are the
    stretches whose answer was cut although they cannot be halved. `longest` is the most days
    to begin with, where an earlier window has taught us.
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
    """A filter that can tell rows apart. `is_whole` says that each row asked for has one of the values."""

    name: str
    values: tuple[str, ...]
    is_whole: bool = False

    @property
    def takes_one(self) -> bool:
        """Whether a request can name one value only."""
        return self.name == "channel"


def by_filters(splits: Sequence[Split], within: Filters = ()) -> Generator[Filters, bool, bool]:
    """Yield filters for a day that was cut without them, and be told of each whether the answer was cut.

    Returns whether the answers together must be the whole day. They need not be where rows may
    exist that no value of a filter brings (a contact without an inbox).
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
    """Return the halves of a list, the first one last, since that is popped first."""
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
