"""The schedule against the three ways a server may count, in simulated time."""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import pytest

from bulkgladly.api.schedule import Pacing, Schedule
from bulkgladly.api.window import Ticket

START = 1000.0
WAKES_LATE_S = 0.002


class FixedWindow:
    def __init__(self, limit: int, phase_s: float) -> None:
        self.limit, self.phase_s, self.window, self.used = limit, phase_s, -1, 0

    def take(self, now: float) -> tuple[bool, int]:
        window = int(now - self.phase_s)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.limit:
            return False, 0
        self.used += 1
        return True, self.limit - self.used


class LeakyBucket:
    def __init__(self, limit: int, phase_s: float) -> None:
        self.limit, self.room, self.seen = limit, float(limit), phase_s

    def take(self, now: float) -> tuple[bool, int]:
        self.room = min(self.limit, self.room + max(0.0, now - self.seen) * self.limit)
        self.seen = now
        if self.room < 1:
            return False, 0
        self.room -= 1
        return True, int(self.room)


class SlidingLog:
    def __init__(self, limit: int, phase_s: float) -> None:
        self.limit, self.log = limit, [phase_s] * 0

    def take(self, now: float) -> tuple[bool, int]:
        self.log = [at for at in self.log if at > now - 1]
        if len(self.log) >= self.limit:
            return False, 0
        self.log.append(now)
        return True, self.limit - len(self.log)


Limiter = FixedWindow | LeakyBucket | SlidingLog
ALGORITHMS: dict[str, Callable[[int, float], Limiter]] = {
    "fixed": FixedWindow,
    "leaky": LeakyBucket,
    "sliding": SlidingLog,
}


@dataclass
class Result:
    """What a simulated run came to."""

    accepted_at: list[float] = field(default_factory=list)
    refused: int = 0
    sent_at: list[float] = field(default_factory=list)
    neighbour: Counter[bool] = field(default_factory=Counter)

    def use(self, limit: int, phase_s: float) -> float:
        """Return the share of the limit used in the whole windows between the first and the last."""
        windows = Counter(int(at - phase_s) for at in self.accepted_at)
        inner = range(min(windows) + 1, max(windows))
        return sum(windows[k] for k in inner) / (limit * len(inner))


@dataclass
class World:
    """A sender that always has rows, a server, and the ways between them."""

    schedule: Schedule
    limiter: Limiter
    chance: random.Random
    latency_s: float
    jitter_s: float
    neighbour_rate: float
    has_headers: bool
    stalls: tuple[tuple[float, float], ...]
    now: float
    slow: Mapping[int, float] = field(default_factory=dict[int, float])
    is_frozen: bool = False
    is_told: bool = False
    is_steered: bool = False
    result: Result = field(default_factory=Result)
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    held_until: float = 0.0
    refusals: int = 0

    def later(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.events, (at, id(act), act))

    def step(self) -> None:
        self.now, _, act = heapq.heappop(self.events)
        act()

    def way_s(self) -> float:
        return (self.latency_s + self.chance.uniform(-self.jitter_s, self.jitter_s)) / 2

    def wake(self) -> None:
        """Send where it is time, and wake up again, late, for the next one."""
        due = max(self.held_until, self.schedule.next_at(self.now))
        if due <= self.now + 0.0002:
            ticket = self.schedule.sent(self.now)
            self.result.sent_at.append(self.now)
            self.later(self.now + self.way_s(), lambda: self.arrive(ticket))
            due = max(self.held_until, self.schedule.next_at(self.now))
        # As the pacer does: the rate may change while it waits.
        due = min(due, self.now + 0.25) if self.is_steered else due
        late_s = self.chance.uniform(0, WAKES_LATE_S)
        if self.is_frozen:
            self.later(self.awake(max(self.now, due) + late_s), self.wake)
            return
        for begin, length_s in self.stalls:
            if begin <= due < begin + length_s:
                late_s = begin + length_s - due
        self.later(max(self.now, due) + late_s, self.wake)

    def awake(self, at: float) -> float:
        """When the client, which does not run during a stall, sees what happens at some time."""
        return next((begin + length_s for begin, length_s in self.stalls if begin <= at < begin + length_s), at)

    def neighbour(self) -> None:
        self.result.neighbour[self.limiter.take(self.now)[0]] += 1
        self.later(self.now + self.chance.expovariate(self.neighbour_rate), self.neighbour)

    def arrive(self, ticket: Ticket) -> None:
        is_accepted, left = self.limiter.take(self.now)
        if is_accepted:
            self.result.accepted_at.append(self.now)
        else:
            self.result.refused += 1
        at = self.now + self.way_s() + self.slow.get(ticket.number, 0.0)
        at = self.awake(at) if self.is_frozen else at
        self.later(at, lambda: self.answer(ticket, left, not is_accepted))

    def answer(self, ticket: Ticket, remaining: int, is_refused: bool) -> None:
        """Learn, and pause after a 429 as the pacer does."""
        self.refusals = self.refusals + 1 if is_refused else 0
        if is_refused:
            self.held_until = self.now + self.chance.random() * min(60.0, 0.25 * 2.0**self.refusals)
        self.schedule.answered(
            ticket,
            self.now,
            refused=is_refused,
            limit=self.limiter.limit if self.has_headers else None,
            remaining=remaining if self.has_headers else None,
        )


