"""Parquet and Arrow IPC files, one piece (row group, record batch) at a time.

The only module that loads pyarrow, and itself loaded only when such a file is opened.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from bulkgladly.errors import InputError
from bulkgladly.files import cells
from bulkgladly.files.contract import place_of
from bulkgladly.files.csv_forms import CsvForm
from bulkgladly.files.folders import added_note
from bulkgladly.json_paths import parsed, put
from bulkgladly.records import Position, Problem, Row, Stage
from bulkgladly.strict_json import parse_object

__all__ = ("ArrowReader", "ParquetReader")

# Arrow decodes this much at once; only one batch of that becomes Python objects at a time.
_CHUNK_ROWS = 4096
_CHUNK_BYTES = 1 << 24
_BUFFER_BYTES = 1 << 20
_FEATHER_1 = b"FEA1"
_ARROW_FILE = b"ARROW1"
_DATA_SET, _EXTRA = b"bulkgladly.data_set", "_extra"
"""The mark of a file that bulkgladly exported, and its column for what no other column holds: `docs/dataset.md`."""
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}

Plan = tuple[pa.DataType, cells.Convert | None]
"""The type to cast a column to, and the conversion of its values after that."""
Cells = tuple[dict[str, Any] | None, Problem | None, bytes]
Chunks = Generator[tuple[int, int, pa.RecordBatch], None, None]
"""Piece of the file, number of the first row, and the rows."""


class _ColumnarReader(ABC):
    """What both formats share. The schema is checked when the reader is made."""

    def __init__(self, path: Path, file_index: int) -> None:
        self._path = path
        self._held: int | None = None
        self._added: dict[str, str] = {}
        self._file_index = file_index
        with self._damage_named("no readable header"):
            self._rows = _RowMaker(self._read_schema(), path)

    @property
    def path(self) -> Path:
        """The file, as the user named it."""
        return self._path

    def hold(self, handle: int | None) -> None:
        """Read from an open file if its path is deleted, as `Reader` says."""
        self._held = handle

    @property
    def notes(self) -> tuple[str, ...]:
        """What the names of folders add; the format itself leaves nothing to recognise."""
        return (added_note(self._added),) if self._added else ()

    def add_columns(self, values: Mapping[str, str]) -> None:
        """Give all rows these columns as well, as `Reader` says."""
        self._added = dict(values)

    @property
    def has_rejects(self) -> bool:
        """Return False: rejects are not written in these formats."""
        return False

    def columns(self) -> tuple[str, ...]:
        """Return the names of the top-level columns."""
        return self._rows.names + tuple(name for name in self._added if name not in self._rows.names)

    def form(self) -> CsvForm | None:
        """Return None: rejects are not written as a table."""
        return None

    @abstractmethod
    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the file has, and whether that is exact."""

    @abstractmethod
    def _read_schema(self) -> pa.Schema: ...

    @abstractmethod
    def _chunks(self, start: Position) -> Chunks:
        """Yield the rows in chunks; the first holds the row at `start`, or comes before it."""

    def batches(self, start: Position | None = None, *, size: int = 256) -> Generator[list[Row], None, None]:
        """Yield the rows in file order, as `Reader` says."""
        start = start or Position(self._file_index, 0, 1)
        with closing(self._chunks(start)) as chunks:
            for piece, first, chunk in chunks:
                step = min(size, _rows_within(_CHUNK_BYTES // 4, chunk.nbytes, chunk.num_rows))
                for at in range(max(0, start.number - first), chunk.num_rows, step):
                    with self._damage_named(f"row group {piece} cannot be read"):
                        made = self._rows.read(chunk.slice(at, step))
                    numbered = enumerate(made, first + at)
                    rows = [Row(Position(self._file_index, piece, number), *row) for number, row in numbered]
                    for row in rows if self._added else ():
                        row.fields = None if row.fields is None else {**self._added, **row.fields}
                    yield rows

    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""
        rows: list[Row] = []
        with closing(self.batches(size=max(1, n))) as batches:
            while len(rows) < n and (batch := next(batches, None)):
                rows += batch
        return rows[:n]

    @contextmanager
    def _damage_named(self, what: str) -> Iterator[None]:
        try:
            yield
        # UnicodeDecodeError is raised for a name in the schema.
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as exc:
            reason = str(exc).strip().partition("\n")[0]
            raise InputError(f"{self._path}: {what}: {reason}; download or write the file again") from exc


class ParquetReader(_ColumnarReader):
    """Reads a Parquet file row group by row group; a position's offset is its row group."""

    def _open(self) -> pq.ParquetFile:
        # A page with a wrong checksum is an error: its values could be those of other rows.
        place = place_of(self._path, self._held)
        return pq.ParquetFile(place, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True)

    def _read_schema(self) -> pa.Schema:
        with self._open() as file:
            self._sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            return file.schema_arrow

    def estimate_rows(self) -> tuple[int, bool]:
        """Return the number of rows, which the file states."""
        return sum(self._sizes), True

    def _chunks(self, start: Position) -> Chunks:
        number = 1 + sum(self._sizes[: start.offset])
        with self._damage_named("cannot be opened"):
            file = self._open()
        with file:
            for group in range(start.offset, len(self._sizes)):
                with self._damage_named(f"row group {group} cannot be read"):
                    size = file.metadata.row_group(group).total_byte_size
                    rows = min(_CHUNK_ROWS, _rows_within(_CHUNK_BYTES, size, self._sizes[group]))
                    for chunk in file.iter_batches(rows, row_groups=[group], use_threads=False):
                        yield group, number, chunk
                        number += chunk.num_rows


class ArrowReader(_ColumnarReader):
    """Reads an Arrow IPC file, or a stream kept in a file; a position's offset is its record batch."""

    def __init__(self, path: Path, file_index: int) -> None:
        try:
            with path.open("rb") as file:
                magic = file.read(len(_ARROW_FILE))
        except OSError as exc:
            raise InputError(f"{path}: cannot be opened: {exc}") from exc
        if magic.startswith(_FEATHER_1):
            raise InputError(f"{path}: is a Feather version 1 file; save it as version 2 or as Parquet")
        self._is_stream = magic != _ARROW_FILE
        super().__init__(path, file_index)

    @contextmanager
    def _opened(self) -> Iterator[tuple[pa.OSFile, pa.RecordBatchFileReader | pa.RecordBatchStreamReader]]:
        # Not mapped into memory: a file that is truncated while it is read would kill the process.
        open_reader = pa.ipc.open_stream if self._is_stream else pa.ipc.open_file
        with pa.OSFile(str(place_of(self._path, self._held)), "rb") as file, open_reader(file) as reader:
            yield file, reader

    def _read_schema(self) -> pa.Schema:
        with self._opened() as (_, reader):
            return reader.schema

    def estimate_rows(self) -> tuple[int, bool]:
        """Return the number of rows, assuming that all batches except the last are as long as the first."""
        with self._damage_named("cannot be read"), self._opened() as (file, reader):
            if isinstance(reader, pa.RecordBatchFileReader):
                return _estimate_batches(reader)
            begin, end, rows = file.tell(), 0, 0
            for batch in reader:
                if end:
                    share = (file.size() - begin) / (end - begin)
                    return max(rows + 1, round(rows * share)), False
                rows, end = batch.num_rows, file.tell()
            return rows, True

    def _chunks(self, start: Position) -> Chunks:
        # The format does not say how many rows come before a batch, so all batches are counted from the first.
        number = 1
        for piece, chunk in enumerate(self._pieces()):
            if piece >= start.offset:
                yield piece, number, chunk
            number += chunk.num_rows

    def _pieces(self) -> Iterator[pa.RecordBatch]:
        batches: Iterator[pa.RecordBatch]
        with self._damage_named("cannot be read"), self._opened() as (_, reader):
            if isinstance(reader, pa.RecordBatchFileReader):
                batches = (reader.get_batch(piece) for piece in range(reader.num_record_batches))
            else:
                batches = iter(reader)
            for batch in batches:
                _require_sound(batch)
                yield batch


def _rows_within(limit: int, size: int, rows: int) -> int:
    """Return how many of `rows`, which take `size` bytes, fit into a limit; at least one."""
    return max(1, limit * rows // max(1, size))


def _require_sound(batch: pa.RecordBatch) -> None:
    """Raise if lengths and offsets are wrong: Arrow trusts them, and damage would crash the process."""
    for column in batch.columns:
        # As bytes: text that is not UTF-8 is a problem of its row, not of the file.
        wider = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(column.type)
        (column.cast(wider) if wider else column).validate(full=True)


def _estimate_batches(reader: pa.RecordBatchFileReader) -> tuple[int, bool]:
    batches = reader.num_record_batches
    if not batches:
        return 0, True
    first, last = reader.get_batch(0).num_rows, reader.get_batch(batches - 1).num_rows
    return (first if batches == 1 else first * (batches - 1) + last), batches <= 2


class _RowMaker:
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
