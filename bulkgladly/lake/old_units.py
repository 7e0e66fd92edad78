"""Retention: units whose whole time is older than an age are removed, and a memo says so.

A memo of each data set notes up to which time its units were removed, before any of them is. So a kill at any moment
leaves nothing that would be fetched again, and the next removal goes on. A unit goes manifest first: from then on its
files count for nobody, and `DataFolder.recover` removes what a kill leaves of them.

Removing needs consent: an age that was agreed to before, or nothing that is old enough when it is first given. What is
noted comes from the units that go, never from a clock: a clock that is ahead must not keep later data from being
fetched.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bulkgladly.documents import Members
from bulkgladly.errors import InputError
from bulkgladly.gladly.objects.events import EVENTS
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.compact import compact
from bulkgladly.lake.current_folder import drop_current, folder_of_current
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.places import memo_place
from bulkgladly.lake.schemas import DATA_SETS

__all__ = (
    "LEAST_AGE",
    "OldUnits",
    "cutoff_of",
    "day_before",
    "newest_data",
    "old_units",
    "remove_old",
    "removed_before",
)

LEAST_AGE = dt.timedelta(days=31)
"""Shorter would remove what Gladly still offers, and reports that it still revises."""

_MEMO = "retention"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class OldUnits:
    """The units of a data set that are wholly older than `before`. `is_agreed`: they may be removed without asking.

    With `is_unfinished`, an earlier removal could not bring `current/` up to date.
    """

    data_set: str
    before: dt.datetime
    manifests: tuple[Manifest, ...]
    is_agreed: bool
    is_unfinished: bool = False

    @property
    def rows(self) -> int:
        """The number of their rows."""
        return sum(one.rows for one in self.manifests)

    @property
    def files(self) -> int:
        """The number of their files."""
        return sum(len(one.parts) + len(one.others) for one in self.manifests)

    @property
    def bytes(self) -> int:
        """The size of their files."""
        return sum(one.bytes + sum(other.bytes for other in one.others) for one in self.manifests)


@dataclass(frozen=True, slots=True)
class _Memo:
    """What is remembered: the age that was agreed to last, up to when units were removed, and how much in all.

    `before` is None as long as nothing was removed. After a kill, `units` and `rows` may be too few.
    """

    age_s: float
    before: dt.datetime | None
    units: int = 0
    rows: int = 0
    is_current_stale: bool = False

    def content(self) -> dict[str, Any]:
        """Return it as it is remembered."""
        return {
            "format": _FORMAT,
            "age_s": int(self.age_s),
            "before": self.before,
            "units": self.units,
            "rows": self.rows,
            "is_current_stale": int(self.is_current_stale),
        }


def cutoff_of(folder: Catalogue, age: dt.timedelta, now: dt.datetime) -> dt.datetime:
    """Return the beginning of the day before which everything is older than an age.

    The age counts from the newest data, or from now if that is earlier: a clock that runs ahead removes nothing more.
    """
    return day_before(min(now, newest_data(folder) or now), age)


def day_before(time: dt.datetime, age: dt.timedelta) -> dt.datetime:
    """Return the beginning of the day that lies an age before a time."""
    return (time.astimezone(dt.UTC) - age).replace(hour=0, minute=0, second=0, microsecond=0)


def newest_data(folder: Catalogue) -> dt.datetime | None:
    """Return the end of the newest data, by Gladly's clock as far as possible; None if there is none.

    What export jobs cover counts first, since Gladly's clock says it. The windows of events and reports end where a
    clock of ours says, so of these only those with rows count, and of events only the rows.
    """
    of_jobs: list[dt.datetime] = []
    others: list[dt.datetime] = []
    for name in folder.data_sets():
        known = DATA_SETS.get(name)
        is_of_jobs = known is not None and known.file is not None
        for one in folder.iter_manifests(name):
            if is_of_jobs:
                of_jobs += one.covered[1:] if one.covered is not None else ()
            elif one.rows and _end_of(one) is not None:
                others += _times_in(one) or (one.covered[1:] if one.covered is not None else ())
    return max(of_jobs or others, default=None)


def _times_in(manifest: Manifest) -> list[dt.datetime]:
    """Return the time of the newest row of each part, where rows have one."""
    return [part.max_timestamp for part in manifest.parts if part.max_timestamp is not None]


def _end_of(manifest: Manifest) -> dt.datetime | None:
    """Return when a unit is over: nothing in it is newer. None if it covers no time, as a list does.

    What a job says that it covers can be wrong, so its rows count as well. Events that webhooks brought cover no time,
    and are as old as their rows say, or as the file that holds them if that is newer.
    """
    if manifest.covered is not None:
        return max([manifest.covered[1], *_times_in(manifest)])
    if manifest.data_set == EVENTS and manifest.parts:
        return max([manifest.written_at, *_times_in(manifest)])
    return None


def old_units(folder: Catalogue, before: dt.datetime, age: dt.timedelta) -> list[OldUnits]:
    """Return for each data set with a unit that covers a time what of it is old; nothing for others.

    Raises:
        InputError: A manifest or a memo is damaged, and the folder does not pass over damage.
    """
    found = []
    for name in sorted(name for name, _ in folder.manifest_folders()):  # also those that have no unit any more
        ends = [(end, one) for one in folder.iter_manifests(name) if (end := _end_of(one)) is not None]
        memo = _memo(folder, name)
        old = [one for end, one in ends if end <= before]
        is_agreed = not old or (memo is not None and memo.age_s <= age.total_seconds())
        is_unfinished = memo is not None and memo.is_current_stale
        if ends or is_unfinished:
            found.append(OldUnits(name, before, tuple(old), is_agreed, is_unfinished))
    return found


def remove_old(
    folder: DataFolder,
    old: OldUnits,
    age: dt.timedelta,
    *,
    is_once: bool = False,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Remove old units with all their files, bring `current/` up to date, and remember it. Requires the lock.

    With nothing to remove, it is only remembered that this age was agreed to. It takes the place of an age before, so
    that a shorter one needs consent again; with `is_once`, a shorter age before stays. `check` is called as by
    `compact`: what it raises leaves `current/` to the next call.

    Raises:
        UsageError, DiskFull: `current/` could not be written again. The units are removed, and the next call tries it
            again.
    """
    before = _memo(folder, old.data_set)
    # Not `old.before`, which a clock may say: what is younger than all that was removed must still be fetched.
    ends = [end for one in old.manifests if (end := _end_of(one)) is not None]
    memo = _Memo(
        min(age.total_seconds(), before.age_s) if before and is_once else age.total_seconds(),
        max([*ends, *([before.before] if before and before.before else [])], default=None),
        before.units if before else 0,
        before.rows if before else 0,
        is_current_stale=bool(old.manifests) or old.is_unfinished,
    )
    if before is not None and not memo.is_current_stale and before.age_s == int(memo.age_s):
        return  # nothing to remove, and all of it is remembered
    folder.remember(old.data_set, _MEMO, memo.content())
    if not memo.is_current_stale:
        return
    folder.remove(old.manifests)
    memo = replace(memo, units=memo.units + len(old.manifests), rows=memo.rows + old.rows)
    folder.remember(old.data_set, _MEMO, memo.content())
    _bring_up_to_date(folder, old.data_set, check)
    folder.remember(old.data_set, _MEMO, replace(memo, is_current_stale=False).content())


