"""One row for each key: the newest of all units, in `current/<data set>/`.

Memory grows with the data set only by one bit per row. The first pass reads only keys and spills
them to disk (`KeySpill`), which finds the last row of each. The second pass reads the rows to
keep, in the order in which they were published.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa

from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.arrow import Array, empty_table, scalar
from bulkgladly.lake.current_folder import (
    UNIT,
    announce,
    holds_parts,
    manifest_of_current,
    put_in_place,
    scratch_of,
    settle_manifests,
)
from bulkgladly.lake.file_formats import format_of
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, PartEntry, order_of_publishing
from bulkgladly.lake.part_files import PartFile
from bulkgladly.lake.places import CURRENT, is_part, is_partial, place_of
from bulkgladly.lake.published_rows import data_set_of_rows, parts_of, tables_in
from bulkgladly.lake.row_keys import BUCKET_ROWS, KeptRows, KeySpill, identities
from bulkgladly.lake.schemas import LINE, DataSet
from bulkgladly.storage.durable import below, sync_folder
from bulkgladly.storage.failures import full_disk_named

__all__ = ("CompactLimits", "Compacted", "compact", "is_compact")

_JOB, _FETCH = "_job_updated_at", "_fetched_at"
"""The first is Gladly's time, the second that of the machine that sent the request."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """The result of a compaction: `rows` kept of `rows_read`, in `parts` files of `bytes` below `path`."""

    data_set: str
    path: Path
    rows_read: int
    rows: int
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CompactLimits:
    """Limits of a compaction, in rows, and in bytes as Arrow holds them, `part_bytes` as written."""

    bucket_rows: int = BUCKET_ROWS
    row_group_bytes: int = 8 << 20
    part_bytes: int = 256 << 20


