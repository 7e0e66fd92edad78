"""Parts as text: NDJSON in the API's own shape, and flat CSV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from bulkgladly.lake.arrow import Array, scalar
from bulkgladly.lake.restored_lines import as_plain, to_line
from bulkgladly.lake.schemas.shapes import DataSet

__all__ = ("CsvSink", "NdjsonSink", "csv_rows_in", "ndjson_rows_in")

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
        """Return how much has reached the file."""
        return self._file.tell()

    def close(self) -> None:
        """Finish the file."""
        try:
            self._to.close()
        finally:
            self._file.close()


class NdjsonSink(_TextFile):
    """Writes each row as the line it came from, with its provenance as further members.

    A member of the line that has the name of a provenance column stands in `_extra` then.
    """

    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        super().__init__(path, compression)
        self._data_set = data_set

    def write(self, table: pa.Table) -> None:
        """Add lines."""
        for batch in table.to_batches(max_chunksize=_ROWS):
            lines = [to_line(row, self._data_set) for row in batch.to_pylist()]
            self._put(b"\n".join([*lines, b""]))


class CsvSink(_TextFile):
    """Writes RFC 4180: a header, CRLF, quotes around every text.

    A null is an empty field and an empty text is `""`. Times are RFC 3339 in UTC with six
    fraction digits; lists, structs and maps are JSON texts.
    """

    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        super().__init__(path, compression)
        self._put(_records([_quoted(pa.array([name], pa.string())) for name in data_set.schema.names]))

    def write(self, table: pa.Table) -> None:
        """Add records."""
        for batch in table.to_batches(max_chunksize=_ROWS):
            self._put(_records([_field(column) for column in batch.columns]))


def _records(fields: list[Array]) -> Any:
    """Return records, one for each place, as one buffer."""
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
    """Return texts joined place by place; a null makes the whole null, or counts as empty."""
    return cast("Any", pc).binary_join_element_wise(*texts, separator, null_handling=null_handling)


def _as_json(values: Array) -> Array:
    return pa.array((_json_text(value, values.type) for value in values.to_pylist()), pa.large_string())


def _json_text(value: Any, kept: pa.DataType) -> str | None:
    return None if value is None else orjson.dumps(as_plain(value, kept)).decode()


def ndjson_rows_in(path: Path, compression: str) -> int:
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


def csv_rows_in(path: Path, compression: str) -> int:
    """Return the number of records of a file without its header.

    Raises:
        OSError: The file is cut or cannot be decompressed.
    """
    ends, is_quoted, last = 0, False, b""
    for block in _blocks(path, compression):
        # Every other piece between two quotes is outside of a field's text; a doubled quote has an empty one within.
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
