"""Events for `bulkgladly live`: from the process that receives, or from Gladly's feed if there is none."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.inbox.event_inbox import Inbox, inbox_lock
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.live_events import live_events, names_from
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.settings import Credentials, Limits, Pace
from bulkgladly.storage.lock import Lock

__all__ = ("LiveSource",)

_OWN = "live"
"""The folder of its own inbox, so that `follow` or `listen` can start at any time."""
_FEED_EVERY_S = 30.0
_LOOK_S = 1.0
"""How often the inbox of another process is looked at."""


class LiveSource:
    """Yields the events of the last 24 hours, and those that come.

    `names` fills with the names of agents and inboxes, and `gaps` with the times whose events are lost.

    If a process receives into the inbox of `state_dir`, its events are read; else Gladly's feed is,
    twice a minute. When that process ends, it goes on with the feed.
    """

    def __init__(
        self,
        credentials: Credentials,
        state_dir: Path,
        *,
        note: Callable[[str], None],
        environment: Environment = USUAL,
    ) -> None:
        self.names: dict[str, str] = {}
        self.gaps: list[tuple[dt.datetime, dt.datetime]] = []
        self._credentials, self._state_dir, self._note = credentials, state_dir, note
        self._environment = environment

    async def events(self, *, follow: bool) -> AsyncIterator[Mapping[str, Any]]:
        """Yield events; with `follow` without an end.

        Raises:
            Fatal, NotTrusted: Gladly refuses.
            DiskFull, JournalError: The inbox cannot be used.
        """
        connection = Connection(self._credentials, Pace(), Limits(), self._environment)
        async with connection.client:
            while (folder := await anyio.to_thread.run_sync(self._receiving)) is not None:
                self.names.update(await names_from(connection.client))
                more = partial(self._look_again, folder) if follow else None
                with closing(InboxReader(inbox_path(folder))) as reader:
                    async for event in live_events(reader, self._environment.wall(), more, self.gaps):
                        yield event
                if not follow:
                    return
                self._note(f"no process receives into {folder} any more; looking for events again")
            async for event in self._from_feed(connection, follow=follow):
                yield event

    async def _look_again(self, folder: Path, _: int) -> bool:
        """Wait a moment, and tell whether events can still come."""
        # Before the wait: what came until the receiver ended is read once more.
        has_ended = await anyio.to_thread.run_sync(self._has_ended, folder)
        await self._environment.sleep(_LOOK_S)
        return not has_ended

    def _receiving(self) -> Path | None:
        """Return the folder of an inbox into which a process receives this organisation's events; None if none does."""
        # Another `live` has an inbox of its own: two of them on one machine need only one feed.
        return next((one for one in (self._state_dir, self._state_dir / _OWN) if self._is_received(one)), None)

    def _is_received(self, folder: Path) -> bool:
        if not inbox_path(folder).exists() or self._has_ended(folder):
            return False
        with closing(InboxReader(inbox_path(folder))) as reader:
            return reader.fact("host") == self._credentials.host

    @staticmethod
    def _has_ended(folder: Path) -> bool:
        return not Lock(inbox_lock(folder)).is_held_by_anybody()

    async def _from_feed(self, connection: Connection, *, follow: bool) -> AsyncIterator[Mapping[str, Any]]:
        environment, client = self._environment, connection.client
        with Inbox(self._state_dir / _OWN, self._credentials.host) as inbox:
            fill = FillLoop(
                client, inbox, EVENT_ENTITIES, every_s=_FEED_EVERY_S, note=self._note, environment=environment
            )
            await fill.greet()
            self.names.update(await names_from(client))
            # What is older than a day is of no use here.
            await inbox.drop(environment.wall() - dt.timedelta(days=1), done_by=())
            await fill.once()

            async def more(_: int) -> None:
                await environment.sleep(_FEED_EVERY_S)
                await fill.once()

            async for event in live_events(inbox.reader, fill.clock.now(), more if follow else None, self.gaps):
                yield event
