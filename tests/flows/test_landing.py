"""Events land from the inbox in the data set: each once, whole, equal to those of a dump, and with what is covered."""

import asyncio
import base64
import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from bulkgladly.errors import DataSetInUse, UsageError
from bulkgladly.inbox.arrivals import Via
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.realtime.landing import LandingTimes
from tests.flows.exporting import NIGHT, Lake, Wall
from tests.flows.landings import Following, body_of, sample, samples, until
from tests.flows.test_export_events import read
from tests.full_disk import no_space

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
NOW = NIGHT


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Following]:
    """A follower of all entities into an empty folder."""
    with Following(tmp_path / "state", tmp_path / "lake", Wall(NOW)) as follower:
        yield follower


def held(follower: Following) -> Lake:
    """The data set of a follower, for looking at."""
    return Lake(None, follower.wall, follower.out.parent)  # type: ignore[arg-type]


def units(follower: Following) -> dict[str, Manifest]:
    return held(follower).manifests("events")


def spans(follower: Following) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    return coverage_of(one.covered for one in units(follower).values() if one.covered).spans


# --- rows ---


async def test_rows_are_those_of_a_dump(lake: Lake, tmp_path: Path) -> None:
    """The same events by a dump and by a landing are the same rows in the same folders."""
    log = lake.emulator.store.event_log
    for kind in ("TASK/CREATED", "CONTACT/STARTED", "CONVERSATION_ASSIGNEE/UPDATED"):
        log.add(kind, {"customerId": "c", "taskId": "t", "odd": 3, "context": {"assignee": {"inboxId": "i"}}})
    log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": None})
    lake.wall.now += MINUTE
    await read(lake)
    with Following(tmp_path / "state", tmp_path / "other" / "lake", lake.wall) as follower:
        await follower.put(*map(body_of, log))
        landed = await follower.land()

    other = Lake(lake.emulator, lake.wall, tmp_path / "other")

    assert landed.rows == 4
    assert comparable(other.table("events")) == comparable(lake.table("events"))


def comparable(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.drop(["_line", "_fetched_at"]).to_pylist(), key=lambda row: str(row["id"]))


async def test_a_row_says_when_it_arrived(follower: Following) -> None:
    await follower.put(sample(1, NOW - HOUR))
    await follower.land()

    assert held(follower).table("events").column("_fetched_at").to_pylist() == [NOW]


async def test_what_only_webhooks_bring_lands_too(follower: Following) -> None:
    """With columns where there are some, else in `_extra`; a PING is no event of the organisation."""
    time = NOW - HOUR
    content = {"customerId": "c-1", "conversationId": "v-1"}
    await follower.put(
        sample(1, time, "CONVERSATION_STATUS/UPDATED", content=content),
        sample(2, time, "EXPORT_JOB/COMPLETED", content={"jobId": "job-1"}),
        sample(3, time, "PING", content={}),
        via=Via.WEBHOOK,
    )

    landed = await follower.land()

    assert landed.rows == 2
    rows = {row["id"]: row for row in held(follower).table("events").to_pylist()}
    assert rows["event-0001"]["conversationId"] == "v-1"
    assert rows["event-0001"]["_extra"] is None
    assert orjson.loads(rows["event-0002"]["_extra"]) == {"content.jobId": "job-1"}


async def test_lines_within_an_event_are_not_lines(follower: Following) -> None:
    """A body may be printed over several lines, and numbers keep their digits."""
    text = orjson.dumps(orjson.loads(sample(1, NOW - HOUR)), option=orjson.OPT_INDENT_2)
    long = text.replace(b'"content": {', b'"content": {\r\n "odd": 12345678901234567890.123,', 1)
    await follower.put(b"\n " + long + b"\r\n\n", sample(2, NOW - HOUR))

    landed = await follower.land()

    assert (landed.rows, landed.rejected) == (2, 0)
    extra = {row["id"]: row["_extra"] for row in held(follower).table("events").to_pylist()}
    assert "12345678901234567890.123" in extra["event-0001"]
    assert extra["event-0002"] is None


STRANGE = [b"\xff\xfe\x00 not text", b"two\nlines\n", b"nul \x00 byte", b"[]", b'{"id": 7}', b"", b"x" * 70_000]
UNUSABLE = b'{"id":"event-0009","type":"TASK/CREATED","timestamp":"2026-03-20T01:00:00.000Z","id":"event-0009"}'


