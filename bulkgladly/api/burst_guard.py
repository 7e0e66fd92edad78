"""What stands behind the schedule, so that no error of it lets out a burst."""

from aiolimiter import AsyncLimiter

__all__ = ("BurstGuard",)

# The guard lets through at once the requests of this many seconds, but at least one.
_DEPTH_S = 0.02


class BurstGuard:
    """An `AsyncLimiter` without burst at twice the budget.

    Neither an error of the schedule nor a chain of late wake-ups lets out a burst. At exactly the budget it would add
    its own late wake-ups to every request.
    """

    def __init__(self, per_s: float) -> None:
        """`per_s` is the time in seconds for which a limit counts requests."""
        self._per_s = per_s
        self._limiter: AsyncLimiter | None = None
        self._limit = 0.0

    async def acquire(self, limit: float) -> None:
        """Wait until a request may leave by this limit. Another limit than before begins from the start."""
        if self._limiter is None or limit != self._limit:
            depth = max(1.0, _DEPTH_S * limit / self._per_s)
            self._limiter = AsyncLimiter(depth, depth * 0.5 * self._per_s / limit)
            self._limit = limit
        await self._limiter.acquire()
