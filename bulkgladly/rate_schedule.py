"""The pace by weekday and time of day: `Mon-Fri 08:00 3, 20:00 9; Sat-Sun 9`. Pure: the time is a parameter.

Groups stand between semicolons, each with its days and then, comma-separated, from which time on how many requests a
second may leave. A rate holds until the next one, over midnight and over days that are not named. `0` lets nothing
leave, and `usual` is the pace of the run without the schedule.
"""

import datetime as dt
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bulkgladly.errors import UsageError
from bulkgladly.plain_numbers import decimal_number

__all__ = ("LEAST_RATE", "RateSchedule", "Span", "instant_of", "instants_of", "local_zone", "rate_text", "zone_of")

LEAST_RATE = 0.01
"""Requests per second. A slower pace is a mistake, or a pause, which has a word of its own."""
MOST_DAYS = 3660

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = r"[A-Za-z]{3,9}"
_DAYS_FIRST = re.compile(rf"({_DAY}(?:\s*-\s*{_DAY})?(?:\s*,\s*{_DAY}(?:\s*-\s*{_DAY})?)*)\s+(?=\S)")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_EXAMPLE = 'write it like "Mon-Fri 08:00 3, 20:00 9; Sat-Sun 9"'
_DAY_MINUTES = 24 * 60


class _WeekEntry(NamedTuple):
    day: int
    minute: int
    rate: float | None


class Span(NamedTuple):
    """From one moment to the next, one rate holds: requests per second, None for the run's usual pace."""

    begin: dt.datetime
    end: dt.datetime
    rate: float | None