async def test_bytes_that_are_no_event_are_kept_whole(follower: Following) -> None:
    """Whatever they are, with the reason, and beside the events; also if only the conversion finds out."""
    await follower.put(*STRANGE, UNUSABLE, sample(1, NOW - HOUR), via=Via.WEBHOOK)

    landed = await follower.land()

    assert (landed.rows, landed.rejected) == (1, len(STRANGE) + 1)
    assert sorted(rejected(follower)) == sorted([*STRANGE, UNUSABLE])
    assert all(one["detail"] for one in held(follower).rejects("events"))
    await follower.land()
    assert len(rejected(follower)) == len(STRANGE) + 1


def rejected(follower: Following) -> list[bytes]:
    found = held(follower).rejects("events")
    return [base64.b64decode(one["raw_base64"]) if "raw_base64" in one else one["raw"].encode() for one in found]


async def test_many_events_are_several_units(follower: Following) -> None:
    """Each is small, and together they are all there is; the time is covered once all of them have landed."""
    covered = (NOW - 2 * HOUR, NOW - MINUTE)
    await follower.put(*samples(range(9000), NOW - HOUR), covered=covered)
    await follower.put(*samples(range(9000, 12_000), NOW - HOUR))

    landed = await follower.land()

    assert (landed.rows, landed.units) == (12_000, 2)
    assert len(set(held(follower).ids("events"))) == 12_000
    assert [one.covered for _, one in sorted(units(follower).items())] == [None, covered]


# --- each once ---


async def test_events_of_a_dump_are_left_out(lake: Lake, tmp_path: Path) -> None:
    """A follower that begins after a dump lands what the dump has not fetched."""
    log = lake.emulator.store.event_log
    log.add("TASK/CREATED", {"taskId": "t"})
    lake.wall.now += MINUTE
    await read(lake)
    log.add("TASK/CLOSED", {"taskId": "t"})
    with Following(tmp_path / "state", lake.out, lake.wall, host=lake.credentials.host) as follower:
        await follower.put(*map(body_of, log))
        landed = await follower.land()

    assert (landed.rows, landed.known) == (1, 1)
    assert lake.ids("events") == sorted(event.id for event in log)


async def test_a_cursor_that_did_not_move_repeats_nothing(follower: Following, tmp_path: Path) -> None:
    """Killed after the publishing: the next landing begins where the manifests end, also with rejects, without ids."""
    await follower.put(sample(0, NOW - HOUR), covered=(NOW - 2 * HOUR, NOW - HOUR))
    await follower.land()
    await follower.put(*samples(range(1, 3), NOW - MINUTE), b"oops", covered=(NOW - 2 * HOUR, NOW - MINUTE))
    follower.inbox.close()
    shutil.copytree(follower.state, tmp_path / "before")
    with Following(follower.state, follower.out, follower.wall) as first:
        await first.land()
    shutil.rmtree(follower.state)
    shutil.copytree(tmp_path / "before", follower.state)

    with Following(follower.state, follower.out, follower.wall) as again:
        landed = await again.land()

        assert (landed.rows, landed.rejected, again.cursor()) == (0, 0, 4)
        assert len(held(again).ids("events")) == 3
        assert rejected(again) == [b"oops"]
        assert spans(again) == ((NOW - 2 * HOUR, NOW - MINUTE),)


async def test_an_inbox_that_was_lost_costs_nothing_that_landed(follower: Following) -> None:
    """What arrives again in a new inbox is known by its id, whatever its numbers."""
    untimed = sample(7, NOW, timestamp="yesterday")
    await follower.put(*samples(range(5), NOW - HOUR), untimed)
    await follower.land()
    follower.inbox.close()
    shutil.rmtree(follower.state)

    with Following(follower.state, follower.out, follower.wall) as again:
        await again.put(*samples(range(3, 7), NOW - HOUR), untimed)
        landed = await again.land()

        assert (landed.rows, landed.known) == (2, 3)
        assert held(again).ids("events") == sorted([*(f"event-{n:04}" for n in range(7)), "event-0007"])


# --- what is covered ---


