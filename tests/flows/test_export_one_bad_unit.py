"""One bad unit never ends the others: its fault is reported with exit code 1, and the rest is fetched."""

import datetime as dt
import errno
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from bulkgladly import DiskFull, Fatal, JournalDamaged, Outage
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.errors import InputError, ReplyLost, RunLocked, UsageError
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.job_files import JobFiles
from bulkgladly.exports.lists import ListKind
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import ExportKind, ExportUnit, UnitResult, UnitState, failed_by
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.exporting import ITEMS, Lake, a_lake, as_lines, note_line
from tests.flows.quickly import dump


@pytest.fixture
async def lake(tmp_path: Path) -> Any:
    lake = a_lake(tmp_path)
    async with lake.emulator:
        yield lake


@dataclass
class Faulty:
    """A kind with a fault: it raises when one of its units is fetched, or else when it is planned."""

    kind: ExportKind
    error: Exception
    unit: str | None = None

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def workers(self) -> int:
        return self.kind.workers

    async def add_price(self, context: Context, price: Price) -> None:
        await self.kind.add_price(context, price)

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        if self.unit is None:
            raise self.error
        async for one in self.kind.units(context):
            yield FaultyUnit(one.data_set, one.name, self.error) if one and one.name == self.unit else one


@dataclass
class FaultyUnit:
    """A unit that cannot be fetched."""

    data_set: str
    name: str
    error: Exception

    async def run(self, context: Context) -> UnitResult | None:
        del context
        raise self.error


def failures(report: ExportReport) -> dict[tuple[str, str], str]:
    """What failed, and why."""
    return {(one.data_set, one.unit): one.detail for one in report.told if one.state == UnitState.FAILED}


async def bring_up_to_date(lake: Lake, *words: str) -> ExportReport:
    """A dump into a damaged data set, whose files hold more than its manifests can tell."""
    return await dump(lake.options(*words), lake.credentials)


def manifest_of(lake: Lake, unit: str, data_set: str = "items") -> Path:
    return lake.out / "_manifest" / data_set / f"{unit}.json"


async def test_later_nights_are_not_lost_when_a_job_is_listed_twice(lake: Lake) -> None:
    """Its rows are there once, and so are those of the jobs behind it."""
    twice = lake.add_job([note_line(1)], nights_ago=2)
    later = lake.add_job([note_line(2)], nights_ago=1)
    listed = [
        {"id": job, "status": "COMPLETED", "updatedAt": "2026-03-18T03:11:00.000Z", "files": [ITEMS]}
        for job in (twice, twice, later)
    ]
    lake.emulator.faults.script("findJobs", [Fault("answer", reply=Reply(200, orjson.dumps(listed)))])

    report = await lake.export("items")

    assert (report.exit_code, report.status, failures(report)) == (0, "complete", {})
    assert lake.ids() == ["item-000001", "item-000002"]
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_files_with_long_names_that_begin_alike_are_both_kept(lake: Lake) -> None:
    """Their data sets differ, so neither is reported as present."""
    names = [f"{'x' * 120}{end}.jsonl" for end in "ab"]
    lake.add_job([], files={ITEMS: as_lines([note_line(1)]), **dict.fromkeys(names, b'{"id":"a"}\n')})

    report = await lake.dump("items", "customers", "agents", "topics")

    assert (report.exit_code, failures(report)) == (0, {})
    assert len(list((lake.out / "other").iterdir())) == 2


async def test_later_nights_are_not_lost_when_a_manifest_is_damaged(lake: Lake) -> None:
    """Nor lists and events; removing it, as it says, heals the folder."""
    jobs = [lake.add_job([note_line(night)], nights_ago=night) for night in (2, 3)]
    await lake.dump("items", "inboxes")
    manifest_of(lake, jobs[0]).write_bytes(b"{")
    lake.add_job([note_line(1)], nights_ago=1)

    report = await bring_up_to_date(lake, "items", "inboxes", "events")

    assert (report.exit_code, report.status) == (1, "complete")
    assert list(failures(report)) == [("items", jobs[0])]
    assert "remove it" in failures(report)["items", jobs[0]]
    assert lake.ids() == ["item-000001", "item-000002", "item-000003"]
    manifest_of(lake, jobs[0]).unlink()
    assert (await lake.dump("items")).exit_code == 0
    assert lake.ids() == ["item-000001", "item-000002", "item-000003"]


@pytest.mark.parametrize("how", ["copied", "swapped"])
async def test_later_nights_are_not_lost_when_manifests_are_misplaced(lake: Lake, how: str) -> None:
    one, other = (lake.add_job([note_line(night)], nights_ago=night) for night in (2, 3))
    await lake.dump("items")
    if how == "copied":
        shutil.copy(manifest_of(lake, one), manifest_of(lake, "copy"))
    else:
        aside = manifest_of(lake, one).rename(lake.folder / "aside")
        manifest_of(lake, other).rename(manifest_of(lake, one))
        aside.rename(manifest_of(lake, other))
    lake.add_job([note_line(1)], nights_ago=1)

    report = await bring_up_to_date(lake, "items")

    assert report.exit_code == 1
    assert set(failures(report)) == {("items", name) for name in (("copy",) if how == "copied" else (one, other))}
    assert lake.ids() == ["item-000001", "item-000002", "item-000003"]


