"""What was asked of the emulator: cheap counters, and the last requests one by one."""

from collections import Counter, deque
from typing import NamedTuple

__all__ = ("RequestLog", "Seen")


class Seen(NamedTuple):
    """One request. `status` is None when no answer was sent, `operation` is None for unknown paths."""

    at: float
    method: str
    path: str
    status: int | None
    operation: str | None


class RequestLog:
    """Counts every request outside `/_emulator/` and keeps the last `keep` of them.

    A request enters when its fate is decided, before the second half of the latency.
    """

    def __init__(self, keep: int = 10_000) -> None:
        self.recent: deque[Seen] = deque(maxlen=keep)
        self.by_operation: Counter[str] = Counter()
        self.by_status: Counter[int | None] = Counter()
        self.total = 0

    def note(self, seen: Seen) -> None:
        """Add one request."""
        self.total += 1
        self.by_operation[seen.operation or f"{seen.method} (unknown path)"] += 1
        self.by_status[seen.status] += 1
        self.recent.append(seen)

    def count(self, operation: str | None = None, *, status: int | None = None) -> int:
        """How many requests there were: all, of an operation, with a status, or (recent ones) both."""
        if operation is not None and status is not None:
            return sum(seen.operation == operation and seen.status == status for seen in self.recent)
        if status is not None:
            return self.by_status[status]
        return self.total if operation is None else self.by_operation[operation]

    def clear(self) -> None:
        """Begin to count anew."""
        self.__init__(self.recent.maxlen or 0)  # type: ignore[misc]
