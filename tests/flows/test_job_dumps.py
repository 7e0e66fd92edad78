"""The event of a completed export job starts a dump of job files into the data set."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from bulkgladly.emulator import status
from bulkgladly.inbox.arrivals import Via
from bulkgladly.lake.folder import DataFolder
from bulkgladly.realtime.job_dumps import CURSOR, DumpTimes, JobDumps
from tests.flows.driving import later
from tests.flows.exporting import Lake, note_line
from tests.flows.landings import Following, sample, until
from tests.flows.quickly import QUICK

TIMES = DumpTimes(settle_s=0.05, in_use_s=0.01, first_retry_s=0.01, longest_retry_s=0.01, tries=2)


@pytest.fixture
async def follower(lake: Lake, tmp_path: Path) -> AsyncIterator[Following]:
    """A follower of the lake's organisation."""
    with Following(tmp_path / "follower", lake.out, lake.wall, host=lake.credentials.host) as follower:
        yield follower


@contextlib.asynccontextmanager
async def dumping(lake: Lake, follower: Following) -> AsyncIterator[None]:
    """The loop, as long as the block lasts."""
    dumps = JobDumps(
        follower.inbox,
        lake.options(),
        lake.credentials,
        note=follower.notes.append,
        times=TIMES,
        environment=QUICK,
    )
    running = asyncio.create_task(dumps.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def completed(lake: Lake, number: int, word: str = "COMPLETED") -> bytes:
    """The event of a job, which the organisation has from now on."""
    if word == "COMPLETED":
        lake.add_job([note_line(number)], job_id=f"job-{number}")
    return sample(number, lake.wall.now, f"EXPORT_JOB/{word}", content={"jobId": f"job-{number}"})


async def done(follower: Following) -> None:
    """Wait until the loop is done with all that has arrived."""
    await until(lambda: follower.inbox.reader.cursors().get(CURSOR) == follower.inbox.last_seq)


async def test_jobs_that_are_completed_together_are_one_run(lake: Lake, follower: Following) -> None:
    """Their rows are in the data set, and nothing but the job files was requested."""
    bodies = [completed(lake, number) for number in range(3)]
    async with dumping(lake, follower):
        await follower.put(*bodies, via=Via.WEBHOOK)
        await done(follower)

    assert lake.ids() == [f"item-{number:06}" for number in range(3)]
    assert lake.asked() == {"findJobs": 1, "getFile": 3}
    assert follower.notes == []


async def test_other_events_start_nothing(lake: Lake, follower: Following) -> None:
    async with dumping(lake, follower):
        await follower.put(sample(1, lake.wall.now), completed(lake, 2, "FAILED"), b"oops")
        await done(follower)

    assert lake.asked() == {}
    assert not lake.out.exists()


async def test_a_job_that_was_completed_while_nothing_ran_is_dumped_at_the_start(
    lake: Lake, follower: Following
) -> None:
    """The loop goes on where it was, whatever arrived in between; what it has dumped is not requested again."""
    await follower.put(completed(lake, 1))
    async with dumping(lake, follower):
        await done(follower)
    await follower.put(completed(lake, 2))
    later(lake, minutes=5)
    lake.forget()

    async with dumping(lake, follower):
        await done(follower)

    assert lake.asked() == {"findJobs": 1, "getFile": 1}
    assert len(lake.ids()) == 2


async def test_it_waits_for_another_writer_and_says_nothing(lake: Lake, follower: Following) -> None:
    async with dumping(lake, follower):
        with DataFolder.open(lake.out, host=follower.host, create=True).lock():
            await follower.put(completed(lake, 1))
            await asyncio.sleep(0.2)
            assert lake.asked() == {}
        await done(follower)

    assert len(lake.ids()) == 1
    assert follower.notes == []


@pytest.mark.parametrize("operation", ["findJobs", "getFile"])
async def test_a_dump_that_failed_is_tried_again(lake: Lake, follower: Following, operation: str) -> None:
    """Whether the run ended early or a file could not be had."""
    lake.emulator.faults.script(operation, [status(403) if operation == "findJobs" else status(400)])
    async with dumping(lake, follower):
        await follower.put(completed(lake, 1))
        await done(follower)

    assert len(lake.ids()) == 1
    assert len(follower.notes) == 1
    assert "1 completed export job could not be fetched" in follower.notes[0]
    assert "trying again" in follower.notes[0]


async def test_a_dump_that_always_fails_is_given_up_and_the_next_job_is_tried(lake: Lake, follower: Following) -> None:
    """The next dump has the rest, which needs no event."""
    lake.emulator.faults.script("findJobs", [status(403)] * TIMES.tries)
    async with dumping(lake, follower):
        await follower.put(completed(lake, 1), completed(lake, 2))
        await done(follower)
        assert lake.ids() == []
        await follower.put(completed(lake, 3))
        await done(follower)

    assert "the next dump fetches what is missing" in follower.notes[-1]
    assert len(lake.ids()) == 3


async def test_a_run_that_was_cut_off_is_begun_again(lake: Lake, follower: Following) -> None:
    """The cursor moves when the rows are in the data set."""
    await follower.put(completed(lake, 1))
    async with dumping(lake, follower):
        await until(lake.asked)
    async with dumping(lake, follower):
        await done(follower)

    assert len(lake.ids()) == 1
    assert orjson.loads(orjson.dumps(follower.inbox.reader.cursors())) == {CURSOR: 1}