def simulate(
    schedule: Schedule,
    limiter: Limiter,
    *,
    rows: int,
    seed: int = 1,
    latency_s: float = 0.08,
    jitter_s: float = 0.02,
    neighbour_rate: float = 0.0,
    has_headers: bool = True,
    stalls: tuple[tuple[float, float], ...] = (),
    start: float = START,
    slow: Mapping[int, float] | None = None,
    is_frozen: bool = False,
    is_told: bool = False,
    rates: tuple[tuple[float, float | None], ...] = (),
) -> Result:
    """Send until `rows` are accepted; half the latency lies before the limiter. `rates` are set at their times."""
    chance = random.Random(seed)  # noqa: S311  # a repeatable draw is the point
    ways = (latency_s, jitter_s, neighbour_rate, has_headers)
    world = World(schedule, limiter, chance, *ways, tuple((start + at, for_s) for at, for_s in stalls), start)
    world.slow, world.is_frozen, world.is_told = slow or {}, is_frozen, is_told
    for begin, length_s in world.stalls if is_told else ():
        # Before anything that was held up: the tick of the loop comes first.
        world.later(begin + length_s - 1e-9, lambda: schedule.paused(world.now))
    world.is_steered = bool(rates)
    for at, rate in rates:
        world.later(start + at, partial(schedule.set_rate, start + at, rate))
    world.later(start, world.wake)
    if neighbour_rate:
        world.later(start, world.neighbour)
    while len(world.result.accepted_at) < rows:
        world.step()
    return world.result


@pytest.mark.parametrize(
    ("algorithm", "least_use"), [("fixed", 0.98), ("leaky", 0.985), ("sliding", 0.965)], ids=list(ALGORITHMS)
)
@pytest.mark.parametrize("seed", range(5))
def test_the_limit_is_used_and_never_exceeded(algorithm: str, least_use: float, seed: int) -> None:
    """Alone on the quota, each way of counting is used up to its bar without a single 429."""
    phase_s = seed * 0.37 % 1
    schedule = Schedule(10, reserve=0.0)

    result = simulate(schedule, ALGORITHMS[algorithm](10, phase_s), rows=400, seed=seed)

    assert result.refused == 0
    assert result.use(10, phase_s) >= least_use
    assert schedule.mode is (Pacing.WINDOW if algorithm == "fixed" else Pacing.EVEN)


