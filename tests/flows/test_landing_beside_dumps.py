"""A follower and dumps on one data set: no event is missing, each is there once, and few are fetched twice."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from bulkgladly.errors import DataSetInUse
from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.lake.followers import follower_of, lock_between_landings
from bulkgladly.lake.places import memo_place
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.realtime.landing import LandingTimes
from tests.flows.driving import later
from tests.flows.exporting import Lake
from tests.flows.landings import Following, body_of
from tests.flows.test_export_events import EDGE, happen, read

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
TIMES = LandingTimes(every_s=900)


@pytest.fixture
def follower(lake: Lake, tmp_path: Path) -> Following:
    """A follower of the lake's organisation, not running yet."""
    return following(lake, tmp_path)


def following(lake: Lake, folder: Path, entities: tuple[str, ...] = EVENT_ENTITIES) -> Following:
    return Following(
        folder / "follower", lake.out, lake.wall, host=lake.credentials.host, entities=entities, times=TIMES
    )


async def feed(follower: Following, lake: Lake) -> None:
    """Receive all that has happened, as the feed does: with what it covers."""
    now = lake.wall.now
    covered = (now - EDGE, now - 15 * dt.timedelta(seconds=1))
    await follower.put(*map(body_of, lake.emulator.store.event_log), covered=covered)


def covered(lake: Lake) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    return coverage_of(one.covered for one in lake.manifests("events").values() if one.covered).spans


async def test_a_dump_leaves_the_events_to_a_running_follower(lake: Lake, follower: Following) -> None:
    """It requests nothing, says so in one line, and when events would be lost if the follower ended now."""
    made = happen(lake, 3)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()
        until = covered(lake)[-1][1]
        later(lake, minutes=20)
        lake.forget()

        ends = await read(lake)

        assert (list(ends), lake.asked()) == ([], {})
        (line,) = ends.notes
        assert f"complete until {until:%H:%M} UTC" in line
        assert lake.ids("events") == sorted(made)


async def test_the_report_names_the_loss_that_follows_the_follower(lake: Lake, follower: Following) -> None:
    """A day after what has landed; here by a whole run, whose clock is the machine's."""
    lake.wall.now = dt.datetime.now(dt.UTC)
    happen(lake, 1)
    with follower:
        await feed(follower, lake)
        await follower.land()

        report = await lake.dump("events")

        until = covered(lake)[-1][1]
        assert report.next_loss == f"{until + 24 * HOUR:%Y-%m-%d %H:%M} UTC"
        assert report.exit_code == 0
        assert any("running follower" in note for note in report.notes)


async def test_a_dump_begins_where_a_follower_that_ended_stops(lake: Lake, follower: Following) -> None:
    """Nothing between the two is missing or comes twice, and the cover has no hole."""
    made = happen(lake, 2)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()
        made += happen(lake, 2)
        later(lake, minutes=1)
        await feed(follower, lake)
    made += happen(lake, 1)
    later(lake, minutes=10)

    result = (await read(lake)).only()

    assert (result.created, result.unchanged) == (3, 2)
    assert lake.ids("events") == sorted(made)
    assert len(covered(lake)) == 1
    with follower:
        landed = await follower.land()
        assert (landed.rows, landed.known) == (0, 2)
        assert len(covered(lake)) == 1


async def test_a_follower_that_lands_nothing_is_not_waited_for(lake: Lake, follower: Following) -> None:
    """It runs, but its landings stopped, or its feed did: then the dump fetches all the same."""
    happen(lake, 2)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()
        later(lake, minutes=36)
        assert (await read(lake)).only().unchanged == 2
        await follower.land()
        later(lake, minutes=40)
        await follower.land()

        assert (await read(lake)).only().unchanged == 2


async def test_a_follower_of_some_entities_leaves_the_rest_to_the_dump(lake: Lake, tmp_path: Path) -> None:
    with following(lake, tmp_path, entities=("TASK",)) as follower:
        tasks = happen(lake, 2)
        later(lake, minutes=1)
        await feed(follower, lake)
        await follower.land()
        others = happen(lake, 2, "CONTACT/STARTED")
        later(lake, minutes=1)

        result = (await read(lake)).only()

        assert (result.created, result.unchanged) == (2, 2)
        assert lake.ids("events") == sorted([*tasks, *others])
        later(lake, hours=1)
        await read(lake)
        assert len(covered(lake)) == 1


