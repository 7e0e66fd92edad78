"""The turn that a request takes among the processes that share a budget. Who they are, a `SharedLine` knows."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from bulkgladly.api.schedule import Schedule, Standing
from bulkgladly.messages import PaceNews

__all__ = ("SharedBudget", "SharedLine", "SharedTurn")

_EARLY_S = 0.0002
_LONGEST_SLEEP_S = 1.0


class SharedLine(Protocol):
    """One class of requests of an organisation's budget, as all its processes see it.

    None of its methods raises because of what is behind it, such as a file or a server: then the standing is `away`.
    Waits are in seconds from now, so it may have a clock of its own.
    """

    def open(self) -> None:
        """Join those who use the budget; nothing is waited for. Each call needs a `close`."""
        ...

    def close(self) -> None:
        """Leave."""
        ...

    def standing(self) -> Standing:
        """Return whether others use the budget: alone, company, away (it cannot be found out) or unknown (by now)."""
        ...

    async def look(self) -> None:
        """Find out who is there and what was told. Then the standing is known for a while."""
        ...

    def news(self) -> PaceNews:
        """Return what was told last, as of the last look."""
        ...

    def tell(self, *, paused_for_s: float, limit: int | None, ease: float) -> None:
        """Tell all others; nobody waits for it."""
        ...

    async def reserve(self, gap_s: float, n: int = 1) -> float | None:
        """Reserve the next `n` moments, `gap_s` apart; return in how many seconds the first is, or None if away."""
        ...

    async def enter(self, gap_s: float, places: int) -> float | None:
        """Take one of the places if the next moment has come; return 0.0 if so, else when to ask again; None if away.

        Each place needs a `leave`. Cancelled: none is taken.
        """
        ...

    def leave(self) -> None:
        """Give one place back."""
        ...


class SharedBudget(Protocol):
    """The budget of one organisation, which several processes share."""

    @property
    def trouble(self) -> str | None:
        """Why it could not be shared for a while, for people; None if it always could."""
        ...

    def line(self, name: str) -> SharedLine:
        """Return the line of a class of requests."""
        ...


class SharedTurn:
    """Waits for the turn of one process's next request, and keeps the schedule informed.

    In company the schedule caps the process's own rate only, and each request takes a moment that was reserved. With
    `places` so many may run at a time, all processes together; then a place and its moment are taken in one step, by
    a process that is alone as well, since its requests may run for longer than it is alone.
    """

    def __init__(
        self,
        line: SharedLine,
        schedule: Schedule,
        *,
        places: int | None,
        late_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        hold: Callable[[float, str], object],
    ) -> None:
        """A moment that passed longer than `late_s` ago is given up: those of others may follow at once."""
        self._line, self._schedule, self._places, self._late_s = line, schedule, places, late_s
        self._clock, self._sleep, self._hold = clock, sleep, hold
        self._heard = 0
        self._moment: float | None = None
        self._has_place = False
        self._placed = 0

    @property
    def moment(self) -> float | None:
        """When the request that is next may leave, if that is known."""
        return self._moment

    def open(self) -> None:
        """Join those who use the budget."""
        self._line.open()

    def close(self) -> None:
        """Leave them."""
        self._line.close()

    async def wait(self) -> bool:
        """Wait a step towards the turn of the next request; return whether it has come.

        If not, the caller looks at its own schedule and pauses again, and then calls this again. Cancelled: what was
        reserved is used by the next request, if it comes in time.
        """
        standing = self._line.standing()
        if standing == "unknown":
            await self._line.look()
            return False
        self._heed(standing)
        if self._places is not None:
            return self._has_place or standing == "away" or await self._take_place(self._places)
        if standing != "company":
            self._moment = None
            return True
        return await self._moment_has_come()

    async def _moment_has_come(self) -> bool:
        now = self._clock()
        if self._moment is not None and now - self._moment > self._late_s:
            self._moment = None
        if self._moment is None:
            wait_s = await self._line.reserve(self._schedule.shared_gap_s(now))
            self._moment = None if wait_s is None else self._clock() + wait_s
            return False
        if self._moment > now + _EARLY_S:
            await self._sleep(self._moment - now)
            return False
        # The last step: a pause may have begun elsewhere since the moment was reserved.
        await self._line.look()
        self._heed(self._line.standing())
        return self._clock() - self._moment <= self._late_s

    async def _take_place(self, places: int) -> bool:
        wait_s = await self._line.enter(self._schedule.shared_gap_s(self._clock()), places)
        if wait_s is None:
            # Others cannot be asked. If there are any, the schedule learns it now.
            self._heed(self._line.standing())
            return True
        self._has_place = wait_s == 0.0
        if not self._has_place:
            await self._sleep(min(wait_s, _LONGEST_SLEEP_S))
        return self._has_place

    def _heed(self, standing: Standing) -> None:
        now, news = self._clock(), self._line.news()
        self._schedule.share(now, standing)
        if news.number != self._heard:
            self._heard = news.number
            self._schedule.adopt(now, news)
            if news.paused_for_s > 0:
                self._hold(news.paused_for_s, "throttled (429)")

    # --- what became of it ---

    def used(self) -> None:
        """Note that the request leaves."""
        self._moment = None
        self._placed += self._has_place
        self._has_place = False

    def abandoned(self) -> None:
        """Note that no request waits any more."""
        if self._has_place:
            self._has_place = False
            self._line.leave()

    def ended(self, in_flight: int) -> None:
        """Note that a request is over, and how many are still in flight."""
        while self._placed > in_flight:
            self._placed -= 1
            self._line.leave()

    def tell(self, paused_for_s: float = 0.0) -> None:
        """Tell the others of a pause, and of the limit and the eased pace as the schedule has them."""
        limit, ease = self._schedule.told(self._clock())
        self._line.tell(paused_for_s=paused_for_s, limit=limit, ease=ease)
