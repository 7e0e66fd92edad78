"""A clock that was ahead: nothing fetched later with a right clock is taken for older, or not fetched at all."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bulkgladly.exports.event_windows import Events, plan_of
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.exports.job_files import JobFiles
from bulkgladly.exports.per_parent import PerParent
from bulkgladly.exports.report_plan import windows_due
from bulkgladly.gladly.report_queries import query_for
from bulkgladly.gladly.report_windows import Days, Reading
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from tests.flows.driving import Driver, later, path_with
from tests.flows.exporting import NIGHT, Lake, a_lake, note_line

DAY = dt.timedelta(days=1)


@pytest.fixture
async def lake(tmp_path: Path) -> Any:
    lake = a_lake(tmp_path)
    async with lake.emulator:
        yield lake


async def profiles(lake: Lake, run: str, *, ahead: dt.timedelta = dt.timedelta(), **changes: Any) -> None:
    """Fetch profiles in one run of a machine whose clock is so much ahead."""
    right = lake.wall.now
    lake.wall.now += ahead
    await Driver(lake, run).drive(lambda options: PerParent("profiles", options), **changes)
    lake.wall.now = right


async def test_current_keeps_what_was_fetched_later_and_not_what_a_clock_says(lake: Lake) -> None:
    """A profile fetched by a clock a day ahead, then changed, then fetched again with a right one."""
    (one,) = [lake.emulator.add_customer(name="Old", emails=[{"original": "a@example.org"}])]
    ids = path_with(lake.folder, "ids.txt", [one])
    await profiles(lake, "ahead", ahead=DAY, ids=ids)
    lake.emulator.store.customers[one]["name"] = "New"
    later(lake, hours=1)
    await profiles(lake, "right", ids=ids, refresh=True)

    with DataFolder.open(lake.out).lock() as folder:
        made = compact(folder, "profiles")

    assert pq.read_table(made.path).column("name").to_pylist() == ["New"]
    fetched = lake.table("profiles").column("_fetched_at").to_pylist()
    assert any(at is not None and at > lake.wall.now for at in fetched), (
        "the clock of the first run must have been ahead"
    )


async def test_an_active_customer_is_fetched_again_though_a_clock_was_ahead(lake: Lake) -> None:
    """A time that is still to come does not keep later changes out, and costs no request afterwards."""
    lake.wall.now = NIGHT - dt.timedelta(hours=2)
    one = lake.emulator.add_customer(name="Old", emails=[{"original": "a@example.org"}])
    lake.add_job([note_line(1, customerId=one)], nights_ago=1)
    await Driver(lake, "jobs-1").drive(lambda _: JobFiles(["items"]))
    await profiles(lake, "ahead", ahead=30 * DAY, from_dataset=lake.out)
    lake.wall.now = NIGHT + dt.timedelta(hours=1)
    lake.add_job([note_line(2, customerId=one)])
    await Driver(lake, "jobs-2").drive(lambda _: JobFiles(["items"]))
    lake.forget()

    await profiles(lake, "right", from_dataset=lake.out)

    assert lake.asked() == {"getCustomer": 1}
    assert lake.table("profiles").num_rows == 2
    lake.forget()
    await profiles(lake, "again", from_dataset=lake.out)
    assert not lake.asked()


async def test_an_answer_is_published_once_though_a_clock_was_ahead(lake: Lake) -> None:
    """Killed after publishing and before the journal forgot it: the time of the answer still tells."""
    ids = [lake.emulator.add_customer(name="P", emails=[{"original": f"p{n}@example.org"}]) for n in range(3)]
    path = path_with(lake.folder, "ids.txt", ids)
    journal = lake.folder / "run" / "journal.sqlite"
    right = lake.wall.now
    lake.wall.now += DAY
    # Given up when all are kept and none is published.
    await Driver(lake).drive(lambda options: PerParent("profiles", options), stop_after=3, ids=path)
    kept = {one: one.read_bytes() for one in journal.parent.iterdir() if one.is_file()}
    await Driver(lake).drive(lambda options: PerParent("profiles", options), ids=path)
    lake.wall.now = right
    for one, content in kept.items():
        one.write_bytes(content)
    lake.forget()

    await Driver(lake).drive(lambda options: PerParent("profiles", options), ids=path)

    assert not lake.asked()
    assert lake.table("profiles").num_rows == 3


async def test_events_are_read_on_though_a_clock_was_ahead(lake: Lake) -> None:
    """Else none would be read until the clock has caught up, and Gladly keeps them for a day."""
    right = lake.wall.now
    await Driver(lake, now=right + 3 * DAY).drive(lambda _: Events())
    made = lake.emulator.store.event_log.add("TASK/CREATED", {"customerId": "c", "taskId": "t"}).id
    later(lake, minutes=10)

    await Driver(lake, "right", now=lake.wall.now).drive(lambda _: Events())

    assert lake.ids("events") == [made]


def test_events_behind_a_covered_time_to_come_begin_where_the_data_ends() -> None:
    """By the latest event; without one, with all that Gladly still gives."""
    ahead = ((NIGHT - DAY, NIGHT + DAY),)
    latest = NIGHT - dt.timedelta(hours=5)

    with_events = plan_of(ahead, latest, NIGHT).window
    without = plan_of(ahead, None, NIGHT).window

    assert with_events is not None
    assert with_events[0] == latest - dt.timedelta(minutes=1)
    assert without is not None
    assert without[0] < NIGHT - dt.timedelta(hours=23)


def test_a_window_of_a_report_is_not_final_because_a_clock_was_ahead() -> None:
    """Its rows may change for some days yet."""
    today = dt.date(2026, 3, 20)
    days = Days(today - DAY, today - DAY)
    query = query_for("ContactTimestampsReport")
    asked = ReportQuery(("ContactTimestampsReport",), first=days.first, last=days.last)

    def due_on(day: dt.date, read_on: dt.date) -> int:
        return len(windows_due(query, asked, {days.name: Reading(days, read_on)}, day, refresh=False))

    assert due_on(today, read_on=today + 60 * DAY) == 1
    assert due_on(today, read_on=today) == 1
    assert due_on(today + 60 * DAY, read_on=today + 60 * DAY) == 0


async def test_a_manifest_from_the_future_is_warned_about(lake: Lake) -> None:
    """By verify, by an export and by compact; the folder is sound all the same."""
    ahead = dt.datetime.now(dt.UTC) + 2 * DAY
    with DataFolder.open(lake.out, host=lake.credentials.host, create=True, now=lambda: ahead).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["inboxes"], "list", Origin("list", "f"))
        writer.convert([b'{"id":"a"}\n'])
        writer.commit()

    found = verify(DataFolder.open(lake.out))
    report = await lake.export("topics")

    assert found.is_sound
    assert [text.partition(":")[0] for text in found.warnings] == ["inboxes"]
    assert any("in the future" in note for note in report.notes)


def test_units_are_numbered_in_the_order_of_publishing(tmp_path: Path) -> None:
    """Whatever the clock does meanwhile, and whichever process publishes."""
    clock = iter(NIGHT + hours * dt.timedelta(hours=1) for hours in (5, -9, 3, -2, 0, 0, 0, 0))
    made = []
    for unit in "dacb":
        with DataFolder.open(tmp_path / "lake", host="h", create=True, now=lambda: next(clock)).lock() as folder:
            writer = UnitWriter(folder, DATA_SETS["inboxes"], unit, Origin(unit, "f"))
            writer.convert([b'{"id":"a"}\n'])
            made.append(writer.commit())

    assert [(one.unit, one.sequence) for one in made] == [("d", 1), ("a", 2), ("c", 3), ("b", 4)]
