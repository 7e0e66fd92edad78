"""Whether the host is there: probes in an outage, and the proof that an absence is the organisation's own word."""

import asyncio
from collections.abc import Callable

from bulkgladly.api.address import Address
from bulkgladly.api.health import Health, Trouble
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.retry import Failure, backoff
from bulkgladly.api.single_exchange import NO_REPLY, NOTHING_KNOWN, Exchange, RawReply, Talk, Tried
from bulkgladly.api.window import Ticket
from bulkgladly.errors import Outage, TransportError
from bulkgladly.judging import Judgement
from bulkgladly.messages import GET_ORGANIZATION, Meaning

__all__ = ("HOW_TO_GO_ON", "HostWatch", "absence_judged")

HOW_TO_GO_ON = ". What was done is kept; resume later"
"""How the message of an outage ends, for a run that is ended by it."""

_PROBE_BASE_S = 0.5
_PROBE_CAP_S = 30.0
_ABSENCE_BELIEVED_S = 60.0
_CONFIRMED = Judgement(Meaning.CONFIRMED)
_KEPT_OUT = (Meaning.NOT_AUTHENTICATED, Meaning.NOT_PERMITTED)


class HostWatch:
    """Asks the host itself, by the cheapest question that every organisation answers.

    `outages` counts those that were given up. All methods wait, so call them within `Allowance.wait`.
    """

    def __init__(
        self,
        address: Address,
        probe: Talk,
        *,
        exchange: Exchange,
        pacer: Pacer,
        health: Health,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._address, self._probe = address, probe
        self._exchange, self._pacer, self._health = exchange, pacer, health
        self._clock, self._random = clock, random
        self._probing = asyncio.Lock()
        self._proving = asyncio.Lock()
        self._absence_proved_at = -_ABSENCE_BELIEVED_S
        self._proof: tuple[RawReply, Judgement] = (NO_REPLY, _CONFIRMED)
        self._proofs = 0
        self.outages = 0

    # --- one outage, and all who wait for its end ---

    async def until_up(self, outages: int) -> None:
        """Return when the host replies again. One caller probes; the others wait behind it.

        `outages` is how many had been given up when the caller began. An outage that was given up
        meanwhile is given up for all who waited; they do not wait it out one after the other.

        Raises:
            Outage: It did not reply for longer than allowed.
            Withdrawn: No further probe may leave.
        """
        async with self._probing:
            if self.outages != outages:
                raise self._outage()
            probes = 0
            while self._health.is_down():
                patience_s = self._health.patience_s(self._clock())
                # Never without one probe: the failures so far may be the fault of one record.
                if patience_s <= 0 and probes:
                    self.outages += 1
                    self._health.give_up()
                    raise self._outage()
                probes += 1
                wait_s = backoff(probes, base_s=_PROBE_BASE_S, cap_s=_PROBE_CAP_S, random=self._random)
                self._pacer.hold(min(wait_s, max(patience_s, 0.0)), f"outage: {self._health.trouble.value}")
                ticket = await self._pacer.token()
                if not self._health.is_down():
                    # A late reply to another request has come meanwhile.
                    self._pacer.unused(ticket)
                    return
                try:
                    await self._ask(ticket)
                except TransportError:
                    continue

    def _outage(self) -> Outage:
        host, trouble = self._address.host, self._health.trouble
        # Without a single reply nothing was done, and `doctor` has nothing to resume.
        advice, kept = "", HOW_TO_GO_ON if self._health.is_known else ""
        if trouble is Trouble.NAME:
            advice = "; check the organisation name in GLADLY_HOST, and the network"
        elif not self._health.is_known:
            advice = "; check GLADLY_HOST, the network and the proxy settings"
        last = self._exchange.last_trouble
        return Outage(f"{host}: {trouble.value} ({last}){advice}{kept}")

    # --- a failed request, or an absence: is the host itself well? ---

    async def is_unclear(self) -> bool:
        """Ask the host, and tell whether it gives no proper reply; it counts as down then."""
        _, judged = await self._ask_host()
        return judged.meaning is Meaning.UNCLEAR

    async def behind_absence(self) -> tuple[RawReply, Judgement]:
        """Ask whether the organisation itself said that something is absent: after that reply, once a minute.

        One caller asks; those that come while it does wait, and take the reply, which is younger than their absence.
        """
        proofs = self._proofs
        async with self._proving:
            while self._proofs == proofs and self._clock() - self._absence_proved_at >= _ABSENCE_BELIEVED_S:
                reply, judged = await self._ask_host()
                if judged.meaning is Meaning.CONFIRMED:
                    self._absence_proved_at = self._clock()
                if judged.meaning is not Meaning.THROTTLED:
                    self._proof = (reply, judged)
                    self._proofs += 1
            return self._proof if self._proofs != proofs else (NO_REPLY, _CONFIRMED)

    async def _ask_host(self) -> tuple[RawReply, Judgement]:
        """Ask the host itself; it counts as down afterwards if it gives no proper reply."""
        try:
            reply, judged = await self._ask(await self._pacer.token())
        except TransportError:
            reply, judged = NO_REPLY, NOTHING_KNOWN
        if judged.meaning is Meaning.UNCLEAR:
            self._health.suspect()
        return reply, judged

    async def _ask(self, ticket: Ticket) -> tuple[RawReply, Judgement]:
        """Probe: outside the connections, which requests without a reply may hold for long."""
        url = self._address.url(GET_ORGANIZATION.path, GET_ORGANIZATION.query)
        return await self._exchange.once(GET_ORGANIZATION, url, self._probe, self._pacer, ticket)


def absence_judged(absent: RawReply, judged: Judgement, host: tuple[RawReply, Judgement]) -> Tried:
    """Return an absence as it is if the organisation itself said it, else what follows from the host's own reply."""
    reply, about_host = host
    if about_host.meaning is Meaning.CONFIRMED:
        return absent, judged, None
    if about_host.meaning in _KEPT_OUT:
        return reply, about_host, None
    return absent, NOTHING_KNOWN, Failure.UNCLEAR
