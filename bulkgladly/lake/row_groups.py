"""One Parquet file of rows for a program and for people, written group by group, and read again by number.

Memory stays flat at any length: one group is held while writing, and a few while reading.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError

__all__ = ("NumberedRows", "write_rows")

_ROWS_IN_GROUP = 2_000
_GROUPS_HELD = 4
_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "number": pa.int64(),
        "text": pa.string(),
        "flag": pa.bool_(),
        "fields": pa.list_(
            pa.struct([("field", pa.string()), ("before", pa.string()), ("after", pa.string())]),
        ),
    }
)
"""What a column can hold: a whole number, a text, true or false, or what a change does to each field (JSON)."""


def write_rows(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a new file, and return their number. `columns` maps names to types; see `NumberedRows`.

    Raises:
        OSError: It cannot be written; a part of it may be there.
    """
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    written, group = 0, list[Mapping[str, Any]]()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in rows:
            group.append(row)
            if len(group) == _ROWS_IN_GROUP:
                writer.write_table(_table(group, schema))
                written, group = written + len(group), []
        if group or not written:
            writer.write_table(_table(group, schema))
    return written + len(group)


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(cast("Any", rows), schema=schema)


class NumberedRows:
    """The rows of such a file by their number, which is in the first column and never decreases."""

    def __init__(self, path: Path) -> None:
        """Open the file and read where its groups begin.

        Raises:
            InputError: It is not such a file.
        """
        self._path = path
        with self._damage_named():
            self._file = pq.ParquetFile(path)
            self._ends = [self._last_of(number) for number in range(self._file.num_row_groups)]
        self._held: OrderedDict[int, dict[int, Mapping[str, Any]]] = OrderedDict()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield all rows in order."""
        for number in range(len(self._ends)):
            yield from self._rows_of(number)

    def find(self, number: int) -> Mapping[str, Any] | None:
        """Return the row with a number; None if there is none. Rows near each other are read once.

        Raises:
            InputError: The file is damaged.
        """
        group = next((at for at, last in enumerate(self._ends) if number <= last), None)
        if group is None:
            return None
        if group not in self._held:
            self._held[group] = {int(next(iter(row.values()))): row for row in self._rows_of(group)}
            if len(self._held) > _GROUPS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(group)
        return self._held[group].get(number)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rows_of(self, group: int) -> list[Mapping[str, Any]]:
        with self._damage_named():
            return cast("list[Mapping[str, Any]]", self._file.read_row_group(group).to_pylist())

    def _last_of(self, group: int) -> int:
        found = self._file.metadata.row_group(group)
        statistics = found.column(0).statistics
        return -1 if not found.num_rows or statistics is None else int(cast("Any", statistics.max))

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, KeyError) as error:
            raise InputError(f"{self._path} is damaged, or not a file of this kind: {error}") from error
