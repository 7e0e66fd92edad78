"""A data set opens as one table in whatever reads Parquet, without options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from bulkgladly.tables.blocks import Reject
from bulkgladly.tables.convert import convert
from bulkgladly.tables.declared import DATA_SETS
from bulkgladly.tables.parts import PartOptions, PartWriter
from bulkgladly.tables.source import Source

Found = tuple[list[str], dict[str | None, int]]
"""Names of the columns, and rows by kind."""


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
        writer = PartWriter(folder, data_set, Source(stem, "lines"), PartOptions(row_group_bytes=200))
        data = b"".join(orjson.dumps(line) + b"\n" for line in lines_of(name))
        convert([data], data_set, write=writer.write, reject=unexpected)
        for report in writer.finish():
            (folder / report.partial).rename(folder / report.path)


def by_pyarrow(folder: Path, kind: str) -> Found:
    table = pq.read_table(folder)
    counts: list[dict[str, Any]] = table.group_by(kind).aggregate([([], "count_all")]).to_pylist()
    return table.schema.names, {row[kind]: row["count_all"] for row in counts}


def by_pyarrow_dataset(folder: Path, kind: str) -> Found:
    table = ds.dataset(folder, partitioning="hive").to_table()
    counts: list[dict[str, Any]] = table.group_by(kind).aggregate([([], "count_all")]).to_pylist()
    return table.schema.names, {row[kind]: row["count_all"] for row in counts}


def by_pandas(folder: Path, kind: str) -> Found:
    frame = pytest.importorskip("pandas").read_parquet(folder)
    counts = frame.groupby(kind, dropna=False).size().to_dict()
    return list(frame.columns), {name if isinstance(name, str) else None: count for name, count in counts.items()}


def by_duckdb(folder: Path, kind: str) -> Found:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql(f"SELECT * FROM '{folder}/**/*.parquet'")  # noqa: S608 - a folder of this test
    counts = relation.aggregate(f'"{kind}", count(*)').fetchall()
    return relation.columns, dict(counts)


def by_polars(folder: Path, kind: str) -> Found:
    frame = pytest.importorskip("polars").read_parquet(folder)
    return frame.columns, dict(frame.group_by(kind).len().iter_rows())


@pytest.mark.parametrize("read", [by_pyarrow, by_pyarrow_dataset, by_pandas, by_duckdb, by_polars])
@pytest.mark.parametrize("name", ["items", "events"])
def test_every_reader_finds_one_table(tmp_path: Path, name: str, read: Callable[[Path, str], Found]) -> None:
    """With the folders as further columns; a kind that is not declared and a row without one are there too."""
    data_set = DATA_SETS[name]
    kind = data_set.kind_column
    assert kind is not None
    written(tmp_path / name, name)

    columns, counts = read(tmp_path / name, kind)

    assert sorted(columns) == sorted([*data_set.schema.names, *data_set.partitions])
    expected: dict[str | None, int] = dict.fromkeys([*data_set.shapes, "NEW"], 4)
    assert counts == expected | {None: 2}


@pytest.mark.parametrize("read", [by_pyarrow, by_pyarrow_dataset, by_pandas, by_duckdb])
def test_parts_that_are_being_written_are_passed_over(tmp_path: Path, read: Callable[[Path, str], Found]) -> None:
    """By all but Polars, which refuses a folder with a file of another suffix, and is content with `**/*.parquet`."""
    written(tmp_path, "events")
    for folder in (tmp_path, tmp_path / "entity=TASK" / "date=2024-05-01"):
        (folder / ".two-0002.parquet.partial").write_bytes(b"not yet a part")

    _, counts = read(tmp_path, "type")

    assert sum(counts.values()) == 2 * len(lines_of("events"))
