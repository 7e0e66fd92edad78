"""`live` beside others: a process that receives and ends, a second `live`, an inbox of another organisation."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import anyio
import orjson

from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.live.live_state import LiveState
from bulkgladly.realtime.live_source import LiveSource
from tests.flows.followed import Followed
from tests.flows.quickly import QUICK


def source_of(world: Followed) -> LiveSource:
    return LiveSource(world.credentials, world.state, note=world.told.note, environment=QUICK)


async def put_one(world: Followed, inbox: Inbox) -> str:
    """Store one event that happens now, as another process would."""
    (made,) = world.add("TASK/CREATED")
    found = next(one for one in world.emulator.store.event_log if one.id == made)
    await inbox.put([arrival_of(orjson.dumps(found.shown()), Via.FEED, QUICK.wall())])
    return made


async def ids(events: AsyncIterator[Any]) -> list[str]:
    return [event["id"] async for event in events]


async def test_a_second_live_reads_what_the_first_receives(followed: Followed) -> None:
    """Two terminals, or a script beside a terminal: one feed is enough, and neither is refused."""
    with Inbox(followed.state / "live", followed.credentials.host) as inbox:
        made = await put_one(followed, inbox)
        assert await ids(source_of(followed).events(follow=False)) == [made]

    assert followed.emulator.requests.count("listEvents") == 0


async def test_when_the_receiving_process_ends_live_goes_on_by_itself(followed: Followed) -> None:
    """A table that is not refreshed any more would show contacts as waiting for ever."""
    with anyio.fail_after(10):
        inbox = Inbox(followed.state, followed.credentials.host)
        first = await put_one(followed, inbox)
        async with aclosing(cast("Any", source_of(followed).events(follow=True))) as events:
            assert (await anext(events))["id"] == first
            inbox.close()
            (second,) = followed.add("TASK/CLOSED")
            assert [(await anext(events))["id"] for _ in range(2)] == [first, second]

    assert followed.told.lines == [f"no process receives into {followed.state} any more; looking for events again"]


async def test_an_inbox_of_another_organisation_is_not_shown(followed: Followed) -> None:
    with Inbox(followed.state, "https://other.example.org") as inbox:
        await put_one(followed, inbox)
        (made,) = followed.add("TASK/CLOSED")
        assert made in await ids(source_of(followed).events(follow=False))

    assert followed.emulator.requests.count("listEvents") == 1


async def test_it_says_from_when_events_are_lost(followed: Followed) -> None:
    """Else an agent who logged out meanwhile is shown as available, and nobody knows why."""
    ends = QUICK.wall()
    gap = (ends - dt.timedelta(hours=3), ends - dt.timedelta(hours=1))
    with Inbox(followed.state, followed.credentials.host) as inbox:
        await inbox.put([], gap=gap)
        source = source_of(followed)
        assert await ids(source.events(follow=False)) == []

    assert LiveState(gaps=source.gaps).snapshot(ends).gaps == (gap,)
