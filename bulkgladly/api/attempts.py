"""The attempts that a request takes: their pace, their repeats, and the watch over the host.

What an attempt is on the wire is a parameter (`Talk`); no client library is named here.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from yarl import URL

from bulkgladly.api.address import Address
from bulkgladly.api.bodies import OpenBody
from bulkgladly.api.client_options import ClientOptions
from bulkgladly.api.gates import Allowance, DefaultGate, Gate, ReportsGate
from bulkgladly.api.health import Health, Trouble
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.retry import AskHost, Failure, Wait, backoff, decide
from bulkgladly.api.window import Ticket
from bulkgladly.errors import (
    BulkgladlyError,
    NotTrusted,
    Outage,
    ReplyLost,
    TransportError,
    Unreachable,
    Withdrawn,
    WrongOrganisation,
)
from bulkgladly.judging import Judgement, is_server_error, judge
from bulkgladly.messages import GET_ORGANIZATION, BudgetClass, Meaning, Request

__all__ = ("Attempts", "FinalReply", "HostUnknown", "RawReply", "Talk")

_PROBE_BASE_S = 0.5
_PROBE_CAP_S = 30.0
_ABSENCE_BELIEVED_S = 60.0


class RawReply(NamedTuple):
    """What one attempt brought. With `stream` the body is still to come, and `body` is empty."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    limit: int | None = None
    remaining: int | None = None
    retry_after_s: float | None = None
    stream: OpenBody | None = None


class FinalReply(NamedTuple):
    """The last answer (status 0 for none), after so many attempts, of which `lost` may have been executed."""

    answer: RawReply
    judgement: Judgement
    attempts: int
    lost: int


Talk = Callable[[Request, URL], Awaitable[RawReply]]
"""Makes one attempt, whole or until the body begins; raises `Unreachable` or `ReplyLost`."""


class HostUnknown(Unreachable):
    """The host name has no address."""


_NO_ANSWER = RawReply(0, b"", {})
_NOTHING_KNOWN = Judgement(Meaning.UNCLEAR)
_CONFIRMED = Judgement(Meaning.CONFIRMED)
_Tried = tuple[RawReply, Judgement, Failure | None]
_KEPT_OUT = (Meaning.NOT_AUTHENTICATED, Meaning.NOT_PERMITTED)
_MAY_HAVE_HAPPENED = (Failure.LOST, Failure.UNCLEAR)


