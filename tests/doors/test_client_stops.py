"""What leaves, and what does not any more: the limit of requests, and the end of all waiting."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest

from bulkgladly.api import Client, ClientOptions, Pacer, RetryPolicy, Timeouts, reports_pacer
from bulkgladly.api.budget_pacers import REPORTS
from bulkgladly.errors import Withdrawn
from bulkgladly.messages import BudgetClass, Repeat, Reply, Request
from bulkgladly.settings import Pace
from tests.doors.test_client import CLOSE, OK, RESET, Script, Server, Time, answer, client, create, get, until
from tests.doors.test_client_streams import Raw, Step, chunk, file, head

REPORT = Request("generateReport", "POST", "/api/v1/reports", body=b"{}", budget=BudgetClass.REPORTS)
BUSY = answer(503)


@contextlib.asynccontextmanager
async def patient(url: str, *, pacer: Pacer | None = None, max_connections: int = 100) -> AsyncIterator[Client]:
    """A client on the real clock whose every wait is far longer than a test may take."""
    pace = Pace(reserve=0.0)
    sender = Client(
        url,
        "agent@example.org",
        "token",
        pacer=pacer or Pacer(unlimited=True, random=lambda: 1.0),
        reports_pacer=reports_pacer(pace),
        options=ClientOptions(
            retry=RetryPolicy(base_s=1000.0, cap_s=1000.0),
            timeouts=Timeouts(connect_s=1000.0, total_s=1000.0),
            max_connections=max_connections,
            random=lambda: 1.0,
        ),
    )
    async with sender:
        yield sender


async def withdrawn(sender: Client, *requests: "asyncio.Future[Reply]") -> list[Withdrawn]:
    """Withdraw, and return how the requests ended: at once, whatever they waited for."""
    sender.withdraw("SIGINT")
    async with asyncio.timeout(2):
        ends = await asyncio.gather(*requests, return_exceptions=True)
    found = [end for end in ends if isinstance(end, Withdrawn)]
    assert len(found) == len(ends), ends
    return found


def begin(sender: Client, request: Request) -> "asyncio.Future[Reply]":
    return asyncio.ensure_future(sender.send(request))


async def test_what_waits_for_its_turn_is_withdrawn() -> None:
    """The pace lets one request out in a hundred seconds."""
    async with Server() as server, patient(server.url, pacer=Pacer(rate=0.01)) as sender:
        await sender.send(get())
        ends = await withdrawn(sender, *(begin(sender, create()) for _ in range(5)))

    assert len(server.seen) == 1
    assert {(str(end), end.lost, end.exit_code) for end in ends} == {("SIGINT", 0, 10)}


async def test_what_waits_out_a_retry_after_is_withdrawn() -> None:
    """It was refused, so it was not executed; and all that wait behind the pause are withdrawn, too."""
    script = [answer(429, headers="Retry-After: 60\r\n")]
    async with Server(script) as server, patient(server.url) as sender:
        refused = begin(sender, create(Repeat.UNSAFE))
        await until(lambda: sender.throttled)
        ends = await withdrawn(sender, refused, begin(sender, create()))

    assert len(server.seen) == 1
    assert [end.lost for end in ends] == [0, 0]


async def test_what_waits_to_be_repeated_is_withdrawn_as_perhaps_executed() -> None:
    """Its first attempt left."""
    async with Server([BUSY]) as server, patient(server.url) as sender:
        repeated = begin(sender, create())
        await until(lambda: sender.sent.total() and not sender.in_flight)
        (end,) = await withdrawn(sender, repeated)

    assert end.lost == 1


async def test_what_waits_out_an_outage_is_withdrawn() -> None:
    """The one that probes, and those behind it."""
    async with Server() as server, patient(server.url) as sender:
        await sender.send(get())
        server._server.close()  # type: ignore[union-attr]
        for task in server._tasks:
            task.cancel()
        await asyncio.gather(*server._tasks, return_exceptions=True)
        waiting = [begin(sender, create(Repeat.UNSAFE)) for _ in range(3)]
        await until(lambda: sender._attempts._health.is_down() and not sender.in_flight)
        ends = await withdrawn(sender, *waiting)

    assert [end.lost for end in ends] == [0, 0, 0]


async def test_what_waits_for_a_connection_is_withdrawn_and_what_is_in_flight_ends() -> None:
    """Both have room for one; the reply that is awaited is not thrown away."""
    release = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    async with Raw(late) as server, patient(server.url, max_connections=1) as sender:
        first = begin(sender, create(Repeat.UNSAFE))
        await until(lambda: server.was_asked(1))
        second = begin(sender, create(Repeat.UNSAFE))
        elsewhere = asyncio.ensure_future(begin_elsewhere(sender, server.url.replace("127.0.0.1", "127.0.0.9")))
        await until(lambda: len(sender._allowance._waiting) == 2)
        await withdrawn(sender, second, elsewhere)
        assert sender.in_flight == 1
        release.set()
        reply = await first

    assert (reply.status, sender.in_flight) == (200, 0)


async def begin_elsewhere(sender: Client, url: str) -> Reply:
    async with sender.stream_elsewhere(f"{url}/file") as download:
        return await download.reply()


async def test_a_report_that_waits_for_its_minute_is_withdrawn() -> None:
    """Both budgets keep what it did not use."""
    async with Server() as server, patient(server.url) as sender:
        await sender.send(REPORT)
        await withdrawn(sender, begin(sender, REPORT), begin(sender, REPORT))

        assert sender._attempts._pacer.in_flight == 0
        assert sender._attempts._pacer.sent == 1
        assert len(server.seen) == 1


async def test_a_download_in_progress_is_in_flight_and_ends() -> None:
    """Its body may take as long as it is given; what follows it does not begin."""
    more = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        writer.write(head("Transfer-Encoding: chunked") + chunk(b"first"))
        await more.wait()
        writer.write(chunk(b"last") + chunk(b""))

    async with Raw(slow) as server, patient(server.url) as sender:
        async with sender.stream(file()) as download:
            blocks = download.blocks(1)
            assert await anext(blocks) == b"first"
            sender.withdraw("SIGINT")
            assert sender.in_flight == 1
            more.set()
            assert [block async for block in blocks] == [b"last"]
        assert sender.in_flight == 0
        with pytest.raises(Withdrawn):
            await sender.send(get())
        with pytest.raises(Withdrawn):
            await sender.rest(1000)


async def test_a_cancellation_stays_one_although_the_run_stops() -> None:
    """A task that is cancelled ends cancelled, also in the very moment in which it is withdrawn."""
    async with Server() as server, patient(server.url, pacer=Pacer(rate=0.01)) as sender:
        await sender.send(get())
        both = begin(sender, get())
        await until(lambda: sender._allowance._waiting)
        sender.withdraw("SIGINT")
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both


Call = tuple[str, Script, Script]
CALLS: dict[str, Call] = {
    "requests that are answered": ("send", (), ()),
    "repeats": ("send", (BUSY, RESET) * 20, ()),
    "refusals": ("send", (answer(429),) * 40, ()),
    "probes of an outage": ("send", (RESET,) * 40, (CLOSE, BUSY) * 20),
    "questions about the host": ("send", (BUSY, OK) * 20, (BUSY, OK) * 20),
    "downloads": ("stream", (BUSY,), ()),
    "downloads by a link": ("own", (), ()),
    "reports": ("report", (), ()),
}


async def call(sender: Client, url: str, how: str) -> None:
    if how == "stream":
        async with sender.stream(file()) as download:
            await download.reply()
    elif how == "own":
        async with sender.stream_elsewhere(f"{url}/own") as download:
            await download.reply()
    else:
        await sender.send(REPORT if how == "report" else create())


@pytest.mark.parametrize("most", [1, 2, 7])
@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
async def test_no_more_requests_leave_than_are_allowed(calls: Call, most: int) -> None:
    """Whatever they are, by many workers at once, and none fewer; then each caller is told so at once."""
    how, script, probes = calls
    time = Time()
    gate = Pacer(REPORTS, unlimited=True, clock=time, sleep=time.sleep)
    options: dict[str, Any] = {"max_requests": most, "reports_pacer": gate}
    async with Server(script, probes) as server, client(server.url, time, **options) as sender:

        async def worker() -> None:
            while True:
                await call(sender, server.url, how)

        async with asyncio.timeout(20):
            ends = await asyncio.gather(*(worker() for _ in range(12)), return_exceptions=True)

    assert {str(end) for end in ends} == {f"the limit of {most} request{'' if most == 1 else 's'} was reached"}
    assert all(isinstance(end, Withdrawn) for end in ends)
    assert len(server.seen) == sender.sent.total() == most
    assert sender.in_flight == sender._attempts._pacer.in_flight == 0


async def test_a_run_that_needs_just_its_limit_is_not_stopped() -> None:
    """The last request gets its reply like any other."""
    async with Server() as server, client(server.url, Time(), max_requests=2) as sender:
        replies = [await sender.send(get()), await sender.send(get())]

    assert [reply.status for reply in replies] == [200, 200]


async def test_downloads_from_other_hosts_are_not_counted() -> None:
    """The limit is one of the organisation."""
    served: Sequence[Step] = [says_ok] * 3
    async with Server() as server, Raw(*served) as other, client(server.url, Time(), max_requests=1) as sender:
        await sender.send(get())
        for _ in served:
            reply = await begin_elsewhere(sender, other.url)
            assert reply.status == 200


async def says_ok(writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def test_a_client_that_ends_by_a_cancel_closes_its_connections() -> None:
    """As `live` at Ctrl-C. An open session would be complained about, which is an error in a test."""
    async with Server() as server:
        with anyio.CancelScope() as scope:
            async with patient(server.url) as sender:
                await sender.send(get())
                scope.cancel()
                await anyio.sleep_forever()
        gc.collect()

    assert scope.cancelled_caught