async def test_an_inbox_that_was_restored_lands_what_arrives_anew(tmp_path: Path) -> None:
    """Its numbers are given again, to other events than those that landed under them."""
    state, wall = tmp_path / "state", Wall(NOW)
    with Following(state, tmp_path / "lake", wall) as follower:
        await follower.put(*samples(range(5), NOW))
        await follower.land()
    shutil.copytree(state, tmp_path / "copy")
    with Following(state, tmp_path / "lake", wall) as follower:
        await follower.put(*samples(range(5, 15), NOW))
        await follower.land()

    shutil.rmtree(state)
    (tmp_path / "copy").rename(state)
    with Following(state, tmp_path / "lake", wall) as follower:
        await follower.put(*samples([*range(100, 112), *range(5, 15)], NOW))
        landed = await follower.land()

        assert (landed.rows, landed.known) == (12, 10)
        assert follower.cursor() == follower.inbox.last_seq


async def test_quiet_hours_leave_one_unit_whose_cover_grows(follower: Following) -> None:
    for _ in range(4):
        await follower.put(covered=(NOW - HOUR, follower.wall.now - MINUTE))
        await follower.land()
        follower.wall.now += 15 * MINUTE
    await follower.put(sample(1, NOW), covered=(NOW - HOUR, NOW + 50 * MINUTE))
    await follower.land()

    assert spans(follower) == ((NOW - HOUR, NOW + 50 * MINUTE),)
    assert len(units(follower)) == 1


async def test_nothing_new_writes_no_unit(follower: Following) -> None:
    await follower.land()
    await follower.put(sample(1, NOW))
    await follower.land()

    landed = await follower.land()

    assert (landed.rows, landed.units) == (0, 0)
    assert len(units(follower)) == 1


async def test_only_all_entities_cover_a_time(tmp_path: Path) -> None:
    """A dump fetches the others; the manifest says which were followed."""
    with Following(tmp_path / "state", tmp_path / "lake", Wall(NOW), entities=("TASK",)) as follower:
        await follower.put(sample(1, NOW - HOUR), covered=(NOW - 2 * HOUR, NOW))
        await follower.land()

        (unit,) = units(follower).values()
        assert unit.covered is None
        assert unit.source["entities"] == ["TASK"]


@pytest.mark.parametrize("facts", [{}, {"covered_until": "soon"}, {"covered_from": "2026-03-20T03:00:00"}])
async def test_no_time_is_covered_that_the_feed_does_not_name(follower: Following, facts: dict[str, str]) -> None:
    await follower.put(sample(1, NOW - HOUR))
    await follower.inbox.keep(**facts)

    await follower.land()

    assert spans(follower) == ()


async def test_no_time_is_covered_that_has_not_come(follower: Following) -> None:
    """Whatever the feed's clock says."""
    await follower.put(covered=(NOW - HOUR, NOW + 9 * HOUR))

    await follower.land()

    assert spans(follower) == ((NOW - HOUR, NOW),)


async def test_another_folder_is_covered_from_its_first_landing_on(follower: Following, tmp_path: Path) -> None:
    """What landed elsewhere is not in it, and it must not say so; the same goes for events that were dropped."""
    await follower.put(sample(1, NOW - HOUR), covered=(NOW - 2 * HOUR, NOW - MINUTE))
    await follower.land()
    follower.inbox.close()
    with Following(follower.state, tmp_path / "new" / "lake", follower.wall) as moved:
        await moved.put(sample(2, NOW), covered=(NOW - 2 * HOUR, NOW))
        await moved.land()
        assert (spans(moved), held(moved).ids("events")) == ((), ["event-0002"])
        moved.wall.now += HOUR
        await moved.put(covered=(NOW - 2 * HOUR, NOW + HOUR))
        await moved.land()

        assert spans(moved) == ((NOW, NOW + HOUR),)


async def test_no_time_is_covered_that_began_with_fewer_entities(follower: Following) -> None:
    """What waits at the change was received for some of them only, whatever the feed says."""
    follower.inbox.close()
    with Following(follower.state, follower.out, follower.wall, entities=("TASK",)) as some:
        await some.put(covered=(NOW - HOUR, NOW - 2 * MINUTE))
        await some.land()
    with Following(follower.state, follower.out, follower.wall) as all_of_them:
        await all_of_them.put(covered=(NOW - HOUR, NOW - MINUTE))
        await all_of_them.land()
        assert spans(all_of_them) == ()
        await all_of_them.put(covered=(NOW - HOUR, NOW))
        await all_of_them.land()

        assert spans(all_of_them) == ((NOW - MINUTE, NOW),)


