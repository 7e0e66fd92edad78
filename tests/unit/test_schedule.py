"""The plan's rules one by one; `test_schedule_simulation` shows how they work together."""

import math
from typing import Any

import pytest

from bulkgladly.api.schedule import EVEN_SHARE, LEARNING_SHARE, Pacing, Schedule, Standing
from bulkgladly.api.window import Edge, JumpFinder, Spread, Ticket, Use
from bulkgladly.api.window_plan import WindowPlan
from bulkgladly.messages import PaceNews


def drive(
    schedule: Schedule,
    count: int,
    *,
    now: float = 0.0,
    limit: int | None = 10,
    remaining: int | None = None,
    refused: bool = False,
) -> float:
    """Send `count` requests, each answered at once in the same way; return when the last one left."""
    for _ in range(count):
        now = max(now, schedule.next_at(now))
        schedule.answered(schedule.sent(now), now, refused=refused, limit=limit, remaining=remaining)
    return now


@pytest.mark.parametrize(
    ("options", "limit_header", "expected"),
    [
        ({"reserve": 0.0}, 10, 10 * EVEN_SHARE),
        ({}, 10, 9.0),
        ({"reserve": 0.5}, 10, 5.0),
        ({"rate": 4.0}, 10, 4.0),
        ({"rate": 25.0, "reserve": 0.0}, 10, 10 * EVEN_SHARE),
        ({"rate": 25.0}, 100, 25.0),
        ({"reserve": 0.0}, 50, 50 * EVEN_SHARE),
        ({}, None, 9.0),
        ({"reserve": 0.0}, None, 10 * EVEN_SHARE),
        ({"rate": 4.0}, None, 4.0),
        ({"rate": 25.0}, None, 10.0),
    ],
)
def test_the_rate_that_is_settled_on(options: dict[str, Any], limit_header: int | None, expected: float) -> None:
    """Evenly spaced where no window shows: by the header, else the user's word, else the documented 10/s."""
    schedule = Schedule(10, **options)

    last = drive(schedule, 200, limit=limit_header)
    before = last
    last = drive(schedule, 200, now=last, limit=limit_header)

    assert schedule.rate(last) == pytest.approx(expected)
    assert 200 / (last - before) == pytest.approx(expected, rel=0.01)


def test_it_begins_carefully_whatever_the_user_asks_for() -> None:
    """Before the first reply the limit is not known, so the documented one applies."""
    schedule = Schedule(10, rate=500.0, reserve=0.0)

    assert schedule.rate(0.0) == pytest.approx(10 * LEARNING_SHARE)


def test_unlimited_means_now_until_a_header_is_seen() -> None:
    """The server's own word goes before."""
    schedule = Schedule(10, is_unlimited=True)
    assert drive(schedule, 1000, limit=None) == 0.0
    assert schedule.rate(0.0) == math.inf

    drive(schedule, 1, limit=20)

    assert schedule.mode is Pacing.LEARNING
    assert schedule.rate(0.0) == pytest.approx(20 * LEARNING_SHARE)


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_that_cannot_be_is_ignored(limit: int) -> None:
    """A header of zero must not stop the run for good."""
    schedule = Schedule(10)
    drive(schedule, 5, limit=limit)
    assert schedule.limit == 10


def test_the_limit_is_followed_down_and_up() -> None:
    """Gladly may change it during the run."""
    schedule = Schedule(10, reserve=0.0)
    now = 0.0
    for limit in (10, 4, 30):
        now = drive(schedule, 150, now=now, limit=limit)
        assert schedule.rate(now) == pytest.approx(limit * EVEN_SHARE)


def test_a_429_lowers_the_rate_by_eight_percent_and_it_returns_slowly() -> None:
    """Additively, a hundredth per second."""
    schedule = Schedule(10, reserve=0.0)
    now = drive(schedule, 100)
    full = schedule.rate(now)

    now = drive(schedule, 1, now=now, refused=True)
    assert schedule.rate(now) == pytest.approx(0.92 * full)
    assert schedule.rate(now + 4) == pytest.approx(0.96 * full)
    assert schedule.rate(now + 60) == full

    now = drive(schedule, 200, now=now, refused=True)
    assert schedule.rate(now) > 0


