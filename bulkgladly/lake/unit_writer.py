"""One unit that is being written: published in the data folder as a whole, or not at all.

Between reading and writing, rows may pass a filter: it leaves rows out, stamps them, or holds them back.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly._version import __version__
from bulkgladly.errors import BodyTooLong
from bulkgladly.lake.arrow import empty_table, in_schema, integers, scalar
from bulkgladly.lake.conversion import ConversionSummary, ConvertOptions, convert
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, PartEntry, SideFile, Span
from bulkgladly.lake.part_writer import PartOptions, PartWriter, partitions_of
from bulkgladly.lake.places import INCOMING, place_of, raw_place, rejects_place
from bulkgladly.lake.rows import DriftLog, Origin, Reject, Rows
from bulkgladly.lake.schemas import LINE, TIMESTAMP, DataSet
from bulkgladly.lake.side_files import RawFile, RejectsFile
from bulkgladly.storage.durable import below
from bulkgladly.storage.failures import full_disk_named

__all__ = (
    "HeldRows",
    "OncePerKey",
    "RowFilter",
    "StampedRows",
    "UnitWriter",
)

# --- Filters: what happens to rows between reading and writing ---

RowFilter = Callable[[Rows], Rows | None]
"""From rows as they were read to rows as they are written, or None if none are left."""


class OncePerKey:
    """Passes on the first row of each key; a row without a key always passes.

    Holds all keys in memory, about 120 bytes each.
    """

    def __init__(self, column: str, known: Iterable[str] = ()) -> None:
        """`known` are keys whose rows the data set has already."""
        self._column = column
        self._known = set(known)

    def __call__(self, rows: Rows) -> Rows | None:
        """Return the rows that pass."""
        passing: list[int] = []
        for at, key in enumerate(rows.batch.column(self._column).to_pylist()):
            if key is None or key not in self._known:
                passing.append(at)
                if key is not None:
                    self._known.add(key)
        if not passing:
            return None
        if len(passing) == rows.batch.num_rows:
            return rows
        return Rows(rows.partition, rows.batch.take(integers("i", passing)))


class StampedRows:
    """Gives each row the time of its line, for bodies that are assembled from replies at different times."""

    def __init__(self, column: str, times: Sequence[int]) -> None:
        """`times` has the time of each line, in microseconds since 1970."""
        self._column = column
        self._times = integers("q", times).cast(TIMESTAMP)

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows with their times."""
        lines = pc.subtract(rows.batch.column(LINE), scalar(1, pa.int64()))
        column = self._times.take(lines)
        names = [*rows.batch.schema.names, self._column]
        return Rows(rows.partition, pa.RecordBatch.from_arrays([*rows.batch.columns, column], names=names))


