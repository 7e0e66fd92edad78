"""The attempts that a request to the organisation takes, until its reply is final: in turn, and repeated as allowed."""

import asyncio
from collections import Counter
from functools import partial
from typing import NamedTuple

from yarl import URL

from bulkgladly.api.address import Address
from bulkgladly.api.client_options import ClientOptions
from bulkgladly.api.gates import Allowance, DefaultGate, Gate, ReportsGate
from bulkgladly.api.health import Health
from bulkgladly.api.host_watch import HostWatch, absence_judged
from bulkgladly.api.other_hosts import OtherHosts
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.retry import AskHost, Failure, Verdict, Wait, decide
from bulkgladly.api.single_exchange import NO_REPLY, NOTHING_KNOWN, Exchange, FinalReply, RawReply, Talk, Tried
from bulkgladly.errors import BulkgladlyError, ReplyLost, Unreachable
from bulkgladly.judging import Judgement
from bulkgladly.messages import BudgetClass, Meaning, Request

__all__ = ("Attempts",)

_FAILURES = {Meaning.THROTTLED: Failure.THROTTLED, Meaning.UNCLEAR: Failure.UNCLEAR}
_MAY_HAVE_HAPPENED = (Failure.LOST, Failure.UNCLEAR)


class _Losses(NamedTuple):
    """The attempts of one request that may have been executed, and the last reply that one of them brought."""

    number: int = 0
    good_before: int = 0
    """How many good replies the host had given before the first of them."""
    reply: RawReply = NO_REPLY
    judged: Judgement = NOTHING_KNOWN

    def and_one(self, good_replies: int, reply: RawReply, judged: Judgement) -> "_Losses":
        # Whether the host is well otherwise is a question about the time since the first loss.
        before = self.good_before if self.number else good_replies
        if not reply.status:
            reply, judged = self.reply, self.judged
        return _Losses(self.number + 1, before, reply, judged)


_NO_LOSSES = _Losses()


