"""`follow`: events from the feed, each once in the inbox, whatever happens to Gladly, to our clock and to us."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Credentials, Limits, Pace
from bulkgladly.emulator import Emulator
from bulkgladly.emulator.faults.fault import Fault, half_body, reset, status
from bulkgladly.emulator.protocol.replies import Reply, problem, refuse
from bulkgladly.errors import Withdrawn
from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import InboxReader, StoredEvent, inbox_path
from bulkgladly.realtime.feed import EventFeed
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.run_realtime import RealtimeReport, start_realtime
from bulkgladly.realtime.server_clock import ServerClock
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.observer import Observer
from tests.flows.quickly import QUICK

TOKEN = "planted-token-7f3a9c"
HOUR = dt.timedelta(hours=1)
EVERY_S = 30.0


class Told(Observer):
    """What people were told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Following:
    """One organisation, and one state directory into which its events come."""

    emulator: Emulator
    state: Path
    told: Told

    def add(self, *types: str, **content: Any) -> list[str]:
        """Let things happen, and return the ids of the events."""
        log = self.emulator.store.event_log
        return [log.add(name, {"taskId": "task-1", "customerId": "customer-1", **content}).id for name in types]

    async def follow(
        self,
        polls: int = 1,
        *,
        between: Callable[[int], None] = lambda _: None,
        wall: Callable[[], dt.datetime] = QUICK.wall,
        **options: Any,
    ) -> RealtimeReport:
        """Follow until the feed has been read `polls` times; `between` is called after each with its number."""
        polled = 0

        async def sleep(seconds: float) -> None:
            nonlocal polled
            if seconds == EVERY_S:
                polled += 1
                between(polled)
                if polled == polls:
                    raise Withdrawn("that is enough")
            await asyncio.sleep(0)

        chosen = RealtimeOptions(state_dir=self.state, every_s=EVERY_S, pace=Pace(unlimited=True))
        environment = replace(QUICK, wall=wall, sleep=sleep, random=lambda: 0.5)
        return await start_realtime(
            replace(chosen, **options), self.credentials, observer=self.told, environment=environment
        )

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.url, self.emulator.options.username, TOKEN)

    def stored(self) -> list[StoredEvent]:
        """All events of the inbox."""
        reader = InboxReader(inbox_path(self.state))
        try:
            return reader.after(0)
        finally:
            reader.close()

    def ids(self) -> list[str]:
        return [found.dedupe_id for found in self.stored()]


@pytest.fixture
async def following(tmp_path: Path) -> AsyncIterator[Following]:
    async with Emulator(token=TOKEN, rate=None) as emulator:
        yield Following(emulator, tmp_path / "state", Told())


async def test_events_come_in_the_order_of_the_feed(following: Following) -> None:
    ids = following.add("TASK/CREATED", "TASK/CLOSED", "CUSTOMER_PROFILE/UPDATED")

    report = await following.follow()

    assert following.ids() == ids
    assert (report.events["feed"], report.requests) == (3, {"getOrganization": 1, "listEvents": 1})


async def test_what_is_read_again_is_stored_once(following: Following) -> None:
    ids = following.add("TASK/CREATED")

    def more(_: int) -> None:
        ids.extend(following.add("TASK/CLOSED"))

    report = await following.follow(4, between=more)

    assert following.ids() == ids[:4]
    assert report.events == {"feed": 4, "seen_twice": 6}


async def test_only_the_entities_that_are_wanted_are_requested(following: Following) -> None:
    following.add("TASK/CREATED", "CUSTOMER_PROFILE/UPDATED")

    await following.follow(entities=("TASK",))
    assert [found.type for found in following.stored()] == ["TASK/CREATED"]

    await following.follow()
    assert [found.type for found in following.stored()] == ["TASK/CREATED", "CUSTOMER_PROFILE/UPDATED"]


async def test_a_later_start_goes_on_where_the_first_ended(following: Following) -> None:
    """The second requests from a minute before the end of the first, not a day."""
    ids = following.add("TASK/CREATED")
    await following.follow()
    ids += following.add("TASK/CLOSED")
    await following.follow()

    assert following.ids() == ids
    # A day back there would be more.
    assert following.emulator.requests.by_operation["listEvents"] == 2


