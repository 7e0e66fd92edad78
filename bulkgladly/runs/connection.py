"""A run's connection to its organisation: the client with its pace, and what the run has cost so far."""

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkgladly.api.budget_pacers import default_pacer, reports_pacer
from bulkgladly.api.client import Client
from bulkgladly.api.client_options import ClientOptions
from bulkgladly.api.pacer import THROTTLED, Pacer, PaceView
from bulkgladly.api.single_exchange import no_organisation
from bulkgladly.messages import GET_ORGANIZATION, BudgetClass
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.recorder import Costs
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = ("Connection", "Momentum", "check_organisation", "concurrency_of")

_TICKS = 10
_LONG_GAP_S = 2.0


class Momentum(NamedTuple):
    """How fast requests go at one moment, and what they wait for."""

    requests: int
    per_second: float
    allowed_per_second: float
    in_flight: int
    most_in_flight: int
    """At once since the last look: a reply may take only milliseconds, so that one moment shows none."""
    throttled: int
    waiting: str | None
    waiting_s: float


class Connection:
    """The client of one session of a run. `earlier` is what the sessions before it have cost."""

    def __init__(self, credentials: Credentials, pace: Pace, limits: Limits, environment: Environment = USUAL) -> None:
        """Build the client; nothing is opened until it is entered."""
        self.host = credentials.host
        clock, sleep, random = environment.clock, environment.sleep, environment.random
        # An emulator without a pace has no budget to share.
        is_shared = not pace.unlimited
        self._budget = environment.budget(credentials.host) if environment.budget and is_shared else None
        lines = {each: self._budget.line(each) if self._budget else None for each in BudgetClass}
        default, reports = lines[BudgetClass.DEFAULT], lines[BudgetClass.REPORTS]
        self.pacer: Pacer = default_pacer(pace, line=default, clock=clock, sleep=sleep, random=random)
        self.reports: Pacer = reports_pacer(pace, line=reports, clock=clock, sleep=sleep, random=random)
        self.concurrency = concurrency_of(pace)
        self.client: Client = environment.client(
            credentials.host,
            credentials.username,
            credentials.token(),
            pacer=self.pacer,
            reports_pacer=self.reports,
            options=ClientOptions(
                timeouts=environment.timeouts,
                retry=environment.retry,
                give_up_after_s=limits.give_up_after_s,
                first_contact_s=environment.first_contact_s,
                max_connections=self.concurrency,
                max_requests=limits.max_requests,
                max_body_bytes=environment.max_body_bytes,
                clock=clock,
                sleep=sleep,
                random=random,
            ),
        )
        self.started = time.monotonic()
        self.began_at = _now()
        self.ended: str | None = None
        """Why this session ends, as soon as it is known; a killed one never says it."""
        self.earlier: Mapping[str, Any] = {}
        self._still_for, self._counted_as, self._still_since = "", "", 0.0
        self._still_s: dict[str, float] = {}
        self._ticks: list[tuple[float, int]] = []
        self._is_told = False

    @property
    def seconds(self) -> float:
        """For how many seconds this session has been working."""
        return time.monotonic() - self.started

    @property
    def per_second(self) -> float:
        """How many requests a second the pace allows at most: the rate, and the limit less the reserve."""
        return self.pacer.ceiling

    @property
    def still_s(self) -> float:
        """For how many seconds of this session nothing was to leave, by the word of a person or a schedule."""
        return sum(self._still().values())

    @property
    def throttled_s(self) -> float:
        """For how many seconds of this session all requests were paused after a 429."""
        return sum(pacer.held_s.get(THROTTLED, 0.0) for pacer in (self.pacer, self.reports))

    def steer(self, rate: float | None, still_for: str, counted_as: str) -> None:
        """Cap the requests per second from now on, and let nothing leave while there is a reason, `still_for`.

        The report has the time of the wait under `counted_as`.
        """
        self.pacer.set_rate(rate)
        if still_for == self._still_for:
            return
        self._still_s = self._still()
        self._still_for, self._counted_as, self._still_since = still_for, counted_as, time.monotonic()
        if still_for:
            self.client.stand_still()
        else:
            self.client.go_on()

    def _still(self) -> dict[str, float]:
        """Return the seconds in which nothing was to leave, by reason, the present wait included."""
        found = dict(self._still_s)
        if self._still_for:
            found[self._counted_as] = found.get(self._counted_as, 0.0) + time.monotonic() - self._still_since
        return found

    def trouble(self) -> str | None:
        """Return for people, once, why the pace cannot be shared with other processes; None if it can."""
        if self._budget is None or self._budget.trouble is None or self._is_told:
            return None
        self._is_told = True
        return self._budget.trouble

    def momentum(self) -> Momentum:
        """Return how fast requests go. Call it about once a second: it averages over the last ten calls."""
        now, sent = time.monotonic(), self.client.sent.total()
        self._ticks = [*self._ticks[1 - _TICKS :], (now, sent)]
        span = now - self._ticks[0][0]
        pace = self.pacer.view()
        waiting, until = self._waiting(pace, now)
        return Momentum(
            requests=sent,
            per_second=(sent - self._ticks[0][1]) / span if span > 0 else 0.0,
            allowed_per_second=self._allowed(pace),
            in_flight=self.client.in_flight,
            most_in_flight=self.client.most_in_flight(),
            throttled=self.pacer.throttled + self.reports.throttled,
            waiting=waiting,
            waiting_s=max(0.0, (until or now) - now),
        )

    def holdup(self) -> str:
        """Return what the requests wait for now, such as the end of an outage, and for how long; empty if nothing."""
        now = time.monotonic()
        waiting, until = self._waiting(self.pacer.view(), now)
        left_s = math.ceil((until or now) - now)
        return f"{waiting}, for {left_s} s" if waiting and left_s > 0 else waiting or ""

    def _allowed(self, pace: PaceView) -> float:
        if self._still_for:
            return 0.0
        return self.reports.view().rate if self.reports.in_flight else pace.rate

    def _waiting(self, pace: PaceView, now: float) -> tuple[str | None, float | None]:
        """Return what the requests wait for, and until when. The pace counts only if its gaps are long."""
        if self._still_for:
            return self._still_for, None
        is_long = pace.waiting_until is not None and pace.waiting_until - now > _LONG_GAP_S
        if pace.waiting_reason is not None and (pace.waiting_reason != "pace" or is_long):
            return pace.waiting_reason, pace.waiting_until
        if self.reports.in_flight and (slow := self.reports.view()).waiting_reason is not None:
            return slow.waiting_reason, slow.waiting_until
        return self.client.holdup() or (None, None)

    def costs(self) -> Costs:
        """Return what this session has used so far, for the timeline of the run."""
        waits: dict[str, float] = {}
        for pacer in (self.pacer, self.reports):
            for reason, span in pacer.held_s.items():
                waits[reason] = waits.get(reason, 0.0) + span
        return Costs(
            requests=self.client.sent.total(),
            throttled=self.pacer.throttled + self.reports.throttled,
            waits=waits,
            allowed_per_second=self._allowed(self.pacer.view()),
        )

    def vitals(self) -> dict[str, Any]:
        """Return what all sessions together have cost, for the journal and the report. Callable from any thread."""
        requests = Counter(self.earlier.get("requests", {}))
        requests.update(dict(self.client.sent))  # a copy, since the loop's thread continues to count
        waits: dict[str, float] = dict(self.earlier.get("waits", {}))
        for pacer in (self.pacer, self.reports):
            for reason, span in dict(pacer.held_s).items():
                waits[reason] = waits.get(reason, 0.0) + span
        for reason, span in self._still().items():
            waits[reason] = waits.get(reason, 0.0) + span
        throttled = self.pacer.throttled + self.reports.throttled
        session = {"from": self.began_at, "until": _now(), "reason": self.ended}
        return {
            "sessions": [*self.earlier.get("sessions", ()), session],
            "requests": dict(requests),
            "waits": {reason: round(seconds, 3) for reason, seconds in waits.items()},
            "throttled": self.earlier.get("throttled", 0) + throttled,
            "seconds": round(self.earlier.get("seconds", 0.0) + self.seconds, 3),
            "at": session["until"],
        }


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


async def check_organisation(client: Client, host: str) -> Mapping[str, Any]:
    """Ask for the organisation, which proves host, credentials and permission with one request, and return it.

    Raises:
        WrongOrganisation: The host answers, but not as a Gladly organisation does.
        NotAuthenticated, NotPermitted, Outage: As `Client.send`.
    """
    reply = await client.send(GET_ORGANIZATION)
    if reply.object is not None:
        return reply.object
    raise no_organisation(host, reply.status)


def concurrency_of(pace: Pace) -> int:
    """Return how many requests may be in flight: those of 1.2 seconds, so that a slow reply does not delay others."""
    if pace.concurrency is not None:
        return pace.concurrency
    if pace.unlimited:
        return 50
    return min(100, max(12, math.ceil((pace.rate or 10) * 1.2)))
