"""Live state from the inbox: what it has of the last 24 hours, and what comes."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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

__all__ = ("LiveLoop", "live_events", "names_from")

_AT_ONCE = 500
_NAMED = (Request("getAgents", "GET", "/api/v1/agents"), Request("getInboxes", "GET", "/api/v1/inboxes"))


async def live_events(
    reader: InboxReader,
    now: dt.datetime,
    more: Callable[[int], Awaitable[bool | None]] | None,
    gaps: list[tuple[dt.datetime, dt.datetime]],
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the events of the last 24 hours of an inbox, and then those that come, some of them twice.

    `more` gets the number up to which all were yielded, and returns when it is worth looking for later ones: False if
    none will come. Pass None if those that are there are enough. `gaps` is kept at the times whose events are lost.
    """
    # Before the events are read: what arrives in between must not be missed.
    seq = await anyio.to_thread.run_sync(reader.last_seq)
    gaps[:] = await anyio.to_thread.run_sync(reader.gaps)
    for found in await anyio.to_thread.run_sync(_recent, reader, now - EVENTS_WINDOW):
        yield found.parsed()
    while more is not None:
        is_over = await more(seq) is False
        gaps[:] = await anyio.to_thread.run_sync(reader.gaps)
        is_read = False
        while not is_read:
            some, seq = await anyio.to_thread.run_sync(reader.read_on, seq, _AT_ONCE)
            is_read = len(some) < _AT_ONCE
            for found in some:
                if not found.why:
                    yield found.parsed()
        if is_over:
            return


def _recent(reader: InboxReader, since: dt.datetime) -> list[StoredEvent]:
    return [found for found in reader.since(since) if not found.why]


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
        self._gaps: list[tuple[dt.datetime, dt.datetime]] = []
        self._state = LiveState(names=self._names, gaps=self._gaps)
        self.feed = LiveFeed(self._state, now=wall)

    async def run(self) -> None:
        """Fold what comes, until it is cancelled."""
        known = await anyio.to_thread.run_sync(partial(self._inbox.reader.fact, "covered_from"))
        if known is not None and (since := time_of(known)) is not None:
            self._state.known_since = max(since, self._wall() - EVENTS_WINDOW)
        self._names.update(await names_from(self._client))
        count = 0
        async for event in live_events(self._inbox.reader, self._wall(), self._inbox.wait_beyond, self._gaps):
            if self._state.apply(event, received_at=self._wall()):
                self.feed.changed()
            count += 1
            if count % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
