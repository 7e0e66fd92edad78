"""From the published rows of a data set to the index that an import asks: pinned, read once, in bounded memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import InputError, UsageError
from bulkgladly.gladly.baseline_plan import BaselinePlan, BaselineSource, MergeSource
from bulkgladly.imports.baseline_index import ASKED, IndexBuilder, IndexedRow, id_digest
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.held_objects import objects_in, times_in
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.schemas import DATA_SETS, EXTRA, LINE

__all__ = ("PinnedRows", "pinned", "write_index")

_GONE_SINCE = "_gone_since"
_ROWS_AT_ONCE = 1_024


class PinnedRows(NamedTuple):
    """What was published of a folder at one moment, in the order of publishing; `identity` changes with it."""

    folder: DataFolder
    sources: tuple[tuple[BaselineSource, tuple[Manifest, ...]], ...]
    merges: tuple[tuple[MergeSource, tuple[Manifest, ...]], ...]
    identity: str

    @property
    def rows(self) -> int:
        """How many rows there are, older versions of the same objects included."""
        return sum(manifest.rows for _, manifests in self.sources for manifest in manifests)


def pinned(path: Path, plan: BaselinePlan, host: str) -> PinnedRows:
    """Return what is published in a data folder of the data sets of a plan. No lock is needed.

    Raises:
        InputError: A manifest is damaged.
        UsageError: It is not a data folder, has the data of another organisation, or none of these data sets.
    """
    folder = DataFolder.open(path)
    if folder.host is None:
        raise UsageError(
            f"--baseline: {path} does not say which organisation it is from; export into it once, or pass another "
            "folder"
        )
    if folder.host != host:
        raise UsageError(f"--baseline: {path} holds data of {folder.host}, not of {host}; pass the data set of {host}")
    found = [(source, tuple(folder.manifests(source.data_set))) for source in plan.sources]
    sources = tuple((source, manifests) for source, manifests in found if any(one.rows for one in manifests))
    if not sources:
        wanted = plan.data_sets[0]
        export = next_command("export", wanted, "--out", path, connects=True)
        raise UsageError(f"--baseline: {path} has no rows of {' or '.join(plan.data_sets)}; run `{export}` first")
    merges = tuple((source, tuple(folder.manifests(source.data_set))) for source in plan.merges)
    digest = hashlib.blake2b(digest_size=8)
    named = [(one.data_set, parts) for one, parts in sources] + [(one.data_set, parts) for one, parts in merges]
    for name, manifests in named:
        for one in manifests:
            digest.update(f"{name}\0{one.unit}\0{one.generation}\0{one.written_at}\0{one.rows}\0".encode())
    return PinnedRows(folder, sources, merges, digest.hexdigest())


def write_index(
    target: Path, lake: Path, plan: BaselinePlan, host: str, *, is_stopped: Callable[[], bool] = lambda: False
) -> bool:
    """Write the index of a data folder; return False if it was stopped, and nothing was written.

    A dump that replaces parts meanwhile makes it begin again with what is published then.

    Raises:
        DiskFull, JournalError: The index cannot be written.
        InputError: A part or a manifest is damaged.
        UsageError: As `pinned`.
    """
    for _ in range(5):
        rows = pinned(lake, plan, host)
        builder = IndexBuilder(target)
        try:
            return _write(builder, rows, plan, is_stopped)
        except InputError:
            if pinned(lake, plan, host).identity == rows.identity:
                raise
        finally:
            builder.abandon()
    raise InputError(f"--baseline: {lake} changed each time it was read; wait until the dump into it has finished")


def _write(builder: IndexBuilder, rows: PinnedRows, plan: BaselinePlan, is_stopped: Callable[[], bool]) -> bool:
    """Write the rows of all sources, in any order: of each id the newest row of the preferred source counts."""
    oldest, newest = 0, 0
    filled: set[str] = set()
    gone: list[tuple[int, int]] = []
    for source, manifests in rows.sources:
        for manifest in manifests:
            gone += ((id_digest(key), at) for key, at in _gone_in(manifest).items())
            for found in _pieces_of(rows.folder, manifest, source, plan):
                if is_stopped():
                    return False
                builder.add(found.rows)
                builder.merge(found.merged)
                gone += found.gone
                filled |= found.filled
                times = [row.at for row in found.rows if row.at]
                newest = max(newest, *times, 0)
                oldest = min([one for one in (oldest, *times) if one], default=0)
    for merges, manifests in rows.merges:
        for manifest in manifests:
            if is_stopped():
                return False
            builder.merge(_merges_in(rows.folder, manifest, merges))
    builder.finish(
        {
            "lake": str(rows.folder.path),
            "identity": rows.identity,
            "data_sets": [source.data_set for source, _ in rows.sources],
            "rows": rows.rows,
            "oldest": oldest,
            "newest": newest,
            "empty": sorted(plan.fields - filled),
        },
        gone,
    )
    return True


class _Piece(NamedTuple):
    """Some rows, the ids that Gladly no longer had (by their digests, with when), and the fields that have values.

    `merged` are ids that were requested, each with that of the object into which it was merged, and when.
    """

    rows: list[IndexedRow]
    gone: list[tuple[int, int]]
    filled: set[str]
    merged: list[tuple[str, str, int]]


class _PartColumns(NamedTuple):
    """How the rows of one part are read: which columns become an object, and which say something about the row."""

    source: BaselineSource
    shown: tuple[str, ...]
    time: str
    about: tuple[str, ...]
    is_whole: bool


def _pieces_of(folder: DataFolder, manifest: Manifest, source: BaselineSource, plan: BaselinePlan) -> Iterator[_Piece]:
    data_set = DATA_SETS[source.data_set]
    names = data_set.schema.names
    shown = tuple(name for name in source.columns or ("id", *sorted(plan.fields)) if name in names)
    time = next(name for name in ("_fetched_at", "_job_updated_at") if name in names)
    about = tuple(name for name in (ASKED, _GONE_SINCE) if name in names)
    columns = (*shown, *about, time, LINE, EXTRA)
    for part, path in zip(manifest.parts, parts_of(folder, manifest), strict=True):
        # A column that an older version of the schema lacks is not the same as an empty one.
        is_whole = source.is_whole and part.schema_version >= data_set.version
        how = _PartColumns(source, shown, time, about, is_whole)
        for table in tables_in(path, data_set, columns):
            for at in range(0, table.num_rows, _ROWS_AT_ONCE):
                yield _piece(table.slice(at, _ROWS_AT_ONCE), how)


def _piece(table: Any, how: _PartColumns) -> _Piece:
    size = table.num_rows
    times, lines = times_in(table, how.time), table.column(LINE).to_pylist()
    asked = table.column(ASKED).to_pylist() if ASKED in how.about else [None] * size
    was_gone = table.column(_GONE_SINCE).is_valid().to_pylist() if _GONE_SINCE in how.about else [False] * size
    found = _Piece([], [], set(), [])
    rows, as_held, is_whole = found.rows, how.source.as_held, how.is_whole
    for line, asked_id, is_gone, at, number in zip(
        objects_in(table, how.shown), asked, was_gone, times, lines, strict=True
    ):
        gladly_id = line.get("id")
        if not isinstance(gladly_id, str):
            continue
        if is_gone:
            found.gone.append((id_digest(gladly_id), at or 0))
            continue
        held = as_held(line)
        if not is_whole:
            found.filled.update(held)
        if how.source.tells_merges and asked_id is not None and asked_id != gladly_id:
            # Asked for by this id, Gladly returned the customer into whom it was merged.
            found.merged.append((asked_id, gladly_id, at or 0))
        try:
            rows.append(IndexedRow([id_digest(gladly_id)], is_whole, at or 0, number or 0, orjson.dumps(held)))
        except TypeError:
            continue  # what is not text that can be stored cannot be compared either
    if how.is_whole:
        found.filled.update(how.shown)
    return found


def _merges_in(folder: DataFolder, manifest: Manifest, source: MergeSource) -> Iterator[tuple[str, str, int]]:
    """Yield what one part of a data set says was merged: both ids, and when (µs)."""
    data_set = DATA_SETS[source.data_set]
    for path in parts_of(folder, manifest):
        if source.within not in path.as_posix():
            continue
        for table in tables_in(path, data_set, (source.old, source.heir, source.told_at)):
            ids = (table.column(name).to_pylist() for name in (source.old, source.heir))
            told = zip(*ids, times_in(table, source.told_at), strict=True)
            yield from ((old, heir, at or 0) for old, heir, at in told if old and heir)


def _gone_in(manifest: Manifest) -> Mapping[str, int]:
    """Return the ids that Gladly no longer had, with when they were requested (µs)."""
    found = manifest.source.get("gone")
    if not isinstance(found, Mapping):
        return {}
    return {key: at for key, at in found.items() if isinstance(at, int)}