@pytest.mark.parametrize(("limit", "rows"), [(50, 1500), (100, 3000)])
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_higher_limits_from_the_header_are_followed(algorithm: str, limit: int, rows: int) -> None:
    """A plan that began with the documented 10/s uses what the header offers."""
    result = simulate(Schedule(10, reserve=0.0), ALGORITHMS[algorithm](limit, 0.3), rows=rows)

    assert result.refused == 0
    assert result.use(limit, 0.3) >= 0.95


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_jittery_line_costs_a_few_refusals_at_most(algorithm: str) -> None:
    """With arrivals that jitter by 100 ms peak to peak the pace adapts instead of collecting 429s."""
    result = simulate(Schedule(10, reserve=0.0), ALGORITHMS[algorithm](10, 0.6), rows=400, latency_s=0.15, jitter_s=0.1)

    assert result.refused <= 3
    assert result.use(10, 0.6) >= 0.86


def test_a_long_run_keeps_the_edge() -> None:
    """Over many minutes the estimate neither drifts away nor costs more than a trickle of probes."""
    result = simulate(Schedule(10, reserve=0.0), FixedWindow(10, 0.2), rows=6000)

    assert result.refused == 0
    assert result.use(10, 0.2) >= 0.995


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_the_reserve_is_left_free(algorithm: str) -> None:
    """By default a tenth of the limit is left to other integrations, and the rest is used."""
    result = simulate(Schedule(10), ALGORITHMS[algorithm](10, 0.5), rows=400)

    assert result.refused == 0
    assert 0.87 <= result.use(10, 0.5) <= 0.9


@pytest.mark.parametrize("rate", [0.7, 3.0, 7.5])
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_rate_of_the_user_is_a_cap(algorithm: str, rate: float) -> None:
    """The user's rate holds on average, whole or not, whatever the server would allow."""
    result = simulate(Schedule(10, rate=rate, reserve=0.0), ALGORITHMS[algorithm](10, 0.5), rows=90)

    span_s = result.sent_at[-1] - result.sent_at[0]
    assert result.refused == 0
    assert 0.95 * rate <= (len(result.sent_at) - 1) / span_s <= 1.01 * rate


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_rate_that_changes_exceeds_no_window(algorithm: str, seed: int) -> None:
    """Up and down, at any moment of a window and below one request a window, nothing is refused or made up for."""
    chance = random.Random(seed)  # noqa: S311  # a repeatable draw is the point
    wanted = (3.0, None, 0.2, 9.0, 10.0, 0.5, None, 7.5, 1.0, None)
    rates = tuple((12.0 * number + chance.random(), rate) for number, rate in enumerate(wanted, start=1))

    result = simulate(Schedule(10, reserve=0.0), ALGORITHMS[algorithm](10, seed / 4), rows=760, seed=seed, rates=rates)

    assert result.refused == 0
    for (begin, rate), (end, _) in pairwise(rates):
        sent = sum(START + begin + 1 < at <= START + end for at in result.sent_at)
        most = (10.0 if rate is None else rate) * (end - begin - 1)
        assert (0.8 * most if most > 5 else 0) <= sent <= most + 1, (rate, sent, most)


@pytest.mark.parametrize("seed", range(4))
def test_beside_a_neighbour_few_are_refused(seed: int) -> None:
    """Another client at 3/s costs us at most 3 % refusals, and it keeps most of its requests."""
    schedule = Schedule(10, reserve=0.0)

    result = simulate(schedule, FixedWindow(10, 0.4), rows=300, seed=seed, neighbour_rate=3)

    assert schedule.others_share
    assert result.refused <= 9
    assert result.neighbour[False] / result.neighbour.total() <= 0.18
    assert result.use(10, 0.4) >= 0.55


def test_alone_nobody_is_suspected() -> None:
    """A jittery line alone is no reason to believe in others for good."""
    schedule = Schedule(10, reserve=0.0)

    simulate(schedule, FixedWindow(10, 0.4), rows=600, seed=3)

    assert not schedule.others_share


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_stall_is_not_caught_up(algorithm: str) -> None:
    """After three seconds without requests the pace continues as before: no burst, and no 429."""
    result = simulate(
        Schedule(10, reserve=0.0), ALGORITHMS[algorithm](10, 0.1), rows=150, stalls=((2.0, 3.0), (9.0, 0.7))
    )

    assert result.refused == 0
    assert most_in_a_second(result.sent_at) <= 13


