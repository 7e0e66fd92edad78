"""From the published rows of a data set to the index that an import asks: pinned, read once, in bounded memory."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import InputError, UsageError
from bulkgladly.gladly.baseline_plan import BaselinePlan, BaselineSource
from bulkgladly.imports.baseline_index import ASKED, IndexBuilder, IndexedRow, id_digest
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.held_objects import objects_in, times_in
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.schemas import DATA_SETS, EXTRA, LINE, DataSet

__all__ = ("PinnedRows", "pinned", "write_index")

_GONE_SINCE = "_gone_since"
_ROWS_AT_ONCE = 500
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class PinnedRows(NamedTuple):
    """What was published of a folder at one moment, in the order of publishing; `identity` changes with it."""

    folder: DataFolder
    sources: tuple[tuple[BaselineSource, tuple[Manifest, ...]], ...]
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
            f"--baseline: {path} does not say from which organisation it is; export into it once, or pass another"
        )
    if folder.host != host:
        raise UsageError(f"--baseline: {path} holds data of {folder.host}, not of {host}; pass the data set of {host}")
    found = [(source, tuple(folder.manifests(source.data_set))) for source in plan.sources]
    sources = tuple((source, manifests) for source, manifests in found if any(one.rows for one in manifests))
    if not sources:
        wanted = plan.data_sets[0]
        export = next_command("export", wanted, "--out", path, connects=True)
        raise UsageError(f"--baseline: {path} has no rows of {' or '.join(plan.data_sets)}; run `{export}` first")
    digest = hashlib.blake2b(digest_size=8)
    for source, manifests in sources:
        for one in manifests:
            digest.update(f"{source.data_set}\0{one.unit}\0{one.generation}\0{one.written_at}\0{one.rows}\0".encode())
    return PinnedRows(folder, sources, digest.hexdigest())


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
    raise InputError(f"--baseline: {lake} changed each time it was read; wait until the dump into it has ended")


def _write(builder: IndexBuilder, rows: PinnedRows, plan: BaselinePlan, is_stopped: Callable[[], bool]) -> bool:
    ages: list[int] = []
    filled: dict[str, Counter[str]] = {}
    # A row of the first source replaces all others, so the order among the sources does not matter.
    for source, manifests in rows.sources:
        data_set = DATA_SETS[source.data_set]
        counts = filled.setdefault(source.data_set, Counter())
        for manifest in manifests:
            for found in _rows_of(rows.folder, manifest, source, data_set, plan):
                if is_stopped():
                    return False
                ages += (min(found.times, default=0), max(found.times, default=0))
                ages[:] = [min(ages), max(ages)]
                counts.update(found.filled)
                builder.add(found.rows)
    for _, manifests in rows.sources:
        for manifest in manifests:
            gone = _gone_in(manifest)
            builder.forget((id_digest(key), at) for key, at in gone.items())
    builder.finish(
        {
            "lake": str(rows.folder.path),
            "identity": rows.identity,
            "data_sets": [source.data_set for source, _ in rows.sources],
            "rows": rows.rows,
            "oldest": ages[0] if ages else None,
            "newest": ages[-1] if ages else None,
            "empty": _never_filled(rows, plan, filled),
        }
    )
    return True


class _Found(NamedTuple):
    rows: list[IndexedRow]
    times: list[int]
    filled: Mapping[str, int]


def _rows_of(
    folder: DataFolder, manifest: Manifest, source: BaselineSource, data_set: DataSet, plan: BaselinePlan
) -> Iterator[_Found]:
    names = set(data_set.schema.names)
    shown = [name for name in source.columns or ("id", *sorted(plan.fields)) if name in names]
    time = next(name for name in ("_fetched_at", "_job_updated_at") if name in names)
    more = [name for name in (ASKED, _GONE_SINCE) if name in names]
    columns = list(dict.fromkeys((*shown, *more, time, LINE, EXTRA)))
    for part, path in zip(manifest.parts, parts_of(folder, manifest), strict=True):
        # A column that an older version of the schema lacks is not the same as an empty one.
        is_whole = source.is_whole and part.schema_version >= data_set.version
        for table in tables_in(path, data_set, columns):
            for at in range(0, table.num_rows, _ROWS_AT_ONCE):
                piece = table.slice(at, _ROWS_AT_ONCE)
                times = times_in(piece, time)
                objects = objects_in(piece, shown)
                asked = piece.column(ASKED).to_pylist() if ASKED in columns else [None] * piece.num_rows
                gone = piece.column(_GONE_SINCE).is_valid().to_pylist() if _GONE_SINCE in columns else None
                lines = piece.column(LINE).to_pylist()
                rows, kept_times, filled = [], [], Counter[str]()
                for nth, held in enumerate(objects):
                    gladly_id = held.get("id")
                    if not isinstance(gladly_id, str) or (gone is not None and gone[nth]):
                        continue
                    row = _row(source.as_held(held), gladly_id, asked[nth], is_whole, times[nth], lines[nth])
                    rows.append(row)
                    if row.at:
                        kept_times.append(row.at)
                if not source.is_whole:
                    filled.update(name for held in objects for name in source.as_held(held))
                yield _Found(rows, kept_times, filled)


def _row(
    held: dict[str, Any],
    gladly_id: str,
    asked: str | None,
    is_whole: bool,
    at: int | None,
    line: int | None,
) -> IndexedRow:
    digests = [id_digest(gladly_id)]
    if asked is not None and asked != gladly_id:
        # Asked for by this id, Gladly returned the customer into whom it was merged.
        held[ASKED] = asked
        digests.append(id_digest(asked))
    return IndexedRow(digests, is_whole, at or 0, line or 0, orjson.dumps(held))


def _gone_in(manifest: Manifest) -> Mapping[str, int]:
    """Return the ids that Gladly no longer had, with when they were requested (µs)."""
    found = manifest.source.get("gone")
    if not isinstance(found, Mapping):
        return {}
    return {key: at for key, at in found.items() if isinstance(at, int)}


def _never_filled(rows: PinnedRows, plan: BaselinePlan, filled: Mapping[str, Counter[str]]) -> Sequence[str]:
    """Return the fields of which no row says anything, if none of the data sets has whole rows."""
    if any(source.is_whole for source, _ in rows.sources):
        return ()
    return sorted(name for name in plan.fields if not any(counts[name] for counts in filled.values()))
