"""Where `live` has its events from: the inbox of the process that receives, or Gladly's feed."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import orjson

from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.realtime.live_source import LiveSource
from bulkgladly.times import to_milliseconds
from tests.flows.followed import Followed
from tests.flows.quickly import QUICK


def source_of(followed: Followed, between: Callable[[], object] = lambda: None) -> LiveSource:
    """The source of one organisation; `between` is called whenever it waits for more events."""

    async def sleep(seconds: float) -> None:
        if seconds >= 1.0:  # the client sleeps for less, to keep its pace
            between()
        await asyncio.sleep(0)

    environment = replace(QUICK, sleep=sleep)
    return LiveSource(followed.credentials, followed.state, note=followed.told.note, environment=environment)


async def some(source: LiveSource, number: int) -> list[str]:
    """The ids of the first events that a source yields while it goes on."""
    found: list[str] = []
    async with asyncio.timeout(20):
        async for event in source.events(follow=True):
            found.append(event["id"])
            if len(found) == number:
                break
    return found


async def put(inbox: Inbox, event_id: str, *, hours_ago: float = 0.0) -> None:
    at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours_ago)
    body = {"id": event_id, "type": "TASK/CREATED", "timestamp": to_milliseconds(at), "content": {"taskId": event_id}}
    await inbox.put([arrival_of(orjson.dumps(body), Via.WEBHOOK, at)])


async def test_without_a_receiver_the_feed_is_read_again_and_again(followed: Followed) -> None:
    ids = followed.add("TASK/CREATED", "TASK/CLOSED")

    assert [event["id"] async for event in source_of(followed).events(follow=False)] == ids
    found = await some(source_of(followed, lambda: ids.extend(followed.add("TASK/REOPENED"))), 4)

    assert list(dict.fromkeys(found)) == ids[: len(set(found))]
    assert len(set(found)) >= 3


async def test_beside_a_receiver_its_events_are_read_at_no_request_of_the_feed(followed: Followed) -> None:
    """Those of the last day and those that come, and none of the days before, which the inbox may still have."""
    followed.add("TASK/CLOSED")
    with Inbox(followed.state, followed.credentials.host) as inbox:
        await put(inbox, "old", hours_ago=40)
        assert [event async for event in source_of(followed).events(follow=False)] == []
        waiting: list[asyncio.Task[None]] = []

        def arrive() -> None:
            if not waiting:
                waiting.append(asyncio.ensure_future(put(inbox, "new")))

        assert await some(source_of(followed, arrive), 1) == ["new"]
        await waiting[0]
        await put(inbox, "newer")
        assert [event["id"] async for event in source_of(followed).events(follow=False)] == ["new", "newer"]

    assert "listEvents" not in followed.emulator.requests.by_operation
