"""In which order events leave: those about one object by their time, after a window in which older ones may come. Pure.

Only numbers, keys and times are held, not the events themselves: a burst of 60,000 takes some megabytes.
"""

import bisect
import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = ("MOST_BYTES", "MOST_WAITING", "Settling", "Unsent", "late_ones", "sort_time_ms", "wait_s")

MOST_BYTES = 8 << 20
"""Most bytes of events that leave together, unless one alone is larger."""
MOST_WAITING = 20_000
"""Most events that wait at a time; beyond it those that wait longest leave before their window ends."""
_CLOCKS_DIFFER_MS = 5 * 60 * 1000


class Unsent(NamedTuple):
    """An event that waits to leave. `order` is its place among those of its key; `key` is empty if it has none."""

    order: tuple[int, int]
    seq: int
    key: str
    time_ms: int
    size: int = 0


def sort_time_ms(time_ms: int, received_ms: int) -> int:
    """Return the time by which an event is ordered: Gladly's, but not far after it arrived.

    A timestamp in the future would make all later events late.
    """
    return min(time_ms, received_ms + _CLOCKS_DIFFER_MS)


def wait_s(received_ms: int, now_ms: int, settle_s: float) -> float:
    """Return how long an event that arrived at a time has to wait yet: 0 to `settle_s`, whatever the clock says."""
    return min(max((received_ms - now_ms) / 1000 + settle_s, 0.0), settle_s)


def late_ones(leaving: Sequence[Unsent], newest: Mapping[str, int]) -> set[int]:
    """Return the numbers of those that leave although a newer one of their key has left; `newest` is by key."""
    left = dict(newest)
    late: set[int] = set()
    for one in leaving:
        if not one.key:
            continue
        if one.time_ms < left.get(one.key, one.time_ms):
            late.add(one.seq)
        left[one.key] = max(one.time_ms, left.get(one.key, one.time_ms))
    return late


class Settling:
    """Holds events until they leave. Times are those of a clock that never goes back, in seconds.

    An event that is due takes with it all older ones of its key, also if their own windows have not ended. While a
    key is blocked, because one of its events fails, the others of this key wait. Without a window events leave as they
    came.
    """

    def __init__(self, settle_s: float, most: int = MOST_WAITING) -> None:
        self._by_time = settle_s > 0
        self._most = most
        self._keys: dict[str, list[Unsent]] = {}
        self._due: list[tuple[float, int, Unsent]] = []
        self._blocked: dict[str, list[Unsent]] = {}
        self._open: dict[int, None] = {}
        """All that have not been resolved, in order of arrival, also those that were taken."""
        self._count = 0

    # --- coming and going ---

    @property
    def room(self) -> int:
        """How many more events may be added."""
        return max(0, self._most - self._count)

    def add(self, seq: int, key: str, time_ms: int, due: float, *, size: int = 0) -> None:
        """Let an event of `size` bytes wait until a time. Events are added in order of arrival."""
        self._open[seq] = None
        self._put(Unsent((time_ms if self._by_time else 0, seq), seq, key, time_ms, size), due)

    def put_back(self, events: Iterable[Unsent]) -> None:
        """Let events that were taken leave again: they are due at once, in their order."""
        for one in events:
            self._put(one, float("-inf"))

    def resolve(self, seqs: Iterable[int]) -> None:
        """Note that events that were taken are done."""
        for seq in seqs:
            self._open.pop(seq, None)

    def done_up_to(self, read: int) -> int:
        """Return up to which number all events are done, if all up to `read` have been added."""
        return next(iter(self._open), read + 1) - 1

    def _put(self, one: Unsent, due: float) -> None:
        if one.key:
            bisect.insort(self._keys.setdefault(one.key, []), one)
        heapq.heappush(self._due, (due, one.seq, one))
        self._count += 1

    # --- leaving ---

    def next_due(self) -> float | None:
        """Return when the next event is due; None if none is."""
        self._drop_gone()
        return self._due[0][0] if self._due else None

    def take(self, now: float, most: int) -> list[Unsent]:
        """Return the events that leave now, in their order."""
        leaving: list[Unsent] = []
        while len(leaving) < most:
            self._drop_gone()
            if not self._due or (self._due[0][0] > now and self._count < self._most):
                break
            leaving += self._with_older(heapq.heappop(self._due)[2], most - len(leaving))
        sizes = itertools.accumulate(one.size for one in leaving)
        fits = max(1, sum(total <= MOST_BYTES for total in sizes))
        self.put_back(leaving[fits:])
        return leaving[:fits]

    def _with_older(self, one: Unsent, most: int) -> list[Unsent]:
        if not one.key:
            self._count -= 1
            return [one]
        queue = self._keys[one.key]
        end = bisect.bisect_right(queue, one)
        found = queue[: min(end, most)]
        del queue[: len(found)]
        if not queue:
            del self._keys[one.key]
        self._count -= len(found)
        if end > most:
            # It leaves with the next batch, after those that are older.
            heapq.heappush(self._due, (float("-inf"), one.seq, one))
        return found

    def _drop_gone(self) -> None:
        """Drop from the top what has left with another event, and put aside what belongs to a blocked key."""
        while self._due:
            one = self._due[0][2]
            if one.key in self._blocked:
                self._blocked[one.key].append(heapq.heappop(self._due)[2])
            elif one.key and not self._waits(one):
                heapq.heappop(self._due)
            else:
                return

    def _waits(self, one: Unsent) -> bool:
        queue = self._keys.get(one.key, [])
        at = bisect.bisect_left(queue, one)
        return at < len(queue) and queue[at] is one

    # --- what fails ---

    def block(self, key: str) -> None:
        """Let the events of a key wait; an empty key is never blocked."""
        if key:
            self._blocked.setdefault(key, [])

    def unblock(self, key: str) -> None:
        """Let them leave again."""
        for one in self._blocked.pop(key, []):
            heapq.heappush(self._due, (float("-inf"), one.seq, one))
