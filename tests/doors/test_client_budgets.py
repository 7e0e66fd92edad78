"""Two budgets behind one client: reports are rare and slow, and must not delay other requests."""

import asyncio
from typing import Any

import pytest

from bulkgladly.api import Budget, Client, Pacer, reports_pacer
from bulkgladly.messages import BudgetClass, Reply, Request
from bulkgladly.settings import Pace
from tests.doors.test_client import (
    CLOSE,
    HANG,
    OK,
    ORGANIZATION,
    RESET,
    Script,
    Server,
    Time,
    answer,
    client,
    get,
    until,
)

QUICK = Budget(limit=1000, per_s=1.001, max_in_flight=2, name="reports")
"""The reports' budget in quick motion, since a pacer's guard goes by the loop's own clock."""

CSV = answer(
    200, b"Created At,Conversation ID\n", headers="Ratelimit-Limit-Second: 3\r\nRatelimit-Remaining-Second: 0\r\n"
)
REFUSED = answer(429)
REFUSED_IN_THE_SECOND = answer(429, headers="Ratelimit-Limit-Second: 1000\r\nRatelimit-Remaining-Second: 0\r\n")
REFUSED_IN_THE_MINUTE = answer(429, headers="Ratelimit-Limit-Second: 10\r\nRatelimit-Remaining-Second: 9\r\n")

REPORT = Request(
    "generateReport",
    "POST",
    "/api/v1/reports",
    body=b'{"metricSet":"ConversationExportReport"}',
    budget=BudgetClass.REPORTS,
    accept="text/csv, application/json",
)