async def test_a_pause_of_more_than_a_day_is_told_and_kept(following: Following) -> None:
    now = dt.datetime.now(dt.UTC)
    with Inbox(following.state, following.credentials.host) as inbox:
        await inbox.put(
            [],
            facts={
                "covered_from": (now - 90 * HOUR).isoformat(),
                "covered_until": (now - 60 * HOUR).isoformat(),
                "covered_entities": ",".join(RealtimeOptions().entities),
            },
        )
    report = await following.follow(2)

    ((begins, ends),) = report.gaps
    assert begins == (now - 60 * HOUR).isoformat()
    assert dt.timedelta(0) <= dt.datetime.fromisoformat(ends) - (now - 24 * HOUR) < dt.timedelta(minutes=3)
    assert len([line for line in following.told.lines if "are lost" in line]) == 1


@pytest.mark.parametrize("off", [-HOUR, HOUR, -30 * HOUR, 30 * HOUR])
async def test_a_wrong_clock_of_ours_loses_nothing(following: Following, off: dt.timedelta) -> None:
    ids = following.add("TASK/CREATED")

    def more(_: int) -> None:
        ids.extend(following.add("TASK/CLOSED"))

    await following.follow(3, between=more, wall=lambda: dt.datetime.now(dt.UTC) + off)
    await following.follow(1)

    assert following.ids() == ids
    assert any("this machine's clock is" in line for line in following.told.lines)


PAGE = Fault(reply=Reply(200, b"<html>a gateway</html>", content_type="text/html"))


@pytest.mark.parametrize(
    "fault", [PAGE, half_body(), reset(), status(200), status(503), Fault(coding="gzip_cut")], ids=repr
)
async def test_a_reply_that_is_no_feed_covers_nothing(following: Following, fault: Fault) -> None:
    """The next request still begins where the last whole reply ended, and brings all."""
    ids = following.add("TASK/CREATED", "TASK/CLOSED")
    following.emulator.faults.script("listEvents", [fault] * 7)

    await following.follow(4)

    assert following.ids() == ids
    assert not [found for found in following.stored() if found.why]


async def test_a_line_that_is_no_event_is_kept_among_events(following: Following) -> None:
    ids = following.add("TASK/CREATED")
    (good,) = following.emulator.store.event_log
    body = b"".join(line + b"\n" for line in (orjson.dumps(good.shown()), b'{"type": "TASK/CREATED"}', b"nonsense"))
    following.emulator.faults.script(
        "listEvents", [Fault(reply=Reply(200, body, content_type="application/x-jsonlines"))] * 2
    )

    report = await following.follow(2)

    assert [found.body for found in following.stored() if found.why] == [b'{"type": "TASK/CREATED"}', b"nonsense"]
    assert [found.dedupe_id for found in following.stored() if not found.why] == ids
    assert report.events == {"feed": 3, "strange": 2, "seen_twice": 3}


async def test_wrong_credentials_end_it(following: Following) -> None:
    wrong = Credentials(following.emulator.url, "someone@example.org", "wrong")
    report = await start_realtime(RealtimeOptions(state_dir=following.state), wrong, environment=QUICK)

    assert report.exit_code == 4
    assert "credentials" in (report.reason or "")


async def test_an_entity_that_gladly_does_not_know_is_left_out(following: Following) -> None:
    ids = following.add("TASK/CREATED")
    refusal = refuse(400, problem("invalid", "entities cannot be CUSTOMER_PROFILE", attr="entities")).reply
    following.emulator.faults.script("listEvents", [Fault(reply=refusal)])

    await following.follow(2)

    assert following.ids() == ids
    assert "events: Gladly refuses CUSTOMER_PROFILE; the other entities are read without them" in following.told.lines


async def test_completed_export_jobs_are_events_where_there_is_a_data_set(following: Following) -> None:
    """Once, and not those of earlier days."""
    emulator = following.emulator
    now = dt.datetime.now(dt.UTC)
    new = emulator.exports.add_job({"agents.jsonl": b""}, updated_at=now)
    emulator.exports.add_job({"agents.jsonl": b""}, updated_at=now - 30 * HOUR)

    with Inbox(following.state, following.credentials.host) as inbox:
        async with Connection(following.credentials, Pace(unlimited=True), Limits(), QUICK).client as client:
            clock = ServerClock(QUICK.wall, QUICK.clock)
            feed = EventFeed(client, inbox, EVENT_ENTITIES, clock)
            loop = FillLoop(
                client,
                inbox,
                feed,
                clock,
                every_s=1,
                with_jobs=True,
                sleep=QUICK.sleep,
                monotonic=QUICK.clock,
                note=following.told.note,
            )
            await loop.fill_jobs()
            await loop.fill_jobs()

    assert following.ids() == [f"EXPORT_JOB/COMPLETED:{new}"]
