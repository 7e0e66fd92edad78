"""Decides which records wait for which: one at a time per customer, key and task, in input order."""

from collections import deque

import anyio

from bulkgladly.gladly.spec import Record

__all__ = ("Lanes",)


class Lanes:
    """Keeps track of the records in flight, and of the records that wait for them.

    A record holds its claims (key, addresses) and its lanes (for example the task of a comment) from `hold` to
    `release`. A record whose lane is held can queue behind the holder, so that the rows after it need not wait; the
    worker that releases the lane continues with it.
    """

    def __init__(self, most_waiting: int) -> None:
        """Beyond `most_waiting` queued records, reading waits for them."""
        self._most_waiting = most_waiting
        self._busy: dict[int, int] = {}
        self._behind: dict[int, deque[Record]] = {}
        self._freed = anyio.Event()
        self._waiting = 0

    @property
    def is_crowded(self) -> bool:
        """Whether no further record can be queued."""
        return self._waiting >= self._most_waiting

    def is_busy(self, record: Record) -> bool:
        """Tell whether a record in flight holds something of this one."""
        return self._is_claimed(record) or (bool(record.lanes) and any(lane in self._busy for lane in record.lanes))

    def hold(self, record: Record) -> None:
        """Make others wait for this record."""
        for digest in _held_by(record):
            self._busy[digest] = self._busy.get(digest, 0) + 1

    def release(self, record: Record) -> None:
        """Make nothing wait for this record any longer."""
        for digest in _held_by(record):
            left = self._busy.pop(digest) - 1
            if left:
                self._busy[digest] = left
        self._freed.set()

    def stand_behind(self, record: Record) -> bool:
        """Queue a record behind those of its lane, and hold it; False if it has to wait for more than its lane."""
        if not record.lanes or not any(lane in self._busy for lane in record.lanes) or self._is_claimed(record):
            return False
        self._behind.setdefault(record.lanes[0], deque()).append(record)
        self._waiting += 1
        self.hold(record)
        return True

    def next_after(self, record: Record) -> Record | None:
        """Return the record queued behind this one, or None; the caller has to finish it."""
        for lane in record.lanes:
            if queue := self._behind.get(lane):
                following = queue.popleft()
                if not queue:
                    del self._behind[lane]
                self._waiting -= 1
                return following
        return None

    async def until_free(self, record: Record) -> None:
        """Wait until no record in flight holds anything of this one."""
        while self.is_busy(record):
            await self._until_freed()

    async def until_room(self) -> None:
        """Wait until records can be queued again."""
        while self.is_crowded:
            await self._until_freed()

    async def _until_freed(self) -> None:
        # Only the dispatch stage waits here. A second waiter would replace the event that the first one waits for.
        self._freed = anyio.Event()
        await self._freed.wait()

    def _is_claimed(self, record: Record) -> bool:
        busy = self._busy
        if not busy:
            return False
        for claim in record.claims:  # noqa: SIM110 - once per record, and `any` takes twice as long
            if claim.digest in busy:
                return True
        return False


def _held_by(record: Record) -> list[int]:
    return [*[claim.digest for claim in record.claims], *record.lanes]
