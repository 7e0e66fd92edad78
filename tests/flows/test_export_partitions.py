"""Rows whose partition values are easily taken for one another, through a whole export and every reader."""

from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl
import pytest

from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.merged_units import merge_units
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.report_table import ReportColumn, ReportLayout
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from tests.flows.exporting import Lake, a_lake, as_lines
from tests.readers import READERS, Reader

_TIME = "2026-03-19T10:00:00.000Z"
_NO_TIME: dict[str, Any] = {"content": {"type": "SMS", "content": "no time"}}
_TYPES = ["SMS", "sms", "", "UNTYPED", "__HIVE_DEFAULT_PARTITION__", None]
CASES: dict[str, list[dict[str, Any]]] = {
    "no time beside the zero time": [{**_NO_TIME, "timestamp": "0001-01-01T00:00:00Z"}, _NO_TIME],
    "types alike": [{"timestamp": _TIME, "content": {"type": kind, "content": "hi"}} for kind in _TYPES],
    "no content beside UNTYPED": [{"timestamp": _TIME, "content": {"type": "UNTYPED"}}, {"timestamp": _TIME}],
}


@pytest.mark.parametrize("name", CASES)
async def test_no_row_is_lost_where_partition_values_look_alike(tmp_path: Path, name: str) -> None:
    """All rows are there, under the numbers that the report gives, and `verify` agrees."""
    lake = a_lake(tmp_path)
    rows = [{"id": f"it-{number}", **row} for number, row in enumerate(CASES[name])]
    async with lake.emulator:
        lake.add_job(as_lines(rows))

        report = await lake.export("items")

    assert (report.exit_code, report.counts["created"]) == (0, len(rows))
    assert lake.ids() == [row["id"] for row in rows]
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_folders_differ_on_a_disk_that_knows_no_case(tmp_path: Path) -> None:
    """`SMS` beside `sms` would be one folder and one file there."""
    lake = a_lake(tmp_path)
    async with lake.emulator:
        lake.add_job(as_lines([{"id": row, "timestamp": _TIME, "content": {"type": row}} for row in ("SMS", "sms")]))
        await lake.export("items")

    parts = [str(path.relative_to(lake.out)).casefold() for path in (lake.out / "items").rglob("*.parquet")]

    assert len(set(parts)) == 2


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
async def test_readers_open_every_awkward_partition(awkward: Lake, read: Reader) -> None:
    """Without options, and each row is counted once."""
    columns, counts = read(awkward.out / "items", "type")

    assert {"type", "date"} <= set(columns)
    assert sum(counts.values()) == sum(len(rows) for rows in CASES.values())
    assert {"SMS", "sms"} <= set(counts)


async def test_a_zero_time_leaves_dates_dates(awkward: Lake) -> None:
    """A folder that is not a date would turn the column into text for everyone who compares it with a day."""
    with duckdb.connect() as connection:
        by_duckdb = connection.sql(f"SELECT date FROM '{awkward.out}/items/**/*.parquet'").types  # noqa: S608

    assert [str(found) for found in by_duckdb] == ["DATE"]
    assert pl.scan_parquet(awkward.out / "items").collect_schema()["date"] == pl.Date


@pytest.fixture
async def awkward(tmp_path: Path) -> Lake:
    """A data set with all these rows."""
    lake = a_lake(tmp_path)
    rows = [row for case in CASES.values() for row in case]
    async with lake.emulator:
        lake.add_job(as_lines([{"id": f"it-{number}", **row} for number, row in enumerate(rows)]))
        await lake.export("items")
    return lake


async def of_two_months(lake: Lake, partition: tuple[str, ...]) -> None:
    """Two rows of each of two months, of two types."""
    rows = [
        {"id": f"{month}-{kind}", "timestamp": f"2026-{month}-19T10:00:00Z", "content": {"type": kind}}
        for month in ("02", "03")
        for kind in ("SMS", "EMAIL")
    ]
    lake.add_job(as_lines([*rows, {"id": "no time", "content": {"type": "SMS"}}]))
    await lake.export("items", partition=partition)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
