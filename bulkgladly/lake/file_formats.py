"""The formats of a part behind one small protocol: Parquet, NDJSON in the API's own shape, and flat CSV.

NDJSON and CSV can be compressed as a whole, Parquet compresses internally. Each format can count
the rows of a finished file again, and so detects a file that was cut.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from bulkgladly.choices import one_of, unsupported
from bulkgladly.errors import UsageError
from bulkgladly.lake.arrow import Array, scalar
from bulkgladly.lake.fitted_lines import as_plain, to_line
from bulkgladly.lake.schemas import DataSet

__all__ = (
    "FORMATS",
    "FileFormat",
    "RowSink",
    "format_of",
    "rows_in",
)


class RowSink(Protocol):
    """A file that is being written.

    Raises:
        OSError: From each method: the file could not be written.
    """

    def write(self, table: pa.Table) -> None:
        """Add rows in the declared schema; in Parquet they are a row group."""
        ...

    def written_bytes(self) -> int:
        """Return the size of the file so far, without what is still being compressed."""
        ...

    def close(self) -> None:
        """Finish the file. It is closed even if that fails, and calling it again is allowed."""
        ...


# --- Parquet ---

_LEVELS = {"zstd": 1}

_MANY_VALUES = frozenset(
    {
        *("id", "body", "content", "_extra", "recordingUrl", "sessionId", "filename", "summary"),
        *("messageId", "noteId", "commentId", "bodyHtml", "comment", "transcript", "path", "blake2b"),
    }
)
"""Columns whose texts hardly repeat: a dictionary costs time for them and saves nothing."""

_SEARCHED = frozenset({"contentType", "type", "conversationId", "customerId", "_job_id", "_asked_id"})
"""Columns of texts whose smallest and largest value help readers, besides all numbers and times."""


def _parquet_settings(schema: pa.Schema) -> dict[str, Any]:
    """Return the arguments of a Parquet writer for a declared schema."""
    # With Arrow 20 a schema that has metadata cannot be hashed.
    return _settings(schema.remove_metadata())


# A night writes thousands of parts with a few schemas.
@cache
def _settings(schema: pa.Schema) -> dict[str, Any]:
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    repeating = [path for path, kept in leaves if types.is_string(kept) and path.rpartition(".")[2] not in _MANY_VALUES]
    return {
        "use_dictionary": repeating,
        "write_statistics": [path for path, kept in leaves if not types.is_string(kept) or path in _SEARCHED],
        "store_schema": True,
    }


def _leaves(path: str, kept: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if isinstance(kept, pa.StructType):
        for at in range(kept.num_fields):
            member = kept.field(at)
            yield from _leaves(f"{path}.{member.name}", member.type)
    elif types.is_map(kept):
        yield from ((f"{path}.key_value.{name}", pa.string()) for name in ("key", "value"))
    elif isinstance(kept, pa.ListType):
        yield from _leaves(f"{path}.list.element", kept.value_type)
    else:
        yield path, kept


class _ParquetSink:
    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        self._file = pa.OSFile(str(path), "wb")
        try:
            self._writer = pq.ParquetWriter(
                self._file,
                data_set.schema,
                compression=cast("Any", compression),
                compression_level=_LEVELS.get(compression),
                **_parquet_settings(data_set.schema),
            )
        except BaseException:
            self._file.close()
            raise

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=table.num_rows)

    def written_bytes(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        # The writer is closed first, or it would try to finish the file when it is garbage collected.
        try:
            self._writer.close()
        finally:
            self._file.close()


def _parquet_rows_in(path: Path, compression: str) -> int:
    del compression  # the file itself says how it is compressed
    return pq.read_metadata(path).num_rows


# --- NDJSON and CSV ---

_ROWS = 4096
_BLOCK = 1 << 20
_QUOTE, _COMMA, _END, _NOTHING = (scalar(text, pa.large_string()) for text in ('"', ",", "\r\n", ""))


class _TextFile:
    """A file, compressed or not, that takes bytes."""

    def __init__(self, path: Path, compression: str) -> None:
        self._file = pa.OSFile(str(path), "wb")
        self._to: Any = self._file
        if compression != "none":
            try:
                self._to = pa.CompressedOutputStream(self._file, cast("Any", compression))
            except BaseException:
                self._file.close()
                raise

    def _put(self, data: Any) -> None:
        self._to.write(data)

    def written_bytes(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        try:
            self._to.close()
        finally:
            self._file.close()


class _NdjsonSink(_TextFile):
    """Writes each row as the line it came from, with its provenance as further members.

    A member of the line with the name of a provenance column then stands in `_extra`.
    """

    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        super().__init__(path, compression)
        self._data_set = data_set

    def write(self, table: pa.Table) -> None:
        for batch in table.to_batches(max_chunksize=_ROWS):
            lines = [to_line(row, self._data_set) for row in batch.to_pylist()]
            self._put(b"\n".join([*lines, b""]))


class _CsvSink(_TextFile):
    """Writes RFC 4180: a header, CRLF, quotes around every text.

    A null is an empty field and an empty text is `""`. Times are RFC 3339 in UTC with six
    fraction digits; lists, structs and maps are JSON texts.
    """

    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        super().__init__(path, compression)
        self._put(_records([_quoted(pa.array([name], pa.string())) for name in data_set.schema.names]))

    def write(self, table: pa.Table) -> None:
        for batch in table.to_batches(max_chunksize=_ROWS):
            self._put(_records([_field(column) for column in batch.columns]))


def _records(fields: list[Array]) -> Any:
    """Return one record per row as one buffer."""
    last = _joined(fields[-1], _END, separator=_NOTHING, null_handling="replace")
    return _joined(*fields[:-1], last, separator=_COMMA, null_handling="replace").buffers()[2]


def _field(values: Array) -> Array:
    if types.is_string(values.type):
        return _quoted(values)
    if types.is_timestamp(values.type):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ").cast(pa.large_string())
    if types.is_nested(values.type):
        return _quoted(_as_json(values))
    return values.cast(pa.large_string())


def _quoted(texts: Array) -> Array:
    doubled = pc.replace_substring(texts.cast(pa.large_string()), pattern='"', replacement='""')
    return _joined(_QUOTE, doubled, _QUOTE, separator=_NOTHING)


def _joined(*texts: Array, separator: Any, null_handling: str = "emit_null") -> Array:
    """Return texts joined row by row; a null makes the result null, or counts as empty."""
    return cast("Any", pc).binary_join_element_wise(*texts, separator, null_handling=null_handling)


def _as_json(values: Array) -> Array:
    return pa.array((_json_text(value, values.type) for value in values.to_pylist()), pa.large_string())


def _json_text(value: Any, kept: pa.DataType) -> str | None:
    return None if value is None else orjson.dumps(as_plain(value, kept)).decode()


def _ndjson_rows_in(path: Path, compression: str) -> int:
    """Return the number of lines of a file; each ends in a newline.

    Raises:
        OSError: The file is cut or cannot be decompressed.
    """
    lines, last = 0, b"\n"
    for block in _blocks(path, compression):
        lines += block.count(b"\n")
        last = block[-1:]
    if last != b"\n":
        raise OSError(f"{path}: ends within a line")
    return lines


def _csv_rows_in(path: Path, compression: str) -> int:
    """Return the number of records of a file without its header.

    Raises:
        OSError: The file is cut or cannot be decompressed.
    """
    ends, is_quoted, last = 0, False, b""
    for block in _blocks(path, compression):
        # Every second piece between quotes lies outside a quoted field; a doubled quote has an empty piece inside.
        pieces = block.split(b'"')
        ends += sum(piece.count(b"\n") for piece in pieces[is_quoted::2])
        is_quoted = is_quoted != (len(pieces) % 2 == 0)
        last = block[-1:]
    if is_quoted or last != b"\n":
        raise OSError(f"{path}: ends within a record")
    return ends - 1


def _blocks(path: Path, compression: str) -> Iterator[bytes]:
    with pa.OSFile(str(path), "rb") as file:
        opened: Any = file if compression == "none" else pa.CompressedInputStream(file, cast("Any", compression))
        while block := opened.read(_BLOCK):
            yield block


# --- The supported formats ---

_PLAIN = {"none": "", "zstd": ".zst", "gzip": ".gz"}
FORMATS: Mapping[str, tuple[str, ...]] = {
    "parquet": ("zstd", "snappy", "gzip", "none"),
    "ndjson": tuple(_PLAIN),
    "csv": tuple(_PLAIN),
}
"""Format to the compressions that it offers; the first is taken unless another is chosen."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format with a compression: the suffix of its files, how to write one, and how to count its rows.

    Counting raises OSError or an Arrow error if the file is not complete.
    """

    suffix: str
    open: Callable[[Path, DataSet], RowSink]
    rows_in: Callable[[Path], int]


def _offered(name: str, compression: str, sink: Any, count: Callable[[Path, str], int]) -> FileFormat:
    tail = "" if name == "parquet" else _PLAIN[compression]
    return FileFormat(
        f".{name}{tail}",
        lambda path, data_set: cast("RowSink", sink(path, data_set, compression)),
        lambda path: count(path, compression),
    )


_FORMATS: Mapping[tuple[str, str], FileFormat] = {
    **{("parquet", how): _offered("parquet", how, _ParquetSink, _parquet_rows_in) for how in FORMATS["parquet"]},
    **{("ndjson", how): _offered("ndjson", how, _NdjsonSink, _ndjson_rows_in) for how in _PLAIN},
    **{("csv", how): _offered("csv", how, _CsvSink, _csv_rows_in) for how in _PLAIN},
}


def format_of(name: str, compression: str | None = None) -> FileFormat:
    """Return a format; without a compression, with the first that it offers.

    Raises:
        UsageError: The format, or its compression, is not supported.
    """
    ways = FORMATS.get(name, ())
    if found := _FORMATS.get((name, compression or next(iter(ways), ""))):
        return found
    if ways:
        raise UsageError(f"{name} files cannot be compressed with {compression}; choose {one_of(ways)}")
    raise UsageError(f"file format {unsupported(name, FORMATS)}")


def rows_in(path: Path) -> int:
    """Return the number of rows of a part, in the format that its suffix names.

    Raises:
        OSError: The file is cut, damaged, or not in a format of parts.
    """
    found = next((each for each in _FORMATS.values() if path.name.endswith(each.suffix)), None)
    if found is None:
        raise OSError(f"{path}: its name is not that of a part")
    try:
        return found.rows_in(path)
    except pa.ArrowException as exc:
        raise OSError(f"{path}: {exc}") from exc