def compact(
    folder: DataFolder,
    data_set: str | DataSet,
    out: Path | None = None,
    *,
    limits: CompactLimits | None = None,
    check: Callable[[], None] = lambda: None,
) -> Compacted:
    """Write one row for each key of a data set into `current/<data set>/`, or `out`, as Parquet.

    Of rows with the same key the newest is kept: by the time of the export job in Gladly, where there is
    one, then by the order in which units were published, then by the time of the fetch and the line. No
    clock of ours decides between two units. Without a key, rows whose whole content is equal are kept
    once, and so are those of a report that has a key twice in one window. All parts have the declared
    schema.

    `check` is called every few thousand rows; what it raises ends the compaction.

    The folder must be locked. The earlier files are replaced as a whole at the end; an error or a kill
    leaves them as they were. Besides what it writes, it needs about a tenth of the data set's size on disk.

    Raises:
        UsageError: Nothing is published of this data set, or `out` holds files of others.
        InputError: A part is missing, damaged, or has another number of rows than its manifest says.
        DiskFull: No space.
    """
    if not folder.is_locked:
        raise RuntimeError("take the lock of the folder before writing to it")
    name = data_set if isinstance(data_set, str) else data_set.name
    manifests = _published(folder, name)
    shape = data_set if isinstance(data_set, DataSet) else data_set_of_rows(folder, name, manifests)
    final = out.absolute() if out else below(folder.path, (CURRENT / place_of(name)).as_posix())
    _refuse_foreign(final)
    scratch = scratch_of(final.parent if out else folder.path)
    work = _Compaction(folder, shape, manifests, scratch, limits or CompactLimits(), check)
    with full_disk_named(folder.path):
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            reports = work.run(_used_numbers(final))
            if out is None:
                announce(folder.path, _described(folder, shape, manifests, reports))
            put_in_place(scratch / "made", final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            settle_manifests(folder.path)
    sizes = [report.bytes for report in reports]
    return Compacted(name, final, work.rows_read, sum(report.rows for report in reports), len(reports), sum(sizes))


def is_compact(folder: DataFolder, data_set: str) -> bool:
    """Tell whether `current/<data set>/` holds what `compact` would write now, so that it need not be written again.

    Its manifest names the units that it was made of, and this version must have written it. Of its files only names
    and sizes are compared.
    """
    try:
        made = manifest_of_current(folder.path, data_set)
        if made is None or made.version != __version__:
            return False
        return made.source.get("made_of") == _made_of(_published(folder, data_set)) and holds_parts(folder.path, made)
    except UsageError:
        return False


def _made_of(manifests: Sequence[Manifest]) -> str:
    """Return the digest of what the units are: not a number of rows, which another set of units may have as well."""
    digest = hashlib.blake2b(digest_size=16)
    for one in sorted(manifests, key=lambda manifest: manifest.unit):
        files = ",".join(f"{part.path}:{part.blake2b}" for part in one.parts)
        digest.update(f"{one.unit}\n{one.sequence}\n{files}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _published(folder: DataFolder, name: str) -> list[Manifest]:
    """Return the manifests of a data set with rows, from the one published first to the newest."""
    manifests = sorted((one for one in folder.manifests(name) if one.parts), key=order_of_publishing)
    for damage in folder.damage.values():
        if damage.data_set == name:  # skipped for other data sets; here its rows would be missing silently
            raise InputError(damage.detail)
    if not manifests:
        listing = next_command("dataset", "show", folder.path)
        raise UsageError(f"{folder.path} has no rows of {name!r}; run `{listing}` to list its data sets")
    return manifests


class _Compaction:
    def __init__(
        self,
        folder: DataFolder,
        data_set: DataSet,
        manifests: Sequence[Manifest],
        scratch: Path,
        limits: CompactLimits,
        check: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._data_set = data_set
        self._manifests = manifests
        self._scratch = scratch
        self._limits = limits
        self._check = check
        self.rows_read = sum(manifest.rows for manifest in manifests)

    def run(self, used: frozenset[int]) -> list[PartEntry]:
        """Write the parts into `made`, none of them under a number that is in use, and return them."""
        kept = self._kept()
        made = self._scratch / "made"
        made.mkdir()
        parts = list(self._write(kept, made))
        if sum(part.rows for part in parts) != kept.count:
            raise self._miscounted(sum(part.rows for part in parts))
        # Never a number of the present folder: by the names alone it must be clear which of the two is in place.
        first = 1 if used.isdisjoint(range(1, len(parts) + 1)) else max(used) + 1
        named = [replace(part, path=f"part-{number:04}.parquet") for number, part in enumerate(parts, first)]
        for part in named:
            made.joinpath(part.partial).rename(made / part.path)
        sync_folder(made)
        return named

    def _kept(self) -> KeptRows:
        # The job's time is Gladly's and counts first; the time of a fetch is a local clock and only breaks ties.
        spill = KeySpill(self._scratch, self.rows_read, bucket_rows=self._limits.bucket_rows)
        age = next((name for name in (_JOB, _FETCH) if name in self._data_set.schema.names), None)
        columns = [*self._data_set.key, *([age] if age else []), LINE]
        for unit, path, _ in self._parts():
            for table in _with_keys(path, self._data_set, columns):
                self._check()
                keys = list(identities(table, self._data_set.key))
                times = table.column(age).cast(pa.int64()) if age else pa.nulls(table.num_rows, pa.int64())
                units = pa.repeat(scalar(unit, pa.int64()), table.num_rows)
                newest = (times, units) if age == _JOB else (units, times)
                spill.add(keys, (*newest, table.column(LINE)))
        if spill.rows != self.rows_read:
            raise self._miscounted(spill.rows)
        return spill.last_of_each()

    def _write(self, kept: KeptRows, made: Path) -> Iterator[PartEntry]:
        held: list[pa.Table] = []
        held_bytes = number = 0
        part: PartFile | None = None
        try:
            for table in self._tables(kept):
                held.append(table)
                held_bytes += table.nbytes
                if held_bytes < self._limits.row_group_bytes:
                    continue
                if part is None:
                    number += 1
                    part = self._part(made, number)
                part.write(pa.concat_tables(held))
                held, held_bytes = [], 0
                if part.written_bytes() >= self._limits.part_bytes:
                    part.close()
                    yield part.proven(made)
                    part = None
            # An empty data set gets one part too, so that readers find the schema.
            if held or not number:
                part = part or self._part(made, number + 1)
                part.write(pa.concat_tables([empty_table(self._data_set.schema), *held]))
            if part:
                part.close()
                yield part.proven(made)
                part = None
        finally:
            if part:
                part.drop()

    def _part(self, made: Path, number: int) -> PartFile:
        return PartFile(made / f"part-{number:04}.parquet", self._data_set, format_of("parquet", "zstd"))

    def _tables(self, kept: KeptRows) -> Iterator[pa.Table]:
        for _, path, (begin, count) in self._parts():
            if kept.among(begin, count) is None:
                continue  # not even opened
            at = begin
            for table in tables_in(path, self._data_set):
                self._check()
                mask: Array | None = kept.among(at, table.num_rows)
                at += table.num_rows
                if mask is not None:
                    yield table.filter(mask)
            if at != begin + count:
                raise self._miscounted(at)

    def _parts(self) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        """Yield for each part the number of its unit, its path, the number of its first row and its count of rows."""
        begin = 0
        for unit, manifest in enumerate(self._manifests):
            for path, part in zip(parts_of(self._folder, manifest), manifest.parts, strict=True):
                yield unit, path, (begin, part.rows)
                begin += part.rows

    def _miscounted(self, found: int) -> InputError:
        top = self._folder.path
        return InputError(
            f"{top}: {self._data_set.name} has {found} rows where its manifests count {self.rows_read}; "
            f"run `{next_command('dataset', 'verify', top)}` to find the damaged part"
        )


def _described(
    folder: DataFolder, data_set: DataSet, manifests: Sequence[Manifest], parts: Sequence[PartEntry]
) -> Manifest:
    """Return the manifest of the parts that are about to become `current`."""
    rows = sum(part.rows for part in parts)
    return Manifest(
        data_set=data_set.name,
        unit=UNIT,
        schema_version=data_set.version,
        rows=rows,
        lines=rows,
        rejected=0,
        blank=0,
        parts=tuple(parts),
        written_at=folder.now(),
        host=folder.host,
        version=__version__,
        source={
            "units": len(manifests),
            "rows_read": sum(manifest.rows for manifest in manifests),
            "made_of": _made_of(manifests),
        },
        sequence=manifests[-1].sequence,
    )


def _with_keys(path: Path, data_set: DataSet, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of a part with some columns; from a null key on with all, since all identify such a row."""
    done = 0
    if data_set.key:
        for table in tables_in(path, data_set, columns):
            if any(table.column(name).null_count for name in data_set.key):
                break
            done += 1
            yield table
        else:
            return
    yield from islice(tables_in(path, data_set), done, None)


def _refuse_foreign(final: Path) -> None:
    """Refuse to replace a folder that holds files of others."""
    if not final.exists():
        return
    if final.is_symlink() or not final.is_dir():
        raise UsageError(f"{final} is not a folder of bulkgladly; move it away, or choose another folder")
    strange = [found.name for found in final.iterdir() if not (is_part(found.name) or is_partial(found.name))]
    if strange:
        raise UsageError(f"{final} holds {min(strange)!r}, which would be lost; choose an empty or a new folder")


def _used_numbers(final: Path) -> frozenset[int]:
    """Return the numbers of the present parts, which a reader of the old folder may still open by name."""
    names = [found.stem.rpartition("-")[2] for found in final.iterdir()] if final.is_dir() else []
    return frozenset(int(name) for name in names if name.isdecimal())
