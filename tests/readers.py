"""A folder of parts as those read it who know nothing of us: each opens it as one table, without options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq

__all__ = ("READERS", "Found", "Reader", "by_duckdb", "by_pandas", "by_polars", "by_pyarrow", "by_pyarrow_dataset")

Found = tuple[list[str], dict[str | None, int]]
"""Names of the columns, and rows by the value of one of them."""
Reader = Callable[[Path, str], Found]


def by_pyarrow(folder: Path, by: str) -> Found:
    """By its default reader."""
    return _counted(pq.read_table(folder), by)


def by_pyarrow_dataset(folder: Path, by: str) -> Found:
    """By its data sets."""
    return _counted(ds.dataset(folder, partitioning="hive").to_table(), by)


def by_pandas(folder: Path, by: str) -> Found:
    """By pandas."""
    frame: Any = pd.read_parquet(folder)
    counts = frame.groupby(by, dropna=False).size().to_dict()
    return list(frame.columns), {name if isinstance(name, str) else None: count for name, count in counts.items()}


def by_duckdb(folder: Path, by: str) -> Found:
    """By DuckDB, which takes no folder."""
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT * FROM '{folder}/**/*.parquet'")  # noqa: S608 - a folder of this test
        counts = relation.aggregate(f'"{by}", count(*)').fetchall()
        return relation.columns, dict(counts)


def by_polars(folder: Path, by: str) -> Found:
    """By Polars, which takes a folder without any other file only."""
    frame = pl.scan_parquet(folder).collect()
    return frame.columns, dict(frame.group_by(by).len().iter_rows())


READERS: tuple[Reader, ...] = (by_pyarrow, by_pyarrow_dataset, by_pandas, by_duckdb, by_polars)


def _counted(table: Any, by: str) -> Found:
    counts: list[dict[str, Any]] = table.group_by(by).aggregate([([], "count_all")]).to_pylist()
    return table.schema.names, {row[by]: row["count_all"] for row in counts}
