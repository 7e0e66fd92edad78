"""What time it is at Gladly, by the `Date` header of its replies; neither clock is believed alone."""

import datetime as dt
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

__all__ = ("ServerClock",)

_DIFFERS = dt.timedelta(minutes=2)


class ServerClock:
    """Tells the time of the server from its latest reply and the time that has passed since.

    `wall` returns this machine's time, and `monotonic` seconds that never decrease.
    """

    def __init__(self, wall: Callable[[], dt.datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._known: tuple[dt.datetime, float] | None = None

    def heard(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of a reply that has just come."""
        if headers.get("Age", "0").strip() not in ("", "0"):
            return  # a cache on the way answered, with the date at which it was filled
        try:
            date = parsedate_to_datetime(headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        self._known = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).astimezone(dt.UTC), self._monotonic()

    def now(self) -> dt.datetime:
        """Return the time at the server; this machine's if no reply had a date."""
        if self._known is None:
            return self._wall()
        date, at = self._known
        return date + dt.timedelta(seconds=self._monotonic() - at)

    def certain(self) -> dt.datetime:
        """Return a time that has passed at the server, unless both clocks are ahead.

        What counts as covered must not lie in the future: of two clocks that differ, the one behind is taken.
        """
        return min(self.now(), self._wall())

    def difference(self) -> dt.timedelta | None:
        """Return how far this machine's clock is ahead of the server's (negative: behind); None if they agree."""
        apart = self._wall() - self.now()
        return apart if abs(apart) > _DIFFERS else None
