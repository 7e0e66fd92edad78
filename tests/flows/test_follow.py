"""`follow`: events from the feed, each once in the inbox, whatever happens to Gladly, to our clock and to us."""

import datetime as dt
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from bulkgladly import Credentials, Limits, Pace
from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.faults.fault import Fault, half_body, reset, status
from bulkgladly.emulator.protocol.replies import Reply, problem, refuse
from bulkgladly.errors import Withdrawn
from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.run_realtime import start_realtime
from bulkgladly.realtime.service_parts import ServiceParts
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.session import Terms
from tests.flows.exporting import TOKEN, Wall
from tests.flows.followed import Followed, Told
from tests.flows.quickly import HASTY, QUICK

HOUR = dt.timedelta(hours=1)


async def test_events_come_in_the_order_of_the_feed(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED", "TASK/CLOSED", "CUSTOMER_PROFILE/UPDATED")

    report = await followed.follow()

    assert followed.ids() == ids
    assert (report.events["feed"], report.requests) == (3, {"getOrganization": 1, "listEvents": 1})


async def test_what_is_read_again_is_stored_once(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")

    def more(_: int) -> None:
        ids.extend(followed.add("TASK/CLOSED"))

    report = await followed.follow(4, between=more)

    assert followed.ids() == ids[:4]
    assert report.events == {"feed": 4, "seen_twice": 6}


async def test_only_the_entities_that_are_wanted_are_requested(followed: Followed) -> None:
    followed.add("TASK/CREATED", "CUSTOMER_PROFILE/UPDATED")

    await followed.follow(entities=("TASK",))
    assert [found.type for found in followed.stored()] == ["TASK/CREATED"]

    await followed.follow()
    assert [found.type for found in followed.stored()] == ["TASK/CREATED", "CUSTOMER_PROFILE/UPDATED"]


async def test_a_later_start_goes_on_where_the_first_ended(followed: Followed) -> None:
    """The second requests from a minute before the end of the first, not a day."""
    ids = followed.add("TASK/CREATED")
    await followed.follow()
    ids += followed.add("TASK/CLOSED")
    await followed.follow()

    assert followed.ids() == ids
    # A day back there would be more.
    assert followed.emulator.requests.by_operation["listEvents"] == 2


async def test_a_pause_of_more_than_a_day_is_told_and_kept(followed: Followed) -> None:
    now = dt.datetime.now(dt.UTC)
    with Inbox(followed.state, followed.credentials.host) as inbox:
        await inbox.put(
            [],
            facts={
                "covered_from": (now - 90 * HOUR).isoformat(),
                "covered_until": (now - 60 * HOUR).isoformat(),
                "covered_entities": ",".join(RealtimeOptions().entities),
            },
        )
    report = await followed.follow(2)

    ((begins, ends),) = report.gaps
    assert begins == (now - 60 * HOUR).isoformat()
    assert dt.timedelta(0) <= dt.datetime.fromisoformat(ends) - (now - 24 * HOUR) < dt.timedelta(minutes=3)
    assert len([line for line in followed.told.lines if "are lost" in line]) == 1


@pytest.mark.parametrize("off", [-HOUR, HOUR, -30 * HOUR, 30 * HOUR])
async def test_a_wrong_clock_of_ours_loses_nothing(followed: Followed, off: dt.timedelta) -> None:
    ids = followed.add("TASK/CREATED")

    def more(_: int) -> None:
        ids.extend(followed.add("TASK/CLOSED"))

    await followed.follow(3, between=more, wall=lambda: dt.datetime.now(dt.UTC) + off)
    await followed.follow(1)

    assert followed.ids() == ids
    assert any("this machine's clock is" in line for line in followed.told.lines)


@pytest.mark.parametrize("off", [-HOUR, HOUR, -30 * HOUR, 30 * HOUR])
async def test_a_wrong_date_of_replies_loses_nothing(followed: Followed, off: dt.timedelta) -> None:
    """Something on the way writes it. What the feed accepts and refuses shows that our clock is right."""
    wrong = Fault(headers={"Date": format_datetime(dt.datetime.now(dt.UTC) + off, usegmt=True)})
    for operation in ("getOrganization", "listEvents"):
        followed.emulator.faults.script(operation, [wrong] * 20)
    ids = followed.add("TASK/CREATED")

    def more(_: int) -> None:
        ids.extend(followed.add("TASK/CLOSED"))

    report = await followed.follow(3, between=more)
    again = await followed.follow(2, between=more)

    assert followed.ids() == ids[:-1]
    assert report.gaps == again.gaps == ()
    assert followed.emulator.requests.by_operation["listEvents"] <= 7
    with closing(InboxReader(inbox_path(followed.state))) as reader:
        until = dt.datetime.fromisoformat(reader.fact("covered_until") or "")
    assert dt.timedelta() < dt.datetime.now(dt.UTC) - until < max(-off, dt.timedelta(minutes=1)) + HOUR / 60


async def test_a_machine_that_slept_for_days_tells_what_is_lost(tmp_path: Path) -> None:
    """The process goes on as if no time had passed, and only the next reply says what time it is."""
    wall = Wall(dt.datetime(2026, 3, 19, 12, 0, tzinfo=dt.UTC))
    async with Emulator(token=TOKEN, rate=None, clock=Clock(wall=wall)) as emulator:
        followed = Followed(emulator, tmp_path / "state", Told())
        ids = followed.add("TASK/CREATED")

        def sleep(polled: int) -> None:
            if polled == 1:
                for _ in range(30):
                    wall.now += HOUR
                    ids.extend(followed.add("TASK/CLOSED"))

        report = await followed.follow(3, between=sleep, wall=lambda: wall.now)

    assert followed.ids() == ids[:1] + ids[-24:]
    ((begins, ends),) = report.gaps
    lost = dt.datetime.fromisoformat(ends) - dt.datetime.fromisoformat(begins)
    assert 6 * HOUR <= lost <= 6 * HOUR + dt.timedelta(minutes=2)
    assert len([line for line in followed.told.lines if "are lost" in line]) == 1


async def test_what_was_not_followed_for_more_than_a_day_is_told(tmp_path: Path) -> None:
    """All entities, then tasks only, and all again: what happened to the others meanwhile is lost."""
    wall = Wall(dt.datetime(2026, 3, 19, 12, 0, tzinfo=dt.UTC))
    async with Emulator(token=TOKEN, rate=None, clock=Clock(wall=wall)) as emulator:
        followed = Followed(emulator, tmp_path / "state", Told())
        followed.add("TASK/CREATED")
        await followed.follow(wall=lambda: wall.now)
        wall.now += 3 * HOUR
        await followed.follow(entities=("TASK",), wall=lambda: wall.now)
        followed.add("CUSTOMER_PROFILE/UPDATED")
        wall.now += 3 * HOUR
        assert (await followed.follow(wall=lambda: wall.now)).gaps == ()
        for _ in range(30):
            wall.now += HOUR
            await followed.follow(entities=("TASK",), wall=lambda: wall.now)
        report = await followed.follow(3, wall=lambda: wall.now)

    ((begins, _),) = report.gaps
    assert dt.datetime.fromisoformat(begins) == dt.datetime(2026, 3, 19, 17, 59, 45, tzinfo=dt.UTC)
    assert len([line for line in followed.told.lines if "are lost" in line]) == 1


PAGE = Fault(reply=Reply(200, b"<html>a gateway</html>", content_type="text/html"))


@pytest.mark.parametrize(
    "fault", [PAGE, half_body(), reset(), status(200), status(503), Fault(coding="gzip_cut")], ids=repr
)
async def test_a_reply_that_is_no_feed_covers_nothing(followed: Followed, fault: Fault) -> None:
    """The next request still begins where the last whole reply ended, and brings all."""
    ids = followed.add("TASK/CREATED", "TASK/CLOSED")
    followed.emulator.faults.script("listEvents", [fault] * 7)

    await followed.follow(4)

    assert followed.ids() == ids
    assert not [found for found in followed.stored() if found.why]


async def test_a_line_that_is_no_event_is_kept_among_events(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")
    (good,) = followed.emulator.store.event_log
    body = b"".join(line + b"\n" for line in (orjson.dumps(good.shown()), b'{"type": "TASK/CREATED"}', b"nonsense"))
    followed.emulator.faults.script(
        "listEvents", [Fault(reply=Reply(200, body, content_type="application/x-jsonlines"))] * 2
    )

    report = await followed.follow(2)

    assert [found.body for found in followed.stored() if found.why] == [b'{"type": "TASK/CREATED"}', b"nonsense"]
    assert [found.dedupe_id for found in followed.stored() if not found.why] == ids
    assert report.events == {"feed": 3, "strange": 2, "seen_twice": 3}


async def test_a_body_may_begin_with_a_byte_order_mark(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")
    (good,) = followed.emulator.store.event_log
    body = b"\xef\xbb\xbf" + orjson.dumps(good.shown()) + b"\n" + b"x" * 1_000_001 + b"\n"
    followed.emulator.faults.script(
        "listEvents", [Fault(reply=Reply(200, body, content_type="application/x-jsonlines"))]
    )

    await followed.follow()

    assert [found.dedupe_id for found in followed.stored() if not found.why] == ids
    assert [found.why for found in followed.stored() if found.why] == [
        "longer than 1,000,000 bytes: these are the first"
    ]


async def test_a_since_that_has_not_come_is_now(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")

    await followed.follow(3, since=dt.datetime.now(dt.UTC) + HOUR)

    assert followed.ids() == ids
    assert followed.emulator.requests.by_operation["listEvents"] == 3


@pytest.mark.parametrize("off", [-HOUR, HOUR, -30 * HOUR, 30 * HOUR])
async def test_a_new_sink_gets_no_history_by_a_wrong_clock(tmp_path: Path, off: dt.timedelta) -> None:
    wall = Wall(dt.datetime(2026, 3, 19, 12, 0, tzinfo=dt.UTC))
    out = tmp_path / "out"
    async with Emulator(token=TOKEN, rate=None, clock=Clock(wall=wall)) as emulator:
        followed = Followed(emulator, tmp_path / "state", Told())
        for _ in range(20):
            followed.add("TASK/CREATED")
            wall.now += HOUR
        news: list[str] = []

        def more(_: int) -> None:
            news.extend(followed.add("TASK/CLOSED"))

        sinks = (f"exec:sh -c 'cat >> {out}'",)
        for _ in range(3):
            await followed.follow(5, between=more, wall=lambda: wall.now + off, sinks=sinks, settle_s=0)

    passed = [orjson.loads(line)["id"] for line in out.read_bytes().splitlines()] if out.exists() else []
    assert passed == news[: len(passed)]
    assert len(passed) >= 4


async def test_wrong_credentials_end_it(followed: Followed) -> None:
    wrong = Credentials(followed.emulator.url, "someone@example.org", "wrong")
    report = await start_realtime(RealtimeOptions(state_dir=followed.state), wrong, environment=QUICK)

    assert report.exit_code == 4
    assert "credentials" in (report.reason or "")


async def test_an_entity_that_gladly_does_not_know_is_left_out(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")
    refusal = refuse(400, problem("invalid", "entities cannot be CUSTOMER_PROFILE", attr="entities")).reply
    followed.emulator.faults.script("listEvents", [Fault(reply=refusal)])

    await followed.follow(2)

    assert followed.ids() == ids
    assert "events: Gladly refuses CUSTOMER_PROFILE; the other entities are read without them" in followed.told.lines


async def test_completed_export_jobs_are_events_where_there_is_a_data_set(followed: Followed) -> None:
    """Once, and not those of earlier days."""
    emulator = followed.emulator
    now = dt.datetime.now(dt.UTC)
    new = emulator.exports.add_job({"agents.jsonl": b""}, updated_at=now)
    emulator.exports.add_job({"agents.jsonl": b""}, updated_at=now - 30 * HOUR)

    with Inbox(followed.state, followed.credentials.host) as inbox:
        async with Connection(followed.credentials, Pace(unlimited=True), Limits(), QUICK).client as client:
            loop = FillLoop(
                client,
                inbox,
                EVENT_ENTITIES,
                every_s=1,
                with_jobs=True,
                note=followed.told.note,
                environment=QUICK,
            )
            await loop.fill_jobs()
            await loop.fill_jobs()

    assert followed.ids() == [f"EXPORT_JOB/COMPLETED:{new}"]


@pytest.mark.parametrize(("away_h", "lost"), [(20, 0), (30, 6)])
async def test_a_stop_loses_only_what_the_feed_has_no_more(tmp_path: Path, away_h: int, lost: int) -> None:
    """Something happens every hour while nobody follows; what is lost is exactly the gap that is told."""
    wall = Wall(dt.datetime(2026, 3, 19, 12, 0, tzinfo=dt.UTC))
    async with Emulator(token=TOKEN, rate=None, clock=Clock(wall=wall)) as emulator:
        followed = Followed(emulator, tmp_path / "state", Told())
        ids = followed.add("TASK/CREATED")
        await followed.follow(wall=lambda: wall.now)
        for _ in range(away_h):
            wall.now += HOUR
            ids += followed.add("TASK/CLOSED")
        wall.now += dt.timedelta(minutes=1)
        report = await followed.follow(2, wall=lambda: wall.now)

    assert followed.ids() == ids[:1] + ids[1 + lost :]
    assert len(report.gaps) == bool(lost)
    for begins, ends in report.gaps:
        assert dt.datetime.fromisoformat(ends) - dt.datetime.fromisoformat(begins) >= lost * HOUR


async def test_an_idle_feed_takes_two_requests_a_minute(followed: Followed, tmp_path: Path) -> None:
    """An hour by the clock of the waits: 30 seconds between two requests, those for jobs included."""
    passed = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal passed
        if seconds != RealtimeOptions().every_s:
            await anyio.sleep_forever()
        passed += seconds
        if passed > 3600:
            raise Withdrawn("that is enough")

    await start_realtime(
        RealtimeOptions(state_dir=followed.state, pace=Pace(unlimited=True), out=tmp_path / "lake"),
        followed.credentials,
        environment=replace(QUICK, sleep=sleep, clock=lambda: passed),
    )

    asked = followed.emulator.requests.by_operation
    assert asked["findJobs"] >= 5
    assert asked["findJobs"] + asked["listEvents"] <= 121


async def test_a_locked_inbox_is_waited_for(followed: Followed) -> None:
    """Neither what tidies up nor what reads the feed ends the service."""
    ids = followed.add("TASK/CREATED")
    holder: list[sqlite3.Connection] = []

    def hold(number: int) -> None:
        ids.extend(followed.add("TASK/CLOSED"))
        if number == 1:
            holder.append(sqlite3.connect(followed.state / "inbox.sqlite", isolation_level=None))
            holder[0].execute("BEGIN IMMEDIATE")
        if number == 3:
            holder[0].close()

    report = await followed.follow(5, between=hold, lock_wait_s=0.02)

    assert report.reason == "that is enough"
    assert followed.ids() == ids[:5]
    assert len([line for line in followed.told.lines if "is locked by another process" in line]) == 1
    assert "the feed of events is read again" in followed.told.lines


async def test_a_stop_during_an_outage_does_not_wait_for_sinks_that_are_new(tmp_path: Path) -> None:
    told = Told()

    async def stop() -> None:
        while not any("no connection" in line for line in told.lines):  # noqa: ASYNC110 - a note wakes nobody
            await anyio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    options = RealtimeOptions(state_dir=tmp_path / "state", sinks=("exec:true",), out=tmp_path / "lake")
    nobody = Credentials("http://127.0.0.1:9", "someone", TOKEN)
    reports = []
    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        reports += [await start_realtime(options, nobody, observer=told, with_signals=True, environment=HASTY)]

    assert [report.exit_code for report in reports] == [0]
    with closing(InboxReader(inbox_path(tmp_path / "state"))) as reader:
        # It has not begun, so that the next start does not take the last day for news.
        assert set(reader.cursors()) == {"data set", "job dumps"}


async def test_what_came_before_gladly_first_answered_is_passed_on_by_the_next_start(
    followed: Followed, tmp_path: Path
) -> None:
    """A new sink begins at its first start, although that start never learned Gladly's time."""
    log = tmp_path / "log"
    options: dict[str, Any] = {"sinks": (f"exec:tee -a {log}",), "settle_s": 0.0}
    nobody = Credentials("http://127.0.0.1:9", "someone", TOKEN)
    started = anyio.Event()
    with Inbox(followed.state, followed.credentials.host) as inbox:
        parts = ServiceParts.read(RealtimeOptions(state_dir=followed.state, **options), nobody, Terms(nobody))
        parts.make(inbox, Connection(nobody, Pace(), Limits(), HASTY).client)
        async with anyio.create_task_group() as group:

            async def wanted() -> None:
                started.set()
                await parts.begin_reader(parts.sinks[0].name)

            group.start_soon(wanted)
            await started.wait()
            while inbox.reader.fact(f"first start of {parts.sinks[0].name}") is None:  # noqa: ASYNC110 - it wakes nobody
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        (new,) = followed.add("TASK/CLOSED")
        shown = next(one for one in followed.emulator.store.event_log if one.id == new).shown()
        await inbox.put([arrival_of(orjson.dumps(shown), Via.WEBHOOK, QUICK.wall())])

    await followed.follow(3, until=lambda: log.exists() and new in log.read_text("utf-8"), **options)
