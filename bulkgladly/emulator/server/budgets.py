"""Three ways to limit the requests of a period. The caller passes the time, so tests need no clock."""

import math
from collections import deque
from typing import NamedTuple, Protocol

from bulkgladly.emulator.options import Algorithm

__all__ = ("Budget", "FixedWindow", "LeakyBucket", "SlidingLog", "Verdict", "new_budget")


class Verdict(NamedTuple):
    """Whether a request is admitted, and how many more would be admitted now."""

    admitted: bool
    remaining: int


class Budget(Protocol):
    """One way to count. `now` must never decrease between calls; refused requests cost nothing."""

    def take(self, now: float) -> Verdict:
        """Ask for one request at the time `now`."""
        ...


class FixedWindow:
    """`rate` requests in each window of `per_s` seconds; the edges lie at `phase_s` + whole windows."""

    def __init__(self, rate: int, *, per_s: float = 1.0, phase_s: float = 0.0) -> None:
        self._rate, self._per_s, self._phase_s = rate, per_s, phase_s
        self._window = -math.inf
        self._used = 0

    def take(self, now: float) -> Verdict:
        """See `Budget`."""
        window = math.floor((now - self._phase_s) / self._per_s)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used >= self._rate:
            return Verdict(admitted=False, remaining=0)
        self._used += 1
        return Verdict(admitted=True, remaining=self._rate - self._used)


class LeakyBucket:
    """A bucket, at first empty, that holds `burst` requests and drains `rate` of them in `per_s` seconds."""

    def __init__(self, rate: int, *, per_s: float = 1.0, burst: int | None = None) -> None:
        self._per_second = rate / per_s
        self._burst = float(rate if burst is None else burst)
        self._room = self._burst
        self._seen: float | None = None

    def take(self, now: float) -> Verdict:
        """See `Budget`."""
        elapsed = 0.0 if self._seen is None else now - self._seen
        self._seen = now
        self._room = min(self._burst, self._room + elapsed * self._per_second)
        # Ten tenths add up to a little less than one, but a request exactly on time must pass.
        if self._room < 1 - 1e-9:
            return Verdict(admitted=False, remaining=0)
        self._room -= 1
        return Verdict(admitted=True, remaining=max(0, math.floor(self._room + 1e-9)))


class SlidingLog:
    """At most `rate` requests in any `per_s` seconds that end now."""

    def __init__(self, rate: int, *, per_s: float = 1.0) -> None:
        self._rate, self._per_s = rate, per_s
        self._admitted: deque[float] = deque()

    def take(self, now: float) -> Verdict:
        """See `Budget`."""
        # A request is out of the log exactly `per_s` after it, as the last second ends now.
        while self._admitted and self._admitted[0] <= now - self._per_s:
            self._admitted.popleft()
        if len(self._admitted) >= self._rate:
            return Verdict(admitted=False, remaining=0)
        self._admitted.append(now)
        return Verdict(admitted=True, remaining=self._rate - len(self._admitted))


def new_budget(
    algorithm: Algorithm, rate: int, *, per_s: float = 1.0, phase_s: float = 0.0, burst: int | None = None
) -> Budget:
    """Return a new budget of `rate` requests in `per_s` seconds."""
    match algorithm:
        case "fixed":
            return FixedWindow(rate, per_s=per_s, phase_s=phase_s)
        case "leaky":
            return LeakyBucket(rate, per_s=per_s, burst=burst)
        case "sliding":
            return SlidingLog(rate, per_s=per_s)
