"""The emulator's budget: three ways to count, the neighbour, headers and refusals."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator, EmulatorOptions, Limiter
from bulkgladly.emulator.options import BodyKind
from bulkgladly.emulator.server.budgets import Budget, FixedWindow, LeakyBucket, SlidingLog
from tests.signing import basic_auth

AGENTS = "/api/v1/agents"


class Hands:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now)


def session(emulator: Emulator) -> aiohttp.ClientSession:
    credentials = basic_auth(emulator.options.username, emulator.options.token)
    return aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials})


def admitted(budget: Budget, *moments: float) -> list[bool]:
    return [budget.take(moment).admitted for moment in moments]


def test_fixed_window_lets_two_bursts_meet_at_its_edge() -> None:
    """The count starts anew at each full second, so four pass within a tenth of a second."""
    assert admitted(FixedWindow(2), 0.95, 0.96, 0.97, 1.0, 1.01, 1.02) == [True, True, False] * 2


def test_fixed_window_edge_moves_with_the_phase() -> None:
    """With a phase of 0.3 s the windows change at 0.3, 1.3 and so on."""
    budget = FixedWindow(1, phase_s=0.3)

    assert admitted(budget, 0.29, 0.3, 1.29, 1.3) == [True, True, False, True]


def test_fixed_window_of_a_minute() -> None:
    """The class for reports counts by the minute."""
    assert admitted(FixedWindow(1, per_s=60), 0, 59, 60) == [True, False, True]


def test_leaky_bucket_allows_its_burst_and_then_the_rate() -> None:
    """A full bucket has room again after one interval, exactly."""
    budget = LeakyBucket(10)

    assert admitted(budget, *[5.0] * 11) == [True] * 10 + [False]
    assert admitted(budget, 5.1, 5.1, 5.2) == [True, False, True]


def test_leaky_bucket_without_burst_wants_even_spacing() -> None:
    """With a burst of one, each request needs its own interval, also after a quiet spell."""
    budget = LeakyBucket(10, burst=1)

    assert admitted(budget, 1.0, 1.05, 1.1, 9.0, 9.0) == [True, False, True, True, False]


def test_leaky_bucket_stays_exact_over_many_tenths() -> None:
    """Rounding never refuses a request that is on time."""
    budget = LeakyBucket(10, burst=1)

    assert all(admitted(budget, *(n / 10 for n in range(5000))))


def test_sliding_log_counts_any_second() -> None:
    """What a fixed window lets through at its edge is refused here."""
    assert admitted(SlidingLog(2), 0.95, 0.96, 1.0, 1.95, 1.955, 1.96) == [
        True, True, False, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("make", [FixedWindow, LeakyBucket, SlidingLog])
def test_refused_requests_cost_nothing(make: Callable[[int], Budget]) -> None:
    """Knocking all the time does not keep the door shut."""
    budget = make(1)
    knocks = [2.0 + n / 1000 for n in range(1000)]

    assert sum(admitted(budget, *knocks)) == 1
    assert admitted(budget, 3.0) == [True]


@pytest.mark.parametrize("make", [FixedWindow, LeakyBucket, SlidingLog])
def test_remaining_says_how_many_more_would_pass_now(make: Callable[[int], Budget]) -> None:
    """It counts down to zero and stays there."""
    budget = make(3)

    assert [budget.take(7.0).remaining for _ in range(4)] == [2, 1, 0, 0]


async def test_limited_answers_carry_both_headers_and_the_excess_is_429() -> None:
    """A refused create is not carried out; there is no `Retry-After` unless asked for."""
    hands = Hands()
    async with Emulator(rate=2, clock=hands.clock()) as emulator, session(emulator) as client:
        seen = []
        for _ in range(3):
            async with client.post("/api/v1/customer-profiles", json={}) as response:
                remaining = response.headers["Ratelimit-Remaining-Second"]
                seen.append((response.status, response.headers["Ratelimit-Limit-Second"], remaining))
        assert seen == [(201, "2", "1"), (201, "2", "0"), (429, "2", "0")]
        async with client.post("/api/v1/customer-profiles", json={}) as response:
            assert "Retry-After" not in response.headers
            assert (await response.json())["errors"][0]["code"] == "rate_limited"
        assert emulator.store.count("customers") == 2

        hands.now += 1
        async with client.post("/api/v1/customer-profiles", json={}) as response:
            assert response.status == 201


async def test_limit_counts_before_the_credentials() -> None:
    """It belongs to the organization: 401 and 404 answers use it up like any other."""
    async with Emulator(rate=2, clock=Hands().clock()) as emulator:
        async with aiohttp.ClientSession(emulator.url) as stranger, stranger.get(AGENTS) as response:
            assert (response.status, response.headers["Ratelimit-Remaining-Second"]) == (401, "1")
        async with session(emulator) as client, client.get(f"{AGENTS}/nobody") as response:
            assert (response.status, response.headers["Ratelimit-Remaining-Second"]) == (404, "0")
        async with session(emulator) as client, client.get(AGENTS) as response:
            assert response.status == 429


@pytest.mark.parametrize(("kind", "body"), [("plain", b"the organization"), ("empty", b""), ("html", b"<html>")])
async def test_refusal_can_have_another_body_and_retry_after(kind: BodyKind, body: bytes) -> None:
    """Neither is documented, so both are options; `Retry-After` is in whole seconds."""
    options = EmulatorOptions(rate=1, refusal_body=kind, retry_after_s=0.3, headers=False)
    async with Emulator(options, clock=Hands().clock()) as emulator, session(emulator) as client:
        await client.get(AGENTS)

        async with client.get(AGENTS) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "1"
            assert "Ratelimit-Limit-Second" not in response.headers
            assert (await response.read()).startswith(body)


async def test_without_a_limit_there_are_no_headers() -> None:
    """Nothing is refused, and nothing is announced."""
    async with Emulator(rate=None, clock=Hands().clock()) as emulator, session(emulator) as client:
        for _ in range(30):
            async with client.get(AGENTS) as response:
                assert response.status == 200
                assert "Ratelimit-Limit-Second" not in response.headers


async def test_rate_can_change_while_running() -> None:
    """The new budget is fresh and in force at once."""
    async with Emulator(rate=1, clock=Hands().clock()) as emulator, session(emulator) as client:
        await client.get(AGENTS)
        emulator.limiter.rate = 5

        async with client.get(AGENTS) as response:
            assert response.status == 200
            assert response.headers["Ratelimit-Limit-Second"] == "5"
            assert response.headers["Ratelimit-Remaining-Second"] == "4"
        with pytest.raises(ValueError, match="rate is 0"):
            emulator.limiter.rate = 0


def test_neighbour_takes_from_the_same_budget() -> None:
    """Its requests count in the order of their moments, and what it is refused is counted."""
    hands = Hands()
    limiter = Limiter(10, clock=hands.clock())
    limiter.add_neighbour(30, seed=1)
    refused = 0
    for _ in range(1000):
        hands.now += 0.05
        verdict = limiter.take()
        refused += verdict is not None and not verdict.admitted

    neighbour = limiter.neighbour
    assert neighbour is not None
    assert neighbour.admitted + limiter.admitted == pytest.approx(500, abs=10)
    assert neighbour.admitted + neighbour.refused == pytest.approx(1500, rel=0.1)
    assert refused == limiter.refused > 0


def test_neighbour_repeats_itself_with_the_same_seed() -> None:
    """A benchmark can be run again; another seed gives other moments."""

    def outcome(seed: int) -> tuple[int, int]:
        hands = Hands()
        limiter = Limiter(2, clock=hands.clock())
        limiter.add_neighbour(3, seed=seed)
        hands.now += 100
        neighbour = limiter.neighbour
        assert neighbour is not None
        return neighbour.admitted, neighbour.refused

    assert outcome(1) == outcome(1) != outcome(2)


def test_neighbour_before_a_change_of_rate_counts_against_the_old_one() -> None:
    """A fresh budget is not charged for the past."""
    hands = Hands()
    limiter = Limiter(None, clock=hands.clock())
    limiter.add_neighbour(50, seed=1)
    hands.now += 10
    limiter.rate = 1

    neighbour = limiter.neighbour
    assert neighbour is not None
    assert (neighbour.admitted > 400, neighbour.refused) == (True, 0)


def test_neighbour_can_be_sent_away() -> None:
    """A rate of zero leaves the budget to us."""
    limiter = Limiter(10, clock=Hands().clock())
    limiter.add_neighbour(3)
    limiter.add_neighbour(0)

    assert limiter.neighbour is None


async def test_neighbour_by_option() -> None:
    """It is there from the start."""
    async with Emulator(neighbour_rate=3) as emulator:
        assert emulator.limiter.neighbour is not None


async def test_answers_wait_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency delays each answer, not one after the other: none goes on before all of them wait."""
    real_sleep, waiting, all_wait = asyncio.sleep, 0, asyncio.Event()

    async def together(delay_s: float) -> None:
        nonlocal waiting
        if not delay_s:
            return await real_sleep(0)
        waiting += 1
        if waiting == 50:
            all_wait.set()
        await all_wait.wait()
        return None

    async with Emulator(rate=None, latency_s=0.04, jitter_s=0.01) as emulator, session(emulator) as client:
        monkeypatch.setattr(asyncio, "sleep", together)
        async with asyncio.timeout(30):
            replies = await asyncio.gather(*(client.get(AGENTS) for _ in range(50)))

        assert {reply.status for reply in replies} == {200}


async def test_half_of_the_latency_passes_before_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """So arrivals jitter as on a real network; both halves of one answer are equal, answers differ."""
    real_sleep = asyncio.sleep
    waits: list[tuple[float, int]] = []

    async def noted(delay_s: float) -> None:
        if delay_s:
            waits.append((delay_s, emulator.limiter.admitted))
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    emulator = Emulator(latency_s=10, jitter_s=4, clock=Hands().clock())
    async with emulator, session(emulator) as client:
        for _ in range(2):
            await client.get(AGENTS)

    (first, before), (second, after), (third, _), _ = waits
    assert (before, after) == (0, 1)
    assert first == second != third
    assert all(3 <= half <= 7 for half, _ in waits)