class Setting:
    """A client with both budgets, neither of which waits for real."""

    def __init__(self, **options: Any) -> None:
        self.time = Time()
        self.default = Pacer(Budget(limit=1000), clock=self.time, sleep=self.time.sleep, random=lambda: 1.0)
        self.reports = Pacer(QUICK, clock=self.time, sleep=self.time.sleep, random=lambda: 1.0)
        self._options = options

    def client(self, url: str) -> Client:
        return client(url, self.time, pacer=self.default, reports_pacer=self.reports, **self._options)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Sent and in flight, of the default and of the reports budget."""
        return self.default.sent, self.default.in_flight, self.reports.sent, self.reports.in_flight


async def ask(sender: Client, request: Request = REPORT, *, streamed: bool) -> Reply:
    """Make one request, by either door."""
    if not streamed:
        return await sender.send(request)
    async with sender.stream(request) as download:
        return await download.reply()


both_doors = pytest.mark.parametrize("streamed", [False, True], ids=["send", "stream"])


@both_doors
async def test_a_report_takes_a_token_of_each_budget(streamed: bool) -> None:
    """And others take one of the default budget alone."""
    setting = Setting()
    async with Server([CSV]) as server, setting.client(server.url) as sender:
        reply = await ask(sender, streamed=streamed)
        assert setting.counts == (1, 0, 1, 0)
        await ask(sender, get(), streamed=streamed)

    assert reply.body == b"Created At,Conversation ID\n"
    assert setting.counts == (2, 0, 1, 0)
    assert [line for line in server.heads[0].split("\r\n") if line.startswith("Accept:")] == [
        "Accept: text/csv, application/json"
    ]
    assert server.bodies[0] == REPORT.body


@both_doors
@pytest.mark.parametrize("refused", [REFUSED, REFUSED_IN_THE_MINUTE], ids=["silent", "of the minute"])
async def test_a_refused_report_pauses_reports_only(refused: bytes, streamed: bool) -> None:
    """The others have their own budget, and it is not used up."""
    setting = Setting()
    async with Server([refused, CSV]) as server, setting.client(server.url) as sender:
        reply = await ask(sender, streamed=streamed)

    assert (reply.status, reply.attempts) == (200, 2)
    assert setting.reports.held_s == {"throttled (429)": 0.5}
    assert setting.default.held_s == {}
    assert (setting.reports.throttled, setting.default.throttled, sender.throttled) == (1, 0, 1)


@both_doors
async def test_a_report_refused_for_the_second_pauses_both_for_it(streamed: bool) -> None:
    """The header says that nothing is left of it, whichever client used it."""
    setting = Setting()
    async with Server([REFUSED_IN_THE_SECOND, CSV]) as server, setting.client(server.url) as sender:
        await ask(sender, streamed=streamed)

    assert setting.default.held_s == {"throttled (429)": 1.0}
    assert setting.reports.held_s == {"throttled (429)": 0.5}


@both_doors
async def test_a_refused_default_request_pauses_no_report(streamed: bool) -> None:
    """But a report waits for the default budget, which it uses as well."""
    setting = Setting()
    async with Server([REFUSED, OK, CSV]) as server, setting.client(server.url) as sender:
        await sender.send(get())
        assert setting.reports.held_s == {}
        setting.default.hold(30.0, "test")
        began = setting.time.now
        await ask(sender, streamed=streamed)

    assert setting.time.now - began >= 30.0


@both_doors
async def test_the_headers_of_the_second_change_neither_pace(streamed: bool) -> None:
    """They are about the second in which the report was asked for, minutes ago."""
    setting = Setting()
    before = setting.reports.view().rate
    async with Server([CSV] * 3) as server, setting.client(server.url) as sender:
        for _ in range(3):
            await ask(sender, streamed=streamed)

    assert setting.reports.view().rate == before
    assert setting.default.view().limit == 1000


async def test_two_reports_at_a_time_until_their_bodies_are_read() -> None:
    """A third one waits, holds no connection, and does not delay others."""
    setting = Setting(max_connections=1)
    async with (
        Server([CSV, CSV, OK, CSV]) as server,
        setting.client(server.url) as sender,
        sender.stream(REPORT) as first,
        sender.stream(REPORT),
    ):
        third = asyncio.create_task(sender.send(REPORT))
        await until(lambda: setting.reports.view().waiting_reason == "2 requests are in flight")
        assert (await sender.send(get())).status == 200
        assert len(server.seen) == 3

        await first.reply()

        assert (await third).status == 200
    assert setting.counts == (4, 0, 3, 0)


@both_doors
async def test_a_report_cancelled_while_it_waits_uses_nothing(streamed: bool) -> None:
    """For room, or for the default budget."""
    setting = Setting()
    never = asyncio.Event()

    async def held(_: float) -> None:
        await never.wait()

    default = Pacer(clock=setting.time, sleep=held)
    async with Server([CSV] * 9) as server:
        async with client(server.url, setting.time, pacer=default, reports_pacer=setting.reports) as sender:
            default.hold(60.0, "test")
            task = asyncio.create_task(ask(sender, streamed=streamed))
            await until(lambda: default.view().waiting_reason == "test" and setting.reports._turn.locked())
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (default.sent, default.in_flight, setting.reports.sent, setting.reports.in_flight) == (0, 0, 0, 0)

        async with setting.client(server.url) as sender, sender.stream(REPORT), sender.stream(REPORT):
            task = asyncio.create_task(ask(sender, streamed=streamed))
            await until(lambda: setting.reports.view().waiting_reason == "2 requests are in flight")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert setting.counts == (2, 0, 2, 0)


@both_doors
async def test_a_report_cancelled_on_its_way_gives_its_tickets_back(streamed: bool) -> None:
    """Both count as used, and as in flight no longer."""
    setting = Setting()
    async with Server([HANG]) as server, setting.client(server.url) as sender:
        task = asyncio.create_task(ask(sender, streamed=streamed))
        await until(lambda: server.seen)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert setting.counts == (1, 0, 1, 0)


@both_doors
async def test_whatever_goes_wrong_reports_never_leave_without_tokens(streamed: bool) -> None:
    """Retries take both tokens, probes the default one, and none stays in flight."""
    setting = Setting()
    script: Script = [
        OK,
        REFUSED,
        CLOSE,
        answer(500),
        RESET,
        CLOSE,
        answer(500),
        REFUSED_IN_THE_SECOND,
        answer(503),
        *[CLOSE] * 4,
    ] * 2
    async with Server(script, [CLOSE, answer(500), OK, answer(429)]) as server, setting.client(server.url) as sender:
        asked = (ask(sender, request, streamed=streamed) for request in (get(), REPORT) * 8)
        await asyncio.gather(*asked)

    reports = sum(line.startswith("POST") for line in server.seen)
    assert server.seen.count(ORGANIZATION) == sender.sent["getOrganization"] > 0
    assert setting.counts == (len(server.seen), 0, reports, 0)


async def test_a_broken_report_makes_room_for_the_next_one() -> None:
    """And one that is left early."""
    setting = Setting()
    cut = answer(200, b"part", length=99)
    async with Server([cut, cut, CSV]) as server, setting.client(server.url) as sender:
        async with sender.stream(REPORT) as download:
            assert await anext(download.blocks(1)) == b"part"
        async with sender.stream(REPORT):
            assert setting.reports.in_flight == 1
        async with sender.stream(REPORT) as download:
            assert (await download.reply()).status == 200

    assert setting.counts == (3, 0, 3, 0)


async def test_without_a_pacer_of_their_own_reports_go_by_the_documented_limit() -> None:
    """Ten a minute, less the reserve, whatever the default pacer allows."""
    time = Time()
    default = Pacer(unlimited=True, clock=time, sleep=time.sleep)
    async with Server([CSV] * 3) as server, client(server.url, time, pacer=default) as sender:
        await sender.send(REPORT)
        assert time.slept == []
        await sender.send(REPORT)

    assert sum(time.slept) == pytest.approx(60 / 9)
    assert (len(server.seen), default.sent) == (2, 2)


async def test_unlimited_reports_are_not_paced() -> None:
    """Against an emulator there is no minute to wait for; two at a time they stay."""
    time = Time()
    reports = reports_pacer(Pace(unlimited=True), clock=time, sleep=time.sleep)
    default = Pacer(unlimited=True, clock=time, sleep=time.sleep)
    async with Server([CSV] * 50) as server, client(server.url, time, pacer=default, reports_pacer=reports) as sender:
        for _ in range(20):
            await sender.send(REPORT)
        async with sender.stream(REPORT), sender.stream(REPORT):
            assert reports.in_flight == reports.budget.max_in_flight == 2

    assert time.slept == []
    assert reports.sent == 22