def test_a_budget_per_minute_ignores_the_headers_per_second() -> None:
    """They speak of another budget."""
    schedule = Schedule(10, per_s=60.0, reserve=0.0)

    now = drive(schedule, 20, limit=10, remaining=9)
    later = drive(schedule, 1, now=now, limit=10, remaining=9)

    assert later - now == pytest.approx(60 / (10 * EVEN_SHARE), abs=0.2)


def in_windows(limit: int = 10, *, phase_s: float = 0.3, reserve: float = 0.0) -> tuple[Schedule, float]:
    """A schedule that has just found the windows of an ideal server."""
    schedule = Schedule(limit, reserve=reserve)
    now, used, window = 10.0, 0, 0
    while schedule.mode is not Pacing.WINDOW:
        now = max(now, schedule.next_at(now))
        at = math.floor(now - phase_s)
        used = used + 1 if at == window else 1
        window = at
        schedule.answered(schedule.sent(now), now, refused=False, limit=limit, remaining=limit - used)
        assert now < 14
    return schedule, now


def test_windows_are_found_within_two_seconds_and_filled_clear_of_their_edges() -> None:
    """Ten per window, none of them within the guard around an edge."""
    schedule, now = in_windows()
    assert now < 12.5

    times = []
    for _ in range(40):
        now = max(now, schedule.next_at(now))
        times.append(now)
        schedule.sent(now)

    phases = [(at - 0.3) % 1 for at in times]
    counts = [sum(math.floor(at - 0.3) == window for at in times) for window in range(13, 15)]
    assert counts == [10, 10]
    assert min(phases) >= 0.03
    assert max(phases) <= 0.97


def test_a_429_after_a_long_silence_of_the_edges_means_learning_again() -> None:
    """Without other clients, a refusal long after the last sight of the edge shows that the edge has moved."""
    schedule, now = in_windows()

    tickets = []
    for _ in range(60):
        now = max(now, schedule.next_at(now))
        tickets.append(schedule.sent(now))
    schedule.answered(tickets[-1], now, refused=True, limit=10, remaining=0)

    assert schedule.mode is Pacing.LEARNING
    assert not schedule.others_share


def test_a_long_rest_means_learning_again() -> None:
    """After an hour two clocks have drifted too far apart to rely on the old edge."""
    schedule, now = in_windows()

    schedule.next_at(now + 3600)

    assert schedule.mode is Pacing.LEARNING


def test_a_full_window_is_left_alone() -> None:
    """If a reply finds nothing left, nothing more is sent before the next edge."""
    edge = Edge(0.0, 0.02, 1.0)
    plan = WindowPlan(edge, 10, 5.2, recent=())
    spread = Spread()

    now = plan.next_at(5.2, 10, spread)
    assert now < 5.4
    ticket = Ticket(1, now)
    plan.sent(ticket)
    plan.answered(ticket, refused=False, remaining=0)

    assert plan.next_at(now + 0.3, 10, spread) >= 5.4
    while now < 6:
        now = max(now + 0.01, plan.next_at(now + 0.01, 10, spread))
    assert now >= 6.04


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([(1, 0.0, 1), (2, 0.1, 9)], (0.0, 0.1)),
        ([(2, 0.1, 9), (1, 0.0, 1)], (0.0, 0.1)),
        ([(1, 0.0, 5), (2, 0.1, 9)], None),
        ([(1, 0.0, 9), (2, 0.1, 1)], None),
        ([(1, 0.0, 1), (3, 0.1, 9)], None),
        ([(1, 0.0, 1), (2, 0.5, 9)], None),
    ],
)
def test_an_edge_is_a_jump_between_neighbours(
    answers: list[tuple[int, float, int]], expected: tuple[float, float] | None
) -> None:
    """In whatever order they are answered; after a pause, or over a gap, a jump says nothing."""
    finder = JumpFinder(keep=10)
    found = None
    for number, at, remaining in answers:
        found = finder.add(number, at, remaining, least=5, longest_s=0.3)
    assert found == expected


