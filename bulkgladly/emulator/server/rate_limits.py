"""The limits of the organisation: requests a second, shared with another client, and reports.

Facts on reports: README.md, "Rate limits (in full)", of the fact sheet. That both report paths share one
limit is inferred.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from bulkgladly.emulator.options import Algorithm, EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.server.budgets import Budget, Verdict, new_budget

__all__ = ("Limiter", "Neighbour", "ReportLimits")


class Neighbour:
    """Another client of the organisation: only its use of the budget, without a socket.

    It makes `per_second` requests on average, at random times that the seed decides. It does not retry:
    refused requests are only counted.
    """

    def __init__(self, per_second: float, *, seed: int, start: float) -> None:
        if per_second <= 0:
            raise ValueError(f"per_second is {per_second}: a neighbour must make more than 0 requests a second")
        self.per_second = per_second
        self.admitted = 0
        self.refused = 0
        self._random = random.Random(seed)  # noqa: S311  # a repeatable draw is the point
        self._next = start + self._random.expovariate(per_second)

    def arrivals_until(self, now: float) -> Iterator[float]:
        """Yield the times of its requests up to now, in order, each once."""
        while self._next <= now:
            arrival = self._next
            self._next += self._random.expovariate(self.per_second)
            yield arrival

    def count(self, *, admitted: bool) -> None:
        """Count one of its requests as admitted or refused."""
        if admitted:
            self.admitted += 1
        else:
            self.refused += 1


class Limiter:
    """The present budget. Setting `rate` starts a new budget at once; None removes the limit.

    The neighbour takes its requests from the same budget at their own times. Before each decision, those
    that have arrived in the meantime are applied in order, so no task and no timer is needed.
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
        # The neighbour's earlier requests belong to the budget of their time.
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
        """Let another client make `per_second` requests from now on, with counts from 0; 0 removes it."""
        if per_second < 0:
            raise ValueError(f"per_second is {per_second}: it cannot be negative")
        start = self._clock.monotonic()
        self._neighbour = Neighbour(per_second, seed=seed, start=start) if per_second > 0 else None

    def take(self) -> Verdict | None:
        """Ask for one request now. None means that there is no limit."""
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
            self._neighbour.count(admitted=admitted)


class ReportLimits:
    """The limits for reports: how many a minute, and how many at a time. Refused reports cost nothing."""

    def __init__(self, options: EmulatorOptions, clock: Clock) -> None:
        self._clock = clock
        self._most = options.report_concurrency
        self._budget: Budget | None = None
        if options.report_rate is not None:
            self._budget = new_budget(options.algorithm, options.report_rate, per_s=60, phase_s=options.phase_s)
        self.running = 0
        self.admitted = 0
        self.refused = 0

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Ask for one report now, and yield whether it is admitted. Its place is free again after the block."""
        if not self._may_run():
            self.refused += 1
            yield False
            return
        self.admitted += 1
        self.running += 1
        try:
            yield True
        finally:
            self.running -= 1

    def _may_run(self) -> bool:
        # The places are checked first, so that a report too many does not use up the minute.
        if self._most is not None and self.running >= self._most:
            return False
        return self._budget is None or self._budget.take(self._clock.monotonic()).admitted
