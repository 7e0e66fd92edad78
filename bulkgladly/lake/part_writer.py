"""The parts of one unit: rows sorted into files, which are read back and counted before they are published.

They are written below a folder that no reader looks into, and keep their relative path below the data
set when they are published.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePosixPath

import pyarrow as pa

from bulkgladly.choices import one_of
from bulkgladly.errors import UsageError
from bulkgladly.lake.arrow import in_schema
from bulkgladly.lake.file_formats import FileFormat, format_of
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.part_files import Overflow, PartFile
from bulkgladly.lake.places import Partition, file_stem, folder_of
from bulkgladly.lake.rows import Origin, Rows
from bulkgladly.lake.schemas import DataSet
from bulkgladly.storage.failures import full_disk_named

__all__ = ("PartOptions", "PartWriter", "partitions_of")

_SMALL = 8
"""Rows below this fraction of a row group's size are not worth a row group, or opening a part for it."""
_MOST_ROW_GROUPS = 128
"""The most row groups that the open parts have together: each takes about 50 KB of memory until its part is closed."""


def partitions_of(data_set: DataSet) -> tuple[str, ...]:
    """Return the partitions that a data set offers, outermost first: those it declares, and the month of its date."""
    return (*data_set.partitions, *(["month"] if "date" in data_set.partitions else []))


@dataclass(frozen=True, slots=True)
class PartOptions:
    """Format, folders and limits of a writer. Limits are bytes in Arrow's memory; `part_bytes` are bytes on disk.

    `compression` None is the default of the format: zstd for Parquet, none for text. `partition` names
    the partitions of the data set that get folders; None means all.
    """

    format: str = "parquet"
    compression: str | None = None
    partition: tuple[str, ...] | None = None
    open_files: int = 32
    row_group_bytes: int = 8 << 20
    held_bytes: int = 32 << 20
    part_bytes: int = 256 << 20

    def file_format(self) -> FileFormat:
        """Return the format of the parts.

        Raises:
            UsageError: The format, or its compression, is not supported.
        """
        return format_of(self.format, self.compression)

    def folders_of(self, data_set: DataSet) -> tuple[str, ...]:
        """Return the partitions that get folders, outermost first.

        Raises:
            UsageError: The data set does not offer one of the requested partitions.
        """
        if self.partition is None:
            return data_set.partitions
        offered = partitions_of(data_set)
        for name in self.partition:
            if name not in offered:
                choices = f"choose {one_of(offered)}" if offered else "it has no partitions"
                raise UsageError(f"{data_set.name} cannot be partitioned by {name}; {choices}")
        return tuple(name for name in offered if name in self.partition)


