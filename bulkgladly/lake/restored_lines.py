"""From a row of a table back to the line it was read from."""

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import types

from bulkgladly.json_paths import parsed, put
from bulkgladly.lake.schemas import EXTRA, LINE, DataSet
from bulkgladly.strict_json import exact_object
from bulkgladly.times import canonical

__all__ = ("as_plain", "to_api", "to_line")

_EXACT_IN_FLOAT = 1 << 53


def to_api(row: Mapping[str, Any], data_set: DataSet) -> dict[str, Any]:
    """Return the object that a row stands for, in the API's own shape.

    `row` is one of `Table.to_pylist()`. Each value is equal to what the line had; times are
    equal as instants and in UTC, written with three or six fraction digits. A field that was
    absent is absent, and one that was null is null. A number that no float holds is a Decimal.
    """
    return _restored(row, data_set, json.loads(row.get(EXTRA) or "{}", parse_float=_number))


def to_line(row: Mapping[str, Any], data_set: DataSet) -> bytes:
    """Return the same as a line of JSON without its newline, with the row's provenance as further members.

    Numbers have the digits they had. Should the object have a member of the same name as
    one of the provenance, that stands in a member `_extra`.
    """
    made = _restored(row, data_set, exact_object((row.get(EXTRA) or "{}").encode()))
    provenance = [name for name in (*data_set.provenance, LINE) if row.get(name) is not None]
    hidden = {name: made.pop(name) for name in (*provenance, EXTRA) if name in made}
    for name in provenance:
        made[name] = as_plain(row[name], data_set.schema.field(name).type)
    if hidden:
        made[EXTRA] = hidden
    return orjson.dumps(made)


def _restored(row: Mapping[str, Any], data_set: DataSet, extra: Mapping[str, Any]) -> dict[str, Any]:
    shape = data_set.shape_of(row.get(data_set.kind_column) if data_set.kind_column is not None else None)
    made: dict[str, Any] = {}
    for column in shape.columns:
        value = row.get(column.name)
        if value is not None:
            put(made, column.path, value[0] if column.wraps else as_plain(value, column.type))
    for path, value in extra.items():
        put(made, parsed(path), value)
    return made


def as_plain(value: Any, kept: pa.DataType) -> Any:
    """Return a value of a column as JSON has it; members of structs that are null are left out."""
    if isinstance(value, dt.datetime):
        return canonical(value)
    if types.is_map(kept):
        return dict(value)
    if isinstance(kept, pa.ListType):
        return [None if item is None else as_plain(item, kept.value_type) for item in value]
    if isinstance(kept, pa.StructType):
        return {name: as_plain(member, kept.field(name).type) for name, member in value.items() if member is not None}
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_FLOAT else value


def _number(text: str) -> float | Decimal:
    exact = Decimal(text)
    number = float(text)
    return number if Decimal(repr(number)) == exact else exact
