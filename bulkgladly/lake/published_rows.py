"""Published rows as tables again, whatever format and schema version they were written in.

Whole units, parts with bounded memory, or single columns; with the declared schema, or with the one
that only this folder knows.
"""

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyarrow import types

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.arrow import scalar
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.conversion import ConvertOptions, convert
from bulkgladly.lake.fitted_lines import to_line
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.merge import joined
from bulkgladly.lake.places import place_of
from bulkgladly.lake.report_table import layout_in
from bulkgladly.lake.row_keys import identities
from bulkgladly.lake.rows import Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS, EXTRA, LINE, TIMESTAMP, DataSet, Shape
from bulkgladly.lines import stretches
from bulkgladly.storage.durable import below
from bulkgladly.strict_json import exact_object

__all__ = (
    "data_set_of_rows",
    "known_data_set",
    "micros_of",
    "parts_of",
    "read_rows",
    "recent_keys",
    "tables_in",
    "values_in",
)

_LINES = 2048
_BLOCK_BYTES = 80 << 20
"""A block must hold at least one record, and a line may have 64 MiB."""
_UNTIMED_FOR = dt.timedelta(days=2)
"""Rows without a time count as recent for so long after they were written: Gladly repeats an event for a day."""
_COMPRESSIONS = {".zst": "zstd", ".gz": "gzip"}


def read_rows(folder: Catalogue, manifests: Sequence[Manifest], *, data_set: DataSet | None = None) -> pa.Table:
    """Return the rows of units of one data set, in the order of the manifests, with the declared schema.

    All of them are held in memory. Pass `data_set` if it is not a declared one.

    Raises:
        InputError: A part is missing or cannot be read.
    """
    data_set = data_set or DATA_SETS[manifests[0].data_set]
    tables = [table for one in manifests for path in parts_of(folder, one) for table in tables_in(path, data_set)]
    return joined(tables, data_set.schema)


def parts_of(folder: Catalogue, manifest: Manifest) -> list[Path]:
    """Return the paths of the parts of a unit.

    Raises:
        InputError: The manifest names a path outside of the folder.
    """
    place = place_of(manifest.data_set)
    return [below(folder.path, (place / part.path).as_posix()) for part in manifest.parts]


