"""Arrow arrays, scalars and tables, created and inspected without loading pandas or numpy.

`pa.scalar`, `pa.array` of Python values and `as_py` of a time load pandas where it is installed:
0.2 s and 40 MB before the first row, for nothing. So scalars are created only here, and a conversion,
from the downloaded bytes to the published unit, never makes those calls (a test checks it). Where
rows are Python values anyway (cells of a report, lines of a text part, rows that are merged),
`pa.array` and `to_pylist` are used.
"""

import datetime as dt
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

__all__ = ("Array", "empty_table", "extremes_of", "in_schema", "integers", "scalar")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

Array = Any
"""An Arrow array, or a column of a table. Its type is known only at run time."""


def integers(kind: str, values: Iterable[int]) -> Array:
    """Return integers as an Arrow array; `kind` is a type code of `array`: B, i or q."""
    held = array(kind, values)
    made = {"B": pa.uint8(), "i": pa.int32(), "q": pa.int64()}[kind]
    return pa.Array.from_buffers(made, len(held), cast("Any", [None, pa.py_buffer(cast("Any", held))]))


def empty_table(schema: pa.Schema) -> pa.Table:
    """Return a table without rows; that of the schema itself would load pandas."""
    return pa.Table.from_batches([], schema=schema)


def scalar(value: str | int | dt.datetime | dt.date | None, kept: pa.DataType) -> Any:
    """Return a value as an Arrow scalar of a type; a time must have a zone."""
    if value is None:
        return pa.nulls(1, cast("Any", kept))[0]
    if isinstance(value, str):
        body = pa.py_buffer(value.encode())
        offsets = integers("i", (0, body.size)).buffers()[1]
        made = pa.Array.from_buffers(pa.string(), 1, cast("Any", [None, offsets, body]))
    elif isinstance(value, dt.datetime):
        made = integers("q", ((value - _EPOCH) // _MICROSECOND,)).view(pa.timestamp("us", tz="UTC"))
    elif isinstance(value, dt.date):
        made = integers("i", ((value - _EPOCH.date()).days,)).view(pa.date32())
    else:
        made = integers("q", (value,))
    return made.cast(kept)[0]


def extremes_of(values: Array) -> tuple[Any, Any]:
    """Return the smallest and the largest value, or None twice if there is no value. Times must be in microseconds."""
    is_time = types.is_timestamp(values.type)  # as_py of a time would load pandas
    found = cast("Any", pc.min_max(values.cast(pa.int64()) if is_time else values)).as_py()
    first, last = found["min"], found["max"]
    if is_time and first is not None:
        return _EPOCH + first * _MICROSECOND, _EPOCH + last * _MICROSECOND
    return first, last


def in_schema(table: pa.Table, schema: pa.Schema, constants: Mapping[str, Any]) -> pa.Table:
    """Return rows with all columns of a schema; a missing column gets a constant, or is null in every row."""
    present = dict(zip(table.schema.names, table.columns, strict=True))
    columns: list[Any] = []
    for field in schema:
        constant = constants.get(field.name)
        if field.name in present:
            columns.append(present[field.name])
        elif constant is not None:
            columns.append(pa.repeat(scalar(constant, field.type), table.num_rows))
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
