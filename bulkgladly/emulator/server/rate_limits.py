"""The organization's request budget: three ways to count a second, and the limiter that uses one.

The counting classes are pure: they are told the time and never ask for it.
"""

import math
from collections import deque
from typing import NamedTuple, Protocol

from bulkgladly.emulator.options import Algorithm
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.server.neighbour import Neighbour

__all__ = ("Budget", "FixedWindow", "LeakyBucket", "Limiter", "SlidingLog", "Verdict", "new_budget")


class Verdict(NamedTuple):
    """Whether a request is let in, and how many more would be at this moment."""

    admitted: bool
    remaining: int


class Budget(Protocol):
    """One way to count. `now` never goes back between calls; refused requests cost nothing."""

    def take(self, now: float) -> Verdict:
        """Ask for one request at this moment."""
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
        # Sums of tenths fall a hair short of one; a request exactly on time must pass.
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
        while self._admitted and self._admitted[0] <= now - self._per_s:
            self._admitted.popleft()
        if len(self._admitted) >= self._rate:
            return Verdict(admitted=False, remaining=0)
        self._admitted.append(now)
        return Verdict(admitted=True, remaining=self._rate - len(self._admitted))


def new_budget(
    algorithm: Algorithm, rate: int, *, per_s: float = 1.0, phase_s: float = 0.0, burst: int | None = None
) -> Budget:
    """A fresh budget of `rate` requests in `per_s` seconds."""
    match algorithm:
        case "fixed":
            return FixedWindow(rate, per_s=per_s, phase_s=phase_s)
        case "leaky":
            return LeakyBucket(rate, per_s=per_s, burst=burst)
        case "sliding":
            return SlidingLog(rate, per_s=per_s)


class Limiter:
    """The budget in force. Setting `rate` starts a fresh budget at once; None lifts the limit.

    The neighbour's requests are drawn from the same budget at their own moments: before each
    verdict those that arrived in the meantime are played in order, so no task and no timer is needed.
    """

    def __init__(
        self,
        rate: int | None,
        *,
        algorithm: Algorithm = "fixed",
        phase_s: float = 0.0,
        burst: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._algorithm: Algorithm = algorithm
        self._phase_s, self._burst = phase_s, burst
        self._neighbour: Neighbour | None = None
        self.admitted = 0
        self.refused = 0
        self._budget: Budget | None = None
        self.rate = rate

    @property
    def rate(self) -> int | None:
        """Requests a second, or None without a limit."""
        return self._rate

    @rate.setter
    def rate(self, rate: int | None) -> None:
        if rate is not None and rate < 1:
            raise ValueError(f"rate is {rate}: it must be 1 or more, or None for no limit")
        # What the neighbour took before belongs to the budget that was in force then.
        self._play_neighbour(self._clock.monotonic())
        self._rate = rate
        self._budget = None
        if rate is not None:
            self._budget = new_budget(self._algorithm, rate, phase_s=self._phase_s, burst=self._burst)

    @property
    def neighbour(self) -> Neighbour | None:
        """The other client, with its counts up to this moment."""
        self._play_neighbour(self._clock.monotonic())
        return self._neighbour

    def add_neighbour(self, per_second: float, *, seed: int = 0) -> None:
        """Let another client take `per_second` requests from now on, counted anew; 0 sends it away."""
        if per_second < 0:
            raise ValueError(f"per_second is {per_second}: it cannot be negative")
        start = self._clock.monotonic()
        self._neighbour = Neighbour(per_second, seed=seed, start=start) if per_second > 0 else None

    def take(self) -> Verdict | None:
        """Ask for one request now; None means that there is no limit."""
        if self._budget is None:
            self.admitted += 1
            return None
        now = self._clock.monotonic()
        if self._neighbour is not None:
            self._play_neighbour(now)
        verdict = self._budget.take(now)
        if verdict.admitted:
            self.admitted += 1
        else:
            self.refused += 1
        return verdict

    def _play_neighbour(self, now: float) -> None:
        if self._neighbour is None:
            return
        for arrival in self._neighbour.arrivals_until(now):
            admitted = self._budget is None or self._budget.take(arrival).admitted
            self._neighbour.note(admitted=admitted)
