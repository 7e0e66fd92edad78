"""Periods and buckets of time, in the time zone of a report."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, NamedTuple, get_args

__all__ = ("LEVELS", "Level", "Period", "buckets", "days", "midnight")

Level = Literal["halfHourly", "daily", "weekly", "monthly", "quarterly"]

LEVELS: tuple[Level, ...] = get_args(Level)

_DAY = timedelta(days=1)
_HALF_HOUR = timedelta(minutes=30)


class Period(NamedTuple):
    """From `start` up to, not including, `end`; both in UTC."""

    start: datetime
    end: datetime

    def within(self, other: "Period") -> "Period":
        """Return the part that is inside the other period; its end is never before its start."""
        start = max(self.start, other.start)
        return Period(start, max(start, min(self.end, other.end)))


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the time in UTC at which a day begins in the zone.

    Raises:
        OverflowError: The time is outside the calendar.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def days(period: Period) -> Iterator[datetime]:
    """Yield the beginnings of the UTC days that overlap the period."""
    day = period.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < period.end:
        yield day
        day += _DAY


def buckets(period: Period, level: Level, zone: tzinfo) -> Iterator[Period]:
    """Yield the period, split into buckets of the level; the first and the last can be less than a whole bucket.

    How Gladly shows a bucket that the period cuts is not known; here no two periods share a row.
    """
    start = period.start
    while start < period.end:
        end = min(_next_edge(start, level, zone), period.end)
        yield Period(start, end)
        start = end


def _next_edge(moment: datetime, level: Level, zone: tzinfo) -> datetime:
    local = moment.astimezone(zone)
    day = local.date()
    match level:
        case "halfHourly":
            since = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
            return moment - since + _HALF_HOUR
        case "daily":
            following = day + _DAY
        case "weekly":
            following = day + _DAY * (7 - day.weekday())
        case "monthly":
            following = (day.replace(day=1) + _DAY * 32).replace(day=1)
        case "quarterly":
            first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            following = (first + _DAY * 95).replace(day=1)
    return midnight(following, zone)
