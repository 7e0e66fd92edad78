"""Published rows as the objects that they were read from, many at a time: a column is converted as a whole.

`fitted_lines.to_api` does the same for one row, at a multiple of the time.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pyarrow import types

from bulkgladly.json_paths import parsed, put
from bulkgladly.lake.arrow import Array
from bulkgladly.lake.fitted_lines import as_plain
from bulkgladly.lake.schemas import EXTRA

__all__ = ("objects_in", "times_in")


def objects_in(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table as objects with those of the columns that are not null.

    What `_extra` holds stands at its place again, whatever its column. Times are texts.
    """
    found = [name for name in columns if table.column(name).null_count < table.num_rows]
    values = zip(*(_values(table.column(name)) for name in found), strict=True)
    made = [
        {name: value for name, value in zip(found, row, strict=True) if value is not None}
        for row in (values if found else ((),) * table.num_rows)
    ]
    if table.column(EXTRA).null_count < table.num_rows:
        for row, extra in zip(made, table.column(EXTRA).to_pylist(), strict=True):
            for path, value in json.loads(extra or "{}").items():
                put(row, parsed(path), value)
    return made


def times_in(table: pa.Table, column: str) -> list[int | None]:
    """Return a column of times, in microseconds since 1970."""
    found: list[int | None] = table.column(column).cast(pa.int64()).to_pylist()
    return found


def _values(array: Array) -> list[Any]:
    """Return the values of an array as `as_plain` returns each of them."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in _values(chunk)]
    kept = array.type
    if types.is_map(kept):
        keys, items = _values(array.keys), _values(array.items)
        return _sliced(array, [dict(zip(keys[at:end], items[at:end], strict=True)) for at, end in _bounds(array)])
    if isinstance(kept, pa.ListType):
        members = _values(array.values)
        return _sliced(array, [members[at:end] for at, end in _bounds(array)])
    if isinstance(kept, pa.StructType):
        return _structs(array, kept)
    if types.is_string(kept) or types.is_boolean(kept) or types.is_int64(kept):
        return array.to_pylist()  # type: ignore[no-any-return]
    return [None if value is None else as_plain(value, kept) for value in array.to_pylist()]


def _structs(array: Array, kept: pa.StructType) -> list[Any]:
    members = [(kept.field(at).name, array.field(at)) for at in range(kept.num_fields)]
    members = [(name, member) for name, member in members if member.null_count < len(array)]
    names = [name for name, _ in members]
    values = zip(*(_values(member) for _, member in members), strict=True)
    made = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in (values if names else ((),) * len(array))
    ]
    return _sliced(array, made)


def _bounds(array: Array) -> list[tuple[int, int]]:
    places: list[int] = array.offsets.to_pylist()
    return list(pairwise(places))


def _sliced(array: Array, made: list[Any]) -> list[Any]:
    if not array.null_count:
        return made
    return [value if is_there else None for value, is_there in zip(made, array.is_valid().to_pylist(), strict=True)]