class PartWriter:
    """Writes the rows of one unit below a folder, at the paths that they will have below their data set.

    Rows wait until a row group is full. When too many wait, the largest groups are written first, and
    what is too small for a row group of its own goes to an overflow file until the end. If more than
    `open_files` partitions are open, the least recently used one is closed, and if there are too many
    row groups, the one that has most; it continues in another part. Do not use it from two threads at once.

    Raises:
        DiskFull: From any call that writes. It leaves partial files: `abandon` them.
        UsageError: The options do not fit the data set.
    """

    def __init__(self, top: Path, data_set: DataSet, origin: Origin, options: PartOptions | None = None) -> None:
        self._top = top
        self._data_set = data_set
        self._origin = origin
        self._options = options or PartOptions()
        self._format = self._options.file_format()
        self._folders = frozenset(self._options.folders_of(data_set))
        if foreign := origin.columns.keys() - data_set.provenance.keys():
            raise UsageError(f"{data_set.name} has no provenance column {min(foreign)}")
        self._places: dict[Partition, PurePosixPath] = {}
        # Everything below is keyed by folder, not by partition: rows of one folder must go through one writer.
        self._held: dict[PurePosixPath, _Waiting] = {}
        self._held_bytes = 0
        self._open: OrderedDict[PurePosixPath, PartFile] = OrderedDict()
        self._numbers: dict[PurePosixPath, int] = {}
        self._closed: list[PartFile] = []
        self._overflow = Overflow(top / f".{file_stem(origin.stem)}.overflow.partial")

    def write(self, rows: Rows) -> None:
        """Add rows; they are written when there are enough of them."""
        place = self._place(rows.partition)
        held = self._held.setdefault(place, _Waiting())
        held.batches.append(rows.batch)
        held.bytes += rows.batch.nbytes
        self._held_bytes += rows.batch.nbytes
        with full_disk_named(self._top):
            if held.bytes >= self._options.row_group_bytes:
                self._flush(place)
            if self._held_bytes > self._options.held_bytes:
                self._make_room()

    def _place(self, partition: Partition) -> PurePosixPath:
        found = self._places.get(partition)
        if found is None:
            found = folder_of(tuple(each for each in _with_month(partition) if each[0] in self._folders))
            self._places[partition] = found
        return found

    def _make_room(self) -> None:
        # Largest first: the fewest row groups for the memory that is freed. Half is freed, so that the next
        # rows do not end here again at once.
        largest_first = sorted(self._held, key=lambda key: -self._held[key].bytes)
        for place in largest_first:
            if self._held[place].bytes < self._options.row_group_bytes // _SMALL:
                break
            self._flush(place)
            if self._held_bytes <= self._options.held_bytes // 2:
                return
        for place in list(self._held):
            self._flush(place, is_small=True)

    def finish(self) -> list[PartEntry]:
        """Write what waits, and read every part back. All of it is on the disk when this returns.

        Raises:
            OSError: A part read back is not what was written.
        """
        with full_disk_named(self._top), ThreadPoolExecutor(2, thread_name_prefix="lake-finish") as pool:
            # Open parts come first, so that none of them has to be closed to open another.
            places = dict.fromkeys([*self._open, *self._overflow.places, *self._held])
            for some in _in_groups(places, self._options.open_files):
                parts = [(self._part(place), self._rest_of(place)) for place in some]
                self._closed += (self._open.pop(place) for place in some)
                for done in [pool.submit(self._finish, *each) for each in parts]:
                    done.result()
            self._overflow.drop()
            return list(pool.map(partial(PartFile.proven, top=self._top), self._closed))

    def abandon(self) -> None:
        """Remove every part without its final name; empty folders stay. Calling it at any time, or twice, is safe."""
        self._held.clear()
        self._held_bytes = 0
        self._overflow.drop()
        for part in [*self._open.values(), *self._closed]:
            part.drop()
        self._open.clear()
        self._closed.clear()

    def _flush(self, place: PurePosixPath, *, is_small: bool = False) -> None:
        held = self._held.pop(place)
        self._held_bytes -= held.bytes
        if is_small or place in self._overflow:  # otherwise later rows would be written before earlier ones
            self._overflow.add(place, _joined(held.tables()))
            return
        part = self._part(place)
        part.write(self._widened(held.tables()))
        if part.written_bytes() >= self._options.part_bytes:
            self._close(place)
        elif sum(each.row_groups for each in self._open.values()) > _MOST_ROW_GROUPS:
            self._close(max(self._open, key=lambda each: self._open[each].row_groups))

    def _widened(self, tables: list[pa.Table]) -> pa.Table:
        return in_schema(_joined(tables), self._data_set.schema, self._origin.columns)

    def _rest_of(self, place: PurePosixPath) -> Iterator[pa.Table]:
        """Return the rows of a folder that are not yet in its part, in the order in which they came."""
        held = self._held.pop(place, _Waiting())
        return chain(self._overflow.tables(place), held.tables())

    def _finish(self, part: PartFile, rest: Iterator[pa.Table]) -> None:
        for tables in _in_row_groups(rest, self._options.row_group_bytes):
            part.write(self._widened(tables))
        part.close()

    def _part(self, place: PurePosixPath) -> PartFile:
        if place not in self._open:
            while len(self._open) >= self._options.open_files:
                self._close(next(iter(self._open)))
            # Counted on even if the earlier part is closed: its name stays taken.
            number = self._numbers[place] = self._numbers.get(place, 0) + 1
            name = f"{file_stem(self._origin.stem)}-{number:04}{self._format.suffix}"
            path = self._top / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[place] = PartFile(path, self._data_set, self._format)
        self._open.move_to_end(place)
        return self._open[place]

    def _close(self, place: PurePosixPath) -> None:
        part = self._open.pop(place)
        self._closed.append(part)
        part.close()


def _with_month(partition: Partition) -> Partition:
    """Return a partition with the month of its date behind it."""
    months = [("month", value and value.rpartition("-")[0]) for name, value in partition if name == "date"]
    return (*partition, *months)


class _Waiting:
    """Rows of one folder that do not fill a row group yet."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.bytes = 0

    def tables(self) -> list[pa.Table]:
        return [pa.Table.from_batches([batch]) for batch in self.batches]


def _in_groups(places: Iterable[PurePosixPath], size: int) -> Iterator[list[PurePosixPath]]:
    left = iter(places)
    while some := list(islice(left, size)):
        yield some


def _in_row_groups(tables: Iterable[pa.Table], least_bytes: int) -> Iterator[list[pa.Table]]:
    held: list[pa.Table] = []
    held_bytes = 0
    for table in tables:
        held.append(table)
        held_bytes += table.nbytes
        if held_bytes >= least_bytes:
            yield held
            held, held_bytes = [], 0
    if held:
        yield held


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Return all rows; some tables may lack `_extra`."""
    return pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]
