"""The inbox: each event once, on the disk before it is confirmed, and kept until all have used it."""

import contextlib
import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import orjson
import pytest

from bulkgladly.errors import BulkgladlyError, JournalDamaged, JournalError, UsageError
from bulkgladly.inbox.arrivals import Receipt, Via, arrival_of
from bulkgladly.inbox.event_inbox import DEDUPE_FOR, Inbox, drop_events
from bulkgladly.inbox.stored_events import InboxReader, inbox_path

HOST = "https://sample.example.org"
NOW = dt.datetime.now(dt.UTC)


def event(number: int, **more: object) -> bytes:
    """An invented event, the same for the same number."""
    found = {"id": f"event-{number}", "type": "TASK/CREATED", "timestamp": "2026-05-01T10:00:00.123Z"}
    return orjson.dumps({**found, "content": {"taskId": f"task-{number}"}, **more})


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path, HOST) as found:
        yield found


async def put(inbox: Inbox, *bodies: bytes, via: Via = Via.WEBHOOK) -> Receipt:
    return await inbox.put([arrival_of(body, via, NOW) for body in bodies])


async def test_what_is_put_is_read_again_as_it_came(inbox: Inbox) -> None:
    body = event(1, strange={"as": "it came"}) + b" "

    assert await put(inbox, body) == Receipt(1, 0, 0)
    (found,) = inbox.reader.after(0)
    assert (found.body, found.type, found.via, found.why) == (body, "TASK/CREATED", "webhook", "")
    assert found.time == dt.datetime(2026, 5, 1, 10, 0, 0, 123_000, tzinfo=dt.UTC)
    assert inbox.last_seq == found.seq == 1


async def test_a_second_arrival_is_counted_and_not_stored(inbox: Inbox) -> None:
    await put(inbox, event(1), event(2))

    assert await put(inbox, event(2), event(3), event(3), via=Via.FEED) == Receipt(1, 2, 0)
    assert [found.dedupe_id for found in inbox.reader.after(0)] == ["event-1", "event-2", "event-3"]
    assert inbox.reader.counters() == {"feed": 1, "seen_twice": 2, "webhook": 2}


async def test_bytes_that_are_no_event_are_kept_once(inbox: Inbox) -> None:
    odd = b'\xff\n\0 not JSON {"'

    assert await put(inbox, odd, odd, b"[]") == Receipt(2, 1, 2)
    assert [(found.body, found.type) for found in inbox.reader.after(0)] == [(odd, ""), (b"[]", "")]
    assert all(found.why for found in inbox.reader.after(0))
    assert inbox.reader.counters()["strange"] == 2


async def test_facts_and_gaps_are_in_the_same_step(inbox: Inbox) -> None:
    gap = (NOW - 2 * DEDUPE_FOR, NOW - DEDUPE_FOR)

    await inbox.put([arrival_of(event(1), Via.FEED, NOW)], facts={"covered_until": "now"}, gap=gap)
    await inbox.put([], gap=gap)

    assert inbox.reader.fact("covered_until") == "now"
    assert inbox.reader.gaps() == inbox.reader.gaps(landed=False) == [gap]
    await inbox.land_gaps([gap])
    assert inbox.reader.gaps(landed=False) == []


async def test_a_reader_waits_for_what_comes(inbox: Inbox) -> None:
    found: list[int] = []

    async def read() -> None:
        await inbox.wait_beyond(0)
        found.append(inbox.last_seq)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert not found
        await put(inbox, event(1))
    assert found == [1]
    await inbox.wait_beyond(0)  # there is something already


async def test_cursors_only_move_on(inbox: Inbox) -> None:
    assert await inbox.begin_cursor("sink", 3) == 3
    assert await inbox.begin_cursor("sink", 9) == 3
    await inbox.move_cursor("sink", 7)
    await inbox.move_cursor("sink", 5)

    assert inbox.reader.cursors() == {"sink": 7}
    await inbox.drop_cursor("sink")
    assert inbox.reader.cursors() == {}


async def test_only_what_all_have_used_is_dropped_and_its_id_is_known(inbox: Inbox) -> None:
    await put(inbox, *(event(number) for number in range(1, 6)))
    await inbox.begin_cursor("lake", 4)
    await inbox.begin_cursor("sink", 2)
    later = NOW + dt.timedelta(seconds=1)

    assert await inbox.drop(later, done_by=["lake", "sink"]) == 2
    assert [found.seq for found in inbox.reader.after(0)] == [3, 4, 5]
    assert await put(inbox, event(1)) == Receipt(0, 1, 0)
    assert await inbox.drop(NOW - DEDUPE_FOR, done_by=["lake"]) == 0


async def test_who_reads_on_does_not_wait_for_what_was_dropped(inbox: Inbox) -> None:
    await put(inbox, *(event(number) for number in range(1, 6)))
    await inbox.begin_cursor("lake", 5)
    await inbox.drop(NOW + dt.timedelta(seconds=1), done_by=["lake"])
    assert inbox.reader.read_on(2) == ([], 5)

    await put(inbox, event(6), event(7))
    some, end = inbox.reader.read_on(2, limit=1)
    assert ([found.seq for found in some], end) == ([6], 6)
    assert inbox.reader.read_on(7) == ([], 7)


