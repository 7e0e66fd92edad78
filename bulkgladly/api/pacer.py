"""The pace that all requests share: one pacer per budget, organisation and process.

`schedule` decides when the next request may leave, and the pacer waits for that moment. Three
things can make it wait longer: a pause for all (a 429, an outage, a person who wants it), too many requests
in flight (`Budget.max_in_flight`), and the `BurstGuard`.

With a `SharedLine` the pacer also waits for its turn among the processes that share the budget.
"""

import asyncio
import math
import random as random_module
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bulkgladly.api.burst_guard import BurstGuard
from bulkgladly.api.retry import backoff
from bulkgladly.api.schedule import EVEN_SHARE, Pacing, Schedule
from bulkgladly.api.shared_turn import SharedLine, SharedTurn
from bulkgladly.api.window import Ticket
from bulkgladly.errors import UsageError

__all__ = ("THROTTLED", "Budget", "PaceView", "Pacer", "Ticket")

THROTTLED = "throttled (429)"
"""The reason of a pause after a 429."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_LONGEST_RETRY_AFTER_S = 300.0
# A request may leave this much before its time. It is less than the resolution of the event loop, so
# that a sleep which ends slightly early does not cost another turn of the loop.
_EARLY_S = 0.0002
# A wait for the pace looks again this often: another rate may have been set, and a wait at 1 a minute is long.
_LONGEST_SLEEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Budget:
    """What the API documents for one class of requests, used until headers say otherwise."""

    limit: float = 10
    per_s: float = 1.0
    max_in_flight: int | None = None
    name: str = "default"

    def __post_init__(self) -> None:
        in_flight = 1 if self.max_in_flight is None else self.max_in_flight
        if self.limit <= 0 or self.per_s <= 0 or in_flight < 1:
            raise UsageError(f"the budget {self.name!r} allows no request at all: {self}")


@dataclass(frozen=True, slots=True)
class PaceView:
    """The pace at one moment, for people. `waiting_until` is in the pacer's own clock."""

    rate: float
    limit: float
    waiting_reason: str | None
    waiting_until: float | None
    throttled: int
    sent: int
    in_flight: int
    others_share: bool


