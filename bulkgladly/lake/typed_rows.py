"""Lines of one shape into typed columns, through Arrow's own JSON parser.

Arrow's parser is trusted only with what it does well. It accepts several objects on a line and one
object over several lines, crashes on a line that is `null`, does not check UTF-8, reads times without a
zone, rounds numbers to what a float holds, and does not distinguish null from absent. `line_bundles`
keeps the first three and the last away from here; the others are detected here and refused, and the
caller takes the slow path (`fit_line`).
"""

import re
from functools import cache
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as paj
from pyarrow import types

from bulkgladly.lake.arrow import Array, extremes_of, scalar
from bulkgladly.lake.schemas import EXTRA, LINE, TIMESTAMP, Shape

__all__ = ("Unfit", "read_fitting")

_MAY_BE_ROUNDED = rb"[:,\[]\s*-?[0-9](?:[0-9.]{15}|[0-9.]*[eE])"
"""A number with more digits than a float always keeps, or with an exponent."""
_MAY_BE_MISSED = rb":\s*\{\s*\}"
"""An empty object: where its members are the columns, no column would distinguish it from an absent one."""
# The years 1 to 9999 in microseconds: what a `datetime` can hold. Arrow itself accepts more.
_TIME_RANGE = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_ZERO, _ONE = scalar(0, pa.int32()), scalar(1, pa.int32())


class Unfit(ValueError):
    """At least one line does not fit the shape, or may not fit it."""


def read_fitting(shape: Shape, data: bytes, numbers: Array, *, is_fitted: bool = False) -> pa.RecordBatch:
    """Return the columns of a shape, `_line`, and `_extra` if the lines were fitted.

    All or nothing: each line becomes one row, in order, with nothing left out. `data` holds one line for
    each number, each from its first brace to its last, and a newline.

    Raises:
        Unfit: Some line does not fit.
    """
    if not is_fitted and (doubt := _doubt_about(shape)) is not None and doubt.search(data):
        raise Unfit("a number that may be rounded, or an empty object")
    try:
        table = _parse(data, _json_schema(shape, is_fitted))
        if table.num_rows != len(numbers):
            raise Unfit("not one object a line")
        batch = table.combine_chunks().to_batches()[0]
        # Only a full validation finds bytes that are not UTF-8, and it is slow; ASCII needs none.
        if not data.isascii():
            batch.validate(full=True)
        return _assemble(shape, batch, numbers, is_fitted=is_fitted)
    except pa.ArrowException as exc:
        raise Unfit("not as declared") from exc


def _parse(data: bytes, schema: pa.Schema) -> pa.Table:
    # One block for all of it, so that no object lies across two blocks.
    return paj.read_json(
        cast("Any", pa.BufferReader(data)),
        read_options=paj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=paj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        memory_pool=_pool(),
    )


@cache
def _pool() -> pa.MemoryPool:
    """Return jemalloc if it is built in, even if it is not the default of Arrow: see `bulkgladly.lake`."""
    try:
        return pa.jemalloc_memory_pool()
    except NotImplementedError:
        return pa.default_memory_pool()


@cache
def _doubt_about(shape: Shape) -> re.Pattern[bytes] | None:
    """Return a pattern for what Arrow's parser would lose in a line of this shape, or None."""
    is_doubtful = {
        _MAY_BE_ROUNDED: _holds_float(shape.json_type),
        _MAY_BE_MISSED: bool(shape.holders - {*shape.kind_path[:-1]}),
    }
    found = [pattern for pattern, holds in is_doubtful.items() if holds]
    return re.compile(b"|".join(found)) if found else None


def _holds_float(kept: pa.DataType) -> bool:
    if isinstance(kept, pa.ListType | pa.StructType):
        return any(_holds_float(kept.field(at).type) for at in range(kept.num_fields))
    return types.is_float64(kept)


@cache
def _json_schema(shape: Shape, is_fitted: bool) -> pa.Schema:
    schema = pa.schema(list(cast("Any", _as_json(shape.json_type, is_fitted))))
    return schema.append(pa.field(EXTRA, pa.string())) if is_fitted else schema