def test_a_probe_halves_the_bracket_and_time_widens_it() -> None:
    """Whichever side it falls on, also many windows later."""
    edge = Edge(10.0, 10.1, 1.0)
    edge.narrow(17.05, is_new=True)
    assert edge.middle == pytest.approx(10.025)
    assert edge.half_s == pytest.approx(0.025)

    edge.narrow(30.025, is_new=False)
    assert edge.middle == pytest.approx(10.0375)
    assert edge.half_s == pytest.approx(0.0125)

    edge.drift(100)
    assert edge.half_s == pytest.approx(0.0225)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(4.9, 5.2, True), (5.05, 5.2, True), (5.3, 5.4, False), (4.7, 4.8, False)]
)
def test_a_jump_elsewhere_refutes_the_edge(low: float, high: float, expected: bool) -> None:
    """What lies within the bracket confirms it."""
    assert Edge(0.0, 0.1, 1.0).contains(low, high) is expected


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (Use(sent=10, answered=10, lowest=0), 0),
        (Use(sent=7, answered=7, lowest=0), 3),
        (Use(sent=7, answered=7, lowest=4), 0),
        (Use(sent=7, answered=6, outstanding=1, lowest=0), None),
        (Use(sent=7, answered=6, lowest=0), None),
        (Use(sent=7, answered=7, lowest=0, is_clear=False), None),
        (Use(), None),
    ],
)
def test_others_are_seen_only_when_all_own_answers_are_there(use: Use, expected: float | None) -> None:
    """Answers overtake each other, so a low count alone proves nothing."""
    assert use.others(10) == expected


def test_the_spread_leaves_out_the_slowest() -> None:
    """One new connection in twenty must not look like jitter."""
    spread = Spread()
    assert spread.value_s() == 0
    for trip_s in [0.08, 0.09] * 19 + [3.0]:
        spread.add(trip_s)
    assert spread.value_s() == pytest.approx(0.01)


@pytest.mark.parametrize("slow_share", [0.1, 0.3, 0.45])
def test_the_spread_is_that_of_most_trips(slow_share: float) -> None:
    """A batch of replies that took seconds is not jitter on the way in."""
    spread = Spread()
    for number in range(48):
        spread.add(5.0 + number if number < 48 * slow_share else 0.08 + 0.001 * (number % 5))
    assert spread.value_s() <= 0.03


def test_the_spread_has_a_ceiling() -> None:
    """However a host behaves, the pace keeps most of the limit."""
    spread = Spread()
    for number in range(48):
        spread.add(float(number % 20))
    assert spread.value_s() == 0.25


@pytest.mark.parametrize("standing", ["company", "away"])
def test_a_rate_without_a_limit_header_is_no_limit_for_others(standing: Standing) -> None:
    """The documented limit is what all processes share; the rate caps this one."""
    schedule = Schedule(10, rate=2, reserve=0.0)
    now = drive(schedule, 5, limit=None)
    assert schedule.limit == 2

    schedule.share(now, standing)
    now = drive(schedule, 5, now=now, limit=None)

    assert schedule.limit == 10
    assert schedule.rate(now) == 2
    assert schedule.shared_gap_s(now) == pytest.approx(1 / (10 * EVEN_SHARE))


def test_a_new_limit_beside_others_changes_no_plan() -> None:
    """The moments are still reserved, at the gaps of the new limit; alone, it is learned again."""
    schedule = Schedule(10, reserve=0.2)
    schedule.share(0.0, "company")

    now = drive(schedule, 3, limit=5)
    beside, gap_s = schedule.mode, schedule.shared_gap_s(now)
    schedule.share(now, "alone")

    assert gap_s == pytest.approx(1 / 4)
    assert [beside, schedule.mode] == [Pacing.SHARED, Pacing.LEARNING]


def test_an_eased_pace_of_another_process_is_taken_over() -> None:
    """As old as it is; one that is faster than the own is not."""
    schedule = Schedule(10, reserve=0.0)
    schedule.share(0.0, "company")
    full = schedule.shared_gap_s(0.0)

    schedule.adopt(0.0, PaceNews(1, ease=0.8, eased_for_s=10.0))
    schedule.adopt(0.0, PaceNews(2, ease=1.0))

    assert schedule.shared_gap_s(0.0) == pytest.approx(full / 0.9)
    assert schedule.told(0.0)[1] == pytest.approx(0.9)
    assert schedule.shared_gap_s(20.0) == pytest.approx(full)


def test_an_unlimited_pace_is_not_shared() -> None:
    """It asks nobody."""
    schedule = Schedule(10, is_unlimited=True)

    schedule.share(0.0, "company")

    assert schedule.mode is Pacing.FREE