async def test_later_nights_are_not_lost_when_a_decision_is_damaged(lake: Lake) -> None:
    """It is reported with what to do, and no file is removed that it may name."""
    job = lake.add_job([note_line(2)], nights_ago=2)
    await lake.dump("inboxes")
    decision = manifest_of(lake, f"{job}").with_suffix(".json.next")
    decision.parent.mkdir(parents=True, exist_ok=True)
    decision.write_bytes(b"{")
    waiting = lake.out / "_incoming" / "items" / "type=SMS" / f".{job}-0001.parquet.partial"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"half")
    lake.add_job([note_line(1)], nights_ago=1)

    report = await bring_up_to_date(lake, "items")

    assert report.exit_code == 1
    assert list(failures(report)) == [("items", job)]
    assert lake.ids() == ["item-000001"]
    assert waiting.exists()


async def test_events_are_not_lost_when_one_of_their_parts_is_damaged(lake: Lake) -> None:
    """Gladly gives them for a day only."""
    lake.wall.now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    happen(lake)
    await lake.dump("events")
    (part,) = (lake.out / "events").rglob("*.parquet")
    part.write_bytes(b"PAR1")
    lake.wall.now += dt.timedelta(hours=1)
    second = happen(lake)

    report = await bring_up_to_date(lake, "events")

    assert report.exit_code == 1
    assert list(failures(report)) == [("events", next(iter(lake.manifests("events"))))]
    found = {path for path in (lake.out / "events").rglob("*.parquet") if path != part}
    assert second in {one for path in found for one in pq.read_table(path).column("id").to_pylist()}


def happen(lake: Lake) -> str:
    """Let something happen, and return the id of the event."""
    return str(lake.emulator.store.event_log.add("TASK/CREATED", {"customerId": "c", "taskId": "t"}).id)


@pytest.mark.parametrize("name", ["gaps", "kept job"])
async def test_later_nights_are_not_lost_when_a_note_is_damaged(lake: Lake, name: str) -> None:
    """What it remembered is reported again, and the memo is written again if it is needed."""
    lake.add_job([note_line(1)], nights_ago=9)
    await lake.dump("items")
    (lake.out / "_manifest" / "items" / f"_{name}.json").write_bytes(b"{")
    lake.add_job([note_line(2)])

    report = await lake.dump("items")

    assert report.exit_code == 1
    assert lake.ids() == ["item-000001", "item-000002"]


@pytest.mark.parametrize(
    "error",
    [
        InputError("a part cannot be read"),
        UsageError("that name is taken"),
        ReplyLost("cut"),
        OSError(errno.EACCES, "Permission denied", "lake/items"),
        ValueError("Ada Ashby is no number"),
        KeyError("ada@example.org"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_unit_that_raises_leaves_the_others_alone(lake: Lake, error: Exception) -> None:
    """Whatever it raises; and no value of a row reaches the report."""
    bad, good = (lake.add_job([note_line(night)], nights_ago=night) for night in (2, 1))

    report = await lake.export_kinds(Faulty(JobFiles(["items"]), error, unit=bad), ListKind("inboxes"))

    assert (report.exit_code, report.status) == (1, "complete")
    assert list(failures(report)) == [("items", bad)]
    assert set(lake.manifests()) == {good}
    told = failures(report)["items", bad]
    assert told
    assert "Ada" not in told
    assert "ada@" not in told


async def test_a_kind_that_cannot_be_planned_hides_no_other(lake: Lake) -> None:
    """Profiles go by ids of a data set that has none; the items of the night are there all the same."""
    lake.add_job([note_line(1)])
    DataFolder.open(lake.folder / "empty", create=True)

    report = await lake.export("profiles", "items", "inboxes", from_dataset=lake.folder / "empty")

    assert report.exit_code == 1
    assert list(failures(report)) == [("profiles", "(plan)")]
    assert lake.ids() == ["item-000001"]
    assert "inboxes" in report.units


async def test_a_bug_in_planning_hides_no_other_kind(lake: Lake) -> None:
    lake.add_job([note_line(1)])

    report = await lake.export_kinds(Faulty(ListKind("inboxes"), KeyError("x")), JobFiles(["items"]))

    assert report.exit_code == 1
    assert "internal error: KeyError" in failures(report)["inboxes", "(plan)"]
    assert lake.ids() == ["item-000001"]


@pytest.mark.parametrize(
    "error",
    [
        Fatal("401"),
        Outage("down"),
        DiskFull("full"),
        JournalDamaged("damaged"),
        RunLocked("locked"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_later_unit_can_survive_ends_the_run(error: Exception) -> None:
    """Nothing is gained by asking for the rest."""
    with pytest.raises(DiskFull if isinstance(error, OSError) else type(error)):
        failed_by(error)
