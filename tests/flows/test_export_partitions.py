"""Rows whose partition values are easily taken for one another, through a whole export and every reader."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from bulkgladly.lake.folder import DataFolder
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
