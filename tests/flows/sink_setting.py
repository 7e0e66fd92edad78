"""An inbox with invented events, and loops that pass them on."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import anyio
import orjson

from bulkgladly.inbox.arrivals import Arrival, Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.runs.environment import Environment
from bulkgladly.sinks.dead_letters import DeadLetters, dead_letters_path
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sink_loop import SinkLoop
from bulkgladly.sinks.sinks import Fate, Sink, SinkReply

__all__ = (
    "HOST",
    "IMPATIENT",
    "ListSink",
    "arrival",
    "dead_events",
    "event",
    "ids",
    "passing_on",
    "put",
    "soon",
    "until",
)

HOST = "https://example.org"
BEGIN = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)


async def _nap(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.002))


IMPATIENT = Environment(random=lambda: 0.0, sleep=_nap)
"""Waits between attempts are shortened to almost nothing."""


def event(number: int, *, key: str = "", at: int | None = None, event_type: str = "CONVERSATION/CLOSED") -> bytes:
    """An event about the conversation `key`, or about nothing; `at` is its time in seconds after the first."""
    when = BEGIN + dt.timedelta(seconds=number if at is None else at)
    content = {"conversationId": key} if key else {}
    return orjson.dumps({"id": f"e{number}", "type": event_type, "timestamp": when.isoformat(), "content": content})


def arrival(body: bytes, *, age_s: float = 0.0) -> Arrival:
    return arrival_of(body, Via.FEED, dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s))


async def put(inbox: Inbox, bodies: Iterable[bytes], *, age_s: float = 0.0) -> None:
    await inbox.put([arrival(body, age_s=age_s) for body in bodies])


class ListSink(Sink):
    """Keeps what it is given; `judge` may let an event fail, and `slow` holds up a batch."""

    def __init__(
        self,
        judge: Callable[[str], SinkReply] = lambda _: SinkReply(Fate.TAKEN),
        *,
        name: str = "sink list",
        takes_whole: bool = False,
        slow: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        super().__init__(name, name)
        self.takes_whole = takes_whole
        self.events: list[dict[str, Any]] = []
        self.tried: list[list[str]] = []
        self._judge, self._slow = judge, slow

    async def deliver(self, events: Sequence[Outgoing]) -> list[SinkReply]:
        self.tried.append([one.id for one in events])
        if self._slow is not None:
            await self._slow()
        replies: list[SinkReply] = []
        ended: set[str] = set()
        for one in events:
            reply = SinkReply(Fate.UNTRIED) if one.key and one.key in ended else self._judge(one.id)
            replies.append(reply)
            if reply.fate is Fate.FAILED:
                ended.add(one.key)
        if self.takes_whole and (bad := [one for one in replies if one.fate is not Fate.TAKEN]):
            return [bad[0]] * len(events)
        self.events += [
            orjson.loads(one.line) for one, reply in zip(events, replies, strict=True) if reply.fate is Fate.TAKEN
        ]
        return replies


def ids(events: Iterable[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in events]


def dead_events(folder: Path) -> list[dict[str, Any]]:
    path = dead_letters_path(folder)
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


@contextlib.asynccontextmanager
async def passing_on(
    inbox: Inbox,
    *sinks: Sink,
    settle_s: float = 0.0,
    give_up_s: float = 3600.0,
    notes: list[str] | None = None,
    environment: Environment = IMPATIENT,
    **more: Any,
) -> AsyncIterator[list[SinkLoop]]:
    """Loops of sinks that began before anything arrived; they are stopped at the end."""
    dead = DeadLetters(inbox.path.parent)
    loops = [
        SinkLoop(
            inbox,
            sink,
            dead,
            settle_s=settle_s,
            give_up_s=give_up_s,
            note=(notes if notes is not None else []).append,
            environment=environment,
            **more,
        )
        for sink in sinks
    ]
    async with anyio.create_task_group() as group:
        for loop in loops:
            await loop.begin(after=0)
            group.start_soon(loop.run)
        try:
            yield loops
        finally:
            for loop in loops:
                loop.stop(1.0)


async def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.005)


async def soon(inbox: Inbox, name: str, seq: int) -> None:
    """Wait until a cursor has come so far."""
    await until(lambda: inbox.reader.cursors().get(name, -1) >= seq)