def tables_in(path: Path, data_set: DataSet, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a part with the declared schema, one row group or a few thousand at a time.

    With `columns`, only these, in their order.

    Raises:
        InputError: It is missing, damaged, or does not fit the schema.
    """
    wanted = data_set.schema if columns is None else pa.schema([data_set.schema.field(name) for name in columns])
    try:
        if path.suffix == ".parquet":
            yield from _in_parquet(path, wanted)
        else:
            lines = _lines_of_csv(path, data_set) if ".csv" in path.suffixes[-2:] else _lines_of(path)
            for table in _in_lines(lines, path, data_set):
                yield table.select(wanted.names)
    except (OSError, pa.ArrowException, ValueError) as exc:
        raise InputError(
            f"{path} cannot be read: {exc}; run `bulkgladly dataset verify` to find what is damaged"
        ) from exc


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema; a column that an older version lacks is null.

    Raises:
        pyarrow.ArrowException: A column has a type that cannot be cast to the declared one.
    """
    if table.schema.equals(schema):
        return table.replace_schema_metadata(cast("Any", schema.metadata))
    found = dict(zip(table.schema.names, table.columns, strict=True))
    columns = [
        found[field.name].cast(field.type) if field.name in found else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(cast("Any", columns), schema=schema)


# --- Each format ---


def _in_parquet(path: Path, wanted: pa.Schema) -> Iterator[pa.Table]:
    # Row group by row group, because the scanner of `pyarrow.dataset` does not give memory back.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        present = frozenset(file.schema_arrow.names)  # made again at each look
        names = [name for name in wanted.names if name in present]
        for at in range(file.num_row_groups):
            yield _aligned(file.read_row_group(at, columns=names, use_threads=False), wanted)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with pa.OSFile(str(path), "rb") as file:
        how = _COMPRESSIONS.get(path.suffix)
        yield pa.CompressedInputStream(file, cast("Any", how)) if how else file


def _lines_of(path: Path) -> Iterator[bytes]:
    with _opened(path) as opened:
        blocks = iter(lambda: bytes(opened.read(1 << 20)), b"")
        for data, *_ in stretches(blocks, max_line_bytes=sys.maxsize):
            *lines, rest = data.split(b"\n")
            yield from lines
            if rest:
                raise ValueError("it ends within a line")


def _lines_of_csv(path: Path, data_set: DataSet) -> Iterator[bytes]:
    """Yield the rows of a CSV part as the lines of an NDJSON part."""
    texts = dict.fromkeys(data_set.schema.names, pa.string())
    with _opened(path) as opened:
        reader = pa_csv.open_csv(
            opened,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=texts, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
            ),
        )
        for batch in reader:
            for row in batch.to_pylist():
                typed = {name: _of_text(text, data_set.schema.field(name).type) for name, text in row.items()}
                yield to_line(typed, data_set)


def _of_text(text: str | None, kept: pa.DataType) -> Any:
    if text is None or types.is_string(kept) or types.is_timestamp(kept):
        return text
    return json.loads(text)


def _in_lines(lines: Iterator[bytes], path: Path, data_set: DataSet) -> Iterator[pa.Table]:
    held: list[bytes] = []
    for line in lines:
        held.append(line)
        if len(held) == _LINES:
            yield _typed(held, path, data_set)
            held = []
    if held:
        yield _typed(held, path, data_set)


def _typed(lines: Sequence[bytes], path: Path, data_set: DataSet) -> pa.Table:
    """Return lines of a part as rows. Their provenance is taken out first; the rest is read like lines of Gladly."""
    about = [name for name in (*data_set.provenance, LINE) if name in data_set.schema.names]
    found: list[Rows] = []
    origins: list[Mapping[str, Any]] = []
    bodies: list[bytes] = []
    for line in lines:
        body = exact_object(line)
        origins.append({name: body.pop(name, None) for name in about})
        hidden = body.pop(EXTRA, None)
        # What `to_line` moved into `_extra`, because provenance hid it, goes back first.
        bodies.append(orjson.dumps({**body, **hidden} if isinstance(hidden, dict) else body) + b"\n")

    def refuse(refused: Reject) -> None:
        raise ValueError(f"a line of {path} is not a row: {refused.detail}")

    convert(bodies, data_set, write=found.append, reject=refuse, options=ConvertOptions(parsers=1))
    table = pa.concat_tables((pa.Table.from_batches([rows.batch]) for rows in found), promote_options="default")
    table = table.sort_by(LINE)
    for name in about:
        kept = data_set.schema.field(name).type
        column = pa.array([origin[name] for origin in origins], pa.string() if types.is_timestamp(kept) else kept)
        table = _set(table, name, column.cast(kept))
    return _aligned(table, data_set.schema)


def _set(table: pa.Table, name: str, column: Any) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.append_column(name, column) if at < 0 else table.set_column(at, name, column)


# --- Single columns ---


def micros_of(time: dt.datetime) -> int:
    """Return an aware time in microseconds since 1970, as columns hold it."""
    return (time - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)


def values_in(folder: Catalogue, data_set: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the values of columns of a declared data set, row by row, in batches; times in microseconds since 1970.

    Memory is bounded by these columns of one row group. Rows come unit by unit; a row that is in
    several units comes several times.

    Raises:
        InputError: A part is missing or cannot be read, and the folder does not pass over damage.
    """
    for manifest in folder.manifests(data_set):
        for path in parts_of(folder, manifest):
            for table in _tables(folder, manifest, path, columns):
                yield list(zip(*(_plain(table.column(name)) for name in columns), strict=True))


def recent_keys(
    folder: Catalogue, data_set: str, key: str, since: dt.datetime, *, among: Iterable[str] | None = None
) -> set[str]:
    """Return the keys of the rows whose `timestamp` is at or after a time, or null. Older parts are not read.

    With `among`, only these keys are returned: memory does not grow with the data set then.

    Raises:
        InputError: A part is missing or cannot be read, and the folder does not pass over damage.
    """
    found: set[str] = set()
    wanted = None if among is None else pa.array(list(among), pa.string())
    for manifest in folder.manifests(data_set):
        for part, path in zip(manifest.parts, parts_of(folder, manifest), strict=True):
            if (part.max_timestamp or manifest.written_at + _UNTIMED_FOR) < since:
                continue
            for table in _tables(folder, manifest, path, (key, "timestamp")):
                is_recent = pc.greater_equal(table.column("timestamp"), scalar(since, TIMESTAMP))
                keys = cast("Any", table.filter(pc.fill_null(is_recent, scalar(True, pa.bool_())))).column(key)
                if wanted is not None:
                    keys = keys.filter(pc.is_in(keys, wanted))
                found.update(keys.drop_null().to_pylist())
    return found


def _tables(folder: Catalogue, manifest: Manifest, path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    try:
        yield from tables_in(path, DATA_SETS[manifest.data_set], columns)
    except InputError as error:
        folder.pass_over(path, manifest.data_set, error, manifest.unit)


def _plain(column: Any) -> list[Any]:
    return (column.cast(pa.int64()) if types.is_timestamp(column.type) else column).to_pylist()  # type: ignore[no-any-return]


# --- The schema of a data set ---


def known_data_set(folder: Catalogue, name: str) -> DataSet | None:
    """Return a data set with its schema and key, or None if only its parts show what it holds.

    Raises:
        InputError: What is remembered about it is damaged.
    """
    if name in DATA_SETS:
        return DATA_SETS[name]
    layout = layout_in(folder, name)
    return None if layout is None else layout.data_set


def data_set_of_rows(folder: Catalogue, name: str, manifests: Sequence[Manifest]) -> DataSet:
    """Return the data set of these units, with a key only if that identifies their rows.

    The key of a report does not if a unit has it twice. An unknown data set has the columns of all its
    parts, and no key.

    Raises:
        InputError: A part, or what is remembered about the data set, cannot be read.
        UsageError: The data set is unknown, and its parts are not Parquet.
    """
    if (known := known_data_set(folder, name)) is not None:
        is_keyed = name in DATA_SETS or not known.key or _is_key_in_each(folder, known, manifests)
        return known if is_keyed else replace(known, key=())
    schemas: list[pa.Schema] = []
    for path in (path for manifest in manifests for path in parts_of(folder, manifest)):
        if path.suffix != ".parquet":
            raise UsageError(f"{name} cannot be compacted: it is not declared, and {path.name} is not a Parquet file")
        try:
            found = pq.read_schema(path)
        except (OSError, pa.ArrowException) as exc:
            raise InputError(f"{path} cannot be read: {exc}") from exc
        if not any(found.equals(schema) for schema in schemas):
            schemas.append(found)
    unified = pa.unify_schemas(schemas, promote_options="permissive")
    version = max(manifest.schema_version for manifest in manifests)
    return DataSet(name, version, unified.with_metadata(cast("Any", schemas[-1].metadata)), (), Shape(None, ()))


def _is_key_in_each(folder: Catalogue, data_set: DataSet, manifests: Sequence[Manifest]) -> bool:
    """Tell whether no unit has a key twice. Holds the keys of one unit in memory, a window of a report."""
    columns = list(data_set.key)
    for manifest in manifests:
        seen: set[bytes] = set()
        rows = 0
        for path in parts_of(folder, manifest):
            for table in tables_in(path, data_set, columns):
                whole = table.drop_null()
                seen.update(identities(whole, data_set.key))
                rows += whole.num_rows
        if len(seen) < rows:
            return False
    return True
