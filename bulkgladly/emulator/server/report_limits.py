"""The budget of the reports class: so many a minute, and so many at a time.

Facts: README.md, "Rate limits (in full)", of the fact sheet. Both report paths share it, which is inferred.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.server.rate_limits import Budget, new_budget

__all__ = ("ReportLimits",)


class ReportLimits:
    """Counts reports against the clock it is given. What is refused costs nothing."""

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
        """Ask for one report now: whether it is let in. Its place is free again at the end of the block."""
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
        # The place is looked for first, so that a report too many does not use up the minute.
        if self._most is not None and self.running >= self._most:
            return False
        return self._budget is None or self._budget.take(self._clock.monotonic()).admitted