class HeldRows:
    """Passes nothing on, but keeps it: for rows that must be compared with others before they are written."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []

    def __call__(self, rows: Rows) -> None:
        """Keep the rows."""
        self._batches.append(rows.batch)

    def table(self, data_set: DataSet, **constants: object) -> pa.Table:
        """Return all rows in file order, with the declared schema; a missing column gets a constant, or is null."""
        tables = [pa.Table.from_batches([batch]) for batch in self._batches]
        if not tables:
            return empty_table(data_set.schema)
        table = pa.concat_tables(tables, promote_options="default").sort_by(LINE)
        return in_schema(table, data_set.schema, constants)


# --- The writer ---


class UnitWriter:
    """Writes the rows of one unit below `_incoming`, and publishes them all at once.

    A context manager: what is not published when it ends is abandoned, whatever ended it.

    Nothing is created before the first row, reject or block. If the unit is published already, its new
    files have a `~2` (`~3`, ...) after their stem; two units of a data set must not have the same stem.
    A data set that has parts keeps its folders, whatever the options say.
    Do not use it from two threads at once. A kill leaves files only in `_incoming`, which
    `DataFolder.recover` removes.

    Raises:
        DiskFull: From any call that writes. Call `abandon` then.
        UsageError: The options do not fit the data set.
    """

    def __init__(
        self,
        folder: DataFolder,
        data_set: DataSet,
        unit: str,
        origin: Origin,
        options: PartOptions | None = None,
        *,
        keep_raw: bool = False,
        max_bytes: int | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        """`row_filter` takes all rows of `convert` before they are written, one call at a time."""
        # An interrupted commit of this unit refers to files with the same names as those written here.
        folder.settle(data_set.name, unit)
        before = folder.manifest(data_set.name, unit)
        self._folder = folder
        self._data_set = data_set
        self._unit = unit
        self._origin = origin
        self._generation = before.generation + 1 if before else 1
        # New names, because the published files keep theirs until the new ones are decided.
        mark = f"~{self._generation}" if before else ""
        place = place_of(data_set.name)
        below(folder.path, (place / "any").as_posix())
        top = below(folder.path, (INCOMING / place / "any").as_posix()).parent
        kept = _as_before(folder, data_set, options or PartOptions())
        self._parts = PartWriter(top, data_set, replace(origin, stem=origin.stem + mark), kept)
        self._rejects = RejectsFile(folder.path, rejects_place(data_set.name, unit + mark), origin.file)
        self._raw = RawFile(folder.path, raw_place(data_set.name, unit + mark)) if keep_raw else None
        self._max_bytes = max_bytes
        self._row_filter = row_filter
        self._rows = 0
        self._blank = 0
        self._drift = DriftLog()
        self._is_prepared = False
        self._is_published = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()

    @property
    def rows(self) -> int:
        """The number of rows added so far."""
        return self._rows

    @property
    def rejected(self) -> int:
        """The number of lines rejected so far."""
        return self._rejects.count

    # --- adding rows ---

    def convert(self, blocks: Iterable[bytes], *, options: ConvertOptions | None = None) -> ConversionSummary:
        """Read a body of JSON lines, cut anywhere, into rows and rejects. For a worker thread.

        Call it again for another body of the same unit. The summary is that of this body, and counts
        also the rows that the filter left out.

        Raises:
            BodyTooLong: The body has more than `max_bytes` bytes.
            Exception: Whatever `blocks` raised.
        """
        self._prepare()
        with full_disk_named(self._folder.path):
            report = convert(
                self._passed_on(blocks), self._data_set, write=self._take_read, reject=self.reject, options=options
            )
        self._blank += report.blank
        self._drift.take(report.drift)
        return report

    def write(self, rows: Rows) -> None:
        """Add rows with columns of the data set; missing columns are null or provenance."""
        self._prepare()
        self._take(rows)

    def reject(self, refused: Reject) -> None:
        """Add a line that is not a row."""
        self._prepare()
        with full_disk_named(self._folder.path):
            self._rejects.add(refused)

    # --- publishing ---

    def commit(
        self,
        *,
        covered: Span | None = None,
        about: Mapping[str, Any] | None = None,
        incomplete: str | None = None,
        replaces: Sequence[Manifest] = (),
        drift: DriftLog | None = None,
    ) -> Manifest:
        """Publish the unit, replacing others, and return its manifest.

        `about` is added to what the manifest says about the source, and `drift` to what was counted
        here. After an error or a kill, either nothing has happened, or the unit is decided and the
        next process that locks the folder publishes it.

        Raises:
            OSError: A part that was read back is not what was written.
            UsageError: The unit is published already and not among those it replaces.
        """
        self._prepare()
        if drift is not None:
            self._drift.take(drift)
        with full_disk_named(self._folder.path):
            parts = tuple(self._parts.finish())
            others = (*self._rejects.finish(), *(self._raw.finish() if self._raw else ()))
        manifest = replace(self._manifest(parts, others, about or {}), covered=covered, incomplete=incomplete)
        published = self._folder.commit(manifest, replaces=replaces)
        self._is_published = True
        return published

    def _manifest(
        self, parts: tuple[PartEntry, ...], others: tuple[SideFile, ...], about: Mapping[str, Any]
    ) -> Manifest:
        rejected = self._rejects.count
        about_origin = {"stem": self._origin.stem, "file": self._origin.file, **self._origin.columns}
        return Manifest(
            data_set=self._data_set.name,
            unit=self._unit,
            schema_version=self._data_set.version,
            rows=self._rows,
            lines=self._rows + rejected + self._blank,
            rejected=rejected,
            blank=self._blank,
            parts=parts,
            written_at=self._folder.now(),
            host=self._folder.host,
            version=__version__,
            others=others,
            source={**_as_plain(about_origin), **about},
            drift=tuple(self._drift),
            generation=self._generation,
        )

    def abandon(self) -> None:
        """Remove everything, unless the unit is published or decided. Calling it twice is safe."""
        if self._is_published or self._folder.is_decided(self._data_set.name, self._unit):
            return
        with contextlib.ExitStack() as each:  # each is called even if another one raises
            each.callback(self._parts.abandon)
            each.callback(self._rejects.drop)
            if self._raw:
                each.callback(self._raw.drop)

    # --- details ---

    def _prepare(self) -> None:
        if not self._is_prepared:
            with full_disk_named(self._folder.path):
                self._folder.prepare(self._data_set.name)
            self._is_prepared = True

    def _take_read(self, rows: Rows) -> None:
        passed = rows if self._row_filter is None else self._row_filter(rows)
        if passed is not None:
            self._take(passed)

    def _take(self, rows: Rows) -> None:
        self._parts.write(rows)
        self._rows += rows.batch.num_rows

    def _passed_on(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        if self._raw:
            self._raw.begin()
        received = 0
        for block in blocks:
            received += len(block)
            if self._max_bytes is not None and received > self._max_bytes:
                raise BodyTooLong(f"{self._origin.file}: longer than the limit of {self._max_bytes} bytes")
            if self._raw:
                self._raw.add(block)
            yield block


def _as_before(folder: DataFolder, data_set: DataSet, options: PartOptions) -> PartOptions:
    """Return the options with the folders that the data set has: readers cannot open one with two kinds of folders."""
    names = folder.partition(data_set.name)
    if names is None or not set(names) <= set(partitions_of(data_set)):
        return options
    return replace(options, partition=names)


def _as_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of columns as JSON holds them."""
    return {
        name: value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else value
        for name, value in values.items()
    }