@dataclass(frozen=True, slots=True)
class RateSchedule:
    """A schedule in a time zone. Its entries are in the order of the week, and there is at least one."""

    text: str
    entries: tuple[_WeekEntry, ...]
    zone: dt.tzinfo

    @classmethod
    def of(cls, text: str, zone: dt.tzinfo) -> "RateSchedule":
        """Return the schedule that a text describes.

        Raises:
            UsageError: It is not one; the message names the part and the fix.
        """
        return cls(text, _entries_of(text), zone)

    def at(self, moment: dt.datetime) -> float | None:
        """Return the rate at an aware time: 0 if nothing may leave, None if the usual pace holds."""
        return next(self.spans(moment)).rate

    def next_change(self, moment: dt.datetime) -> dt.datetime | None:
        """Return when another rate begins to hold; None if there is only one."""
        end = next(self.spans(moment)).end
        return end if end - moment < dt.timedelta(days=MOST_DAYS) else None

    def spans(self, moment: dt.datetime) -> Iterator[Span]:
        """Yield from a moment on which rate holds until when, for ten years. Neighbours have different rates."""
        if len({entry.rate for entry in self.entries}) == 1:
            # A look at all days of ten years would find nothing else.
            yield Span(moment, moment + dt.timedelta(days=MOST_DAYS), self.entries[0].rate)
            return
        begin, rate = moment, _NOTHING
        for at, follows in self._changes(moment):
            if at > begin and follows != rate and rate is not _NOTHING:
                yield Span(begin, at, rate)  # type: ignore[arg-type]
                begin = at
            rate = follows
        yield Span(begin, begin + dt.timedelta(days=MOST_DAYS), rate)  # type: ignore[arg-type]

    def _changes(self, moment: dt.datetime) -> Iterator[tuple[dt.datetime, float | None]]:
        """Yield each entry's moment and its rate, from at least a week before on."""
        first = moment.astimezone(self.zone).date() - dt.timedelta(days=8)
        begun: list[tuple[dt.datetime, float | None]] = []
        for day in (first + dt.timedelta(days=number) for number in range(MOST_DAYS)):
            for entry in self.entries:
                if entry.day != day.weekday():
                    continue
                time = dt.datetime.combine(day, dt.time(entry.minute // 60, entry.minute % 60))
                at = instant_of(time, self.zone)
                if at <= moment:
                    begun = [(moment, entry.rate)]
                    continue
                yield from begun
                begun = []
                yield at, entry.rate
        yield from begun

    def seconds_for(self, requests: float, begin: dt.datetime, usual: float) -> float:
        """Return how long so many requests take from a moment on; infinite if they never end.

        `usual` is the pace of the run without the schedule, which also caps it.
        """
        left, passed = requests, 0.0
        for span in self.spans(begin):
            rate = usual if span.rate is None else min(span.rate, usual)
            length_s = (span.end - span.begin).total_seconds()
            if rate > 0 and left <= rate * length_s:
                return passed + left / rate
            left -= rate * length_s
            passed += length_s
        return math.inf


_NOTHING = object()


# --- the text ---


@lru_cache(maxsize=64)
def _entries_of(text: str) -> tuple[_WeekEntry, ...]:
    entries: dict[tuple[int, int], _WeekEntry] = {}
    named: set[int] = set()
    groups = [group.strip() for group in text.split(";") if group.strip()]
    if not groups:
        raise _problem(text, "it is empty")
    for group in groups:
        days, rest = _days_and_rest(text, group)
        if again := named & set(days):
            raise _problem(text, f"{_DAYS[min(again)]} is in two groups; name each day once")
        named.update(days)
        for minute, rate in _times_of(text, group, rest):
            for day in days:
                if (day, minute) in entries:
                    raise _problem(text, f"{minute // 60:02d}:{minute % 60:02d} is given twice in {group!r}")
                entries[day, minute] = _WeekEntry(day, minute, rate)
    if all(entry.rate == 0 for entry in entries.values()):
        raise _problem(text, "nothing could ever be sent")
    return tuple(sorted(entries.values(), key=lambda entry: (entry.day, entry.minute)))


def _days_and_rest(text: str, group: str) -> tuple[Sequence[int], str]:
    found = _DAYS_FIRST.match(group)
    if found is None or found[1].lower() == "usual":
        return range(7), group
    days: list[int] = []
    for part in found[1].split(","):
        ends = [_day_of(text, name.strip()) for name in part.split("-")]
        # Over the end of the week, too: Sat-Mon.
        days += [day % 7 for day in range(ends[0], ends[-1] + 1 + 7 * (ends[-1] < ends[0]))]
    return sorted(set(days)), group[found.end() :]


def _day_of(text: str, name: str) -> int:
    short = name[:3].title()
    full = dict(zip(_DAYS, _FULL_DAYS, strict=True))
    if short not in _DAYS or not full[short].startswith(name.lower()):
        raise _problem(text, f"{name!r} is not a weekday; use {', '.join(_DAYS)}")
    return _DAYS.index(short)


_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _times_of(text: str, group: str, rest: str) -> Iterator[tuple[int, float | None]]:
    for number, part in enumerate(rest.split(",")):
        words = part.split()
        if not words:
            raise _problem(text, f"a rate is missing in {group!r}")
        if len(words) == 1 and number == 0:
            yield 0, _rate_of(text, words[0])
            continue
        if len(words) != 2:
            raise _problem(text, f"{part.strip()!r} is not a time and a rate")
        if (time := _TIME.fullmatch(words[0])) is None:
            raise _problem(text, f"{words[0]!r} is not a time from 00:00 to 23:59")
        yield int(time[1]) * 60 + int(time[2]), _rate_of(text, words[1])


def _rate_of(text: str, word: str) -> float | None:
    if word.lower() == "usual":
        return None
    rate = decimal_number(word)
    if rate is not None and (rate == 0 or rate >= LEAST_RATE):
        return rate
    raise _problem(text, f"{word!r} is not a rate; use requests a second (at least {LEAST_RATE}), 0 or usual")


def _problem(text: str, what: str) -> UsageError:
    return UsageError(f"the rate schedule {text!r} is not valid: {what}; {_EXAMPLE}")


def rate_text(rate: float | None) -> str:
    """Return a rate for people: `3 requests/s`, `no requests`, `the usual pace`."""
    if rate is None:
        return "the usual pace"
    return f"{rate:g} requests/s" if rate else "no requests"


# --- time zones ---


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        UsageError: There is none on this machine.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--zone {name}: unknown time zone; use an IANA name, such as Europe/Berlin") from None


def local_zone() -> dt.tzinfo:
    """Return the time zone of this machine, with its changes to and from summer time."""
    return _LocalZone()


class _LocalZone(dt.tzinfo):
    """The zone that the C library uses, which may have no IANA name; `astimezone` alone gives a fixed offset."""

    def __str__(self) -> str:
        return "this machine's time"

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return self._told(moment).utcoffset() or dt.timedelta(0)

    def dst(self, moment: dt.datetime | None) -> dt.timedelta | None:  # noqa: ARG002
        return None

    def tzname(self, moment: dt.datetime | None) -> str:
        return self._told(moment).tzname() or "local"

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        there = moment.replace(tzinfo=dt.UTC).astimezone()
        # The hour that comes twice, the second time: without the fold its offset would be that of the first.
        is_second = there.replace(tzinfo=None).astimezone() != there
        return there.replace(tzinfo=self, fold=int(is_second))

    @staticmethod
    def _told(moment: dt.datetime | None) -> dt.datetime:
        return (moment or dt.datetime.now(dt.UTC).astimezone()).replace(tzinfo=None).astimezone()


def instants_of(time: dt.datetime, zone: dt.tzinfo) -> tuple[dt.datetime, ...]:
    """Return when a clock in a zone shows a time, in UTC: twice in the hour that is repeated, as `instant_of` else."""
    first = instant_of(time, zone)
    second = time.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    is_shown = second.astimezone(zone).replace(tzinfo=None, fold=0) == time.replace(fold=0)
    return (first, second) if is_shown and second > first else (first,)


def instant_of(time: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return when a clock in a zone first shows a time, or a later one if it is skipped, as a time in UTC.

    In the night in which clocks go back, a time comes twice: the first one counts. In the night in which they go
    forward, a time that is skipped counts as the moment of the jump.
    """
    found = time.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == time:
        return found
    # Before the jump the offset is that of fold 0, after it that of fold 1: the jump lies between their moments.
    low, high = sorted((time.replace(tzinfo=zone, fold=1).astimezone(dt.UTC), found))
    before = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
