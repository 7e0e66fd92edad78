"""The requests that the emulator got: counters, and the last requests one by one."""

from collections import Counter, deque
from typing import NamedTuple

__all__ = ("RequestLog", "Seen")


class Seen(NamedTuple):
    """One request. `status` is None if no reply was sent, `operation` is None for unknown paths."""

    at: float
    method: str
    path: str
    status: int | None
    operation: str | None


class RequestLog:
    """Counts every request outside `/_emulator/` and keeps the last `keep` of them.

    A request is added when its reply is decided, before the second half of the latency.
    """

    def __init__(self, keep: int = 10_000) -> None:
        self.recent: deque[Seen] = deque(maxlen=keep)
        self.by_operation: Counter[str] = Counter()
        self.by_status: Counter[int | None] = Counter()
        self.total = 0

    def add(self, seen: Seen) -> None:
        """Add one request."""
        self.total += 1
        self.by_operation[seen.operation or f"{seen.method} (unknown path)"] += 1
        self.by_status[seen.status] += 1
        self.recent.append(seen)

    def count(self, operation: str | None = None, *, status: int | None = None) -> int:
        """Return the number of requests: all, of an operation, with a status, or (among the recent ones) both."""
        if operation is not None and status is not None:
            return sum(seen.operation == operation and seen.status == status for seen in self.recent)
        if status is not None:
            return self.by_status[status]
        return self.total if operation is None else self.by_operation[operation]

    def clear(self) -> None:
        """Start counting from 0."""
        self.__init__(self.recent.maxlen or 0)  # type: ignore[misc]