class Attempts:
    """Makes attempts at one organisation until each request has a final reply.

    Chapters: attempts, waiting between them, and what is noted from outside. What one attempt is stands in
    `single_exchange`, whether the host is there in `host_watch`, and attempts at `elsewhere` in `other_hosts`.
    """

    def __init__(
        self,
        address: Address,
        probe: Talk,
        *,
        pacer: Pacer,
        reports_pacer: Pacer,
        allowance: Allowance,
        health: Health,
        options: ClientOptions,
    ) -> None:
        self._pacer, self._reports_pacer = pacer, reports_pacer
        self._allowance, self._retry, self._health = allowance, options.retry, health
        self._clock, self._sleep, self._random = options.clock, options.sleep, options.random
        connections = asyncio.Semaphore(options.max_connections)
        self._default = DefaultGate(pacer, connections)
        self._reports = ReportsGate(reports_pacer, pacer)
        self._exchange = Exchange(address.host, allowance, health, self._clock())
        # Bound once: it is called for every attempt.
        self._once = self._exchange.once
        self._host = HostWatch(
            address,
            probe,
            exchange=self._exchange,
            pacer=pacer,
            health=health,
            clock=self._clock,
            random=self._random,
        )
        self._repeats: dict[object, float] = {}
        self._still_since: float | None = None
        self.elsewhere = OtherHosts(
            connections,
            allowance,
            options.retry,
            random=self._random,
            rest=partial(self.rest, is_ours=False),
            pacer=pacer,
        )

    @property
    def sent(self) -> Counter[str]:
        """How many requests left for the organisation, by operation."""
        return self._exchange.sent

    @property
    def throttled(self) -> int:
        """How many of them got a 429."""
        return self._exchange.throttled

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many of them ended how: by method, and by what the reply meant, or `no reply`."""
        return self._exchange.outcomes

    # --- attempts ---

    async def make(self, request: Request, url: URL, talk: Talk) -> FinalReply:
        """Make attempts until there is a final reply, as `Client.send` promises.

        Raises:
            Outage: The host could not be reached for too long.
            WrongOrganisation: The host knows no organisation.
            NotTrusted: Its certificate is not trusted here.
            Withdrawn: Nothing may leave any more, and this request was waiting to.
            The `lost` of each error counts the attempts that may have been executed.

        Cancelled: an attempt that had left may be executed; its token counts as used.
        """
        outages, losses, attempts = self._host.outages, _NO_LOSSES, 0
        try:
            while True:
                tried = await self._attempt(request, url, talk)
                if tried is None:
                    await self._allowance.wait(partial(self._host.until_up, outages))
                    continue
                attempts += 1
                reply, judged, failure = tried
                if judged.meaning is Meaning.ABSENT:
                    host = await self._allowance.wait(self._host.behind_absence)
                    reply, judged, failure = absence_judged(reply, judged, host)
                if failure is None:
                    return FinalReply(reply, judged, attempts, losses.number)
                if failure in _MAY_HAVE_HAPPENED:
                    losses = losses.and_one(self._health.good_answers, reply, judged)
                verdict = self._verdict(request, failure, losses, reply.retry_after_s)
                if isinstance(verdict, AskHost) and await self._allowance.wait(self._host.is_unclear):
                    continue
                if not isinstance(verdict, Wait):
                    return FinalReply(losses.reply, losses.judged, attempts, losses.number)
                if verdict.seconds > 0:
                    await self.rest(verdict.seconds)
        except BulkgladlyError as error:
            error.lost = losses.number
            raise

    def _verdict(self, request: Request, failure: Failure, losses: _Losses, retry_after_s: float | None) -> Verdict:
        return decide(
            self._retry,
            failure=failure,
            failures=losses.number,
            repeat=request.repeat,
            is_host_well=self._health.good_answers > losses.good_before,
            random=self._random,
            retry_after_s=retry_after_s,
        )

    async def _attempt(self, request: Request, url: URL, talk: Talk) -> Tried | None:
        """Send once, when it is this request's turn; None if the host is down, and nothing was sent."""
        if self._health.is_down():
            return None
        gate: Gate = self._reports if request.budget is BudgetClass.REPORTS else self._default
        ticket = await self._allowance.wait(gate.token)
        # Look again: the token may have come after a long wait, in which the host went down.
        if self._health.is_down():
            gate.unused(ticket)
            return None
        try:
            reply, judged = await self._once(request, url, talk, gate, ticket)
        except Unreachable:
            return NO_REPLY, NOTHING_KNOWN, Failure.UNREACHABLE
        except ReplyLost:
            return NO_REPLY, NOTHING_KNOWN, Failure.LOST
        return reply, judged, _FAILURES.get(judged.meaning)

    def open(self) -> None:
        """Join the processes that share the organisation's budget. Needs a `close`."""
        self._pacer.open()
        self._reports_pacer.open()

    def close(self) -> None:
        """Leave them."""
        self._reports_pacer.close()
        self._pacer.close()

    # --- waiting between them, and what is told of it ---

    async def rest(self, seconds: float, *, is_ours: bool = True) -> None:
        """Wait before a request is made again.

        Raises:
            Withdrawn: It will not be.
        """
        mark = object()
        self._repeats[mark] = self._clock() + seconds
        try:
            await self._allowance.wait(partial(self._sleep, seconds), is_ours=is_ours)
        finally:
            del self._repeats[mark]

    def holdup(self, longer_than_s: float = 2.0) -> tuple[str, float | None] | None:
        """Return why nothing has left for a while, and until when; None if something has, or nothing is to leave.

        Only for waits of single requests: the pacers know their own reasons.
        """
        if self._clock() - self._exchange.left_at <= longer_than_s:
            return None
        if self._allowance.in_flight:
            return "waiting for responses", None
        if self._repeats:
            return "repeating a request that failed", min(self._repeats.values())
        return None

    # --- what is noted from outside ---

    def stand_still(self) -> None:
        """Let nothing leave until `go_on`; what is in flight ends."""
        if self._still_since is None:
            self._still_since = self._clock()
        self._pacer.stand_still()
        self._reports_pacer.stand_still()

    def go_on(self) -> None:
        """Let requests leave again. An outage could not be probed meanwhile, so that time does not count for it."""
        if self._still_since is not None:
            self._health.paused(self._clock() - self._still_since)
            self._still_since = None
        self._pacer.go_on()
        self._reports_pacer.go_on()

    def paused(self, seconds: float) -> None:
        """Note that this process did not run for that long, through no fault of the host."""
        self._pacer.paused()
        self._reports_pacer.paused()
        self._health.paused(seconds)
