"""The formats of a part, behind one small protocol: Parquet, NDJSON and CSV.

NDJSON and CSV may be compressed as a whole, Parquet compresses within. Each format can
count the rows of a finished file again, and finds one that was cut.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import UsageError
from bulkgladly.lake.schemas.shapes import DataSet
from bulkgladly.lake.settings import parquet_settings
from bulkgladly.lake.text_sinks import CsvSink, NdjsonSink, csv_rows_in, ndjson_rows_in

__all__ = ("FileFormat", "Sink", "format_of", "rows_in")

_LEVELS = {"zstd": 1}
_PLAIN = {"none": "", "zstd": ".zst", "gzip": ".gz"}


class Sink(Protocol):
    """One file that is being written.

    Raises:
        OSError: From each method: the file could not be written.
    """

    def write(self, table: pa.Table) -> None:
        """Add rows in the declared schema; in Parquet they are a row group."""
        ...

    def written_bytes(self) -> int:
        """Return how large the file is so far; what is still being compressed does not count."""
        ...

    def close(self) -> None:
        """Finish the file. Closes it also when that fails, and may be called again."""
        ...


class ParquetSink:
    """Writes row groups."""

    def __init__(self, path: Path, data_set: DataSet, compression: str) -> None:
        self._file = pa.OSFile(str(path), "wb")
        try:
            self._writer = pq.ParquetWriter(
                self._file,
                data_set.schema,
                compression=cast("Any", compression),
                compression_level=_LEVELS.get(compression),
                **parquet_settings(data_set.schema),
            )
        except BaseException:
            self._file.close()
            raise

    def write(self, table: pa.Table) -> None:
        """Add a row group."""
        self._writer.write_table(table, row_group_size=table.num_rows)

    def written_bytes(self) -> int:
        """Return the size of the row groups so far."""
        return self._file.tell()

    def close(self) -> None:
        """Write the footer. The writer goes first, or it would try to finish the file when it is collected."""
        try:
            self._writer.close()
        finally:
            self._file.close()


def _parquet_rows_in(path: Path, compression: str) -> int:
    del compression  # a Parquet file says so itself
    return pq.read_metadata(path).num_rows


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format and a compression: how its files end, how one is written, and how its rows are counted.

    Counting raises OSError or an error of Arrow where the file is not whole.
    """

    suffix: str
    open: Callable[[Path, DataSet], Sink]
    rows_in: Callable[[Path], int]


def _offered(name: str, compression: str, sink: Any, count: Callable[[Path, str], int]) -> FileFormat:
    tail = "" if name == "parquet" else _PLAIN[compression]
    return FileFormat(
        f".{name}{tail}",
        lambda path, data_set: cast("Sink", sink(path, data_set, compression)),
        lambda path: count(path, compression),
    )


_FORMATS: Mapping[tuple[str, str], FileFormat] = {
    **{
        ("parquet", how): _offered("parquet", how, ParquetSink, _parquet_rows_in)
        for how in ("zstd", "snappy", "gzip", "none")
    },
    **{("ndjson", how): _offered("ndjson", how, NdjsonSink, ndjson_rows_in) for how in _PLAIN},
    **{("csv", how): _offered("csv", how, CsvSink, csv_rows_in) for how in _PLAIN},
}


def format_of(name: str, compression: str | None = None) -> FileFormat:
    """Return a format; without a compression, the first that it offers.

    Raises:
        UsageError: There is none of this name, or it cannot be compressed so.
    """
    ways = [how for kind, how in _FORMATS if kind == name]
    if found := _FORMATS.get((name, compression or next(iter(ways), ""))):
        return found
    if ways:
        raise UsageError(f"{name} files cannot be compressed with {compression}; take {', '.join(ways)}")
    names = dict.fromkeys(kind for kind, _ in _FORMATS)
    raise UsageError(f"there is no file format {name}; take {', '.join(names)}")


def rows_in(path: Path) -> int:
    """Return the number of rows of a part, in the format that the end of its name tells.

    Raises:
        OSError: The file is cut, damaged, or of no format of ours.
    """
    found = next((each for each in _FORMATS.values() if path.name.endswith(each.suffix)), None)
    if found is None:
        raise OSError(f"{path}: not the name of a part")
    try:
        return found.rows_in(path)
    except pa.ArrowException as exc:
        raise OSError(f"{path}: {exc}") from exc
