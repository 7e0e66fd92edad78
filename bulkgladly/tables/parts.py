"""The parts of one unit: rows sorted into files, which are proven before anybody publishes them.

While a part is written, and until it is published, it is `.<stem>-0001.parquet.partial` in
its own folder, which no reader takes for a part. A kill leaves such files only.
"""

import contextlib
import errno
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from bulkgladly.errors import UsageError
from bulkgladly.tables.blocks import Rows
from bulkgladly.tables.declared.shapes import DataSet
from bulkgladly.tables.disk import full_disk_named, sync_folder
from bulkgladly.tables.part_file import PartFile, PartReport
from bulkgladly.tables.places import Partition, file_stem, folder_of
from bulkgladly.tables.sinks import FileFormat, format_of
from bulkgladly.tables.source import Source

__all__ = ("PartOptions", "PartReport", "PartWriter")

_TRIES = 5


@dataclass(frozen=True, slots=True)
class PartOptions:
    """Format, folders and limits of a writer; limits in bytes as Arrow holds them, `part_bytes` as written.

    `compression` None is the format's own: zstd for Parquet, none for text. `partition`
    names those of the data set's partitions that get folders; None means all.
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
            UsageError: There is no such format, or it cannot be compressed so.
        """
        return format_of(self.format, self.compression)

    def folders_of(self, data_set: DataSet) -> tuple[str, ...]:
        """Return the partitions that get folders, outermost first.

        Raises:
            UsageError: The data set does not offer one of those asked for.
        """
        if self.partition is None:
            return data_set.partitions
        for name in self.partition:
            if name not in data_set.partitions:
                offered = f"take {' or '.join(data_set.partitions)}" if data_set.partitions else "it has none"
                raise UsageError(f"{data_set.name} cannot be partitioned by {name}: {offered}")
        return tuple(name for name in data_set.partitions if name in self.partition)


class PartWriter:
    """Writes the rows of one unit below the folder of its data set.

    Rows wait until a row group is full; when too many wait, the largest groups go first.
    Past `open_files` partitions the one used longest ago is closed, and continues in a
    further part. Not for use from two threads at once.

    Raises:
        DiskFull: From any call that writes. What is there are partial files: `abandon` them.
        UsageError: The options do not fit the data set.
    """

    def __init__(self, top: Path, data_set: DataSet, source: Source, options: PartOptions | None = None) -> None:
        self._top = top
        self._data_set = data_set
        self._source = source
        self._options = options or PartOptions()
        self._format = self._options.file_format()
        self._folders = frozenset(self._options.folders_of(data_set))
        if foreign := source.columns.keys() - data_set.provenance.keys():
            raise UsageError(f"{data_set.name} has no provenance column {min(foreign)}")
        self._held: dict[Partition, _Held] = {}
        self._held_bytes = 0
        self._open: OrderedDict[Partition, PartFile] = OrderedDict()
        self._numbers: dict[Partition, int] = {}
        self._closed: list[PartFile] = []
        self._made_folders: list[Path] = []

    def write(self, rows: Rows) -> None:
        """Take rows; writes when enough of them are together."""
        partition = tuple(each for each in rows.partition if each[0] in self._folders)
        held = self._held.setdefault(partition, _Held())
        held.batches.append(rows.batch)
        held.bytes += rows.batch.nbytes
        self._held_bytes += rows.batch.nbytes
        with full_disk_named(self._top):
            if held.bytes >= self._options.row_group_bytes:
                self._flush(partition)
            if self._held_bytes > self._options.held_bytes:
                for largest in sorted(self._held, key=lambda key: -self._held[key].bytes):
                    self._flush(largest)
                    if self._held_bytes <= self._options.held_bytes // 2:
                        break

    def finish(self) -> list[PartReport]:
        """Write what waits, and prove every part. All are on the disk, under their hidden names, when this returns.

        Raises:
            OSError: A part read back is not what was written.
        """
        with full_disk_named(self._top), ThreadPoolExecutor(2, thread_name_prefix="tables-finish") as pool:
            if len({*self._held, *self._open}) > self._options.open_files:
                for partition in list(self._held):
                    self._flush(partition)
            for partition in self._held:
                self._part(partition)
            partitions = list(self._open)
            waiting = [self._held.pop(partition, _Held()).batches for partition in partitions]
            last = [self._open.pop(partition) for partition in partitions]
            self._closed += last
            for done in [pool.submit(self._finish, *each) for each in zip(last, waiting, strict=True)]:
                done.result()
            reports = list(pool.map(partial(PartFile.proven, top=self._top), self._closed))
            for folder in sorted({*(part.path.parent for part in self._closed), *self._parents_of_made()}):
                sync_folder(folder)
        return reports

    def abandon(self) -> None:
        """Remove every part that is still hidden, and the folders made for them. Safe at any time, and twice."""
        self._held.clear()
        self._held_bytes = 0
        for part in [*self._open.values(), *self._closed]:
            part.drop()
        self._open.clear()
        self._closed.clear()
        for folder in reversed(self._made_folders):
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._made_folders.clear()

    def _flush(self, partition: Partition) -> None:
        held = self._held.pop(partition)
        self._held_bytes -= held.bytes
        part = self._part(partition)
        part.write(_widened(held.batches, self._data_set, self._source))
        if part.written_bytes() >= self._options.part_bytes:
            self._close(partition)

    def _finish(self, part: PartFile, waiting: list[pa.RecordBatch]) -> None:
        if waiting:
            part.write(_widened(waiting, self._data_set, self._source))
        part.close()

    def _part(self, partition: Partition) -> PartFile:
        if partition not in self._open:
            while len(self._open) >= self._options.open_files:
                self._close(next(iter(self._open)))
            number = self._numbers[partition] = self._numbers.get(partition, 0) + 1
            name = f"{file_stem(self._source.stem)}-{number:04}{self._format.suffix}"
            self._open[partition] = self._opened(self._top / folder_of(partition) / name)
        self._open.move_to_end(partition)
        return self._open[partition]

    def _close(self, partition: Partition) -> None:
        part = self._open.pop(partition)
        self._closed.append(part)
        part.close()

    def _opened(self, path: Path) -> PartFile:
        for _ in range(_TRIES):
            # Another unit that made the folder, and is abandoned, removes it if it is still empty.
            with contextlib.suppress(FileNotFoundError):
                self._make_folder(path.parent)
                return PartFile(path, self._data_set, self._format)
        raise FileNotFoundError(errno.ENOENT, "a folder is removed again and again", str(path.parent))

    def _make_folder(self, folder: Path) -> None:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._made_folders.extend(reversed(missing))

    def _parents_of_made(self) -> set[Path]:
        return {made.parent for made in self._made_folders}


class _Held:
    """Rows of one partition that are not yet a row group."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.bytes = 0


def _widened(batches: Iterable[pa.RecordBatch], data_set: DataSet, source: Source) -> pa.Table:
    """Return all rows in the declared schema; batches may differ in whether they have an extra."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]
    present = dict(zip(table.schema.names, table.columns, strict=True))
    columns: list[Any] = []
    for field in data_set.schema:
        if field.name in present:
            columns.append(present[field.name])
        elif field.name in source.columns:
            columns.append(pa.repeat(pa.scalar(source.columns[field.name], field.type), table.num_rows))
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=data_set.schema)