async def test_events_that_were_dropped_before_the_first_landing_are_not_covered(follower: Following) -> None:
    await follower.put(sample(1, NOW - HOUR), sample(2, NOW), covered=(NOW - 2 * HOUR, NOW))
    await follower.inbox.drop(NOW + HOUR, done_by=())

    await follower.land()

    assert spans(follower) == ()


async def test_events_that_were_dropped_between_two_landings_are_not_covered(follower: Following) -> None:
    """They came while nobody landed them, and were kept for no longer than others needed them."""
    await follower.put(sample(1, NOW - 3 * HOUR), covered=(NOW - 4 * HOUR, NOW - 3 * HOUR))
    await follower.land()
    await follower.put(sample(2, NOW - 2 * HOUR), covered=(NOW - 4 * HOUR, NOW - 2 * HOUR))
    await follower.inbox.drop(NOW + HOUR, done_by=())
    await follower.put(sample(3, NOW - HOUR), covered=(NOW - 4 * HOUR, NOW - HOUR))
    landed = await follower.land()
    assert landed.rows == 1
    assert [note for note in follower.notes if "have been dropped" in note]

    await follower.put(sample(4, NOW), covered=(NOW - 4 * HOUR, NOW))
    await follower.land()

    assert spans(follower) == ((NOW - 4 * HOUR, NOW - 3 * HOUR), (NOW - HOUR, NOW))


async def test_a_gap_is_recorded_once(follower: Following) -> None:
    """In a unit of its own, as a dump records it, and the inbox knows."""
    gaps = [(NOW - 90 * HOUR, NOW - 80 * HOUR), (NOW - 50 * HOUR, NOW - 24 * HOUR)]
    await follower.put(sample(1, NOW - 100 * HOUR), covered=(NOW - 101 * HOUR, NOW - 90 * HOUR))
    await follower.land()
    for gap in gaps:
        await follower.inbox.put([], gap=gap)
    await follower.put(sample(2, NOW - HOUR), covered=(NOW - 24 * HOUR, NOW))

    for _ in range(2):
        await follower.land()

    told = [one.source["gap"] for one in units(follower).values() if "gap" in one.source]
    assert sorted(told) == [[begin.isoformat(), end.isoformat()] for begin, end in gaps]
    assert follower.inbox.reader.gaps(landed=False) == []
    assert spans(follower) == ((NOW - 101 * HOUR, NOW - 90 * HOUR), (NOW - 24 * HOUR, NOW))


# --- one unit a day ---


async def a_day(follower: Following, first: int) -> None:
    """Three landings with an event and a reject each, and one without."""
    for number in range(first, first + 4):
        time = follower.wall.now
        bodies = [] if number == first + 2 else [sample(number, time), b"oops %d" % number]
        await follower.put(*bodies, covered=(NOW - HOUR, time))
        await follower.land()
        follower.wall.now += 15 * MINUTE


async def test_the_units_of_a_day_become_one_on_the_next(follower: Following) -> None:
    """With all rows, rejects and drift, the same cover, and nothing of the small ones left."""
    await a_day(follower, 0)
    await follower.put(sample(90, NOW, "NOVEL/THING"))
    await follower.land()
    before = (held(follower).ids("events"), sorted(rejected(follower)), spans(follower), drift(follower))
    follower.wall.now += 24 * HOUR

    landed = await follower.land()

    assert landed.merged == 4
    assert (held(follower).ids("events"), sorted(rejected(follower)), spans(follower), drift(follower)) == before
    assert len(units(follower)) == 1
    assert len(list((follower.out / "events").rglob("*.parquet"))) == 2
    assert (await follower.land()).merged == 0
    await a_day(follower, 10)
    follower.wall.now += 24 * HOUR
    assert (await follower.land()).merged == 3
    assert len(units(follower)) == 2
    assert follower.cursor() == follower.inbox.last_seq


def drift(follower: Following) -> list[tuple[str, int]]:
    return [(one.path, one.count) for unit in units(follower).values() for one in unit.drift]


