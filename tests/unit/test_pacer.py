"""The gate in virtual time: an event loop whose clock jumps instead of waiting."""

import asyncio
import itertools
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bulkgladly.api.budget_pacers import REPORTS, default_pacer, reports_pacer
from bulkgladly.api.gates import DefaultGate, Gate, ReportsGate
from bulkgladly.api.pacer import Budget, Pacer, Ticket
from bulkgladly.errors import UsageError
from bulkgladly.settings import Pace


class JumpingSelector(selectors.DefaultSelector):
    """Never waits: the time it was allowed to wait has passed at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        # A turn of the loop takes a little time too; a clock that stands still would let
        # a timer that is a rounding error early fire for ever.
        self.now += 1e-6 if found or not timeout else timeout
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop on the selector's time."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


Story = Callable[[Callable[[], float]], Coroutine[Any, Any, Any]]


def live(story: Story) -> Any:
    """Run a coroutine function, given its clock, in virtual time; it fails on leftovers."""
    loop = JumpingLoop()
    try:
        return loop.run_until_complete(story(loop.time))
    finally:
        loop.close()


def pacer(clock: Callable[[], float], **options: Any) -> Pacer:
    options.setdefault("reserve", 0.0)
    return Pacer(options.pop("budget", None), clock=clock, random=lambda: 1.0, **options)


async def take(gate: Pacer, count: int) -> list[float]:
    """Take tokens one after the other, each answered at once and without headers."""
    times = []
    for _ in range(count):
        ticket = await gate.token()
        times.append(ticket.sent_at)
        gate.answered(ticket, status=200)
    return times


def test_tokens_are_spaced_evenly_from_the_first() -> None:
    """No burst at the start: the second token comes a whole gap after the first."""

    async def story(clock: Callable[[], float]) -> list[float]:
        return await take(pacer(clock, rate=5), 6)

    times = live(story)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 0.199
    assert max(gaps) <= 0.201


def test_tokens_are_given_in_the_order_of_asking() -> None:
    """First come, first served."""

    async def story(clock: Callable[[], float]) -> list[int]:
        gate, order = pacer(clock), []

        async def ask(number: int) -> None:
            await gate.token()
            order.append(number)

        await asyncio.gather(*(ask(number) for number in range(8)))
        return order

    assert live(story) == list(range(8))


@pytest.mark.parametrize("victims", [(0,), (3,), (0, 1, 2), (1, 4)])
def test_a_cancelled_waiter_gives_its_place_back(victims: tuple[int, ...]) -> None:
    """If one is cancelled, the others leave in order, and no moment of the budget is lost."""

    async def story(clock: Callable[[], float]) -> tuple[list[int], int, int, float]:
        gate, order = pacer(clock, rate=5), []
        first = await gate.token()

        async def ask(number: int) -> None:
            await gate.token()
            order.append(number)

        tasks = [asyncio.create_task(ask(number)) for number in range(6)]
        await asyncio.sleep(0.05)
        for victim in victims:
            tasks[victim].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order, gate.sent, gate.in_flight, clock() - first.sent_at

    order, sent, in_flight, took_s = live(story)
    left = 6 - len(victims)
    assert order == [number for number in range(6) if number not in victims]
    assert sent == in_flight == 1 + left
    assert took_s == pytest.approx(0.2 * left, abs=0.01)


def test_a_pause_holds_everybody_and_says_why() -> None:
    """Of two pauses the longer counts, and the view names its reason."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock)
        gate.hold(5.0, "outage: no connection to the host")
        gate.hold(2.0, "throttled (429)")
        view = gate.view()
        assert view.waiting_reason == "outage: no connection to the host"
        assert view.waiting_until == pytest.approx(clock() + 5.0)

        await asyncio.gather(gate.token(), gate.token())

        assert clock() == pytest.approx(5.1, abs=0.05)
        assert gate.view().waiting_reason is None

    live(story)


def test_a_pause_that_begins_while_somebody_waits_holds_him_too() -> None:
    """The head of the queue looks again when it wakes."""

    async def story(clock: Callable[[], float]) -> float:
        gate = pacer(clock, rate=2)
        await gate.token()
        asyncio.get_running_loop().call_later(0.1, gate.hold, 3.0, "throttled (429)")
        await gate.token()
        return clock()

    assert live(story) == pytest.approx(3.1, abs=0.01)