class Pacer:
    """Gives out one token per attempt, in the order of the calls.

    Each token needs exactly one call of `answered`, `lost`, `unused`, or `ended` after `heard`.
    Chapters: leaving, what came back, pauses and the present state, steering.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        rate: float | None = None,
        reserve: float = 0.1,
        unlimited: bool = False,
        line: SharedLine | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Start at the documented limit of the budget.

        `rate` caps the requests per second below the limit, `reserve` is the share of the
        limit left to other clients, and `unlimited` paces nothing until a limit header is seen.
        Other processes share the budget through the `line`; without one there are none.

        Raises:
            UsageError: A number cannot be a rate or a share.
        """
        self.budget = budget or Budget()
        if rate is not None and (math.isnan(rate) or rate <= 0):
            raise UsageError(f"the rate must be above 0 requests per second, not {rate}")
        if not 0 <= reserve < 1:
            raise UsageError(f"the reserve is a share from 0 to below 1, not {reserve}")
        self._schedule = Schedule(
            self.budget.limit,
            per_s=self.budget.per_s,
            rate=None if rate is None or math.isinf(rate) else rate,
            reserve=reserve,
            is_unlimited=unlimited,
        )
        self._clock, self._sleep, self._random = clock, sleep, random
        self._shared: SharedTurn | None = None
        if line is not None:
            # As late as this, moments of the even line still never put one request too many into a window.
            late_s = (1 - EVEN_SHARE) * self.budget.per_s
            places = self.budget.max_in_flight
            self._shared = SharedTurn(
                line, self._schedule, places=places, late_s=late_s, clock=clock, sleep=sleep, hold=self.hold
            )
        self._turn = asyncio.Lock()
        self._asking = 0
        self._room: asyncio.Future[None] | None = None
        self._guard = BurstGuard(self.budget.per_s)
        self._held_until = -math.inf
        self._held_for = ""
        self._continued: asyncio.Event | None = None
        self._pacing_until: float | None = None
        self._paused_at = -math.inf
        self._refusals_in_a_row = 0
        self.sent = 0
        self.in_flight = 0
        self.throttled = 0
        self.held_s: dict[str, float] = {}
        """How long all requests were paused, in seconds by reason."""

    def open(self) -> None:
        """Join the processes that share the budget, if it is shared. Each call needs a `close`."""
        if self._shared is not None:
            self._shared.open()

    def close(self) -> None:
        """Leave them; nothing may be requested any more."""
        if self._shared is not None:
            self._shared.close()

    # --- leaving ---

    async def token(self) -> Ticket:
        """Wait until one attempt may leave, and return its ticket.

        First come, first served. Cancelled: the next one moves up, and nothing of the budget
        is used.
        """
        if self._schedule.mode is Pacing.FREE and not self._asking and self._has_room() and self._continued is None:
            now = self._clock()
            if now >= self._held_until:
                return self._let_out(now)
        self._asking += 1
        try:
            async with self._turn:
                await self._wait_at_the_head()
                self._pacing_until = None
                return self._let_out(self._clock())
        finally:
            self._asked()

    async def token_within(self, wider: "Pacer") -> Ticket:
        """Wait until one attempt may leave by this budget and by a wider one, and return its ticket.

        Both tokens are taken at one moment, the wider one as `Ticket.wider`, which the
        caller ends at the other pacer. Waiting here delays nothing there: the wider token
        is requested when this budget allows the attempt, and given back if a pause began
        meanwhile.

        Cancelled: nothing of either budget is used.
        """
        self._asking += 1
        try:
            async with self._turn:
                await self._wait_at_the_head()
                while True:
                    # The wider token last: held while waiting here, it would be lost to all other requests.
                    other = await wider.token()
                    if self._may_leave(self._clock()):
                        self._pacing_until = None
                        ticket = self._let_out(other.sent_at)
                        ticket.wider = other
                        return ticket
                    wider.unused(other)
                    await self._wait_at_the_head(is_guarded=True)
        finally:
            self._asked()

    def _asked(self) -> None:
        self._asking -= 1
        if self._shared is not None and not self._asking:
            self._shared.abandoned()

    def _may_leave(self, now: float) -> bool:
        is_free = self._continued is None and now >= self._held_until
        return is_free and self._has_room() and self._schedule.next_at(now) <= now + _EARLY_S

    async def _wait_at_the_head(self, *, is_guarded: bool = False) -> None:
        while True:
            now = self._clock()
            if self._continued is not None:
                if self._shared is not None:
                    self._shared.abandoned()  # a run that is paused must not keep a place from the others
                await self._continued.wait()
            elif now < self._held_until:
                await self._sleep(self._held_until - now)
            elif not self._has_room():
                await self._wait_for_room()
            elif (due := self._schedule.next_at(now)) > now + _EARLY_S:
                self._pacing_until = due
                await self._sleep(min(due - now, _LONGEST_SLEEP_S))
            elif not is_guarded and self._schedule.mode is not Pacing.FREE:
                # The guard may wait, and a pause may begin meanwhile: look again after it.
                await self._guard.acquire(self._schedule.limit)
                is_guarded = True
            elif self._shared is None or (await self._shared.wait() and self._may_leave(self._clock())):
                return
            else:
                self._pacing_until = self._shared.moment

    def _let_out(self, now: float) -> Ticket:
        self.sent += 1
        self.in_flight += 1
        if self._shared is not None:
            self._shared.used()
        return self._schedule.sent(now)

    def _has_room(self) -> bool:
        return self.budget.max_in_flight is None or self.in_flight < self.budget.max_in_flight

    async def _wait_for_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None

    # --- what came back ---

    def answered(
        self,
        ticket: Ticket,
        *,
        status: int,
        limit: int | None = None,
        remaining: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Note the reply to an attempt, with what its headers say about the budget.

        A 429 pauses all requests: for `retry_after_s` if the server sent it (at most five
        minutes), else for a random time up to 0.5 s, a bound that doubles with each further 429.
        """
        self.heard(ticket, status=status, limit=limit, remaining=remaining, retry_after_s=retry_after_s)
        self._back()

    def heard(
        self,
        ticket: Ticket,
        *,
        status: int,
        limit: int | None = None,
        remaining: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Note the head of a reply, as `answered` does; it stays in flight until `ended`."""
        now, before = self._clock(), self._schedule.limit
        self._schedule.answered(ticket, now, refused=status == 429, limit=limit, remaining=remaining)
        if status != 429:
            if self._shared is not None and self._schedule.limit != before:
                self._shared.tell()
            if ticket.sent_at > self._paused_at:
                self._refusals_in_a_row = 0
            return
        self.throttled += 1
        if ticket.sent_at > self._paused_at:
            # Requests that left before the pause began belong to the same overflow: count it once.
            self._refusals_in_a_row += 1
            self._paused_at = now
        step = max(1, self._refusals_in_a_row)
        pause_s = backoff(step, base_s=_FIRST_PAUSE_S, cap_s=_LONGEST_PAUSE_S, random=self._random)
        if retry_after_s is not None:
            pause_s = min(retry_after_s, _LONGEST_RETRY_AFTER_S)
        self.throttle(pause_s)

    def ended(self, ticket: Ticket) -> None:  # noqa: ARG002  # a ticket ends where it was given out
        """Note that the body of a reply that was `heard` is over, whole or not."""
        self._back()

    def lost(self, ticket: Ticket) -> None:
        """Note that an attempt has no reply; the server may have counted it all the same."""
        self._back()
        self._schedule.lost(ticket)

    def unused(self, ticket: Ticket) -> None:
        """Take back the token of an attempt that was never sent; its moment is not used again."""
        self.sent -= 1
        self._back()
        self._schedule.lost(ticket)

    def paused(self) -> None:
        """Note that this process has not run for a while, so late replies say nothing about the network."""
        self._schedule.paused(self._clock())

    def _back(self) -> None:
        self.in_flight -= 1
        if self._shared is not None:
            self._shared.ended(self.in_flight)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # --- pauses, and the present state ---

    def hold(self, delay_s: float, reason: str) -> None:
        """Pause all requests for this long. Of several pauses the one that ends last counts."""
        now = self._clock()
        until = now + delay_s
        if until > self._held_until:
            added = until - max(now, self._held_until)
            self.held_s[reason] = self.held_s.get(reason, 0.0) + added
            self._held_until = until
            self._held_for = reason

    def throttle(self, delay_s: float) -> None:
        """Pause all requests for this long after a 429, in all processes that share the budget."""
        self.hold(delay_s, THROTTLED)
        if self._shared is not None:
            self._shared.tell(delay_s)

    def view(self) -> PaceView:
        """Return the pace as it is now."""
        now = self._clock()
        reason, until = self._waiting(now)
        return PaceView(
            rate=self._schedule.rate(now),
            limit=self._schedule.limit,
            waiting_reason=reason,
            waiting_until=until,
            throttled=self.throttled,
            sent=self.sent,
            in_flight=self.in_flight,
            others_share=self._schedule.others_share,
        )

    def _waiting(self, now: float) -> tuple[str | None, float | None]:
        if now < self._held_until:
            return self._held_for, self._held_until
        if self._asking and not self._has_room():
            return f"{self.budget.max_in_flight} requests are in flight", None
        if self._asking and self._pacing_until is not None and self._pacing_until > now:
            return "pace", self._pacing_until
        return None, None

    # --- steering ---

    def set_rate(self, rate: float | None) -> None:
        """Cap the requests per second from now on; None lifts the cap. The limit and the reserve apply in any case.

        A wait that has begun ends by the new rate, at most a quarter of a second late. What was not sent before is
        not made up for.

        Raises:
            UsageError: It cannot be a rate.
        """
        if rate is not None and not 0 < rate < math.inf:
            raise UsageError(f"the rate must be above 0 requests per second, not {rate}")
        self._schedule.set_rate(self._clock(), rate)

    @property
    def ceiling(self) -> float:
        """The most requests per second that are allowed: the rate, and the limit less the reserve."""
        return self._schedule.ceiling

    def stand_still(self) -> None:
        """Let nothing leave until `go_on`. What is in flight ends, and nothing of the shared budget is kept."""
        if self._continued is None:
            self._continued = asyncio.Event()

    def go_on(self) -> None:
        """Let requests leave again, at the pace; the time in between is not made up for."""
        if self._continued is not None:
            self._continued.set()
            self._continued = None

    @property
    def is_still(self) -> bool:
        """Whether all requests stand still until `go_on`."""
        return self._continued is not None

    async def until_going(self) -> None:
        """Wait while all requests stand still, for those that take no token of this budget."""
        while self._continued is not None:
            await self._continued.wait()
