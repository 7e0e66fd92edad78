"""The files that rows are written to before their unit is published: single parts, and one overflow file.

A part is written aside, closed, synced, and read back. The overflow file takes rows of many
partitions until each partition can be written by itself: if rows arrive for many partitions in turn,
none of them has enough for a row group when memory is full. Written to parts immediately, they would
become thousands of small row groups, each with an entry in a footer that stays in memory until its
part is closed.
"""

import contextlib
import datetime as dt
import errno
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from bulkgladly.lake.arrow import extremes_of
from bulkgladly.lake.file_formats import FileFormat, RowSink
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.schemas import DataSet
from bulkgladly.storage.durable import hash_of, partial_of, sync_file

__all__ = (
    "Overflow",
    "PartFile",
)


class PartFile:
    """A file that becomes a part when its unit is published. Do not use it from two threads at once."""

    def __init__(self, path: Path, data_set: DataSet, file_format: FileFormat) -> None:
        self.path = path
        self._partial = partial_of(path)
        self._version = data_set.version
        self._format = file_format
        self.row_groups = 0
        """How many times rows were added."""
        self._rows = 0
        self._times: list[dt.datetime] = []
        self._has_times = "timestamp" in data_set.schema.names
        try:
            self._sink: RowSink | None = file_format.open(self._partial, data_set)
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise

    def write(self, table: pa.Table) -> None:
        """Add rows in the declared schema."""
        self._live_sink().write(table)
        self.row_groups += 1
        self._rows += table.num_rows
        if self._has_times:
            extremes = extremes_of(table.column("timestamp"))
            self._times += [time for time in extremes if time is not None]
            # Two values at most, however many row groups there are.
            self._times = [f(self._times) for f in (min, max)] if self._times else []

    def written_bytes(self) -> int:
        """Return the size of the file so far."""
        return self._live_sink().written_bytes()

    def close(self) -> None:
        """Finish the file and sync it to disk. This frees the memory of its footer."""
        self._live_sink().close()
        self._sink = None
        sync_file(self._partial)

    def drop(self) -> None:
        """Remove the file, finished or not, unless it has its final name."""
        if self._sink is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._sink.close()
        self._partial.unlink(missing_ok=True)

    def _live_sink(self) -> RowSink:
        if self._sink is None:
            raise ValueError(f"{self._partial} is closed")
        return self._sink

    def proven(self, top: Path) -> PartEntry:
        """Read the finished file back, and describe it.

        Raises:
            OSError: It is cut or damaged, or does not have the rows that were written.
        """
        try:
            found = self._format.rows_in(self._partial)
        except (pa.ArrowException, OSError) as exc:
            raise OSError(errno.EIO, "a part just written cannot be read back", str(self._partial)) from exc
        if found != self._rows:
            raise OSError(errno.EIO, f"a part has {found} rows of {self._rows} written", str(self._partial))
        return PartEntry(
            path=self.path.relative_to(top).as_posix(),
            partial=self._partial.relative_to(top).as_posix(),
            rows=self._rows,
            bytes=self._partial.stat().st_size,
            blake2b=hash_of(self._partial),
            min_timestamp=self._times[0] if self._times else None,
            max_timestamp=self._times[-1] if self._times else None,
            schema_version=self._version,
        )


class Overflow:
    """One file, created with its first rows. It is never synced, because nobody needs it after a kill.

    A partition is identified by its folder. Rows may be read from several threads once no more are added.

    Raises:
        OSError: From each call that writes or reads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self._places: dict[PurePosixPath, list[tuple[int, int]]] = {}
        codec = pa.Codec("lz4") if pa.Codec.is_available("lz4") else None
        self._options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)  # too small for threads

    @property
    def places(self) -> list[PurePosixPath]:
        """The folders that have rows here, in the order of their first rows."""
        return list(self._places)

    def __contains__(self, place: PurePosixPath) -> bool:
        return place in self._places

    def add(self, place: PurePosixPath, table: pa.Table) -> None:
        """Add rows of a folder, after its earlier ones."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            self._file = pa.OSFile(str(self._path), "wb")
        begin = self._file.tell()
        with pa.ipc.new_stream(self._file, table.schema, options=self._options) as stream:
            stream.write_table(table)
        self._places.setdefault(place, []).append((begin, self._file.tell() - begin))

    def tables(self, place: PurePosixPath) -> Iterator[pa.Table]:
        """Yield the rows of a folder, as they were added."""
        if place not in self._places:
            return
        self._file.flush()
        with pa.OSFile(str(self._path), "rb") as file:
            for begin, size in self._places[place]:
                file.seek(begin)
                options = pa.ipc.IpcReadOptions(use_threads=False)
                with pa.ipc.open_stream(file.read_buffer(size), options=options) as stream:
                    yield stream.read_all()

    def drop(self) -> None:
        """Remove the file. Calling it at any time, or twice, is safe."""
        self._places.clear()
        if self._file is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)
