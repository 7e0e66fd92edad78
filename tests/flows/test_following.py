"""`follow` in Python: an iterator whose events count as used when the next one is asked for."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Credentials, Following, NotAuthenticated, Pace, UsageError, follow
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import DEDUPE_FOR, Inbox
from bulkgladly.realtime.retention import Retention
from bulkgladly.times import to_milliseconds
from tests.flows.followed import Followed
from tests.flows.quickly import QUICK


def events_of(world: Followed, **more: Any) -> Following:
    return follow(
        world.credentials, state_dir=world.state, every_s=0, pace=Pace(unlimited=True), environment=QUICK, **more
    )


async def take(events: Following, count: int) -> list[str]:
    return [(await anext(events)).id for _ in range(count)]


async def test_events_come_with_their_types(followed: Followed) -> None:
    (made,) = followed.add("TASK/CREATED")
    async with events_of(followed) as events:
        found = await anext(events)

    assert (found.id, found.type, found.via) == (made, "TASK/CREATED", "feed")
    assert (found.task_id, found.customer_id, found.conversation_id) == ("task-1", "customer-1", None)
    assert (found.agent_id, found.contact_id, found.key) == (None, None, "taskId:task-1")
    assert abs(found.time - found.received_at) < dt.timedelta(minutes=1)
    assert found.raw


async def test_an_event_is_used_when_the_next_is_asked_for(followed: Followed) -> None:
    ids = followed.add(*["TASK/CREATED"] * 5)
    async with events_of(followed) as events:
        assert await take(events, 3) == ids[:3]
    async with events_of(followed) as events:
        assert await take(events, 3) == ids[2:]  # the third was not known to be used
    async with events_of(followed, reader="another") as events:
        assert await take(events, 1) == ids[:1]


async def test_a_new_reader_begins_at_since(followed: Followed) -> None:
    """Also if the inbox holds what others have used before."""
    now = dt.datetime.now(dt.UTC)
    old = [
        orjson.dumps({"id": f"old-{age}", "type": "TASK/CREATED", "timestamp": to_milliseconds(now - age)})
        for age in (dt.timedelta(hours=30), dt.timedelta(hours=2))
    ]
    with Inbox(followed.state, followed.credentials.host) as inbox:
        await inbox.put([arrival_of(body, Via.WEBHOOK, now) for body in old])
    ids = followed.add("TASK/CREATED")

    async with events_of(followed, reader="late", since=now - dt.timedelta(hours=1)) as events:
        assert await take(events, 1) == ids
    async with events_of(followed, reader="late") as events:
        assert await take(events, 1) == ids  # what it began with stays
    async with events_of(followed, reader="usual") as events:
        assert await take(events, 2) == ["old-2:00:00", *ids]


async def test_it_waits_for_what_happens_later(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED")

    async def sleep(_: float) -> None:
        ids.extend(followed.add("TASK/CLOSED"))

    events = follow(
        followed.credentials,
        state_dir=followed.state,
        every_s=30,
        pace=Pace(unlimited=True),
        environment=replace(QUICK, sleep=sleep),
    )
    try:
        assert await take(events, 3) == ids[:3]
    finally:
        await events.aclose()


async def test_types_choose_and_only_their_entities_are_requested(followed: Followed) -> None:
    followed.add("TASK/CREATED", "CUSTOMER_PROFILE/UPDATED")
    ids = followed.add("TASK/CLOSED")
    async with events_of(followed, types=["TASK/CLOSED"]) as events:
        assert await take(events, 1) == ids

    assert len(followed.ids()) == 2


async def test_what_cannot_work_is_raised_when_it_begins(followed: Followed) -> None:
    wrong = Credentials(followed.emulator.url, "someone@example.org", "wrong")
    with pytest.raises(NotAuthenticated):
        await anext(follow(wrong, state_dir=followed.state, environment=QUICK))
    with Inbox(followed.state, followed.credentials.host), pytest.raises(UsageError, match="already receives"):
        await anext(events_of(followed))


async def test_used_events_are_dropped_by_age_and_by_room(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    with Inbox(tmp_path, "https://sample.example.org") as inbox:
        for number in range(100):
            body = b'{"id": "event-%d", "type": "TASK/CREATED", "content": {"text": "%s"}}' % (number, b"x" * 2000)
            await inbox.put([arrival_of(body, Via.FEED, now - dt.timedelta(hours=100 - number))])
        await inbox.begin_cursor("lake", 90)

        by_age = Retention(inbox, ["lake"], keep_days=2, keep_bytes=1 << 30, wall=lambda: now)
        assert await by_age.tidy() == 52
        by_room = Retention(inbox, ["lake"], keep_days=99, keep_bytes=1, wall=lambda: now)
        assert await by_room.tidy() == 38
        assert [found.seq for found in inbox.reader.after(0)] == list(range(91, 101))
    assert dt.timedelta(hours=48) == DEDUPE_FOR
