"""What people are told while events come in: one line a minute, and only if something has changed."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping

import anyio.to_thread

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.upkeep import view_of
from bulkgladly.runs.observer import counted, duration_text

__all__ = ("WAYS", "ProgressLines")

WAYS: Mapping[str, str] = {"webhook": "by webhook", "feed": "from the feed", "jobs": "from the list of export jobs"}
"""How events came, by the counters of the inbox, in words for people."""

_EVERY_S = 60.0
_FIRST_S = 5.0


class ProgressLines:
    """Tells how many events came, how old the newest is, and which readers are behind.

    `readers` are those of this session, by the names of their cursors, with how people know them.
    """

    def __init__(
        self,
        inbox: Inbox,
        before: Mapping[str, int],
        readers: Mapping[str, str],
        *,
        wall: Callable[[], dt.datetime],
        note: Callable[[str], None],
    ) -> None:
        self._inbox, self._before, self._readers, self._wall, self._note = inbox, before, readers, wall, note
        self._told = ""

    async def run(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Tell until it is cancelled."""
        await sleep(_FIRST_S)
        while True:
            await anyio.to_thread.run_sync(self.tell)
            await sleep(_EVERY_S)

    def tell(self) -> None:
        """Tell what has changed since the last line."""
        events = self._events()
        behind = ", ".join(f"{number:,} not yet {self._readers[name]}" for name, number in self._behind().items())
        # The age of the newest event alone is not news.
        if f"{events}{behind}" != self._told:
            self._told = f"{events}{behind}"
            self._note(", ".join(part for part in (events, self._newest(), behind) if part))

    def _events(self) -> str:
        now = self._inbox.reader.counters()
        came = {way: now.get(name, 0) - self._before.get(name, 0) for name, way in WAYS.items()}
        ways = [f"{number:,} {way}" for way, number in came.items() if number]
        return counted(sum(came.values()), "event") + (f" ({', '.join(ways)})" if len(ways) > 1 else "")

    def _newest(self) -> str:
        newest = self._inbox.reader.newest_time()
        if newest is None:
            return ""
        return f"the newest {duration_text(max(0.0, (self._wall() - newest).total_seconds()))} old"

    def _behind(self) -> dict[str, int]:
        found = {one.name: one.waiting for one in view_of(self._inbox.reader).readers}
        return {name: found[name] for name in self._readers if found.get(name)}
