"""Pauses of this process, which are not the host's fault, and what the display says of waits."""

import asyncio
from collections.abc import Callable

import pytest

from bulkgladly.api import Client, ClientOptions, RetryPolicy
from bulkgladly.api.address import delay_s
from bulkgladly.api.health import Health, Trouble
from bulkgladly.api.timers import Deadlines, PauseWatch
from bulkgladly.errors import Withdrawn
from bulkgladly.messages import Repeat
from bulkgladly.runs.connection import Connection
from bulkgladly.settings import Credentials, Limits, Pace
from tests.doors.test_client import HANG, Server, Time, answer, client, create, get, until
from tests.doors.test_timers import attempt
from tests.unit.test_pacer import JumpingLoop


def live_through(story: Callable[[Callable[[float], None]], "asyncio.Future[object] | object"]) -> object:
    """Run a coroutine function in virtual time; its argument stops the process for a number of seconds."""
    loop = JumpingLoop()

    def stop_for(seconds: float) -> None:
        loop.jumping.now += seconds

    try:
        return loop.run_until_complete(story(stop_for))  # type: ignore[arg-type]
    finally:
        loop.close()


@pytest.mark.parametrize(("pause_s", "told"), [(0.3, []), (0.9, []), (5.0, [5.0]), (60.0, [60.0])])
def test_a_tick_that_comes_late_tells_of_a_pause(pause_s: float, told: list[float]) -> None:
    """By its length, once; a busy moment is none."""

    async def story(stop_for: Callable[[float], None]) -> list[float]:
        found: list[float] = []
        watch = PauseWatch(found.append)
        watch.start()
        for _ in range(3):
            await asyncio.sleep(0.75)
        await asyncio.sleep(0.2)
        stop_for(pause_s)
        await asyncio.sleep(5)
        watch.stop()
        await asyncio.sleep(5)
        return found

    assert live_through(story) == pytest.approx(told, abs=0.6)


def test_a_pause_is_not_charged_to_what_is_in_flight() -> None:
    """The reply is in the buffer of the socket when the process continues."""

    async def story(stop_for: Callable[[float], None]) -> list[str]:
        deadlines = Deadlines(90.0)
        answered, never = asyncio.Event(), asyncio.Event()
        ends = [asyncio.create_task(attempt(deadlines, event)) for event in (answered, never)]
        await asyncio.sleep(50)
        stop_for(3600)
        await asyncio.sleep(30)
        answered.set()
        await asyncio.sleep(1)
        assert [end.done() for end in ends] == [True, False]
        await asyncio.sleep(20)
        return [await end for end in ends]

    assert live_through(story) == ["answered", "timed out"]


def test_a_pause_does_not_use_up_the_patience_with_an_outage() -> None:
    """A laptop that was closed over night has not waited for the host."""
    health = Health(first_contact_s=30.0, give_up_after_s=3600.0)
    health.good()
    health.failed(100.0, unreachable=Trouble.CONNECT, answered=False)

    health.paused(8 * 3600.0)

    assert health.patience_s(200.0 + 8 * 3600) == 3500.0
    health.good()
    health.paused(60.0)
    assert health.patience_s(0.0) == 3600.0


async def test_a_pause_reaches_the_pace_and_the_health() -> None:
    """One watch tells all who measure time."""
    async with Server([answer(503)]) as server:
        connection = Connection(Credentials(server.url, "agent@example.org", "token"), Pace(), Limits())
        async with connection.client as sender:
            await sender.send(create(Repeat.UNSAFE))
            health = sender._attempts._health
            before = health.patience_s(0.0)

            sender._pauses._tell(60.0)

            assert health.patience_s(60.0) == pytest.approx(before)
            for gate in (connection.pacer, connection.reports):
                assert gate._schedule._paused_until > 0


async def test_while_a_run_stands_still_the_time_of_an_outage_does_not_pass() -> None:
    """Nothing could be probed meanwhile, so a pause of a night must not end the run in the morning."""
    time = Time()
    async with Server([answer(503)]) as server, client(server.url, time) as sender:
        await sender.send(create(Repeat.UNSAFE))
        health = sender._attempts._health
        before = health.patience_s(time.now)

        sender.stand_still()
        time.now += 3600
        sender.stand_still()
        time.now += 7 * 3600
        sender.go_on()
        sender.go_on()

        assert health.patience_s(time.now) == pytest.approx(before)


