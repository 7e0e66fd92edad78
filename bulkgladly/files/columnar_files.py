"""Parquet and Arrow IPC files, one piece (row group, record batch) at a time.

With `columnar_rows` the only module of the room that loads pyarrow, and loaded only when such a file is opened.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError
from bulkgladly.files.columnar_rows import RowMaker
from bulkgladly.files.contract import place_of
from bulkgladly.files.csv_forms import CsvForm
from bulkgladly.files.folders import added_note
from bulkgladly.records import Position, Row

__all__ = ("ArrowReader", "ParquetReader")

# Arrow decodes this much at once; only one batch of that becomes Python objects at a time.
_CHUNK_ROWS = 4096
_CHUNK_BYTES = 1 << 24
_BUFFER_BYTES = 1 << 20
_FEATHER_1 = b"FEA1"
_ARROW_FILE = b"ARROW1"

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
            self._rows = RowMaker(self._read_schema(), path)

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
