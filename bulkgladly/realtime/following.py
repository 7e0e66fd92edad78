"""`follow` for Python: events one after the other, each until it was used."""

import datetime as dt
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread

from bulkgladly.gladly.event_envelopes import PING, content_of, entities_of, key_of
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENTS_WINDOW
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import StoredEvent
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.retention import Retention
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.settings import Credentials, Limits, Pace

__all__ = ("Following", "GladlyEvent", "follow")

_KEEP_DAYS, _KEEP_BYTES = 7.0, 2 << 30
_TIDY_EVERY_S = 600.0
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_LOG = logging.getLogger("bulkgladly")


@dataclass(frozen=True, slots=True)
class GladlyEvent:
    """One event. `content` has the fields of its type; `raw` are the bytes as they came.

    `time` is when Gladly recorded it (when it arrived, if it has no timestamp), `received_at` when it arrived here.
    """

    id: str
    type: str
    time: dt.datetime
    content: Mapping[str, Any]
    initiator: Mapping[str, Any] | None
    received_at: dt.datetime
    via: str
    raw: bytes

    @property
    def key(self) -> str:
        """What it is about, such as `conversationId:...`: conversation, else task, customer, or agent."""
        return key_of(self.content)

    @property
    def customer_id(self) -> str | None:
        """The customer it is about, if any."""
        return self._text("customerId")

    @property
    def conversation_id(self) -> str | None:
        """The conversation it is about, if any."""
        return self._text("conversationId")

    @property
    def contact_id(self) -> str | None:
        """The contact it is about, if any."""
        return self._text("contactId")

    @property
    def task_id(self) -> str | None:
        """The task it is about, if any."""
        return self._text("taskId")

    @property
    def agent_id(self) -> str | None:
        """The agent it is about, if any."""
        return self._text("agentId")

    def _text(self, name: str) -> str | None:
        value = self.content.get(name)
        return value if isinstance(value, str) else None


def follow(
    credentials: Credentials,
    *,
    types: Sequence[str] = (),
    entities: Sequence[str] = EVENT_ENTITIES,
    since: dt.datetime | None = None,
    reader: str = "python",
    every_s: float = 30.0,
    state_dir: AnyPath = ".bulkgladly",
    pace: Pace | None = None,
    environment: Environment = USUAL,
) -> "Following":
    """Return the events of an organisation as they happen, 15 to 45 seconds late, for `async for`.

        async with follow(Credentials.from_environment()) as events:
            async for event in events:
                print(event.time, event.type, event.customer_id)

    They are stored in the inbox of `state_dir` first. An event counts as used by `reader` when the next one is asked
    for; after an error, a break or a kill the next `follow` with the same reader begins with the first that was not
    used, so that none is missed and a few may come twice (their `id` is the same). A new reader begins at `since`, at
    most 24 hours back. `types` chooses among the events; with it only their entities are requested.

    Raises (when the iteration begins):
        UsageError: Another process receives into this inbox, or it belongs to another organisation.
        NotAuthenticated, NotPermitted, WrongOrganisation, NotTrusted: Gladly refuses.
        DiskFull, JournalError: The inbox cannot be used.
    """
    connection = Connection(credentials, pace or Pace(), Limits(), environment)

    def fill_loop(inbox: Inbox) -> FillLoop:
        return FillLoop(
            connection.client,
            inbox,
            entities_of(types) or tuple(entities),
            since=since,
            every_s=every_s,
            note=_LOG.warning,
            environment=environment,
        )

    return Following(
        connection,
        environment,
        fill_loop,
        types=frozenset(types),
        since=since,
        reader=f"reader {reader}",
        every_s=every_s,
        state_dir=local_path(state_dir),
    )


class Following(AsyncIterator[GladlyEvent]):
    """An iterator over events, made by `follow`. Close it with `async with` or `aclose`."""

    def __init__(
        self,
        connection: Connection,
        environment: Environment,
        fill_loop: Callable[[Inbox], FillLoop],
        *,
        types: frozenset[str],
        since: dt.datetime | None,
        reader: str,
        every_s: float,
        state_dir: Path,
    ) -> None:
        """`fill_loop` makes what reads the feed into an inbox; `types` are those that are yielded, all if empty."""
        self._connection, self._environment, self._fill_loop = connection, environment, fill_loop
        self._since = since
        self._types, self._reader, self._every_s, self._state_dir = types, reader, every_s, state_dir
        self._inbox: Inbox | None = None
        self._fill: FillLoop | None = None
        self._batch: list[StoredEvent] = []
        self._used = self._moved = 0
        self._given = self._since_ms = 0
        self._polled_at: float | None = None
        self._tidied_at: float | None = None

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _open(self) -> tuple[Inbox, FillLoop]:
        if self._inbox is not None and self._fill is not None:
            return self._inbox, self._fill
        inbox = await anyio.to_thread.run_sync(Inbox, self._state_dir, self._connection.host)
        try:
            await self._connection.client.__aenter__()
            fill = self._fill_loop(inbox)
            await fill.greet()
            self._used = self._moved = await inbox.begin_cursor(
                self._reader, since=max(fill.clock.certain() - EVENTS_WINDOW, self._since or _LONG_AGO)
            )
            self._since_ms = inbox.reader.since_ms(self._reader)
            self._inbox, self._fill = inbox, fill
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._connection.client.__aexit__(None, None, None)
                await anyio.to_thread.run_sync(inbox.close)
            raise
        return inbox, fill

    async def aclose(self) -> None:
        """Note what was used, and close the inbox. Calling it twice is allowed."""
        inbox, self._inbox = self._inbox, None
        if inbox is None:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._move(inbox)
            finally:
                await self._connection.client.__aexit__(None, None, None)
                await anyio.to_thread.run_sync(inbox.close)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GladlyEvent:
        inbox, fill = await self._open()
        self._used = max(self._used, self._given)
        while True:
            while self._batch:
                found = self._batch.pop(0)
                self._given = found.seq
                if self._is_wanted(found):
                    return _typed(found)
                self._used = found.seq
            await self._move(inbox)
            self._batch = await anyio.to_thread.run_sync(inbox.reader.after, self._used)
            if not self._batch:
                await self._poll(inbox, fill)

    def _is_wanted(self, found: StoredEvent) -> bool:
        if found.why or found.type == PING or found.time_ms < self._since_ms:
            return False
        return not self._types or found.type in self._types

    async def _poll(self, inbox: Inbox, fill: FillLoop) -> None:
        clock = self._environment.clock
        if self._tidied_at is None or clock() - self._tidied_at > _TIDY_EVERY_S:
            self._tidied_at = clock()
            wall = self._environment.wall
            readers = list(inbox.reader.cursors())
            await Retention(inbox, readers, keep_days=_KEEP_DAYS, keep_bytes=_KEEP_BYTES, wall=wall).tidy()
        if self._polled_at is not None and (left := self._polled_at + self._every_s - clock()) > 0:
            await self._environment.sleep(left)
        self._polled_at = clock()
        await fill.once()

    async def _move(self, inbox: Inbox) -> None:
        if self._used > self._moved:
            await inbox.move_cursor(self._reader, self._used)
            self._moved = self._used


def _typed(found: StoredEvent) -> GladlyEvent:
    body = found.parsed()
    initiator = body.get("initiator")
    return GladlyEvent(
        id=str(body["id"]),
        type=found.type,
        time=found.time,
        content=content_of(body),
        initiator=initiator if isinstance(initiator, dict) else None,
        received_at=dt.datetime.fromtimestamp(found.received_ms / 1000, dt.UTC),
        via=found.via,
        raw=found.body,
    )