async def test_while_a_run_stands_still_nothing_leaves_to_any_host() -> None:
    """A download from another host takes no token, and waits all the same; what waits can still be withdrawn."""
    time = Time()
    async with Server() as own, Server([answer(200, b"picture")]) as other, client(own.url, time) as sender:

        async def download() -> bytes:
            async with sender.stream_elsewhere(other.url) as picture:
                return (await picture.reply()).body

        sender.stand_still()
        asking, loading = asyncio.create_task(sender.send(get())), asyncio.create_task(download())
        await asyncio.wait([asking, loading], timeout=0.05)
        assert (own.seen, other.seen) == ([], [])
        sender.go_on()
        assert await loading == b"picture"
        await until(lambda: own.seen)
        asking.cancel()

        sender.stand_still()
        waiting = asyncio.create_task(sender.send(get()))
        await asyncio.sleep(0)
        sender.withdraw("the run ends")
        with pytest.raises(Withdrawn, match="the run ends"):
            await waiting


DATE = "Fri, 01 May 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "date", "expected"),
    [
        (None, DATE, None),
        ("7", None, 7.0),
        ("0", None, 0.0),
        ("0.5", None, 0.5),
        ("9" * 40, None, 1e40),
        ("Fri, 01 May 2026 12:01:30 GMT", DATE, 90.0),
        ("Fri, 01 May 2026 11:00:00 GMT", DATE, 0.0),
        ("Fri, 01 May 2026 12:01:30 GMT", None, None),
        ("Fri, 01 May 2026 12:01:30 GMT", "yesterday", None),
        ("-5", DATE, None),
        ("1e9", DATE, None),
        ("nan", DATE, None),
        ("soon", DATE, None),
        ("", DATE, None),
        ("9" * 5000, DATE, None),
        ("Fri, 99 May 99999 12:01:30 GMT", DATE, None),
    ],
)
def test_every_form_of_retry_after(text: str | None, date: str | None, expected: float | None) -> None:
    """A date is counted from the server's own clock; what is none of the forms is none."""
    assert delay_s(text, date) == expected


@pytest.mark.parametrize("text", ["9" * 40, "86400", "Fri, 01 May 2099 12:01:30 GMT"])
async def test_no_retry_after_holds_a_run_for_more_than_five_minutes(text: str) -> None:
    """And the display says why it waits, and for how long."""
    refusal = answer(429, headers=f"Retry-After: {text}\r\nDate: {DATE}\r\n")
    async with Server([refusal]) as server:
        connection = Connection(Credentials(server.url, "agent@example.org", "token"), Pace(), Limits())
        async with connection.client as sender:
            sending = asyncio.ensure_future(sender.send(get()))
            await until(lambda: sender.throttled)
            momentum = connection.momentum()
            sender.withdraw("the test is over")
            await asyncio.gather(sending, return_exceptions=True)

    assert momentum.waiting == "throttled (429)"
    assert 290 < momentum.waiting_s <= 300


async def test_a_wait_of_one_request_has_its_reason_too() -> None:
    """A response that does not come, a request that is to be repeated: no display without a word."""
    now = 100.0
    async with Server([answer(503), HANG]) as server:
        sender = Client(
            server.url,
            "agent@example.org",
            "token",
            pacer=Connection(Credentials(server.url, "a@example.org", "t"), Pace(unlimited=True), Limits()).pacer,
            options=ClientOptions(retry=RetryPolicy(base_s=500.0, cap_s=500.0), random=lambda: 1.0, clock=lambda: now),
        )
        async with sender:
            sender._attempts._pacer._clock = lambda: now
            repeated = asyncio.ensure_future(sender.send(get()))
            await until(lambda: sender._attempts._repeats)
            assert sender.holdup() is None
            now += 3
            assert sender.holdup() == ("repeating a request that failed", 600.0)
            hanging = asyncio.ensure_future(sender.send(get()))
            await until(lambda: sender.in_flight)
            assert sender.holdup() is None
            now += 3
            assert sender.holdup() == ("waiting for responses", None)
            for task in (repeated, hanging):
                task.cancel()
            await asyncio.gather(repeated, hanging, return_exceptions=True)
            assert sender.holdup() is None


async def test_a_slow_pace_says_so() -> None:
    """A request each ten seconds looks like a hang."""
    async with Server() as server:
        connection = Connection(Credentials(server.url, "agent@example.org", "token"), Pace(rate=0.1), Limits())
        async with connection.client as sender:
            await sender.send(get())
            waiting = asyncio.ensure_future(sender.send(get()))
            await until(lambda: connection.pacer.view().waiting_reason)
            momentum = connection.momentum()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    assert momentum.waiting == "pace"
    assert momentum.waiting_s > 2