def most_in_a_second(times: list[float]) -> int:
    """Return how many of the times lie within one second, at most."""
    first, most = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_an_edge_that_moves_is_found_again() -> None:
    """A server whose windows jump (a restart) costs a few refusals, and is used fully again."""
    limiter = FixedWindow(10, 0.1)
    schedule = Schedule(10, reserve=0.0)
    simulate(schedule, limiter, rows=100)
    limiter.phase_s = 0.55

    result = simulate(schedule, limiter, rows=400, seed=2, start=START + 20)

    assert result.refused <= 8
    assert result.use(10, 0.55) >= 0.93


def test_without_headers_the_documented_limit_is_spaced_evenly() -> None:
    """No header, no rate: just below 10/s for good."""
    result = simulate(Schedule(10, reserve=0.0), SlidingLog(10, 0), rows=300, has_headers=False)

    assert result.refused == 0
    assert result.use(10, 0) >= 0.95


def rate_between(times: list[float], begin: float, end: float) -> float:
    """Requests a second."""
    return sum(begin <= at < end for at in times) / (end - begin)


@pytest.mark.parametrize("pause_s", [5.0, 20.0, 60.0])
@pytest.mark.parametrize("is_told", [True, False], ids=["noticed", "not noticed"])
@pytest.mark.parametrize(
    ("algorithm", "has_headers"),
    [*((name, True) for name in ALGORITHMS), *((name, False) for name in ("leaky", "sliding"))],
)
def test_after_a_pause_the_pace_is_back_within_two_seconds(
    algorithm: str, has_headers: bool, is_told: bool, pause_s: float
) -> None:
    """A process that was stopped, with a second's requests in flight, continues as before, without a burst."""
    result = simulate(
        Schedule(10),
        ALGORITHMS[algorithm](10, 0.3),
        rows=330,
        latency_s=0.9,
        has_headers=has_headers,
        stalls=((15.0, pause_s),),
        is_frozen=True,
        is_told=is_told,
    )

    back = START + 15 + pause_s
    before = rate_between(result.sent_at, START + 5, START + 15)
    assert rate_between(result.sent_at, back + 2, back + 12) >= 0.9 * before
    assert most_in_a_second([at for at in result.sent_at if at >= back]) <= 13
    assert result.refused <= 1


@pytest.mark.parametrize(
    ("slow", "takes_s"), [((40, 41, 42), 5.0), ((40, 90, 91, 92), 20.0), (tuple(range(30, 45)), 30.0)], ids=str
)
@pytest.mark.parametrize("algorithm", ["leaky", "sliding"])
@pytest.mark.parametrize("has_headers", [True, False])
def test_a_few_slow_answers_slow_nobody_down(
    algorithm: str, has_headers: bool, slow: tuple[int, ...], takes_s: float
) -> None:
    """Three of 300 that take five seconds cost the other 297 nothing."""

    def took_s(late: Mapping[int, float]) -> float:
        limiter = ALGORITHMS[algorithm](10, 0.3)
        result = simulate(Schedule(10, reserve=0.0), limiter, rows=300, has_headers=has_headers, slow=late)
        assert result.refused == 0
        return result.sent_at[-1] - result.sent_at[0]

    assert took_s(dict.fromkeys(slow, takes_s)) <= 1.05 * took_s({})


@pytest.mark.parametrize("limit", [0, -1, 101, 999_999_999])
def test_a_limit_out_of_all_reason_changes_nothing(limit: int) -> None:
    """The organisation's other clients have to live, whatever a gateway's header says."""
    schedule = Schedule(10, reserve=0.0)
    sent: list[float] = []
    now = START
    while len(sent) < 100:
        now = max(now, schedule.next_at(now))
        ticket = schedule.sent(now)
        sent.append(now)
        schedule.answered(ticket, now + 0.05, refused=False, limit=limit, remaining=limit)

    assert schedule.limit == 10
    assert most_in_a_second(sent) <= 10