def test_after_a_stall_nothing_is_caught_up() -> None:
    """Ten seconds of a blocked loop, then the pace as before."""

    async def story(clock: Callable[[], float]) -> list[float]:
        gate = pacer(clock, rate=5)
        await take(gate, 3)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.jumping.now += 10.0
        return await take(gate, 20)

    times = live(story)
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.19


def test_no_burst_leaves_even_if_the_schedule_errs() -> None:
    """The guard alone keeps any second below about twice the limit."""

    async def story(clock: Callable[[], float]) -> list[float]:
        gate = pacer(clock)
        gate._schedule.next_at = lambda now: now  # type: ignore[method-assign]
        return await take(gate, 40)

    times = live(story)
    assert times[39] - times[0] >= 39 * 0.05 - 0.01


def test_429s_in_a_row_double_the_pause_up_to_a_minute() -> None:
    """Chance at its highest shows the bounds: 0.5 s, 1 s, ... 60 s; a good reply starts from the first again."""

    async def story(clock: Callable[[], float]) -> tuple[list[float], float]:
        gate = pacer(clock)
        pauses = []
        for _ in range(9):
            ticket = await gate.token()
            gate.answered(ticket, status=429)
            until = gate.view().waiting_until
            assert until is not None
            pauses.append(until - clock())
        gate.answered(await gate.token(), status=201)
        gate.answered(await gate.token(), status=429)
        assert gate.throttled == 10
        return pauses, (gate.view().waiting_until or 0) - clock()

    pauses, after_good = live(story)
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 16, 32, 60, 60], abs=0.001)
    assert after_good == pytest.approx(0.5, abs=0.001)


def test_several_429s_of_one_overflow_are_one_step() -> None:
    """Requests that had left before the pause began do not double it."""

    async def story(clock: Callable[[], float]) -> float:
        gate = pacer(clock)
        tickets = [await gate.token() for _ in range(4)]
        for ticket in tickets:
            gate.answered(ticket, status=429)
        return (gate.view().waiting_until or 0) - clock()

    assert live(story) == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(2.0, 2.0), (0.0, 0.0), (86_400.0, 300.0)])
def test_retry_after_is_believed_within_reason(retry_after_s: float, pause_s: float) -> None:
    """The server's own word goes before the doubling, but a day is not waited."""

    async def story(clock: Callable[[], float]) -> float:
        gate = pacer(clock)
        gate.answered(await gate.token(), status=429, retry_after_s=retry_after_s)
        return (gate.view().waiting_until or clock()) - clock()

    assert live(story) == pytest.approx(pause_s, abs=0.001)


def test_after_a_429_the_rate_returns_slowly() -> None:
    """It drops at once and climbs back a little every second."""

    async def story(clock: Callable[[], float]) -> list[float]:
        gate = pacer(clock, rate=5)
        rates = [gate.view().rate]
        gate.answered(await gate.token(), status=429)
        rates.append(gate.view().rate)
        for _ in range(3):
            await asyncio.sleep(4.0)
            rates.append(gate.view().rate)
        return rates

    before, dropped, later, full, still_full = live(story)
    assert dropped == pytest.approx(0.92 * before)
    assert dropped < later < full == still_full == before


def test_a_full_house_waits_for_an_answer() -> None:
    """The reports class: two in flight at most, however long that takes."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock, budget=Budget(limit=10, per_s=60.0, max_in_flight=2, name="reports"))
        first, second = await gate.token(), await gate.token()
        third = asyncio.create_task(gate.token())
        await asyncio.sleep(300)
        assert not third.done()
        assert gate.view().waiting_reason == "2 requests are in flight"

        gate.lost(first)
        await third

        assert gate.in_flight == 2
        assert second.sent_at - first.sent_at == pytest.approx(6.15, abs=0.1)

    live(story)


def test_a_waiter_for_room_can_be_cancelled() -> None:
    """The next one takes its place."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock, budget=Budget(limit=10, max_in_flight=1))
        first = await gate.token()
        second, third = (asyncio.create_task(gate.token()) for _ in range(2))
        await asyncio.sleep(1)
        second.cancel()
        await asyncio.sleep(1)
        gate.answered(first, status=200)

        assert isinstance(await third, Ticket)
        assert gate.sent == 2

    live(story)