async def test_a_month_is_one_folder_to_every_reader(tmp_path: Path, read: Reader) -> None:
    """One file for each month of a job, whatever its types are."""
    lake = a_lake(tmp_path)
    async with lake.emulator:
        await of_two_months(lake, ("month",))

    assert {path.parent.name for path in (lake.out / "items").rglob("*.parquet")} == {
        "month=2026-02",
        "month=2026-03",
        "month=0001-01",
    }
    columns, counts = read(lake.out / "items", "month")
    assert {"month", "contentType"} <= set(columns)
    assert sorted(counts.values()) == [1, 2, 2]


async def test_folders_never_change_silently(tmp_path: Path) -> None:
    """Others are refused before anything is sent; without --partition a data set goes on as it was begun."""
    lake = a_lake(tmp_path)
    async with lake.emulator:
        await of_two_months(lake, ("month",))
        lake.add_job(as_lines([{"id": "more", "timestamp": _TIME, "content": {"type": "SMS"}}]))
        lake.forget()
        for other in (("type", "date"), ("type", "month"), ()):
            with pytest.raises(UsageError, match="partitioned by month, and keeps it"):
                await lake.export("items", partition=other)
        assert lake.asked() == {}
        await lake.export("items")

    folders = {path.parent.name for path in (lake.out / "items").rglob("*.parquet")}
    assert folders == {"month=2026-02", "month=2026-03", "month=0001-01"}
    assert len(lake.ids()) == 6
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


def test_a_month_and_a_date_are_one_too_many() -> None:
    """The one says what the other says."""
    with pytest.raises(UsageError, match="one of date and month"):
        ExportOptions(out="lake", partition=("date", "month"))


def test_what_arrives_later_goes_into_the_same_folders(tmp_path: Path) -> None:
    """Whoever writes without naming any, as for events that arrive, and where small units become one."""
    lines = as_lines(
        [
            {"id": f"{day}-{kind}", "timestamp": f"2026-03-{day}T10:00:00Z", "type": f"{kind}/CREATED"}
            for day in (18, 19)
            for kind in ("CONTACT", "TASK")
        ]
    )
    with DataFolder.open(tmp_path / "lake", host="h", create=True).lock() as folder:
        for unit, options in (("a", PartOptions(partition=("month",))), ("b", None)):
            with UnitWriter(folder, DATA_SETS["events"], unit, Origin(unit, "f"), options) as writer:
                writer.convert([lines.replace(b'"id":"', f'"id":"{unit}-'.encode())])
                writer.commit()
        both = folder.manifests("events")
        assert {part.path.partition("/")[0] for one in both for part in one.parts} == {"month=2026-03"}
        merged = merge_units(folder, both, "a", origin=Origin("a", "f"), covered=None, about={})

        assert [part.path.partition("/")[0] for part in merged.parts] == ["month=2026-03"]
        assert merged.rows == 8
        assert verify(folder, deep=True).is_sound


@pytest.mark.parametrize(
    ("asked", "folders"), [(None, ("window",)), (("month",), ("window",)), (("type", "date"), ("window",)), ((), ())]
)
def test_reports_keep_a_folder_for_each_window(asked: tuple[str, ...] | None, folders: tuple[str, ...]) -> None:
    """Months are for items and events; only `none` means all of them."""
    layout = ReportLayout.of("reports/AgentSummaryV2", [ReportColumn("Agent", "Agent", "text")], ())
    options = ExportOptions(out="lake", words=("report",), partition=asked)

    assert options.parts(layout.data_set).folders_of(layout.data_set) == folders


def test_a_month_is_that_of_utc(tmp_path: Path) -> None:
    """At the end of a year as well, whatever zone a time is written in."""
    times = {"a": "2026-12-31T23:30:00-05:00", "b": "2027-01-01T00:30:00+02:00", "c": "2026-12-31T23:59:59.999999Z"}
    lines = [orjson.dumps({"id": name, "timestamp": time, "content": {"type": "SMS"}}) for name, time in times.items()]
    options = PartOptions(partition=("month",))
    with DataFolder.open(tmp_path / "lake", host="h", create=True).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["items"], "one", Origin("one", "items.jsonl"), options)
        writer.convert(line + b"\n" for line in lines)
        writer.commit()

    found = pl.read_parquet(tmp_path / "lake" / "items", hive_partitioning=True).sort("id")
    assert found.select("month", "id").rows() == [("2027-01", "a"), ("2026-12", "b"), ("2026-12", "c")]
