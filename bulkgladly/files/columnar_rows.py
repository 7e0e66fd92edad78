"""Batches of Arrow as rows: how the columns of one schema become values."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
from pyarrow import types

from bulkgladly.errors import InputError
from bulkgladly.files import cells
from bulkgladly.json_paths import parsed, put
from bulkgladly.records import Problem, Stage
from bulkgladly.strict_json import parse_object

__all__ = ("RowMaker",)

_DATA_SET, _EXTRA = b"bulkgladly.data_set", "_extra"
"""The mark of a file that bulkgladly exported, and its column for what no other column holds: `docs/dataset.md`."""
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


Plan = tuple[pa.DataType, cells.Convert | None]
"""The type to cast a column to, and the conversion of its values after that."""


Cells = tuple[dict[str, Any] | None, Problem | None, bytes]


class RowMaker:
    """Converts the columns of one schema to values.

    Times, dates and texts leave Arrow as numbers and bytes: its own conversion would need pandas for nanoseconds,
    and one invalid text would cost the whole batch. In a file that bulkgladly exported, values that an open map
    cannot hold (numbers, flags, lists) are in another column; they are put back into the map.

    Raises:
        InputError: Two columns have the same name, or JSON cannot hold a type.
    """

    def __init__(self, schema: pa.Schema, path: Path) -> None:
        self.names = tuple(schema.names)
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise InputError(f"{path}: has the column {twice[0]!r} more than once; rename or remove one")
        self._plain: list[pa.DataType] = []
        self._converts: list[cells.Convert | None] = []
        for field in schema:
            try:
                plain, convert = _plan(field.type)
                pa.nulls(0, field.type).cast(plain)
            except (pa.ArrowException, TypeError) as exc:
                reason = f"column {field.name!r} has the type {field.type}, which cannot be imported"
                raise InputError(f"{path}: {reason}; cast it to another type, or remove it") from exc
            self._plain.append(plain)
            self._converts.append(convert)
        maps = [field.name for field in schema if types.is_map(field.type)]
        is_exported = _DATA_SET in (schema.metadata or {}) and _EXTRA in self.names
        self._open_maps = frozenset(maps if is_exported else ())

    def read(self, batch: pa.RecordBatch) -> list[Cells]:
        """Return fields, or problem and bytes, for each row of a small batch."""
        columns = [_values(*pair) for pair in zip(batch.columns, self._plain, strict=True)]
        if not columns:
            return [({}, None, b"") for _ in range(batch.num_rows)]
        return [self._row(values) for values in zip(*columns, strict=True)]

    def _row(self, values: tuple[Any, ...]) -> Cells:
        fields = dict(zip(self.names, values, strict=True))
        problem: Problem | None = None
        for name, convert in zip(self.names, self._converts, strict=True):
            value = fields[name]
            if convert is None or value is None:
                continue
            try:
                fields[name] = convert(value)
            except cells.CellError as exc:
                problem = problem or Problem(exc.code, f"column {name} {exc}", name, Stage.READ)
                fields[name] = cells.shown(value)
        if self._open_maps and fields[_EXTRA]:
            problem = problem or self._put_back(fields)
        if problem is None:
            return fields, None, b""
        return None, problem, orjson.dumps(fields)

    def _put_back(self, fields: dict[str, Any]) -> Problem | None:
        """Put values into the maps that they belong to, such as `{"customAttributes.visits": 12}`."""
        extra = parse_object(str(fields[_EXTRA]).encode("utf-8", "surrogatepass"))
        if isinstance(extra, Problem):
            return extra
        for text, value in extra.items():
            try:
                path = parsed(text)
            except ValueError:
                continue  # written by a version with another form of paths, so it is not about a map
            if len(path) > 1 and path[0] in self._open_maps:
                fields[str(path[0])] = fields[str(path[0])] or {}
                put(fields, path, value)
        return None


def _values(column: Any, plain: pa.DataType) -> list[Any]:
    return cast("list[Any]", (column if column.type == plain else column.cast(plain)).to_pylist())


def _plan(kind: pa.DataType) -> Plan:
    if isinstance(kind, pa.UuidType):
        return kind.storage_type, cells.uuid_text
    if isinstance(kind, pa.BaseExtensionType):
        return _plan(kind.storage_type)
    if isinstance(kind, pa.DictionaryType):
        return _plan(kind.value_type)
    return _plan_nested(kind) or _plan_time(kind) or _plan_scalar(kind)


def _plan_scalar(kind: pa.DataType) -> Plan:
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_null(kind):
        return kind, None
    if types.is_floating(kind):
        if types.is_float64(kind):
            return kind, cells.finite
        return pa.float32(), cells.short16 if types.is_float16(kind) else cells.short32
    if types.is_decimal(kind):
        return kind, cells.decimal_text
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return pa.large_binary(), cells.text
    texts = (
        types.is_string,
        types.is_binary,
        types.is_string_view,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    if any(is_text(kind) for is_text in texts):
        return pa.binary(), cells.text
    raise TypeError(f"no plan for {kind}")


def _plan_time(kind: pa.DataType) -> Plan | None:
    match kind:
        case pa.TimestampType():
            write = partial(cells.timestamp_text, digits=_DIGITS[kind.unit], has_zone=kind.tz is not None)
            return pa.int64(), write
        case pa.Time32Type() | pa.Time64Type():
            plain = pa.int32() if types.is_time32(kind) else pa.int64()
            return plain, partial(cells.time_text, digits=_DIGITS[kind.unit])
        case pa.DurationType():
            return pa.int64(), partial(cells.duration_text, digits=_DIGITS[kind.unit])
        case _ if types.is_date32(kind):
            return pa.int32(), cells.date_text
        case _ if types.is_date64(kind):
            return pa.int64(), cells.date_text_of_ms
        case _:
            return None


def _plan_nested(kind: pa.DataType) -> Plan | None:
    if isinstance(kind, pa.StructType):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        plans = [_plan(field.type) for field in fields]
        if len({field.name for field in fields}) < len(fields):
            raise TypeError("two fields of one name")
        plain = pa.struct([pa.field(field.name, to) for field, (to, _) in zip(fields, plans, strict=True)])
        converts = {field.name: how for field, (_, how) in zip(fields, plans, strict=True) if how}
        return plain, partial(cells.struct_of, converts) if converts else None
    if isinstance(kind, pa.MapType):
        key, key_convert = _plan(kind.key_type)
        item, item_convert = _plan(kind.item_type)
        return pa.map_(key, item), partial(cells.map_of, key_convert, item_convert)
    if isinstance(kind, pa.FixedSizeListType):
        item, convert = _plan(kind.value_type)
        return pa.list_(item, kind.list_size), partial(cells.list_of, convert) if convert else None
    if isinstance(kind, pa.LargeListType | pa.LargeListViewType):
        item, convert = _plan(kind.value_type)
        return pa.large_list(item), partial(cells.list_of, convert) if convert else None
    if isinstance(kind, pa.ListType | pa.ListViewType):
        item, convert = _plan(kind.value_type)
        return pa.list_(item), partial(cells.list_of, convert) if convert else None
    return None
