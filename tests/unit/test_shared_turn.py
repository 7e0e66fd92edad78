"""The pacer among other processes, in virtual time: what it reserves, when it sends, and what it learns."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bulkgladly.api.budget_pacers import REPORTS
from bulkgladly.api.pacer import Pacer
from bulkgladly.api.schedule import EVEN_SHARE, Standing
from bulkgladly.messages import PaceNews
from tests.unit.test_pacer import live

GAP_S = 1 / (10 * EVEN_SHARE)


class OneLine:
    """The line of an organisation, as a list: what several pacers of a test share."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.standing_of_all: Standing = "company"
        self.free_at = 0.0
        self.reserved: list[float] = []
        self.places = 0
        self.most_places = 0
        self.latest = PaceNews()
        self.told: list[dict[str, Any]] = []
        self.looks = 0
        self.opened = 0
        self.fails = False

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.opened -= 1

    def standing(self) -> Standing:
        return self.standing_of_all

    async def look(self) -> None:
        self.looks += 1
        if self.standing_of_all == "unknown":
            self.standing_of_all = "company"

    def news(self) -> PaceNews:
        return self.latest

    def tell(self, *, paused_for_s: float, limit: int | None, ease: float) -> None:
        self.told.append({"paused_for_s": paused_for_s, "limit": limit, "ease": ease})
        self.latest = PaceNews(self.latest.number + 1, paused_for_s, limit, ease, 0.0)

    async def reserve(self, gap_s: float, n: int = 1) -> float | None:
        if self.fails:
            self.standing_of_all = "away"
            return None
        at = max(self.free_at, self.clock())
        self.free_at = at + n * gap_s
        self.reserved.append(at)
        return at - self.clock()

    async def enter(self, gap_s: float, places: int) -> float | None:
        now = self.clock()
        if self.fails:
            return None
        if self.places >= places:
            return 0.25
        if self.free_at > now + 1e-6:
            return self.free_at - now
        self.places += 1
        self.most_places = max(self.places, self.most_places)
        self.free_at = now + gap_s
        return 0.0

    def leave(self) -> None:
        self.places -= 1


def sharing(line: OneLine, **options: Any) -> Pacer:
    return Pacer(
        options.pop("budget", None), line=line, clock=line.clock, random=lambda: 1.0, **{"reserve": 0.0, **options}
    )


