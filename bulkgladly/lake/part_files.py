"""One part of a data set: written aside, closed, synced, read back."""

import contextlib
import datetime as dt
import errno
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bulkgladly.lake.arrow import extremes_of
from bulkgladly.lake.disk import hash_of, partial_of, sync_file
from bulkgladly.lake.file_formats import FileFormat, Sink
from bulkgladly.lake.schemas.shapes import DataSet

__all__ = ("PartFile", "PartReport")


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part, as a manifest names it. `path` is relative to the folder of its data set.

    Until whoever publishes it gives it that name, it lies under `partial`, relative to where it was written.
    """

    path: str
    partial: str
    rows: int
    bytes: int
    blake2b: str
    min_timestamp: dt.datetime | None
    max_timestamp: dt.datetime | None
    schema_version: int


class PartFile:
    """One file on its way to become a part. Not for use from two threads at once."""

    def __init__(self, path: Path, data_set: DataSet, file_format: FileFormat) -> None:
        self.path = path
        self._partial = partial_of(path)
        self._version = data_set.version
        self._format = file_format
        self.row_groups = 0
        """How often rows were added."""
        self._rows = 0
        self._times: list[dt.datetime] = []
        self._has_times = "timestamp" in data_set.schema.names
        try:
            self._sink: Sink | None = file_format.open(self._partial, data_set)
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
            self._times = [f(self._times) for f in (min, max)] if self._times else []

    def written_bytes(self) -> int:
        """Return the size of the file so far."""
        return self._live_sink().written_bytes()

    def close(self) -> None:
        """Finish the file and wait until the disk has it. Its footer is in memory no more."""
        self._live_sink().close()
        self._sink = None
        sync_file(self._partial)

    def drop(self) -> None:
        """Remove the file if it has not got its name yet, finished or not."""
        if self._sink is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._sink.close()
        self._partial.unlink(missing_ok=True)

    def _live_sink(self) -> Sink:
        if self._sink is None:
            raise ValueError(f"{self._partial} is closed")
        return self._sink

    def proven(self, top: Path) -> PartReport:
        """Read the finished file back, and describe it.

        Raises:
            OSError: It is cut or damaged, or has not the rows that were written.
        """
        try:
            found = self._format.rows_in(self._partial)
        except (pa.ArrowException, OSError) as exc:
            raise OSError(errno.EIO, "a part just written cannot be read back", str(self._partial)) from exc
        if found != self._rows:
            raise OSError(errno.EIO, f"a part has {found} rows of {self._rows} written", str(self._partial))
        return PartReport(
            path=self.path.relative_to(top).as_posix(),
            partial=self._partial.relative_to(top).as_posix(),
            rows=self._rows,
            bytes=self._partial.stat().st_size,
            blake2b=hash_of(self._partial),
            min_timestamp=self._times[0] if self._times else None,
            max_timestamp=self._times[-1] if self._times else None,
            schema_version=self._version,
        )
