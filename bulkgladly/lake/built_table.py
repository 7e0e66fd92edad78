"""A table that is made from a data set and belongs to none: one file, Parquet, NDJSON or CSV, whole or absent."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import UsageError
from bulkgladly.gladly.data_sets import ListOf, Scalar, Struct, ValueType
from bulkgladly.lake.schemas import arrow_type
from bulkgladly.storage.durable import replacing
from bulkgladly.times import canonical

__all__ = ("TABLE_ENDINGS", "TableSink", "built_table", "moment_of_micros")

TABLE_ENDINGS = (".parquet", ".ndjson", ".jsonl", ".csv")
_GROUP_BYTES, _GROUP_ROWS = 4 << 20, 10_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Row = Mapping[str, Any]


class TableSink(Protocol):
    """Takes the rows of a table, in order. Times are in microseconds since 1970; a missing member is null."""

    def write(self, row: Row, size: int) -> None:
        """Add a row; `size` is about how many bytes it has."""


def moment_of_micros(micros: int) -> dt.datetime:
    """Return the time that is so many microseconds after 1970, in UTC."""
    return _EPOCH + dt.timedelta(microseconds=micros)


@contextmanager
def built_table(path: Path, columns: Mapping[str, ValueType]) -> Iterator[TableSink]:
    """Give what writes rows to a file that replaces `path` when the block ends; only its owner can read it.

    The ending says the format. In NDJSON and CSV times are texts, and in CSV lists are JSON. Memory is bounded by
    about 4 MB of rows, or one row. An error leaves an earlier file as it was.

    Raises:
        UsageError: The ending is not supported.
        OSError: It cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in TABLE_ENDINGS:
        raise UsageError(f"{path}: unknown suffix {path.suffix!r}; name the file *.parquet, *.ndjson or *.csv")
    with replacing(path, mode=0o600) as file:
        if ending == ".parquet":
            parquet = _ParquetTable(file, columns)
            try:
                yield parquet
            except BaseException:
                parquet.drop()
                raise
            parquet.close()
        elif ending == ".csv":
            yield _CsvTable(file, columns)
        else:
            yield _JsonTable(file, columns)


class _ParquetTable:
    def __init__(self, file: BinaryIO, columns: Mapping[str, ValueType]) -> None:
        self._schema = pa.schema([pa.field(name, arrow_type(kind)) for name, kind in columns.items()])
        self._writer = pq.ParquetWriter(cast("Any", file), self._schema, compression="zstd")
        self._held: list[Row] = []
        self._bytes = 0
        self._has_group = False

    def write(self, row: Row, size: int) -> None:
        self._held.append(row)
        self._bytes += size
        if self._bytes >= _GROUP_BYTES or len(self._held) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(cast("Any", self._held), schema=self._schema))
        self._held, self._bytes, self._has_group = [], 0, True

    def close(self) -> None:
        if self._held or not self._has_group:
            self._flush()
        self._writer.close()

    def drop(self) -> None:
        # Its footer goes to a file that is removed anyway; left open, it would be written when it is collected.
        self._held = []
        try:
            self._writer.close()
        except (OSError, ValueError, pa.ArrowException):
            return


class _JsonTable:
    def __init__(self, file: BinaryIO, columns: Mapping[str, ValueType]) -> None:
        self._file, self._kind = file, Struct(columns)

    def write(self, row: Row, size: int) -> None:  # noqa: ARG002  # written at once, whatever its size
        self._file.write(orjson.dumps(_as_json(row, self._kind)) + b"\n")


class _CsvTable:
    def __init__(self, file: BinaryIO, columns: Mapping[str, ValueType]) -> None:
        self._file, self._columns = file, columns
        self._put(list(columns))

    def write(self, row: Row, size: int) -> None:  # noqa: ARG002  # as above
        self._put([_cell(_as_json(row.get(name), kind)) for name, kind in self._columns.items()])

    def _put(self, cells: list[Any]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        self._file.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _as_json(value: Any, kind: ValueType) -> Any:
    if value is None:
        return None
    if kind is Scalar.MOMENT:
        return canonical(moment_of_micros(value))
    if isinstance(kind, ListOf):
        return [_as_json(each, kind.element) for each in value]
    if isinstance(kind, Struct):
        return {name: _as_json(value.get(name), member) for name, member in kind.members.items()}
    return value
