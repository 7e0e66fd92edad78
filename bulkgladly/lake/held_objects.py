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

__all__ = ("objects_in", "plain_values", "times_in")


def objects_in(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table as objects with those of the columns that are not null.

    What `_extra` holds of these columns stands at its place again. Times are texts.
    """
    made = _objects([(name, table.column(name)) for name in columns], table.num_rows)
    if table.column(EXTRA).null_count < table.num_rows:
        for row, extra in zip(made, table.column(EXTRA).to_pylist(), strict=True):
            for text, value in json.loads(extra or "{}").items():
                if (path := parsed(text))[0] in columns:
                    put(row, path, value)
    return made


def times_in(table: pa.Table, column: str) -> list[int | None]:
    """Return a column of times, in microseconds since 1970."""
    found: list[int | None] = table.column(column).cast(pa.int64()).to_pylist()
    return found


def plain_values(array: Array) -> list[Any]:
    """Return the values of an array as `as_plain` returns each of them."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in plain_values(chunk)]
    kept = array.type
    if types.is_map(kept):
        begin, bounds = _bounds(array)
        keys, items = (plain_values(_part(child, begin, bounds)) for child in (array.keys, array.items))
        pairs = list(zip(keys, items, strict=True))
        return _sliced(array, [dict(pairs[at:end]) for at, end in pairwise(bounds)])
    if isinstance(kept, pa.ListType):
        begin, bounds = _bounds(array)
        members = plain_values(_part(array.values, begin, bounds))
        return _sliced(array, [members[at:end] for at, end in pairwise(bounds)])
    if isinstance(kept, pa.StructType):
        return _structs(array, kept)
    if types.is_string(kept) or types.is_boolean(kept) or types.is_int64(kept):
        return array.to_pylist()  # type: ignore[no-any-return]
    return [None if value is None else as_plain(value, kept) for value in array.to_pylist()]


def _structs(array: Array, kept: pa.StructType) -> list[Any]:
    members = [(kept.field(at).name, array.field(at)) for at in range(kept.num_fields)]
    return _sliced(array, _objects(members, len(array)))


def _objects(members: Sequence[tuple[str, Array]], rows: int) -> list[dict[str, Any]]:
    """Return one object for each row, with the members that are not null."""
    # Columns without nulls need no test of each value, which is most of the time.
    whole = [(name, array) for name, array in members if not array.null_count]
    names = [name for name, _ in whole]
    values = zip(*(plain_values(array) for _, array in whole), strict=True) if whole else ((),) * rows
    made = [dict(zip(names, row, strict=True)) for row in values]
    for name, array in members:
        if 0 < array.null_count < rows:
            for one, value in zip(made, plain_values(array), strict=True):
                if value is not None:
                    one[name] = value
    return made


def _bounds(array: Array) -> tuple[int, list[int]]:
    """Return where the members of a slice begin among those of its whole array, and where each row ends in them."""
    places: list[int] = array.offsets.to_pylist()
    return places[0], [place - places[0] for place in places]


def _part(child: Array, begin: int, bounds: Sequence[int]) -> Array:
    # The child of a slice is that of the whole array.
    return child.slice(begin, bounds[-1])


def _sliced(array: Array, made: list[Any]) -> list[Any]:
    if not array.null_count:
        return made
    return [value if is_there else None for value, is_there in zip(made, array.is_valid().to_pylist(), strict=True)]
