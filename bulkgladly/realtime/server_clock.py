"""What time it is at Gladly, by the `Date` header of its replies; neither clock is believed alone."""

import datetime as dt
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

__all__ = ("ClockTimes", "ServerClock")

_DIFFERS = dt.timedelta(minutes=2)


class ClockTimes(NamedTuple):
    """What both clocks said at one moment: the server's by its last reply, None if it never said, and this one's."""

    date: dt.datetime | None
    wall: dt.datetime

    @property
    def differs(self) -> bool:
        """Whether one of them must be wrong."""
        return self.date is not None and abs(self.wall - self.date) > _DIFFERS


class ServerClock:
    """Tells the time of the server from its latest reply and the time that has passed since.

    If the clocks differ, what the feed accepts and refuses shows which is wrong (`learn`); a `Date` may be that of
    something on the way. `wall` returns this machine's time, and `monotonic` seconds that never decrease.
    """

    def __init__(self, wall: Callable[[], dt.datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._known: tuple[dt.datetime, float] | None = None
        self._wrong = ""

    def heard(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of a reply that has just come."""
        if headers.get("Age", "0").strip() not in ("", "0"):
            return  # a cache on the way answered, with the date at which it was filled
        try:
            date = parsedate_to_datetime(headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        self._known = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).astimezone(dt.UTC), self._monotonic()

    def read(self) -> ClockTimes:
        """Return what both clocks say."""
        wall = self._wall()
        if self._known is None:
            return ClockTimes(None, wall)
        date, at = self._known
        return ClockTimes(date + dt.timedelta(seconds=self._monotonic() - at), wall)

    def learn(
        self, reading: ClockTimes, *, after: dt.datetime | None = None, before: dt.datetime | None = None
    ) -> None:
        """Note that it was later, or not later, than a time at the server when the clocks were read."""
        if reading.date is None or not reading.differs:
            self._wrong = ""
            return
        wrong = {
            name
            for name, time in (("date", reading.date), ("wall", reading.wall))
            if (after is not None and time < after) or (before is not None and time > before)
        }
        if len(wrong) == 1:
            (self._wrong,) = wrong

    def now(self) -> dt.datetime:
        """Return the time at the server; this machine's if no reply had a date, or a wrong one."""
        return self._likely(self.read())

    def candidates(self) -> list[dt.datetime]:
        """Return the times that it may be at the server, the earliest first: two if nobody knows which is right."""
        reading = self.read()
        if reading.date is None or not reading.differs or self._wrong:
            return [self._likely(reading)]
        return sorted((reading.date, reading.wall))

    def certain(self, reading: ClockTimes | None = None) -> dt.datetime:
        """Return a time that has passed at the server, unless both clocks are ahead.

        What counts as covered must not lie in the future: of two clocks that differ, the one behind is taken, unless
        that one is known to be wrong. It is the time of a `reading`, if there is one.
        """
        found = reading or self.read()
        if found.date is None or (found.differs and self._wrong):
            return self._likely(found)
        return min(found.date, found.wall)

    def _likely(self, reading: ClockTimes) -> dt.datetime:
        if reading.date is None or (reading.differs and self._wrong == "date"):
            return reading.wall
        return reading.date

    def difference(self) -> dt.timedelta | None:
        """Return how far this machine's clock is ahead of the server's (negative: behind); None if they agree."""
        reading = self.read()
        return reading.wall - reading.date if reading.date is not None and reading.differs else None