def test_an_unused_token_is_not_counted_as_sent() -> None:
    """What was taken and not sent leaves no trace in the counts."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock)
        gate.unused(await gate.token())
        assert (gate.sent, gate.in_flight) == (0, 0)

    live(story)


def test_unlimited_is_only_limited_by_pauses_and_by_a_header() -> None:
    """Asked for, nothing is paced; but a server that names its limit is obeyed."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock, unlimited=True)
        await take(gate, 1000)
        assert clock() == pytest.approx(0, abs=0.001)

        gate.hold(1.0, "outage")
        await take(gate, 10)
        assert clock() == pytest.approx(1.0, abs=0.001)

        gate.answered(await gate.token(), status=200, limit=10, remaining=5)
        began = clock()
        await take(gate, 10)
        assert clock() - began >= 0.9

    live(story)


@pytest.mark.parametrize("rate", [None, 7.0])
def test_high_rates_are_reached_in_spite_of_late_wake_ups(rate: float | None) -> None:
    """At 2,000/s the loop cannot wake for each request; the pace holds on average all the same."""

    async def story(clock: Callable[[], float]) -> float:
        async def late_sleep(delay_s: float) -> None:
            await asyncio.sleep(delay_s + 0.002)

        gate = Pacer(Budget(limit=2000), reserve=0.0, rate=rate and rate * 250, clock=clock, sleep=late_sleep)
        for _ in range(2000):
            gate.answered(await gate.token(), status=200, limit=2000)
        return 2000 / clock()

    wanted = 2000 if rate is None else 1750
    assert 0.8 * wanted <= live(story) <= wanted


@pytest.mark.parametrize(
    "options", [{"rate": 0}, {"rate": -1}, {"rate": float("nan")}, {"reserve": 1.0}, {"reserve": -0.1}]
)
def test_a_pace_that_cannot_be_is_refused(options: dict[str, float]) -> None:
    """A typing error must not become a run that never sends, or one that never stops."""
    with pytest.raises(UsageError):
        Pacer(None, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"limit": 0}, {"per_s": 0}, {"max_in_flight": 0}])
def test_a_budget_without_room_is_refused(options: dict[str, Any]) -> None:
    """Likewise for a class of requests."""
    with pytest.raises(UsageError, match="reports"):
        Budget(name="reports", **options)


async def take_both(gate: Gate, count: int) -> list[float]:
    """Take tokens at once when they are given, each answered without headers."""
    times = []
    for _ in range(count):
        ticket = await gate.token()
        times.append(ticket.sent_at)
        gate.answered(ticket, status=200, limit=None, remaining=None, retry_after_s=None)
    return times


def test_reports_are_spaced_over_their_minute_less_the_reserve() -> None:
    """Ten a minute; neither the rate per second nor the headers of the second change that, nor do slow replies."""

    async def story(clock: Callable[[], float]) -> list[float]:
        gate = reports_pacer(Pace(rate=0.5, reserve=0.25), clock=clock)
        times = []
        for took_s in (0.1, 300.0, 0.1, 20.0, 0.1, 0.1):
            ticket = await gate.token()
            times.append(ticket.sent_at)
            await asyncio.sleep(took_s)
            gate.answered(ticket, status=200, limit=2, remaining=0)
        return times

    times = live(story)

    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == [pytest.approx(gap, abs=0.01) for gap in (8, 300, 8, 20, 8)]


def test_the_pace_of_a_run_is_that_of_the_default_budget() -> None:
    """Rate and reserve reach it."""

    async def story(clock: Callable[[], float]) -> tuple[float, float]:
        slow = default_pacer(Pace(rate=4), clock=clock)
        free = default_pacer(Pace(unlimited=True), clock=clock)
        await take(free, 100)
        return slow.view().rate, clock()

    rate, took_s = live(story)
    assert rate == pytest.approx(4)
    assert took_s == pytest.approx(0, abs=0.01)


