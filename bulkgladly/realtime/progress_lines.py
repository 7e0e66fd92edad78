"""What people are told while events come in: one line a minute, and only if something has changed."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.runs.observer import counted, duration_text

__all__ = ("ProgressLines",)

_EVERY_S = 60.0
_FIRST_S = 5.0


class ProgressLines:
    """Tells how many events came, how old the newest is, and which readers are behind."""

    def __init__(
        self, inbox: Inbox, before: Mapping[str, int], *, wall: Callable[[], dt.datetime], note: Callable[[str], None]
    ) -> None:
        self._inbox, self._before, self._wall, self._note = inbox, before, wall, note
        self._told = ("", "")

    async def run(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Tell until it is cancelled."""
        await sleep(_FIRST_S)
        while True:
            self.tell()
            await sleep(_EVERY_S)

    def tell(self) -> None:
        """Tell what has changed since the last line."""
        events, behind = self._events(), self._behind()
        # The age of the newest event alone is not news.
        if (events, behind) != self._told:
            self._told = events, behind
            self._note(", ".join(part for part in (events, self._newest(), behind) if part))

    def _events(self) -> str:
        now = self._inbox.reader.counters()
        came = {way: now.get(way, 0) - self._before.get(way, 0) for way in ("webhook", "feed", "jobs")}
        ways = [f"{number:,} by {way}" for way, number in came.items() if number]
        return counted(sum(came.values()), "event") + (f" ({', '.join(ways)})" if len(ways) > 1 else "")

    def _newest(self) -> str:
        newest = self._inbox.reader.newest_time()
        if newest is None:
            return ""
        return f"the newest {duration_text(max(0.0, (self._wall() - newest).total_seconds()))} old"

    def _behind(self) -> str:
        reader = self._inbox.reader
        waiting = {name: reader.waiting(seq) for name, seq in reader.cursors().items()}
        return ", ".join(f"{number:,} wait for {name}" for name, number in waiting.items() if number)
