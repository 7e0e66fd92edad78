"""A data set opens as one table in every reader of Parquet, without options."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.lake.conversion import convert
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions, PartWriter
from bulkgladly.lake.rows import Origin, Reject
from bulkgladly.lake.schemas import DATA_SETS, DataSet
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


@pytest.fixture(scope="module", params=["items", "events"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[DataSet, Path]:
    """A data set, and a folder that holds it, for all readers."""
    name: str = request.param
    folder = tmp_path_factory.mktemp("table") / name
    written(folder, name)
    return DATA_SETS[name], folder


@pytest.mark.parametrize("read", READERS)
def test_every_reader_finds_one_table(table: tuple[DataSet, Path], read: Reader) -> None:
    """With the folders as further columns; a kind that is not declared and a row without one are there too."""
    data_set, folder = table
    kind = data_set.kind_column
    assert kind is not None

    columns, counts = read(folder, kind)

    assert sorted(columns) == sorted([*data_set.schema.names, *data_set.partitions])
    expected: dict[str | None, int] = dict.fromkeys([*data_set.shapes, "NEW"], 4)
    assert counts == expected | {None: 2}


@pytest.fixture(scope="module")
def half_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A folder in the middle of its second unit, and the same after a kill there."""
    events, top = DATA_SETS["events"], tmp_path_factory.mktemp("half")
    lines = b"".join(orjson.dumps(line) + b"\n" for line in lines_of("events")) + b"no row\n"
    living, killed = top / "living", top / "killed"
    with DataFolder.open(living, host="h", create=True).lock() as folder:
        for unit in ("one", "two"):
            writer = UnitWriter(folder, events, unit, Origin(unit, "lines"), SMALL, keep_raw=True)
            writer.convert([lines])
            if unit == "one":
                writer.commit()
        shutil.copytree(living, killed)
        yield living, killed
        writer.abandon()


@pytest.mark.parametrize("read", READERS)
def test_rows_that_are_being_written_are_no_part_of_it(half_written: tuple[Path, Path], read: Reader) -> None:
    """In the middle of a unit, and after a kill there: rows, rejects and raw lines lie aside until they are published.

    Polars refuses a folder with any other file, also a hidden one.
    """
    found = [read(path / "events", "type") for path in half_written]

    for path in half_written:
        assert [each for each in (path / "_incoming" / "events").rglob("*.partial") if each.stat().st_size]
    for _, counts in found:
        assert sum(counts.values()) == len(lines_of("events"))