def test_a_waiting_report_keeps_nobody_waiting() -> None:
    """The others use every moment of the default budget but the one that the report leaves in."""

    async def story(clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        default, reports = pacer(clock, rate=5), pacer(clock, budget=REPORTS)
        rare = asyncio.create_task(take_both(ReportsGate(reports, default), 3))
        return await take(default, 60), await rare

    frequent, rare = live(story)

    together = sorted([*frequent, *rare])
    gaps = [b - a for a, b in itertools.pairwise(together[:60])]
    assert gaps == [pytest.approx(0.2, abs=0.001)] * 59
    assert all(6.15 <= b - a <= 6.15 + 2 * 0.2 for a, b in itertools.pairwise(rare))


def test_a_report_leaves_at_the_time_on_both_its_tickets() -> None:
    """Whatever it waited for last: a busy default budget or a pause of it."""

    async def story(clock: Callable[[], float]) -> None:
        default, reports = pacer(clock, rate=5), pacer(clock, budget=REPORTS)
        gate = ReportsGate(reports, default)
        ahead = [asyncio.create_task(default.token()) for _ in range(10)]
        await asyncio.sleep(0)
        ticket = await gate.token()
        assert ticket.wider is not None
        assert ticket.sent_at == ticket.wider.sent_at == pytest.approx(clock(), abs=0.001) == pytest.approx(2, abs=0.01)
        gate.lost(ticket)
        default.hold(40, "test")
        second = await gate.token()
        assert second.sent_at == pytest.approx(clock(), abs=0.001) == pytest.approx(42, abs=0.01)
        third = await gate.token()
        assert third.sent_at - second.sent_at == pytest.approx(6.15, abs=0.1)
        assert all(task.done() for task in ahead)

    live(story)


def test_a_pause_of_the_reports_holds_one_that_waits_for_the_default_budget() -> None:
    """It gives the default token back, so that nothing stays taken, and begins again."""

    async def story(clock: Callable[[], float]) -> None:
        default, reports = pacer(clock, rate=5), pacer(clock, budget=REPORTS)
        gate = ReportsGate(reports, default)
        default.hold(3, "test")
        asked = asyncio.create_task(gate.token())
        await asyncio.sleep(1)
        reports.hold(10, "throttled (429)")
        await asyncio.sleep(5)
        assert (default.sent, default.in_flight, reports.sent) == (0, 0, 0)

        ticket = await asked

        assert ticket.sent_at == pytest.approx(11, abs=0.01)
        assert (default.sent, default.in_flight, reports.sent, reports.in_flight) == (1, 1, 1, 1)

    live(story)


@pytest.mark.parametrize("after_s", [0.5, 3.0, 8.0], ids=["held by the default", "held by its own", "paced"])
def test_a_report_that_is_cancelled_while_it_waits_leaves_nothing(after_s: float) -> None:
    """Wherever it waited, the next one leaves in its place."""

    async def story(clock: Callable[[], float]) -> None:
        default, reports = pacer(clock, rate=5), pacer(clock, budget=REPORTS)
        gate = ReportsGate(reports, default)
        await take_both(gate, 1)
        default.hold(1.0, "test")
        reports.hold(5.0, "test")
        first, second = (asyncio.create_task(gate.token()) for _ in range(2))
        await asyncio.sleep(after_s)
        reports_sent = reports.sent
        first.cancel()
        second_ticket = await second

        assert (default.sent, default.in_flight) == (reports.sent, reports.in_flight)
        assert reports.in_flight == 1 if reports_sent == 1 else 2
        assert second_ticket.wider is not None

    live(story)


def test_a_long_report_does_not_slow_the_others_down() -> None:
    """Its time is no jitter of the line, and what its headers say is long past."""

    async def story(clock: Callable[[], float]) -> None:
        default, reports = pacer(clock, rate=9), pacer(clock, budget=REPORTS)
        gate = ReportsGate(reports, default)
        await take(default, 40)
        before = default.view()
        for _ in range(5):
            ticket = await gate.token()
            await asyncio.sleep(100)
            gate.answered(ticket, status=200, limit=3, remaining=0, retry_after_s=None)

        assert (default.view().rate, default.view().limit) == (before.rate, before.limit)
        assert default.in_flight == 0

    live(story)


def test_what_was_heard_is_in_flight_until_it_ended() -> None:
    """A pause begins with the head of a reply; the room it takes is free after its body."""

    async def story(clock: Callable[[], float]) -> None:
        gate = pacer(clock, budget=Budget(limit=10, max_in_flight=1))
        first = await gate.token()
        gate.heard(first, status=429, retry_after_s=2.0)
        assert (gate.in_flight, gate.throttled, gate.view().waiting_reason) == (1, 1, "throttled (429)")
        second = asyncio.create_task(gate.token())
        await asyncio.sleep(5)
        assert not second.done()

        gate.ended(first)

        assert (await second).sent_at == pytest.approx(5, abs=0.01)

    live(story)


def test_a_ticket_of_another_gate_is_a_mistake() -> None:
    """A report's ticket has two parts; one without the other would never be given back."""

    async def story(clock: Callable[[], float]) -> None:
        default, reports = pacer(clock), pacer(clock, budget=REPORTS)
        with pytest.raises(RuntimeError, match="not given out by this gate"):
            ReportsGate(reports, default).lost(await default.token())

    live(story)


def test_a_gate_gives_its_connection_back_exactly_once() -> None:
    """However the attempt ends, and also when it is cancelled before it began."""

    async def story(clock: Callable[[], float]) -> None:
        default, connections = pacer(clock, unlimited=True), asyncio.Semaphore(1)
        gate = DefaultGate(default, connections)
        for end in (gate.lost, gate.unused, gate.ended):
            ticket = await gate.token()
            assert connections.locked()
            if end == gate.ended:
                gate.heard(ticket, status=200, limit=None, remaining=None, retry_after_s=None)
                assert connections.locked()
            end(ticket)
            assert not connections.locked()
        default.hold(9, "test")
        waiting = asyncio.create_task(gate.token())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not connections.locked()
        assert default.in_flight == 0

    live(story)


# --- steering ---


async def taken(gate: Pacer, times: list[float]) -> None:
    """Take tokens for ever, each answered at once."""
    while True:
        ticket = await gate.token()
        times.append(ticket.sent_at)
        gate.answered(ticket, status=200)
        await asyncio.sleep(0)  # without a pace nothing else waits


def steered(
    orders: Callable[[Pacer], list[tuple[float, Callable[[], None]]]], for_s: float, **options: Any
) -> list[float]:
    """The times of tokens while orders are carried out at their times."""

    async def story(clock: Callable[[], float]) -> list[float]:
        gate, times = pacer(clock, **options), list[float]()
        wanted = orders(gate)
        wanted.pop(0)[1]()
        asking = [asyncio.create_task(taken(gate, times)) for _ in range(3)]
        for at, order in wanted:
            await asyncio.sleep(at - clock())
            order()
        await asyncio.sleep(for_s - clock())
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return times

    found: list[float] = live(story)
    return found


def within(times: list[float], begin: float, end: float) -> int:
    return sum(begin < at <= end for at in times)


@pytest.mark.parametrize("is_unlimited", [False, True])
def test_another_rate_holds_from_the_next_request_on(is_unlimited: bool) -> None:
    """Also if the wait for the next request at the old rate is long, and without a burst."""

    def orders(gate: Pacer) -> list[tuple[float, Callable[[], None]]]:
        return [
            (0.0, lambda: gate.set_rate(8)),
            (10.0, lambda: gate.set_rate(0.02)),
            (20.0, lambda: gate.set_rate(5)),
        ]

    times = steered(orders, 30, unlimited=is_unlimited)

    assert 78 <= within(times, 0, 10) <= 81
    assert within(times, 10.01, 20) <= 1
    assert 48 <= within(times, 20, 30) <= 51
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.119


def test_while_it_stands_still_nothing_leaves_and_nothing_is_made_up_for() -> None:
    """After the pause requests are as far apart as before."""

    def orders(gate: Pacer) -> list[tuple[float, Callable[[], None]]]:
        return [(0.0, gate.go_on), (2.0, gate.stand_still), (62.0, gate.go_on)]

    times = steered(orders, 64, rate=5)

    assert within(times, 2.001, 62) == 0
    assert 9 <= within(times, 62, 64) <= 11
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.199


def test_an_unlimited_pace_stands_still_as_well() -> None:
    """The way of requests that need not wait knows of it."""

    async def story(clock: Callable[[], float]) -> float:
        gate = pacer(clock, unlimited=True)
        await gate.token()
        gate.stand_still()
        waiting = asyncio.create_task(gate.token())
        await asyncio.sleep(7)
        assert not waiting.done()
        gate.go_on()
        return (await waiting).sent_at

    assert live(story) == pytest.approx(7, abs=0.01)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_what_is_not_a_rate_is_refused(rate: float) -> None:
    """A rate of nothing is a pause, which has a word of its own."""
    with pytest.raises(UsageError, match="must be above 0"):
        Pacer().set_rate(rate)