class Attempts:
    """Makes attempts at one organisation until each request has a final answer."""

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
        self._address, self._probe = address, probe
        self._pacer, self._reports_pacer = pacer, reports_pacer
        self._connections = asyncio.Semaphore(options.max_connections)
        self._default = DefaultGate(pacer, self._connections)
        self._reports = ReportsGate(reports_pacer, pacer)
        self._allowance, self._retry, self._health = allowance, options.retry, health
        self._clock, self._sleep, self._random = options.clock, options.sleep, options.random
        self._probing = asyncio.Lock()
        self._left_at = self._clock()
        self._repeats: dict[object, float] = {}
        self._outages = 0
        self._last_trouble = ""
        self._absence_proved_at = -_ABSENCE_BELIEVED_S
        self.sent: Counter[str] = Counter()
        self.throttled = 0

    # Attempts at the organisation.

    async def make(self, request: Request, url: URL, talk: Talk) -> FinalReply:
        """Make attempts until there is a final answer, as `Client.send` promises.

        Raises:
            Outage: The host could not be reached for too long.
            WrongOrganisation: The host knows no organisation.
            NotTrusted: Its certificate is not trusted here.
            Withdrawn: Nothing may leave any more, and this request was waiting to.
            All of them know by `lost` how many attempts may have been executed.

        Cancelled: an attempt that had left may be executed; its token counts as used.
        """
        outages, good_before = self._outages, 0
        answer, judgement = _NO_ANSWER, _NOTHING_KNOWN
        attempts = lost = 0
        try:
            while True:
                tried = await self._attempt(request, url, talk)
                if tried is None:
                    await self._allowance.wait(partial(self._wait_for_host, outages))
                    continue
                attempts += 1
                last, judged, failure = tried
                if judged.meaning is Meaning.ABSENT:
                    last, judged, failure = await self._seen_by_organisation(last, judged)
                if failure is None:
                    return FinalReply(last, judged, attempts, lost)
                if failure in _MAY_HAVE_HAPPENED:
                    # Whether the host is well otherwise is a question about the time since the first loss.
                    if not lost:
                        good_before = self._health.good_answers
                    lost += 1
                    answer, judgement = (last, judged) if last.status else (answer, judgement)
                verdict = decide(
                    self._retry,
                    failure=failure,
                    failures=lost,
                    repeat=request.repeat,
                    is_host_well=self._health.good_answers > good_before,
                    random=self._random,
                    retry_after_s=last.retry_after_s,
                )
                if isinstance(verdict, AskHost) and await self._allowance.wait(self._is_host_unclear):
                    continue
                if not isinstance(verdict, Wait):
                    return FinalReply(answer, judgement, attempts, lost)
                if verdict.seconds > 0:
                    await self.rest(verdict.seconds)
        except BulkgladlyError as error:
            error.lost = lost
            raise

    # Waiting, and what is told of it.

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
        """Return why nothing has left for a while, and until when; None where something has, or nobody wants to.

        For waits that are nobody's but one request's: the pacers tell their own.
        """
        if self._clock() - self._left_at <= longer_than_s:
            return None
        if self._allowance.in_flight:
            return "waiting for responses", None
        if self._repeats:
            return "repeating a request that failed", min(self._repeats.values())
        return None

    # Attempts at other hosts.

    async def make_elsewhere(self, request: Request, url: URL, talk: Talk) -> FinalReply:
        """Make a few attempts at another host, whose answers say nothing about the organisation.

        A 429 and a host that cannot be reached count like any other failure, since nobody
        watches the pace and the health of that host.

        Raises:
            Unreachable, ReplyLost: How the last attempt ended, where it brought no answer.
            Withdrawn: Nothing may leave any more, and this request was waiting to.
        """
        attempts = 0
        while True:
            error: TransportError | None = None
            answer, judged = _NO_ANSWER, _NOTHING_KNOWN
            await self._allowance.wait(self._connections.acquire, is_ours=False)
            try:
                self._allowance.in_flight += 1
                answer = await talk(request, url)
                judged = judge(request, answer.status, answer.headers, answer.body)
            except TransportError as caught:
                error = caught
            except NotTrusted as refused:
                raise Unreachable(str(refused)) from None
            finally:
                if answer.stream is None:
                    self._allowance.in_flight -= 1
                    self._connections.release()
            if answer.stream is not None:
                answer.stream.watch = _Elsewhere(self._connections, self._allowance)
            attempts += 1
            is_final = judged.meaning is not Meaning.THROTTLED and not is_server_error(answer.status)
            if error is None and is_final:
                return FinalReply(answer, judged, attempts, attempts - 1)
            if attempts >= self._retry.max_failures:
                if error is not None:
                    raise error
                return FinalReply(answer, judged, attempts, attempts)
            wait_s = backoff(attempts, base_s=self._retry.base_s, cap_s=self._retry.cap_s, random=self._random)
            wait_s = max(wait_s, min(answer.retry_after_s or 0.0, self._retry.max_retry_after_s))
            await self.rest(wait_s, is_ours=False)

    # One attempt.

    async def _attempt(self, request: Request, url: URL, talk: Talk) -> _Tried | None:
        """Send once, when it is this request's turn; None where the host is down, and nothing was sent."""
        if self._health.is_down():
            return None
        gate: Gate = self._reports if request.budget is BudgetClass.REPORTS else self._default
        ticket = await self._allowance.wait(gate.token)
        # Looked at again: the token may have come after a long wait, in which the host went down.
        if self._health.is_down():
            gate.unused(ticket)
            return None
        try:
            answer, judged = await self._exchange(request, url, talk, gate, ticket)
        except Unreachable:
            return _NO_ANSWER, _NOTHING_KNOWN, Failure.UNREACHABLE
        except ReplyLost:
            return _NO_ANSWER, _NOTHING_KNOWN, Failure.LOST
        return answer, judged, _FAILURES.get(judged.meaning)

    async def _exchange(
        self, request: Request, url: URL, talk: Talk, gate: Gate, ticket: Ticket
    ) -> tuple[RawReply, Judgement]:
        """Send once, judge the reply, and let the gate and the host's health know how it went.

        Raises:
            Unreachable, ReplyLost: There is no reply.
            WrongOrganisation: The host says that there is no organisation.
            Withdrawn: It must not leave.
        """
        try:
            # The last thing before it leaves: nothing is awaited between here and the wire, so that the count is exact.
            self._allowance.take()
        except Withdrawn:
            gate.unused(ticket)
            raise
        self._left_at = ticket.sent_at
        self.sent[request.operation] += 1
        self._allowance.in_flight += 1
        is_open = False
        try:
            answer = await talk(request, url)
            is_open = answer.stream is not None
        except Unreachable as error:
            gate.lost(ticket)
            trouble = Trouble.NAME if isinstance(error, HostUnknown) else Trouble.CONNECT
            self._health.failed(ticket.sent_at, unreachable=trouble, answered=False)
            self._last_trouble = str(error)
            raise
        except ReplyLost as error:
            gate.lost(ticket)
            self._health.failed(ticket.sent_at, unreachable=None, answered=False)
            self._last_trouble = str(error)
            raise
        except BaseException:
            gate.lost(ticket)
            raise
        finally:
            self._allowance.in_flight -= not is_open
        judged = judge(request, answer.status, answer.headers, answer.body)
        note = gate.answered if answer.stream is None else gate.heard
        note(
            ticket,
            status=answer.status,
            limit=answer.limit,
            remaining=answer.remaining,
            retry_after_s=answer.retry_after_s,
        )
        if answer.stream is not None:
            answer.stream.watch = _Visit(self, gate, ticket)
        if judged.meaning is Meaning.UNCLEAR:
            self._health.failed(ticket.sent_at, unreachable=None, answered=is_server_error(answer.status))
            self._last_trouble = f"{request.operation} was answered {answer.status}, not in a form of Gladly's"
        else:
            self._health.good()
            self.throttled += judged.meaning is Meaning.THROTTLED
        if request.operation == GET_ORGANIZATION.operation:
            self._check_organisation(answer, judged)
        return answer, judged

    # Absence, and the host behind it.

    def _check_organisation(self, answer: RawReply, judged: Judgement) -> None:
        if judged.meaning is Meaning.ABSENT:
            raise WrongOrganisation(
                f"{self._address.host} answers {answer.status} to getOrganization, which every organisation has; check "
                "GLADLY_HOST: it is the organisation's own address, such as https://<organisation>.gladly.com"
            )

    async def _seen_by_organisation(self, absent: RawReply, judged: Judgement) -> _Tried:
        """Return an absence as it is where the organisation itself is behind it, else what that makes of it."""
        said, host = await self._allowance.wait(self._host_behind_absence)
        if host.meaning is Meaning.CONFIRMED:
            return absent, judged, None
        if host.meaning in _KEPT_OUT:
            return said, host, None
        return absent, _NOTHING_KNOWN, Failure.UNCLEAR

    async def _host_behind_absence(self) -> tuple[RawReply, Judgement]:
        """Ask who says "there is no such thing" whether it is the organisation: afterwards, and once a minute."""
        while self._clock() - self._absence_proved_at >= _ABSENCE_BELIEVED_S:
            answer, judged = await self._ask_host()
            if judged.meaning is Meaning.CONFIRMED:
                self._absence_proved_at = self._clock()
            elif judged.meaning is not Meaning.THROTTLED:
                return answer, judged
        return _NO_ANSWER, _CONFIRMED

    # What is noted from outside.

    def paused(self, seconds: float) -> None:
        """Note that this process did not run for so long: that is nobody's fault."""
        self._pacer.paused()
        self._reports_pacer.paused()
        self._health.paused(seconds)

    def body_ended(self) -> None:
        """Note that an open body is over."""
        self._allowance.in_flight -= 1

    def body_arrived(self) -> None:
        """Note that an open body goes on."""
        self._health.arriving()

    def body_broke(self, ticket: Ticket, reason: str) -> None:
        """Note that an open body will not be whole: like a lost answer, though its head had come."""
        self._health.failed(ticket.sent_at, unreachable=None, answered=True)
        self._last_trouble = reason

    # Is the host there?

    async def _ask_host(self) -> tuple[RawReply, Judgement]:
        """Ask the host itself; afterwards it counts as down where it gives no proper answer."""
        try:
            answer, judged = await self._ask(await self._pacer.token())
        except TransportError:
            answer, judged = _NO_ANSWER, _NOTHING_KNOWN
        if judged.meaning is Meaning.UNCLEAR:
            self._health.suspect()
        return answer, judged

    async def _is_host_unclear(self) -> bool:
        _, judged = await self._ask_host()
        return judged.meaning is Meaning.UNCLEAR

    async def _wait_for_host(self, outages: int) -> None:
        """Return when the host answers again. One caller probes; the others wait behind it.

        `outages` is how many had been given up when the caller began: what was given up
        meanwhile is given up for all who waited, and not waited out once for each.

        Raises:
            Outage: It did not answer for longer than it may.
            Withdrawn: No further probe may leave.
        """
        async with self._probing:
            if self._outages != outages:
                raise self._outage()
            probes = 0
            while self._health.is_down():
                patience_s = self._health.patience_s(self._clock())
                # Never without asking once: the failures before it may be one record's.
                if patience_s <= 0 and probes:
                    self._outages += 1
                    self._health.give_up()
                    raise self._outage()
                probes += 1
                wait_s = backoff(probes, base_s=_PROBE_BASE_S, cap_s=_PROBE_CAP_S, random=self._random)
                self._pacer.hold(min(wait_s, max(patience_s, 0.0)), f"outage: {self._health.trouble.value}")
                ticket = await self._pacer.token()
                if not self._health.is_down():
                    # Someone's late answer came meanwhile.
                    self._pacer.unused(ticket)
                    return
                try:
                    await self._ask(ticket)
                except TransportError:
                    continue

    async def _ask(self, ticket: Ticket) -> tuple[RawReply, Judgement]:
        """Probe: outside the connections, which requests without an answer may hold for long."""
        url = self._address.url(GET_ORGANIZATION.path, GET_ORGANIZATION.query)
        return await self._exchange(GET_ORGANIZATION, url, self._probe, self._pacer, ticket)

    def _outage(self) -> Outage:
        host, trouble = self._address.host, self._health.trouble
        advice = ""
        if trouble is Trouble.NAME:
            advice = "; check the organisation name in GLADLY_HOST, and the network"
        elif not self._health.is_known:
            advice = "; check GLADLY_HOST, the network and the proxy settings"
        return Outage(f"{host}: {trouble.value} ({self._last_trouble}){advice}. What was done is kept; resume later")


_FAILURES = {Meaning.THROTTLED: Failure.THROTTLED, Meaning.UNCLEAR: Failure.UNCLEAR}


class _Visit:
    """Watches a body from the organisation; its end is the end of its ticket."""

    def __init__(self, attempts: Attempts, gate: Gate, ticket: Ticket) -> None:
        self._attempts, self._gate, self._ticket = attempts, gate, ticket

    def arrived(self) -> None:
        self._attempts.body_arrived()

    def broke(self, reason: str) -> None:
        self._attempts.body_broke(self._ticket, reason)

    def ended(self) -> None:
        self._attempts.body_ended()
        self._gate.ended(self._ticket)


class _Elsewhere:
    """Watches a body from another host: it only holds one of the connections."""

    def __init__(self, connections: asyncio.Semaphore, allowance: Allowance) -> None:
        self._connections, self._allowance = connections, allowance

    def arrived(self) -> None:
        """Nobody watches that host's health."""

    def broke(self, reason: str) -> None:
        """The reader is told by the error."""

    def ended(self) -> None:
        self._allowance.in_flight -= 1
        self._connections.release()
