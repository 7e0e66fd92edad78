"""Events on their way from the inbox to sinks: order, failures, and what is remembered."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.sink_progress import failing_events, left_between
from bulkgladly.runs.environment import Environment
from bulkgladly.sinks.dead_letters import DeadLetters, dead_letters_path
from bulkgladly.sinks.sink_loop import SinkLoop
from bulkgladly.sinks.sinks import Fate, SinkEnded, SinkReply
from tests.flows.sink_setting import (
    HOST,
    IMPATIENT,
    ListSink,
    arrival,
    dead_events,
    event,
    ids,
    passing_on,
    put,
    soon,
    until,
)
from tests.soaking import few_or_many

TAKEN = SinkReply(Fate.TAKEN)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path, HOST) as inbox:
        yield inbox


async def test_events_are_passed_on_with_what_is_known_of_them(inbox: Inbox) -> None:
    """As they came, with the way and the time of arrival; what is no event, and a PING, is not passed on."""
    sink = ListSink()
    async with passing_on(inbox, sink):
        await put(inbox, [event(1, key="c1"), b"not JSON", event(2, event_type="PING"), event(3)])
        await soon(inbox, sink.name, 4)

    assert ids(sink.events) == ["e1", "e3"]
    first = sink.events[0]
    assert set(first) == {"id", "type", "timestamp", "content", "_via", "_received_at"}
    assert (first["_via"], first["content"]) == ("feed", {"conversationId": "c1"})


async def test_events_about_one_object_leave_in_the_order_of_their_times(inbox: Inbox) -> None:
    """Within the window; one that comes later is marked."""
    sink = ListSink()
    async with passing_on(inbox, sink, settle_s=0.3):
        await put(inbox, [event(1, key="c", at=30), event(2, key="d", at=9), event(3, key="c", at=10)])
        await soon(inbox, sink.name, 3)
        await put(inbox, [event(4, key="c", at=20), event(5, key="c", at=40)])
        await soon(inbox, sink.name, 5)

    assert [one for one in ids(sink.events) if one != "e2"] == ["e3", "e1", "e4", "e5"]
    assert ids(one for one in sink.events if "_late" in one) == ["e4"]


async def test_what_is_late_is_known_after_a_restart(tmp_path: Path) -> None:
    """Which times have left is on the disk."""
    for number, at in ((1, 30), (2, 20)):
        sink = ListSink()
        with Inbox(tmp_path, HOST) as inbox:
            async with passing_on(inbox, sink):
                await put(inbox, [event(number, key="c", at=at)])
                await soon(inbox, sink.name, number)

    assert [(one["id"], one.get("_late")) for one in sink.events] == [("e2", True)]


async def test_what_left_above_the_cursor_does_not_leave_again(tmp_path: Path) -> None:
    """An event that fails holds the cursor, and not the others; a restart passes on only what has not left."""
    is_well = False

    def judge(event_id: str) -> SinkReply:
        return TAKEN if is_well or event_id != "e2" else SinkReply(Fate.FAILED, "no")

    first, second = ListSink(judge), ListSink(judge)
    with Inbox(tmp_path, HOST) as inbox:
        async with passing_on(inbox, first):
            await put(inbox, [event(number) for number in range(1, 6)])
            await until(lambda: len(first.events) == 4 and bool(left_between(inbox.reader, first.name, 5, 5)))
        assert inbox.reader.cursors()[first.name] == 1
        assert left_between(inbox.reader, first.name, 1, 9) == {3, 4, 5}
    is_well = True
    with Inbox(tmp_path, HOST) as inbox:
        async with passing_on(inbox, second):
            await soon(inbox, second.name, 5)
        assert left_between(inbox.reader, first.name, 1, 9) == set()
        assert failing_events(inbox.reader, first.name) == []

    assert ids(second.events) == ["e2"]


@pytest.mark.parametrize("takes_whole", [True, False])
async def test_one_bad_event_blocks_only_those_of_its_object(inbox: Inbox, tmp_path: Path, takes_whole: bool) -> None:
    """Also for a command, which fails as a whole: the others are passed on, and it is given up in the end."""
    is_over = False

    def judge(event_id: str) -> SinkReply:
        return TAKEN if event_id != "e50" else SinkReply(Fate.FAILED, "exit code 1")

    now = 0.0

    def clock() -> float:
        return now

    sink = ListSink(judge, takes_whole=takes_whole)
    notes: list[str] = []
    environment = Environment(random=lambda: 0.0, sleep=IMPATIENT.sleep, clock=clock)
    async with passing_on(inbox, sink, give_up_s=100.0, notes=notes, environment=environment):
        # e51 is about the object of e50.
        await put(inbox, [event(number, key=f"c{number - (number == 51)}") for number in range(1, 121)])
        await until(lambda: len(sink.events) == 118)
        assert not dead_events(tmp_path)
        while not is_over:
            now += 1.0
            await asyncio.sleep(0.002)
            # Something must arrive, because the clock of this test does not wake anybody.
            await put(inbox, [event(int(1000 + now))])
            is_over = "e51" in ids(sink.events)

    assert sorted(ids(sink.events)[:118]) == sorted(f"e{n}" for n in range(1, 121) if n not in (50, 51))
    (dead,) = dead_events(tmp_path)
    assert (dead["event"]["id"], dead["sink"]) == ("e50", sink.name)
    assert dead["reason"].startswith("exit code 1; tried ")
    assert dead["attempts"] > 3
    assert any("see" in note and "dead.ndjson" in note for note in notes)


async def test_what_a_receiver_refuses_is_put_aside_at_once(inbox: Inbox, tmp_path: Path) -> None:
    """With the reason; the sink goes on."""
    sink = ListSink(lambda event_id: TAKEN if event_id != "e2" else SinkReply(Fate.REFUSED, "HTTP 400"))
    async with passing_on(inbox, sink):
        await put(inbox, [event(number) for number in (1, 2, 3)])
        await soon(inbox, sink.name, 3)

    assert ids(sink.events) == ["e1", "e3"]
    assert [(one["event"]["id"], one["reason"], one["attempts"]) for one in dead_events(tmp_path)] == [
        ("e2", "HTTP 400", 1)
    ]


async def test_nothing_leaves_before_its_dead_letter_is_on_the_disk(inbox: Inbox, tmp_path: Path) -> None:
    """If that cannot be written, the sink waits, says so once, and goes on by itself."""
    dead_letters_path(tmp_path).mkdir()
    sink = ListSink(lambda event_id: TAKEN if event_id != "e1" else SinkReply(Fate.REFUSED, "HTTP 400"))
    notes: list[str] = []
    async with passing_on(inbox, sink, notes=notes):
        await put(inbox, [event(1), event(2)])
        await until(lambda: bool(notes))
        assert inbox.reader.cursors()[sink.name] == 0
        dead_letters_path(tmp_path).rmdir()
        await soon(inbox, sink.name, 2)

    assert "dead.ndjson could not be written" in notes[0]
    assert [one["event"]["id"] for one in dead_events(tmp_path)] == ["e1"]
    assert len([note for note in notes if "could not be written" in note]) == 1


@pytest.mark.parametrize("takes_whole", [True, False])
async def test_a_sink_that_is_down_loses_nothing_and_slows_nobody(inbox: Inbox, takes_whole: bool) -> None:
    """The other sink has all while this one fails; then this one gets all, and each trouble is told once."""
    is_up = False
    down = ListSink(
        lambda _: TAKEN if is_up else SinkReply(Fate.FAILED, "cannot be reached"),
        name="sink down",
        takes_whole=takes_whole,
    )
    well = ListSink(name="sink well")
    notes: list[str] = []
    async with passing_on(inbox, down, well, notes=notes):
        for begin in range(0, 500, 50):
            await put(inbox, [event(number, key=f"c{number % 30}") for number in range(begin, begin + 50)])
        await soon(inbox, well.name, 500)
        await until(lambda: len(down.tried) > 30)
        assert down.events == []
        tried = {each for batch in down.tried for each in batch}
        is_up = True
        await soon(inbox, down.name, 500)

    assert sorted(ids(down.events)) == sorted(ids(well.events)) == sorted(f"e{n}" for n in range(500))
    assert takes_whole or len(tried) <= 200
    assert len([note for note in notes if "cannot be reached" in note]) == 1
    assert len([note for note in notes if "takes events again" in note]) == 1
    for key in range(30):
        of_key = [int(one["id"][1:]) for one in down.events if int(one["id"][1:]) % 30 == key]
        assert of_key == sorted(of_key)


async def test_a_slow_sink_slows_nobody(inbox: Inbox) -> None:
    """The other one has everything while the first batch is under way."""
    gate = asyncio.Event()
    slow, quick = ListSink(name="sink slow", slow=gate.wait), ListSink(name="sink quick")
    async with passing_on(inbox, slow, quick):
        await put(inbox, [event(number) for number in range(300)])
        await soon(inbox, quick.name, 300)
        assert slow.events == []
        gate.set()
        await soon(inbox, slow.name, 300)

    assert len(slow.events) == 300


async def test_a_stop_lets_the_batch_end_or_leaves_the_cursor(tmp_path: Path) -> None:
    """Within the grace it counts; after it the same events are passed on by the next process."""
    gate = asyncio.Event()
    with Inbox(tmp_path, HOST) as inbox:
        sink = ListSink(slow=gate.wait)
        async with passing_on(inbox, sink) as (loop,):
            await put(inbox, [event(1)])
            await until(lambda: len(sink.tried) == 1)
            loop.stop(0.0)
        assert (inbox.reader.cursors()[sink.name], sink.events) == (0, [])

        sink = ListSink(slow=gate.wait)
        async with passing_on(inbox, sink) as (loop,):
            await until(lambda: len(sink.tried) == 1)
            loop.stop(30.0)
            gate.set()
        assert (inbox.reader.cursors()[sink.name], ids(sink.events)) == (1, ["e1"])


async def test_a_sink_that_ends_leaves_the_others(inbox: Inbox) -> None:
    """It is told once, and its cursor stays."""

    def judge(_: str) -> SinkReply:
        raise SinkEnded("the standard output is closed")

    ended, well = ListSink(judge, name="sink -"), ListSink(name="sink well")
    notes: list[str] = []
    async with passing_on(inbox, ended, well, notes=notes) as (loop, _):
        await put(inbox, [event(1), event(2)])
        await soon(inbox, well.name, 2)
        await until(lambda: loop.ended is not None)

    assert inbox.reader.cursors()[ended.name] == 0
    assert notes == ["the standard output is closed; nothing more is passed on to it until the next start"]


async def test_a_new_sink_begins_with_what_arrives_from_now_on(inbox: Inbox) -> None:
    """What is there already is for `inbox replay`."""
    await put(inbox, [event(1)])
    sink = ListSink()
    async with passing_on(inbox, ListSink(name="sink old")) as (old,):
        await soon(inbox, old.sink.name, 1)
        new = SinkLoop(inbox, sink, DeadLetters(inbox.path.parent), settle_s=0.0, give_up_s=1.0, note=print)
        await new.begin()
        await put(inbox, [event(2)])
        running = asyncio.ensure_future(new.run())
        await soon(inbox, sink.name, 2)
        await new.finish()
        await running

    assert ids(sink.events) == ["e2"]


async def test_a_sink_is_told_what_was_dropped_while_it_was_not_in_use(inbox: Inbox, tmp_path: Path) -> None:
    notes: list[str] = []
    used, unused = (
        SinkLoop(inbox, ListSink(name=name), DeadLetters(tmp_path), settle_s=0, give_up_s=1, note=notes.append)
        for name in ("sink used", "sink unused")
    )
    for loop in (used, unused):
        await loop.begin()
    await put(inbox, [event(1)])
    await inbox.move_cursor("sink used", inbox.last_seq)
    await inbox.drop(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1), done_by=["sink used"])

    for loop in (used, unused):
        await loop.begin()

    assert [note.partition(":")[0] for note in notes] == ["sink unused"]


@few_or_many(6_000, 60_000, name="count")
async def test_a_burst_flows(inbox: Inbox, count: int) -> None:
    """Thousands in any order, as from seconds of 1,000 a second: each once, and none of them late."""
    sink = ListSink()
    async with passing_on(inbox, sink, settle_s=0.5):
        for begin in range(0, count, 2_000):
            # Two thousand at a time are out of order: that is what the window is for.
            part = sorted(range(begin, begin + 2_000), key=lambda number: number * 7919 % 2003)
            await inbox.put([arrival(event(number, key=f"c{number % 500}")) for number in part])
        await soon(inbox, sink.name, count)

    assert len({one["id"] for one in sink.events}) == len(sink.events) == count
    assert not any("_late" in one for one in sink.events)
