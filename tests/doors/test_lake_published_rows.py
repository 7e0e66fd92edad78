"""A data set opens as one table in every reader of Parquet, without options."""

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.lake.conversion import convert
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions, PartWriter
from bulkgladly.lake.rows import Origin, Reject
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from tests.readers import READERS, Reader

SMALL = PartOptions(row_group_bytes=200)


def unexpected(refused: Reject) -> None:
    raise AssertionError(refused)


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return two lines of each kind on different days, one of a kind that is not declared, and one of no kind."""
    data_set = DATA_SETS[name]
    kinds = [*data_set.shapes, "NEW"]
    days = ("2024-05-01T10:00:00Z", "2024-05-02T10:00:00.25Z")
    lines: list[dict[str, Any]] = [{"id": "no kind"}]
    for kind in kinds:
        place: dict[str, Any] = {"type": kind} if name == "events" else {"content": {"type": kind}}
        lines += [{"id": f"{kind} {day}", "timestamp": day, "new": 5, **place} for day in days]
    return lines


def written(folder: Path, name: str) -> None:
    """Write the lines as two units."""
    data_set = DATA_SETS[name]
    for stem in ("one", "two"):
        writer = PartWriter(folder, data_set, Origin(stem, "lines"), SMALL)
        data = b"".join(orjson.dumps(line) + b"\n" for line in lines_of(name))
        convert([data], data_set, write=writer.write, reject=unexpected)
        for report in writer.finish():
            (folder / report.partial).rename(folder / report.path)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["items", "events"])
def test_every_reader_finds_one_table(tmp_path: Path, name: str, read: Reader) -> None:
    """With the folders as further columns; a kind that is not declared and a row without one are there too."""
    data_set = DATA_SETS[name]
    kind = data_set.kind_column
    assert kind is not None
    written(tmp_path / name, name)

    columns, counts = read(tmp_path / name, kind)

    assert sorted(columns) == sorted([*data_set.schema.names, *data_set.partitions])
    expected: dict[str | None, int] = dict.fromkeys([*data_set.shapes, "NEW"], 4)
    assert counts == expected | {None: 2}


@pytest.mark.parametrize("read", READERS)
def test_rows_that_are_being_written_are_no_part_of_it(tmp_path: Path, read: Reader) -> None:
    """In the middle of a unit, and after a kill there: rows, rejects and raw lines lie aside until they are published.

    Polars refuses a folder with any other file, also a hidden one.
    """
    events = DATA_SETS["events"]
    lines = b"".join(orjson.dumps(line) + b"\n" for line in lines_of("events")) + b"no row\n"
    living, killed = tmp_path / "living", tmp_path / "killed"
    with DataFolder.open(living, host="h", create=True).lock() as folder:
        for unit in ("one", "two"):
            writer = UnitWriter(folder, events, unit, Origin(unit, "lines"), SMALL, keep_raw=True)
            writer.convert([lines])
            if unit == "one":
                writer.commit()
        shutil.copytree(living, killed)
        found = [read(path / "events", "type") for path in (living, killed)]
        writer.abandon()

    assert [path for path in (killed / "_incoming" / "events").rglob("*.partial") if path.stat().st_size]
    for _, counts in found:
        assert sum(counts.values()) == len(lines_of("events"))