def _as_json(kept: pa.DataType, is_fitted: bool) -> pa.DataType:
    """Return the type to parse as: times stay text, and maps are lists of entries, as fitting writes them.

    In a line that was not fitted, nothing is read as a map: neither an object, nor a list that looks
    like the entries of one.
    """
    if types.is_timestamp(kept):
        return pa.string()
    if types.is_map(kept):
        return pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])) if is_fitted else pa.null()
    if isinstance(kept, pa.ListType):
        return pa.list_(_as_json(kept.value_type, is_fitted))
    if isinstance(kept, pa.StructType):
        members = [kept.field(at) for at in range(kept.num_fields)]
        return pa.struct([(member.name, _as_json(member.type, is_fitted)) for member in members])
    return kept


def _assemble(shape: Shape, batch: pa.RecordBatch, numbers: Array, *, is_fitted: bool) -> pa.RecordBatch:
    found: dict[tuple[str, ...], Array] = {(name,): batch.column(name) for name in batch.schema.names}
    for name in shape.holders:
        holder: Array = found[name,]
        members = [holder.type.field(at).name for at in range(holder.type.num_fields)]
        found |= {(name, member): array for member, array in zip(members, holder.flatten(), strict=True)}
    if shape.kind is not None and not _is_always(found[shape.kind_path], shape.kind):
        raise Unfit("another kind")
    arrays = {column.name: _typed(found[column.path], column.type, wraps=column.wraps) for column in shape.columns}
    arrays[LINE] = numbers
    if is_fitted:
        arrays[EXTRA] = found[EXTRA,]
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _is_always(array: Array, value: str) -> bool:
    return bool(array.null_count == 0 and extremes_of(array) == (value, value))


def _typed(array: Array, kept: pa.DataType, *, wraps: bool) -> Array:
    return _lists_of_one(array) if wraps else _as_kept(array, kept)


def _as_kept(array: Array, kept: pa.DataType) -> Array:
    """Return what was parsed in the type of its column; only times and maps differ, at any depth."""
    if array.type.equals(kept):
        return array
    if types.is_null(array.type):
        return pa.nulls(len(array), cast("Any", kept))
    if types.is_timestamp(kept):
        return _times(array)
    if types.is_map(kept):
        return _maps(array, kept)
    if isinstance(kept, pa.ListType):
        children, own = [_as_kept(array.values, kept.value_type)], 2
    else:
        children, own = [_as_kept(array.field(at), kept.field(at).type) for at in range(kept.num_fields)], 1
    return pa.Array.from_buffers(kept, len(array), array.buffers()[:own], array.null_count, array.offset, children)


def _times(texts: Array) -> Array:
    """Return texts as times. This cast refuses texts without a zone, unlike Arrow's JSON parser."""
    times = texts.cast(TIMESTAMP)
    first, last = extremes_of(times.view(pa.int64()))
    if first is not None and not _TIME_RANGE[0] <= first <= last <= _TIME_RANGE[1]:
        raise Unfit("a time outside the years 1 to 9999")
    return times


def _lists_of_one(texts: Array) -> Array:
    """Return texts as lists of one text, and nulls as null."""
    if not texts.null_count:
        return pa.ListArray.from_arrays(_offsets(pa.repeat(_ONE, len(texts))), texts)
    offsets = _offsets(texts.is_valid().cast(pa.int32()))
    return pa.ListArray.from_arrays(offsets, texts.drop_null(), mask=texts.is_null())


def _offsets(lengths: Array) -> Array:
    return pa.concat_arrays([pa.repeat(_ZERO, 1), cast("Array", pc.cumulative_sum(lengths))])


def _maps(lists: Array, kept: pa.DataType) -> Array:
    """Return lists of entries as maps."""
    keys, values = lists.values.flatten()
    fields = [pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())]
    pairs = pa.StructArray.from_arrays([keys, values], fields=fields)
    return pa.Array.from_buffers(kept, len(lists), lists.buffers()[:2], lists.null_count, lists.offset, [pairs])