def _bring_up_to_date(folder: DataFolder, data_set: str, check: Callable[[], None]) -> None:
    if not folder.path.joinpath(folder_of_current(data_set)).is_dir():
        return
    if any(manifest.parts for manifest in folder.iter_manifests(data_set)):
        compact(folder, data_set, check=check)
    else:
        drop_current(folder.path, data_set)


def removed_before(folder: Catalogue, data_set: str) -> dt.datetime | None:
    """Return the time before which everything was removed from a data set; None if nothing ever was."""
    memo = _memo(folder, data_set)
    return None if memo is None else memo.before


def _memo(folder: Catalogue, data_set: str) -> _Memo | None:
    found = folder.remembered(data_set, _MEMO)
    if found is None:
        return None
    try:
        members = Members(dict(found), "the memo")
        if members.count("format") > _FORMAT:
            raise ValueError("a newer version wrote it")
        return _Memo(
            members.count("age_s"),
            members.time_or_none("before"),
            members.count("units"),
            members.count("rows"),
            is_current_stale=bool(members.count("is_current_stale")),
        )
    except ValueError as error:
        # An export passes over it: what was removed may be fetched again, which is better than to fetch nothing.
        path = folder.path / memo_place(data_set, _MEMO)
        folder.pass_over(path, data_set, InputError(f"{path} is damaged: {error}; restore it, or remove it"))
        return None
