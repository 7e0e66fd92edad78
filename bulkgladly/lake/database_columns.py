"""Published rows in the forms that databases take: CSV for COPY, tuples, and which form each column has."""

import enum
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pyarrow import types

from bulkgladly.lake.arrow import Array, integers, scalar
from bulkgladly.lake.held_objects import plain_values

__all__ = ("ColumnForm", "column_forms", "copy_blocks", "gathered", "text_tuples", "with_number")

_BLOCK_ROWS = 8192
_MOST_ROWS, _MOST_BYTES = 50_000, 16 << 20
_NUL, _PLACEHOLDER = "\x00", "\N{REPLACEMENT CHARACTER}"
"""PostgreSQL refuses NUL in every text, so another character takes its place there."""


class ColumnForm(enum.Enum):
    """What a column holds, as far as databases tell it apart. `JSON` is a struct, a map, or a list of such."""

    TEXT = "text"
    FLAG = "flag"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    MOMENT = "moment"
    DAY = "day"
    TEXTS = "texts"
    JSON = "json"


_TESTS: Mapping[ColumnForm, Callable[[Any], bool]] = {
    ColumnForm.FLAG: types.is_boolean,
    ColumnForm.INTEGER: types.is_integer,
    ColumnForm.NUMBER: types.is_floating,
    ColumnForm.DECIMAL: types.is_decimal,
    ColumnForm.MOMENT: types.is_timestamp,
    ColumnForm.DAY: types.is_date,
    ColumnForm.JSON: types.is_nested,
}


def _form_of(kept: pa.DataType) -> ColumnForm:
    if isinstance(kept, pa.ListType) and types.is_string(kept.value_type):
        return ColumnForm.TEXTS
    return next((form for form, is_of in _TESTS.items() if is_of(kept)), ColumnForm.TEXT)


def column_forms(schema: pa.Schema) -> dict[str, ColumnForm]:
    """Return the form of each column, in their order."""
    return {field.name: _form_of(field.type) for field in schema}


def with_number(table: pa.Table, name: str, number: int) -> pa.Table:
    """Return a table with one more column, the last, that has the same number in each row."""
    return table.append_column(name, pa.repeat(scalar(number, pa.int64()), table.num_rows))


def gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables of one schema in fewer tables: a statement costs as much as a thousand rows."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(each.num_rows for each in held) >= _MOST_ROWS or sum(each.nbytes for each in held) >= _MOST_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def copy_blocks(table: pa.Table) -> Iterator[bytes]:
    """Yield the rows as CSV for PostgreSQL's COPY, a few thousand at a time.

    Null is nothing between two commas, an empty text is `""`; texts are lists in braces, and other nested values
    JSON. A NUL character becomes U+FFFD.
    """
    options = pa_csv.WriteOptions(include_header=False)
    for at in range(0, table.num_rows, _BLOCK_ROWS):
        block = table.slice(at, _BLOCK_ROWS)
        flat = pa.table({name: _as_cell(block.column(name)) for name in block.schema.names})
        sink = io.BytesIO()
        pa_csv.write_csv(flat, sink, options)
        yield sink.getvalue()


def _as_cell(column: Array) -> Array:
    if column.null_count == len(column):  # most columns of a file of one type
        return pa.nulls(len(column), pa.string())
    form = _form_of(column.type)
    if form is ColumnForm.TEXT:
        return _without_nul(column.cast(pa.string()))
    if form is ColumnForm.TEXTS:
        return _array_literals(column.combine_chunks())
    return _json_column(column) if form is ColumnForm.JSON else column


def _json_column(column: Array) -> Array:
    """Return nested values as JSON in an Arrow array, created without pandas (see `arrow`)."""
    texts = [b"" if text is None else text.encode() for text in _json_texts(column, is_strict=True)]
    offsets = integers("i", accumulate(map(len, texts), initial=0)).buffers()[1]
    made = pa.Array.from_buffers(pa.string(), len(texts), cast("Any", [None, offsets, pa.py_buffer(b"".join(texts))]))
    if not column.null_count:
        return made
    return cast("Any", pc).if_else(column.is_valid(), made, pa.nulls(len(texts), pa.string()))


def _without_nul(column: Array) -> Array:
    return cast("Any", pc).replace_substring(column, pattern=_NUL, replacement=_PLACEHOLDER)


def _array_literals(column: Array) -> Array:
    """Return lists of texts as PostgreSQL writes them: `{"one","two",NULL}`."""
    compute = cast("Any", pc)
    array: Array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.offset or array.null_count:  # offsets of a slice point into the whole, and those of nulls say nothing
        array = pa.concat_arrays([array.take(pa.array(range(len(array)), pa.int64()))])
    texts = compute.replace_substring(_without_nul(array.values), pattern="\\", replacement="\\\\")
    texts = compute.replace_substring(texts, pattern='"', replacement='\\"')
    marked = compute.coalesce(compute.binary_join_element_wise('"', texts, '"', ""), "NULL")
    lists = pa.ListArray.from_arrays(array.offsets, marked)
    inside = compute.binary_join_element_wise("{", compute.binary_join(lists, ","), "}", "")
    return compute.if_else(array.is_valid(), inside, None) if array.null_count else inside


def _json_texts(column: Array, *, is_strict: bool) -> list[str | None]:
    """Return nested values as JSON; with `is_strict`, without the NUL that jsonb refuses."""
    dump = orjson.dumps
    made = [None if value is None else dump(value).decode() for value in plain_values(column)]
    if not is_strict:
        return made
    return [_json_without_nul(text) if text is not None and "\\u0000" in text else text for text in made]


def _json_without_nul(text: str) -> str:
    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(_NUL, _PLACEHOLDER)
        if isinstance(value, list):
            return [cleaned(each) for each in value]
        if isinstance(value, dict):
            return {cleaned(name): cleaned(each) for name, each in value.items()}
        return value

    return json.dumps(cleaned(json.loads(text)), ensure_ascii=False)


def text_tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows with values that SQLite takes: texts, numbers and None. Times are texts, nested values JSON."""
    for at in range(0, table.num_rows, _BLOCK_ROWS):
        block = table.slice(at, _BLOCK_ROWS)
        yield from zip(*(_plain_cells(block.column(name)) for name in block.schema.names), strict=True)


def _plain_cells(column: Array) -> list[Any]:
    form = _form_of(column.type)
    if form in (ColumnForm.TEXTS, ColumnForm.JSON):
        return _json_texts(column, is_strict=False)
    if form in (ColumnForm.DAY, ColumnForm.DECIMAL):
        column = column.cast(pa.string())
    return plain_values(column)
