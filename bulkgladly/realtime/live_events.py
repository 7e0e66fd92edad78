"""Live state from the inbox: what it has of the last 24 hours, and what comes."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.objects.events import EVENTS_WINDOW
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import InboxReader, StoredEvent
from bulkgladly.live.live_feed import LiveFeed
from bulkgladly.live.live_state import LiveState
from bulkgladly.messages import Request
from bulkgladly.times import time_of

__all__ = ("LiveLoop", "events_beside", "events_within", "names_from", "recent")

_AT_ONCE = 500
_LOOK_S = 1.0
_NAMED = (Request("getAgents", "GET", "/api/v1/agents"), Request("getInboxes", "GET", "/api/v1/inboxes"))


def recent(reader: InboxReader, now: dt.datetime) -> list[StoredEvent]:
    """Return the events of the last 24 hours."""
    return [found for found in reader.since(now - EVENTS_WINDOW) if not found.why]


async def events_within(inbox: Inbox, now: dt.datetime, *, follow: bool) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the events of the last 24 hours, and with `follow` those that come, until it is cancelled."""
    seq = 0
    for found in await anyio.to_thread.run_sync(recent, inbox.reader, now):
        seq = max(seq, found.seq)
        yield found.parsed()
    while follow:
        await inbox.wait_beyond(seq)
        some = await anyio.to_thread.run_sync(inbox.reader.after, seq, _AT_ONCE)
        seq = max(inbox.last_seq if not some else some[-1].seq, seq)
        for found in some:
            if not found.why:
                yield found.parsed()


async def events_beside(
    reader: InboxReader, now: dt.datetime, *, follow: bool, is_over: Callable[[], bool] = lambda: False
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the same from an inbox into which another process receives, until that is over."""
    seq = 0
    for found in await anyio.to_thread.run_sync(recent, reader, now):
        seq = max(seq, found.seq)
        yield found.parsed()
    while follow:
        some = await anyio.to_thread.run_sync(reader.after, seq, _AT_ONCE)
        if not some:
            if await anyio.to_thread.run_sync(is_over):
                return
            await anyio.sleep(_LOOK_S)
        for found in some:
            seq = found.seq
            if not found.why:
                yield found.parsed()


async def names_from(client: Client) -> dict[str, str]:
    """Return the names of agents and inboxes by their ids; events have only ids. None of them is needed."""
    names: dict[str, str] = {}
    for request in _NAMED:
        try:
            reply = await client.send(request)
        except BulkgladlyError:
            continue
        for found in reply.objects:
            name = found.get("name")
            if isinstance(found.get("id"), str) and isinstance(name, str):
                names[found["id"]] = name
    return names


class LiveLoop:
    """Keeps a live state up to date, and tells those who look at it."""

    def __init__(self, inbox: Inbox, client: Client, *, wall: Callable[[], dt.datetime]) -> None:
        self._inbox, self._client, self._wall = inbox, client, wall
        self._names: dict[str, str] = {}
        self._state = LiveState(names=self._names)
        self.feed = LiveFeed(self._state, now=wall)

    async def run(self) -> None:
        """Fold what comes, until it is cancelled."""
        known = await anyio.to_thread.run_sync(partial(self._inbox.reader.fact, "covered_from"))
        if known is not None and (since := time_of(known)) is not None:
            self._state.known_since = max(since, self._wall() - EVENTS_WINDOW)
        self._names.update(await names_from(self._client))
        count = 0
        async for event in events_within(self._inbox, self._wall(), follow=True):
            if self._state.apply(event, received_at=self._wall()):
                self.feed.changed()
            count += 1
            if count % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
