"""A follower without its feed: an inbox that a test fills, and landings from it."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.inbox.arrivals import Receipt, Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from bulkgladly.realtime.landing import Landing, LandingTimes
from bulkgladly.realtime.one_landing import Landed
from tests.flows.exporting import Wall

HOST = "https://sample.us-1.gladly.example.org"
AT_ONCE = LandingTimes(every_s=0.01, in_use_s=0.01, trouble_s=0.01)


def body_of(event: Event) -> bytes:
    """An event of the emulator, as the feed sends it."""
    return orjson.dumps(event.shown())


def sample(number: int, time: dt.datetime, kind: str = "TASK/CREATED", **more: Any) -> bytes:
    """An invented event, the same for the same number."""
    return orjson.dumps(
        {
            "id": f"event-{number:04}",
            "type": kind,
            "timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "initiator": {"id": "agent-1", "type": "AGENT"},
            "content": {"customerId": "c", "taskId": f"t-{number}", "context": {"createdAt": "2026-03-01T00:00:00Z"}},
            **more,
        }
    )


@dataclass
class Following:
    """One follower: its inbox is open as long as the block lasts."""

    state: Path
    out: Path
    wall: Wall
    host: str = HOST
    entities: tuple[str, ...] = EVENT_ENTITIES
    times: LandingTimes = AT_ONCE
    notes: list[str] = field(default_factory=list[str])

    def __enter__(self) -> Self:
        self.inbox = Inbox(self.state, self.host)
        self.landing = Landing(
            self.inbox,
            self.out,
            self.host,
            self.entities,
            note=self.notes.append,
            times=self.times,
            clock=lambda: self.wall.now,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.inbox.close()

    async def put(
        self, *bodies: bytes, via: Via = Via.FEED, covered: tuple[dt.datetime, dt.datetime] | None = None
    ) -> Receipt:
        """Receive bodies, and with them what the feed covers."""
        facts = (
            {} if covered is None else dict(zip(("covered_from", "covered_until"), map(_text, covered), strict=True))
        )
        arrivals = [arrival_of(body, via, self.wall.now) for body in bodies]
        return await self.inbox.put(arrivals, facts=facts)

    async def land(self) -> Landed:
        """Land, and check what must hold after every landing."""
        landed = await self.landing.land()
        self.check()
        return landed

    def check(self) -> None:
        """The data set is sound, and each event is there once."""
        findings = verify(self.folder(), deep=True).findings
        assert not [one for one in findings if one.kind != "gap"]

    def folder(self) -> DataFolder:
        return DataFolder.open(self.out)

    def cursor(self) -> int:
        return self.inbox.reader.cursors().get("data set", 0)


def _text(time: dt.datetime) -> str:
    return time.isoformat()


def samples(numbers: Iterable[int], time: dt.datetime, **more: Any) -> Sequence[bytes]:
    """Invented events of one moment."""
    return [sample(number, time, **more) for number in numbers]


async def until(condition: Callable[[], object], *, limit_s: float = 20) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is in a file, which wakes nobody
            await asyncio.sleep(0.005)
