"""Which records have to wait for which: one customer, one key, one task at a time, in input order."""

from collections import deque

import anyio

from bulkgladly.resources.spec import Record

__all__ = ("MOST_WAITING", "Lanes")

MOST_WAITING = 1_000
"""Records that may wait behind others of their lane; beyond that reading waits for them."""


class Lanes:
    """Keeps track of the records on their way, and of those that wait behind them.

    A record holds its claims (key, addresses) and its lanes (the task that a comment is for)
    from `hold` to `release`. One whose lane is held may stand behind the holder, so that the
    rows after it need not wait; whoever releases the lane goes on with it.
    """

    def __init__(self) -> None:
        self._busy: dict[int, int] = {}
        self._behind: dict[int, deque[Record]] = {}
        self._freed = anyio.Event()
        self.waiting = 0
        """Records that stand behind others."""

    def is_busy(self, record: Record) -> bool:
        """Tell whether a record on its way holds something of this one."""
        return self._is_claimed(record) or (bool(record.lanes) and any(lane in self._busy for lane in record.lanes))

    def hold(self, record: Record) -> None:
        """Let others wait for this record."""
        for digest in _held_by(record):
            self._busy[digest] = self._busy.get(digest, 0) + 1

    def release(self, record: Record) -> None:
        """Let nobody wait for this record any more."""
        for digest in _held_by(record):
            left = self._busy.pop(digest) - 1
            if left:
                self._busy[digest] = left
        self._freed.set()

    def stand_behind(self, record: Record) -> bool:
        """Let a record wait behind those of its lane, held from now on; False where the lane alone is not the cause."""
        if not any(lane in self._busy for lane in record.lanes) or self._is_claimed(record):
            return False
        self._behind.setdefault(record.lanes[0], deque()).append(record)
        self.waiting += 1
        self.hold(record)
        return True

    def next_after(self, record: Record) -> Record | None:
        """Return the record that stood behind this one, which the caller now has to bring to its end."""
        for lane in record.lanes:
            if queue := self._behind.get(lane):
                following = queue.popleft()
                if not queue:
                    del self._behind[lane]
                self.waiting -= 1
                return following
        return None

    async def until_free(self, record: Record) -> None:
        """Wait until no record on its way holds anything of this one."""
        while self.is_busy(record):
            await self._until_freed()

    async def until_room(self) -> None:
        """Wait until fewer than `MOST_WAITING` records stand behind others."""
        while self.waiting >= MOST_WAITING:
            await self._until_freed()

    async def _until_freed(self) -> None:
        self._freed = anyio.Event()
        await self._freed.wait()

    def _is_claimed(self, record: Record) -> bool:
        busy = self._busy
        for claim in record.claims:  # noqa: SIM110 - once per record, and `any` takes twice as long
            if claim.digest in busy:
                return True
        return False


def _held_by(record: Record) -> list[int]:
    return [*[claim.digest for claim in record.claims], *record.lanes]