async def test_ids_are_forgotten_when_no_copy_can_come(tmp_path: Path) -> None:
    old = NOW - 2 * DEDUPE_FOR
    with Inbox(tmp_path, HOST) as inbox:
        await inbox.put([arrival_of(event(1), Via.FEED, old)])
        await inbox.begin_cursor("lake", 1)

        assert await inbox.drop(NOW, done_by=["lake"]) == 1
        assert await inbox.put([arrival_of(event(1), Via.FEED, NOW)]) == Receipt(1, 0, 0)
        assert inbox.last_seq == 2  # a number is never used again


async def test_everything_is_there_after_the_next_start(tmp_path: Path) -> None:
    with Inbox(tmp_path, HOST) as inbox:
        await put(inbox, event(1))
    with Inbox(tmp_path, HOST) as inbox:
        assert (inbox.last_seq, await put(inbox, event(1))) == (1, Receipt(0, 1, 0))


async def test_two_processes_do_not_receive_into_one_inbox(tmp_path: Path, inbox: Inbox) -> None:
    with pytest.raises(UsageError, match=f"process {os.getpid()} already receives"):
        Inbox(tmp_path, HOST)


async def test_an_inbox_belongs_to_one_organisation(tmp_path: Path) -> None:
    with Inbox(tmp_path, HOST) as inbox:
        await inbox.keep(covered_from="2026-05-01T10:00:00+00:00")

    with pytest.raises(UsageError, match="holds events of https://sample"):
        Inbox(tmp_path, "https://other.example.org")
    Inbox(tmp_path, HOST).close()  # and is not locked by the failed try


async def test_a_mistyped_host_does_not_keep_the_inbox(tmp_path: Path) -> None:
    """As long as nothing has come from a host, the inbox takes another one; then it is settled."""
    Inbox(tmp_path, "https://smaple.example.org").close()
    with Inbox(tmp_path, HOST) as inbox:
        await put(inbox, event(1))

    with pytest.raises(UsageError, match="holds events of https://sample"):
        Inbox(tmp_path, "https://smaple.example.org")


async def test_others_read_while_it_is_written(tmp_path: Path, inbox: Inbox) -> None:
    await put(inbox, event(1))
    with contextlib.closing(InboxReader(inbox_path(tmp_path))) as reader:
        await put(inbox, event(2))
        assert [found.seq for found in reader.after(0)] == [1, 2]
        assert reader.size()[0] == 2
        assert reader.waiting(1) == 1


async def test_there_is_nothing_to_read_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nothing has been received"):
        InboxReader(inbox_path(tmp_path))


@pytest.mark.parametrize("content", [b"not a database at all, but some text" * 200])
async def test_a_file_that_is_no_inbox_is_left_alone(tmp_path: Path, content: bytes) -> None:
    inbox_path(tmp_path).write_bytes(content)

    with pytest.raises(JournalDamaged):
        Inbox(tmp_path, HOST)
    assert inbox_path(tmp_path).read_bytes() == content


async def test_a_newer_inbox_is_refused(tmp_path: Path) -> None:
    Inbox(tmp_path, HOST).close()
    with contextlib.closing(sqlite3.connect(inbox_path(tmp_path))) as connection:
        connection.execute("PRAGMA user_version=99")

    with pytest.raises(JournalDamaged, match="newer version"):
        Inbox(tmp_path, HOST)


async def test_a_locked_file_is_an_error_and_nothing_is_half_stored(tmp_path: Path) -> None:
    """The put fails after its wait, and the next one works."""
    with (
        Inbox(tmp_path, HOST, wait_s=0.05) as inbox,
        contextlib.closing(sqlite3.connect(inbox_path(tmp_path), isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BulkgladlyError, match="locked by another process"):
            await put(inbox, event(1))
        other.execute("ROLLBACK")

        assert await put(inbox, event(1)) == Receipt(1, 0, 0)


async def test_drop_works_in_another_process_too(tmp_path: Path, inbox: Inbox) -> None:
    await put(inbox, event(1), event(2))
    await inbox.begin_cursor("lake", 1)
    with contextlib.closing(sqlite3.connect(inbox_path(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert drop_events(other, NOW + dt.timedelta(seconds=1), done_by=["lake"]) == 1
        other.execute("COMMIT")

    assert [found.seq for found in inbox.reader.after(0)] == [2]


RECEIVER = """
import asyncio, datetime as dt, sys
from pathlib import Path
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox

async def receive():
    with Inbox(Path(sys.argv[1]), "https://sample.example.org") as inbox:
        for line in sys.stdin.buffer:
            receipt = await inbox.put([arrival_of(line.strip(), Via.WEBHOOK, dt.datetime.now(dt.UTC))])
            print(receipt.new, flush=True)

asyncio.run(receive())
"""


def test_what_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    """A process is killed after each confirmation, and the next one finds it."""
    for number in range(3):
        receiver = subprocess.Popen(
            [sys.executable, "-c", RECEIVER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert receiver.stdin is not None
        assert receiver.stdout is not None
        try:
            for known in range(number + 1):
                receiver.stdin.write(event(known) + b"\n")
                receiver.stdin.flush()
                assert receiver.stdout.readline() == (b"1\n" if known == number else b"0\n")
        finally:
            receiver.send_signal(signal.SIGKILL)
            receiver.wait()
            receiver.stdin.close()
            receiver.stdout.close()
    with contextlib.closing(InboxReader(inbox_path(tmp_path))) as reader:
        assert [found.dedupe_id for found in reader.after(0)] == ["event-0", "event-1", "event-2"]