async def test_events_that_landed_without_a_cover_do_not_hide_earlier_ones(lake: Lake, tmp_path: Path) -> None:
    """A webhook's event is newer than all that was read: the next window begins where the last one ended."""
    await read(lake)
    missed = happen(lake, 1, "CONTACT/STARTED")
    later(lake, minutes=30)
    newest = happen(lake, 1)
    with following(lake, tmp_path, entities=("TASK",)) as follower:
        await follower.put(body_of(list(lake.emulator.store.event_log)[-1]))
        await follower.land()
    later(lake, minutes=1)
    # Whatever the clock of the earlier reading was: it counts as covered by it.
    await read(lake)

    assert lake.ids("events") == sorted([*missed, *newest])


async def test_a_window_that_is_named_is_fetched(lake: Lake, follower: Following) -> None:
    """Whoever runs."""
    happen(lake, 1)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()

        assert (await read(lake, since=lake.wall.now - HOUR)).only().unchanged == 1


async def test_a_follower_lands_beside_a_dump_of_other_objects(lake: Lake, follower: Following) -> None:
    """Both write the folder in turns, and the manifests of both are read by both."""
    happen(lake, 1)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()
        await lake.export("inboxes")
        made = happen(lake, 1)
        later(lake, minutes=1)
        await feed(follower, lake)
        landed = await follower.land()

    assert landed.rows == len(made)


async def test_a_dump_waits_for_a_landing(lake: Lake, follower: Following) -> None:
    """A follower holds the lock for moments only, so a dump at such a moment does not fail."""
    with follower:
        await follower.land()
        held = follower.folder().lock()
        dumping = asyncio.create_task(lake.export("inboxes"))
        done, _ = await asyncio.wait([dumping], timeout=0.5)
        assert not done
        held.close()

        assert (await dumping).exit_code == 0


async def test_compacting_waits_for_a_landing(lake: Lake, follower: Following) -> None:
    await lake.export("inboxes")
    with follower:
        await follower.land()
        held = follower.folder().lock()
        compacting = asyncio.create_task(asyncio.to_thread(lock_between_landings, follower.folder(), "events"))
        done, _ = await asyncio.wait([compacting], timeout=0.3)
        assert not done
        held.close()

        (await compacting).close()


async def test_another_writer_is_not_waited_for_if_no_follower_runs(lake: Lake, follower: Following) -> None:
    with follower:
        await follower.land()
    with follower.folder().lock():
        with pytest.raises(DataSetInUse, match="in use by process"):
            await lake.export("inboxes")
        with pytest.raises(DataSetInUse):
            lock_between_landings(follower.folder(), "events")


@pytest.mark.parametrize("memo", [b"", b"[]", b"{}", b'{"format":2}', b'{"format":1,"inbox":3}'])
async def test_a_memo_that_cannot_be_read_costs_a_request_and_nothing_else(
    lake: Lake, follower: Following, memo: bytes
) -> None:
    happen(lake, 1)
    later(lake, minutes=1)
    with follower:
        await feed(follower, lake)
        await follower.land()
        (lake.out / memo_place("events", "follower")).write_bytes(memo)

        assert (await read(lake)).only().unchanged == 1
        await follower.land()
        assert follower_of(follower.folder(), "events") is not None


async def test_dumps_replace_empty_units_of_a_follower_and_the_cover_stays(lake: Lake, follower: Following) -> None:
    """A quiet organisation: the unit of the one is continued by the other, and the follower goes on."""
    with follower:
        await feed(follower, lake)
        await follower.land()
    later(lake, hours=2)
    await read(lake)
    later(lake, minutes=5)
    with follower:
        await feed(follower, lake)
        await follower.land()
    later(lake, hours=2)
    await read(lake)

    assert len(covered(lake)) == 1
    assert len(lake.manifests("events")) <= 2