async def test_a_hole_in_the_cover_keeps_two_units(follower: Following) -> None:
    """One unit covers one span, so that a gap stays visible."""
    for number, covered in enumerate([(-9, -8), (-8, -7), (-5, -4), (-4, -3)]):
        span = (NOW + covered[0] * HOUR, NOW + covered[1] * HOUR)
        await follower.put(sample(number, span[0]), covered=span)
        await follower.land()
    follower.wall.now += 24 * HOUR

    landed = await follower.land()

    assert landed.merged == 4
    assert len(units(follower)) == 2
    assert spans(follower) == ((NOW - 9 * HOUR, NOW - 7 * HOUR), (NOW - 5 * HOUR, NOW - 3 * HOUR))


@pytest.mark.parametrize("what", ["_rejects", "events"])
async def test_damage_keeps_the_small_units_and_lands_the_rest(follower: Following, what: str) -> None:
    """Nothing is replaced by less than it has; a person is told once."""
    await a_day(follower, 0)
    damaged = min(path for path in (follower.out / what).rglob("inbox-*") if path.is_file())
    damaged.write_bytes(damaged.read_bytes()[:-9])
    follower.wall.now += 24 * HOUR
    await follower.put(sample(50, follower.wall.now))

    for _ in range(2):
        landed = await follower.landing.land()
        assert landed.merged == 0

    assert len(units(follower)) == 4
    assert len(follower.notes) == 1
    assert "stay in small files" in follower.notes[0]


# --- the loop ---


async def test_the_loop_waits_for_a_dump_and_says_nothing(follower: Following) -> None:
    """Another process writes: it is tried again until it can land."""
    await follower.put(sample(1, NOW))
    with DataFolder.open(follower.out, host=follower.host, create=True).lock():
        with pytest.raises(DataSetInUse):
            await follower.landing.land()
        running = asyncio.create_task(follower.landing.run())
        await asyncio.sleep(0.1)
        assert follower.cursor() == 0

    await until(lambda: follower.cursor() == 1)
    running.cancel()
    assert follower.notes == []
    assert held(follower).ids("events") == ["event-0001"]


async def test_a_writer_that_never_ends_is_told_once(tmp_path: Path) -> None:
    times = LandingTimes(every_s=0.01, in_use_s=0.01, patience_s=0.0)
    with Following(tmp_path / "state", tmp_path / "lake", Wall(NOW), times=times) as follower:
        with DataFolder.open(follower.out, host=follower.host, create=True).lock():
            running = asyncio.create_task(follower.landing.run())
            await until(lambda: follower.notes)
            await asyncio.sleep(0.05)
            assert len(follower.notes) == 1
        await until(lambda: len(follower.notes) == 2)
        running.cancel()
        assert "in use by process" in follower.notes[0]
        assert "again" in follower.notes[1]


async def test_a_full_disk_is_told_once_and_loses_nothing(follower: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    await follower.put(*samples(range(3), NOW), b"oops")
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        running = asyncio.create_task(follower.landing.run())
        await until(lambda: follower.notes)
        await asyncio.sleep(0.05)

    await until(lambda: len(follower.notes) == 2)
    running.cancel()
    assert "no space left" in follower.notes[0]
    assert follower.cursor() == 4
    assert (len(held(follower).ids("events")), rejected(follower)) == (3, [b"oops"])
    follower.check()


async def test_many_events_do_not_wait_for_the_time(tmp_path: Path) -> None:
    times = LandingTimes(every_s=3600, rows=10)
    with Following(tmp_path / "state", tmp_path / "lake", Wall(NOW), times=times) as follower:
        running = asyncio.create_task(follower.landing.run())
        await follower.put(*samples(range(9), NOW))
        await follower.put(sample(9, NOW))
        await follower.put(*samples(range(10, 30), NOW))

        await until(lambda: follower.cursor() >= 10)
        running.cancel()


async def test_a_folder_that_went_away_is_waited_for(follower: Following, tmp_path: Path) -> None:
    """A disk that is not mounted for a while: nothing lands in its place, where nobody would find it."""
    await follower.put(sample(1, NOW))
    await follower.land()
    follower.out.rename(tmp_path / "away")
    await follower.put(sample(2, NOW))
    with pytest.raises(UsageError, match="not a bulkgladly data set"):
        await follower.landing.land()
    assert not follower.out.exists()
    (tmp_path / "away").rename(follower.out)

    assert (await follower.land()).rows == 1


async def test_a_folder_of_another_organisation_is_refused(follower: Following) -> None:
    DataFolder.open(follower.out, host="https://other.example.org", create=True).lock().close()

    with pytest.raises(UsageError, match="holds data of"):
        await follower.landing.land()
