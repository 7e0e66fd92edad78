"""Single columns of what is published, some thousand rows at a time."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from bulkgladly.errors import InputError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.schemas.shapes import TIMESTAMP

__all__ = ("micros_of", "recent_keys", "values_in")


def micros_of(time: dt.datetime) -> int:
    """Return an aware time as microseconds since 1970, as columns hold it."""
    return (time - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)


def values_in(folder: DataFolder, data_set: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the values of columns of a declared data set, row by row, in batches; times in microseconds since 1970.

    Memory is bounded by a row group's share of these columns. Rows come unit by unit; one
    that is in several units comes several times.

    Raises:
        InputError: A part is not there or cannot be read, and the folder does not pass over damage.
    """
    for manifest in folder.manifests(data_set):
        for path in parts_of(folder, manifest):
            for table in _tables(folder, manifest, path, columns):
                yield list(zip(*(_plain(table.column(name)) for name in columns), strict=True))


def recent_keys(folder: DataFolder, data_set: str, key: str, since: dt.datetime) -> set[str]:
    """Return the keys of the rows whose `timestamp` is not before a time. Parts that end before it are not read.

    Raises:
        InputError: A part is not there or cannot be read, and the folder does not pass over damage.
    """
    found: set[str] = set()
    for manifest in folder.manifests(data_set):
        for part, path in zip(manifest.parts, parts_of(folder, manifest), strict=True):
            if part.max_timestamp is None or part.max_timestamp < since:
                continue
            for table in _tables(folder, manifest, path, (key, "timestamp")):
                is_recent = pc.greater_equal(table.column("timestamp"), pa.scalar(since, TIMESTAMP))
                found.update(cast("Any", table.filter(is_recent)).column(key).drop_null().to_pylist())
    return found


def _tables(folder: DataFolder, manifest: Manifest, path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    try:
        yield from tables_in(path, DATA_SETS[manifest.data_set], columns)
    except InputError as error:
        folder.pass_over(path, manifest.data_set, error, manifest.unit)


def _plain(column: Any) -> list[Any]:
    return (column.cast(pa.int64()) if types.is_timestamp(column.type) else column).to_pylist()  # type: ignore[no-any-return]