async def send(pacer: Pacer, count: int, sent: list[float] | None = None, **reply: Any) -> list[float]:
    """Send requests one after the other, each answered at once."""
    times = [] if sent is None else sent
    for _ in range(count):
        ticket = await pacer.token()
        times.append(ticket.sent_at)
        pacer.answered(ticket, **{"status": 200, **reply})
    return times


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(sorted(times))]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_all_processes_together_keep_one_even_line(number: int) -> None:
    """However many there are, their requests are a gap apart, and each gets its share."""

    async def story(clock: Callable[[], float]) -> list[list[float]]:
        line = OneLine(clock)
        return await asyncio.gather(*(send(sharing(line), 40 // number) for _ in range(number)))

    each = live(story)
    together = gaps([at for times in each for at in times])
    assert min(together) >= GAP_S - 0.001
    assert sum(together) / len(together) == pytest.approx(GAP_S, rel=0.01)
    assert max(times[-1] for times in each) - min(times[-1] for times in each) <= number * GAP_S


def test_a_process_that_is_alone_reserves_nothing() -> None:
    """Its pace is its own."""

    async def story(clock: Callable[[], float]) -> tuple[OneLine, list[float]]:
        line = OneLine(clock)
        line.standing_of_all = "alone"
        return line, await send(sharing(line, rate=5), 6)

    line, times = live(story)
    assert not line.reserved
    assert not line.looks
    assert gaps(times) == pytest.approx([0.2] * 5, abs=0.001)


def test_nothing_leaves_before_it_is_known_who_is_there() -> None:
    """A look that no longer counts comes first, as after a stop of the process."""

    async def story(clock: Callable[[], float]) -> OneLine:
        line = OneLine(clock)
        line.standing_of_all = "unknown"
        await send(sharing(line), 1)
        return line

    line = live(story)
    assert line.looks >= 1
    assert line.reserved == pytest.approx([0.0], abs=0.001)


def test_moments_that_passed_while_the_process_stood_still_are_not_used() -> None:
    """It wakes up with one moment reserved; that, and no burst, would be what others do not expect."""

    async def story(clock: Callable[[], float]) -> tuple[OneLine, list[float]]:
        line = OneLine(clock)
        stops = 0.0

        async def sleep(seconds: float) -> None:
            nonlocal stops
            stops, before = 0.0, stops
            await asyncio.sleep(seconds + before)

        pacer = Pacer(line=line, clock=clock, sleep=sleep, reserve=0.0)
        await send(pacer, 3)
        stops = 20.0
        return line, await send(pacer, 3)

    line, times = live(story)
    assert times[0] > 20
    assert times[0] in [pytest.approx(at, abs=0.001) for at in line.reserved if at > 20]
    assert min(gaps(times)) >= GAP_S - 0.001


def test_a_429_of_one_pauses_all() -> None:
    """Even those whose moment has been reserved already; after it they go on along the line."""

    async def story(clock: Callable[[], float]) -> tuple[float, list[float], OneLine]:
        line = OneLine(clock)
        one, other = sharing(line), sharing(line)
        await send(other, 1)
        waiting = asyncio.ensure_future(send(other, 3))
        await asyncio.sleep(GAP_S / 2)
        ticket = await one.token()
        one.answered(ticket, status=429, retry_after_s=7.0)
        return clock(), await waiting, line

    paused_at, times, line = live(story)
    assert [at for at in times if paused_at < at < paused_at + 6.999] == []
    assert line.told == [{"paused_for_s": 7.0, "limit": None, "ease": pytest.approx(0.92)}]
    assert min(gaps(times)) >= GAP_S - 0.001


def test_a_limit_that_one_saw_holds_for_all() -> None:
    """With the next request of each."""

    async def story(clock: Callable[[], float]) -> tuple[float, float]:
        line = OneLine(clock)
        one, other = sharing(line), sharing(line)
        await send(other, 2)
        await send(one, 1, limit=5, remaining=4)
        await send(other, 1)
        return other.view().limit, other.view().rate

    limit, rate = live(story)
    assert limit == 5
    assert rate == pytest.approx(5 * EVEN_SHARE)


@pytest.mark.parametrize("limit", [-1, 0, 100_000])
def test_what_others_say_has_the_bounds_of_a_reply(limit: int) -> None:
    """A limit that cannot be changes nothing."""

    async def story(clock: Callable[[], float]) -> float:
        line = OneLine(clock)
        line.latest = PaceNews(1, 0.0, limit, 1.0, 0.0)
        pacer = sharing(line)
        await send(pacer, 2)
        return pacer.view().limit

    assert live(story) == 10


def test_without_the_others_a_fixed_quarter_is_used() -> None:
    """At once, from the moment that was reserved last, and the whole again when they can be asked."""

    async def story(clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        line = OneLine(clock)
        pacer = sharing(line)
        await send(pacer, 3)
        line.fails = True
        apart = await send(pacer, 10)
        line.fails, line.standing_of_all = False, "company"
        return apart, await send(pacer, 10)

    apart, together = live(story)
    assert min(gaps(apart)[1:]) >= 0.4 - 0.001
    assert gaps(together)[1:] == pytest.approx([GAP_S] * 8, abs=0.001)


def test_the_own_rate_holds_beside_others_and_takes_nothing_from_them() -> None:
    """A slow process does not advance the line by its own gaps."""

    async def story(clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        line = OneLine(clock)
        slow: list[float] = []
        task = asyncio.ensure_future(send(sharing(line, rate=2), 100, slow))
        fast = await send(sharing(line), 100)
        task.cancel()
        return slow, fast

    slow, fast = live(story)
    seconds = fast[-1] - fast[0]
    assert len(slow) / seconds == pytest.approx(2, rel=0.1)
    assert (len(slow) + len(fast)) / seconds == pytest.approx(10 * EVEN_SHARE, rel=0.03)


def test_whoever_was_in_company_finds_the_windows_again_when_it_is_alone() -> None:
    """With a full gap after its last request, and from the slow pace of the start."""

    async def story(clock: Callable[[], float]) -> list[float]:
        line = OneLine(clock)
        pacer = sharing(line)
        before = await send(pacer, 3)
        line.standing_of_all = "alone"
        return [before[-1], *await send(pacer, 4)]

    times = live(story)
    assert gaps(times)[0] >= GAP_S - 0.001
    assert gaps(times)[1:] == pytest.approx([1 / 8.5] * 3, abs=0.001)


def test_a_cancelled_request_leaves_its_moment_to_the_next() -> None:
    """Nothing of the budget is lost."""

    async def story(clock: Callable[[], float]) -> tuple[OneLine, list[float]]:
        line = OneLine(clock)
        pacer = sharing(line)
        await send(pacer, 1)
        waiting = asyncio.ensure_future(pacer.token())
        await asyncio.sleep(GAP_S / 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return line, await send(pacer, 1)

    line, times = live(story)
    assert len(line.reserved) == 2
    assert times == pytest.approx([GAP_S], abs=0.001)


# --- reports ---


def test_reports_of_all_processes_run_two_at_a_time() -> None:
    """A place is taken with its moment, and is free again when the report is over."""

    async def story(clock: Callable[[], float]) -> tuple[OneLine, list[float]]:
        line, times = OneLine(clock), list[float]()

        async def report(pacer: Pacer) -> None:
            ticket = await pacer.token()
            times.append(ticket.sent_at)
            pacer.heard(ticket, status=200)
            await asyncio.sleep(40)
            pacer.ended(ticket)

        pacers = [sharing(line, budget=REPORTS) for _ in range(3)]
        await asyncio.gather(*(report(pacer) for pacer in pacers for _ in range(3)))
        return line, times

    line, times = live(story)
    assert line.most_places == 2
    assert line.places == 0
    assert len(times) == 9
    assert min(gaps(times)) >= 6
    assert not line.reserved


@pytest.mark.parametrize("standing", ["alone", "company"])
def test_reports_take_their_places_also_alone(standing: Standing) -> None:
    """A report may run for longer than the process is alone."""

    async def story(clock: Callable[[], float]) -> int:
        line = OneLine(clock)
        line.standing_of_all = standing
        pacer = sharing(line, budget=REPORTS)
        ticket = await pacer.token()
        held = line.places
        pacer.lost(ticket)
        assert line.places == 0
        return held

    assert live(story) == 1


def test_a_report_that_is_not_sent_keeps_no_place() -> None:
    """Neither one that was cancelled while it waited for the wider budget, nor one that was never sent."""

    async def story(clock: Callable[[], float]) -> list[int]:
        line = OneLine(clock)
        reports, wider = sharing(line, budget=REPORTS), Pacer(clock=clock, reserve=0.0)
        wider.hold(100, "test")
        waiting = asyncio.ensure_future(reports.token_within(wider))
        await asyncio.sleep(1)
        held = [line.places]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        held.append(line.places)
        reports.unused(await reports.token())
        return [*held, line.places]

    assert live(story) == [1, 0, 0]


def test_a_budget_that_is_away_does_not_stop_reports() -> None:
    """Each process then keeps to two at a time by itself."""

    async def story(clock: Callable[[], float]) -> list[float]:
        line = OneLine(clock)
        line.fails, line.standing_of_all = True, "away"
        return await send(sharing(line, budget=REPORTS), 3)

    assert gaps(live(story)) == pytest.approx([24, 24], rel=0.01)


def test_it_is_joined_and_left() -> None:
    """As often as it was opened."""

    async def story(clock: Callable[[], float]) -> list[int]:
        line = OneLine(clock)
        pacer = sharing(line)
        pacer.open()
        opened = line.opened
        pacer.close()
        return [opened, line.opened]

    assert live(story) == [1, 0]


def test_a_process_that_stands_still_uses_nothing_of_the_budget() -> None:
    """The others get its share at once, and it continues without a burst."""

    async def story(clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        line = OneLine(clock)
        one, other = sharing(line), sharing(line)
        mine, theirs = list[float](), list[float]()
        sending = [asyncio.create_task(send(one, 10**6, mine)), asyncio.create_task(send(other, 10**6, theirs))]
        for wait_s, act in ((5, one.stand_still), (20, one.go_on), (5, lambda: None)):
            await asyncio.sleep(wait_s)
            act()
        for each in sending:
            each.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        return mine, theirs

    mine, theirs = live(story)

    assert [at for at in mine if 5.001 < at < 25] == []
    assert sum(6 < at <= 25 for at in theirs) == pytest.approx(19 / GAP_S, abs=2)
    assert sum(at > 25 for at in mine) == pytest.approx(sum(at > 25 for at in theirs), abs=2)
    assert min(gaps([*mine, *theirs])) >= GAP_S - 0.001


def test_a_process_that_stands_still_keeps_no_place_from_others() -> None:
    """Not even if it had taken one for a report that then did not leave."""

    async def story(clock: Callable[[], float]) -> int:
        line = OneLine(clock)
        reports = sharing(line, budget=REPORTS)
        asking = asyncio.create_task(reports.token_within(held := Pacer(clock=clock)))
        held.stand_still()
        await asyncio.sleep(1)
        reports.stand_still()
        held.go_on()
        await asyncio.sleep(1)
        assert not asking.done()
        taken = line.places
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return taken

    assert live(story) == 0
