"""Sinks that fail at random, processes that end at random: each event leaves, and in the order of its object."""

import asyncio
import datetime as dt
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.sink_loop import SinkLoop
from bulkgladly.sinks.sinks import Fate, SinkReply
from tests.flows.sink_setting import HOST, IMPATIENT, ListSink, dead_events, event, put, soon
from tests.soaking import few_or_many

COUNT = 60
LIVES = 4


class Fickle(ListSink):
    """Takes, fails and hesitates by chance; never takes what is bad."""

    def __init__(self, chance: Random, bad: set[str], *, takes_whole: bool) -> None:
        super().__init__(self._chosen, takes_whole=takes_whole, slow=self._hesitate)
        self._chance, self._bad = chance, bad
        self.is_well = False

    def _chosen(self, event_id: str) -> SinkReply:
        if event_id in self._bad and not self.takes_whole:
            return SinkReply(Fate.REFUSED, "HTTP 400")
        is_failing = not self.is_well and self._chance.random() < 0.2
        return SinkReply(Fate.FAILED, "no", self._chance.choice([None, 0.5])) if is_failing else SinkReply(Fate.TAKEN)

    async def _hesitate(self) -> None:
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)


async def live(folder: Path, sink: Fickle, bodies: list[bytes], chance: Random, *, is_last: bool) -> None:
    """One process: it passes on and receives, until it is stopped, or killed at any await."""
    with Inbox(folder, HOST) as inbox:
        loop = SinkLoop(
            inbox,
            sink,
            DeadLetters(folder),
            settle_s=chance.choice([0.0, 0.01]) if not is_last else 0.01,
            give_up_s=3600.0,
            note=lambda _: None,
            environment=IMPATIENT,
        )
        await loop.begin(after=0)
        running = asyncio.ensure_future(loop.run())
        for begin in range(0, len(bodies), 7):
            await put(inbox, bodies[begin : begin + 7])
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
        if is_last:
            await soon(inbox, sink.name, COUNT)
        if is_last or chance.random() < 0.3:
            loop.stop(0.0)
            await running
            return
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def last_copies(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a receiver that keeps the newest copy of each event has, in the order in which it got them."""
    kept: dict[str, dict[str, Any]] = {}
    for one in events:
        kept.pop(one["id"], None)
        kept[one["id"]] = one
    return list(kept.values())


@few_or_many(15, 500)
def test_each_event_leaves_in_order_whatever_happens(examples: int) -> None:
    """Taken or in the dead letters, never neither; what is out of order is marked as late."""

    @settings(max_examples=examples, deadline=None)
    @given(st.integers(0, 2**32), st.booleans())
    def check(seed: int, takes_whole: bool) -> None:
        all_leave_in_order(seed, takes_whole)

    check()


def all_leave_in_order(seed: int, takes_whole: bool) -> None:
    chance = Random(seed)  # noqa: S311 - repeatable
    times = [chance.randrange(1000) for _ in range(COUNT)]
    bodies = [event(n, key=f"c{chance.randrange(6)}", at=at) for n, at in enumerate(times)]
    bad = {f"e{chance.randrange(COUNT)}" for _ in range(3)} if not takes_whole else set()
    sink = Fickle(chance, bad, takes_whole=takes_whole)

    with tempfile.TemporaryDirectory() as name:
        folder, share = Path(name), COUNT // LIVES
        for number in range(LIVES):
            sink.is_well = number == LIVES - 1
            part = bodies[number * share : (number + 1) * share]
            asyncio.run(live(folder, sink, part, chance, is_last=sink.is_well))
        dead = {one["event"]["id"] for one in dead_events(folder)}

    got = last_copies(sink.events)
    assert {one["id"] for one in got} | dead == {f"e{n}" for n in range(COUNT)}
    assert dead == bad
    for key in range(6):
        of_key = [one for one in got if one["content"]["conversationId"] == f"c{key}" and "_late" not in one]
        moments = [dt.datetime.fromisoformat(one["timestamp"]) for one in of_key]
        assert moments == sorted(moments), orjson.dumps(of_key)
