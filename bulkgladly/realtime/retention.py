"""What the inbox keeps: used events for some days, fewer if they take too much room, and never an unused one less."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence

from bulkgladly.errors import DiskFull, JournalDamaged, JournalError
from bulkgladly.inbox.event_inbox import Inbox

__all__ = ("Retention",)

_EVERY_S = 600.0
_STEPS = 10


class Retention:
    """Drops what all of the named readers have used and that is old, or too much.

    A reader of an earlier session that is not named any more keeps nothing from being dropped.
    """

    def __init__(
        self,
        inbox: Inbox,
        readers: Sequence[str],
        *,
        keep_days: float,
        keep_bytes: int,
        wall: Callable[[], dt.datetime],
    ) -> None:
        self._inbox, self._readers, self._wall = inbox, readers, wall
        self._keep, self._keep_bytes = dt.timedelta(days=keep_days), keep_bytes

    async def run(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Tidy up every ten minutes until it is cancelled. A full disk or a locked inbox only puts it off.

        Raises:
            JournalDamaged: The inbox cannot be used.
        """
        while True:
            try:
                await self.tidy()
            except JournalDamaged:
                raise
            except (DiskFull, JournalError):
                pass  # the loops that store something tell people of it
            await sleep(_EVERY_S)

    async def tidy(self) -> int:
        """Drop what may go, and return how many events that were."""
        dropped = await self._inbox.drop(self._wall() - self._keep, done_by=self._readers)
        while self._inbox.reader.size()[1] > self._keep_bytes:
            # A tenth at a time: what is kept should be little less than what may be.
            before = self._inbox.reader.arrival_at(1 / _STEPS)
            found = await self._inbox.drop(before, done_by=self._readers) if before is not None else 0
            if not found:
                break
            dropped += found
        return dropped
