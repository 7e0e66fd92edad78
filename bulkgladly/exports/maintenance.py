"""What a dump does with its data set after it has fetched: old units are removed, and `current/` is written.

Nothing is requested here. What fails here is reported, and leaves what was fetched as it is; the next dump tries again.
"""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio.from_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, DiskFull
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import COMPACT, RETENTION, ExportUnit, UnitResult, UnitState
from bulkgladly.lake.compact import compact, is_compact
from bulkgladly.lake.old_units import OldUnits, cutoff_of, old_units, remove_old
from bulkgladly.runs.observer import counted
from bulkgladly.storage.failures import is_full

__all__ = ("Compaction", "OldDataRemoval")


def _failed(error: BulkgladlyError | OSError) -> UnitResult:
    return UnitResult(UnitState.FAILED, detail=f"{error}; what was fetched is complete")


# --- Compaction ---


@dataclass(slots=True)
class _Compacted:
    """How many data sets were compacted. After a full disk none is tried."""

    written: int = 0
    is_disk_full: bool = False


class Compaction:
    """The newest row of each key into `current/`, for each data set that has changed since it was last compacted."""

    name = "compact"
    workers = 1  # it keeps the disk busy, and holds a bit for each row

    async def add_price(self, context: Context, price: Price) -> None:
        """Add nothing: it requests nothing."""

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield a step for each data set that has changed, then say what was done."""
        present, changed = await context.in_thread(self._changed, context)
        if changed:
            context.observer.note(f"compacting {counted(len(changed), 'data set')}: {', '.join(changed)}")
        tally = _Compacted()
        for data_set in changed:
            yield _CompactUnit(data_set, tally)
            yield None
        if tally.written:
            unchanged = len(present) - len(changed)
            rest = f"; {unchanged:,} had not changed" if unchanged else ""
            context.note(f"compacted {counted(tally.written, 'data set')} into {context.options.out / 'current'}{rest}")

    def _changed(self, context: Context) -> tuple[list[str], list[str]]:
        """Return the data sets that have rows, and those of them that have changed."""
        folder = context.folder
        present = [
            name for name in folder.data_sets() if any(manifest.parts for manifest in folder.iter_manifests(name))
        ]
        return present, [name for name in present if not is_compact(folder, name)]


@dataclass(frozen=True, slots=True)
class _CompactUnit:
    data_set: str
    tally: _Compacted
    name: str = COMPACT

    async def run(self, context: Context) -> UnitResult | None:
        """Compact; None if that succeeded, or cannot because the disk is full, which is told once."""
        if self.tally.is_disk_full:
            return None
        try:
            await context.in_thread(self._compact, context)
        except (BulkgladlyError, OSError) as error:
            self.tally.is_disk_full = isinstance(error, DiskFull) or (isinstance(error, OSError) and is_full(error))
            return _failed(error)
        self.tally.written += 1
        return None

    def _compact(self, context: Context) -> None:
        # In a thread, which a cancel does not end by itself: a second Ctrl-C must not wait for a large data set.
        compact(context.folder, self.data_set, check=anyio.from_thread.check_cancelled)


# --- Retention ---


@dataclass(slots=True)
class OldDataRemoval:
    """Removes units that are wholly older than a number of days."""

    days: float
    name: str = "retention"
    workers: int = 1

    @property
    def age(self) -> dt.timedelta:
        """The age from which on units are removed."""
        return dt.timedelta(days=self.days)

    async def add_price(self, context: Context, price: Price) -> None:
        """Add nothing: it requests nothing."""

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Say how much is removed, then yield a step for each data set."""
        found: list[OldUnits] = await context.in_thread(self._found, context)
        may_remove = context.options.may_remove
        going = [one for one in found if one.manifests and (one.is_agreed or may_remove)]
        if going:
            rows = sum(one.rows for one in going)
            files = sum(one.files for one in going)
            context.note(
                f"retention: removing {counted(rows, 'row')} in {counted(files, 'file')} of "
                f"{counted(len(going), 'data set')}, everything before {going[0].before:%Y-%m-%d}"
            )
        for one in found:
            yield _RemovalUnit(one, self.age)
        yield None

    def _found(self, context: Context) -> list[OldUnits]:
        return old_units(context.folder, cutoff_of(context.folder, self.age, context.now), self.age)


@dataclass(frozen=True, slots=True)
class _RemovalUnit:
    old: OldUnits
    age: dt.timedelta
    name: str = RETENTION

    @property
    def data_set(self) -> str:
        """The data set."""
        return self.old.data_set

    async def run(self, context: Context) -> UnitResult | None:
        """Remove what is old; without consent nothing is removed, and the result says how to give it."""
        old = self.old
        if not old.is_agreed and not context.options.may_remove:
            command = next_command("dataset", "purge", context.folder.path, "--older-than", f"{self.age.days}d")
            detail = (
                f"{counted(old.rows, 'row')} before {old.before:%Y-%m-%d} were not removed, because this has not been "
                f"confirmed yet; pass --yes once, or run `{command}`"
            )
            return UnitResult(UnitState.FAILED, detail=detail)
        try:
            await context.in_thread(self._remove, context)
        except (BulkgladlyError, OSError) as error:
            return _failed(error)
        return None

    def _remove(self, context: Context) -> None:
        # As in a compaction: a second Ctrl-C must not wait until `current/` is written again.
        remove_old(context.folder, self.old, self.age, check=anyio.from_thread.check_cancelled)
