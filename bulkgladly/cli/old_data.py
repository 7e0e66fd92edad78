"""`dataset purge`, and the question before `dump --retention` removes rows for the first time."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import ask, can_ask, print_json, tell
from bulkgladly.errors import BulkgladlyError, UsageError

if TYPE_CHECKING:
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.old_units import OldUnits

__all__ = ("agreed", "purge")

_USUAL_PAUSE = dt.timedelta(days=14)
"""For as long the data set may be behind without a word: Gladly keeps what it does not have yet."""


def agreed(out: Path, days: float) -> bool:
    """Tell whether a person at the terminal agrees to what a first `--retention` would remove.

    False if there is nothing to agree to, or nobody to ask: then nothing is removed without consent.

    Raises:
        UsageError: The person does not agree.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.old_units import day_before, old_units
    from bulkgladly.lake.places import MARKER

    if not can_ask() or not out.joinpath(MARKER).exists():
        return False
    age = dt.timedelta(days=days)
    folder = DataFolder.open(out)
    folder.pass_over_damage()
    # Counted from now, although the dump counts from the newest data: what it fetches first may be as new as that.
    found = old_units(folder, day_before(folder.now(), age), age)
    fresh = [one for one in found if not one.is_agreed]
    if not fresh:
        return False
    _tell(fresh)
    if not _confirmed():
        raise UsageError("nothing was removed or fetched; leave out --retention to keep what is old")
    return True


def purge(
    folder: Annotated[Path, typer.Argument(help="The folder, as given to --out.", metavar="DIR")],
    older_than: Annotated[
        str, typer.Option(help="Remove data that is entirely older than this, such as 400d. (min: 31d)", metavar="TIME")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove without asking. The age then counts from the newest data.")
    ] = False,
    json: flags.Json = False,
) -> None:
    """Permanently remove exported data that is older than a given age. Gladly cannot export most of it again.

    Only data that covers a time is removed: files of export jobs, events and reports, with their copies in DIR/current.
    Lists and data fetched by id stay. Removed data does not count as missing and is not fetched again.
    """
    from bulkgladly.cli.values import seconds_of
    from bulkgladly.gladly.objects.events import EVENTS
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.followers import lock_between_landings
    from bulkgladly.lake.old_units import LEAST_AGE, remove_old

    age = dt.timedelta(seconds=seconds_of("--older-than", older_than))
    if age < LEAST_AGE:
        raise UsageError(f"--older-than must be at least {LEAST_AGE.days}d: Gladly still offers newer data")
    opened = DataFolder.open(folder)
    opened.pass_over_damage()
    before = _purged_before(opened, age, is_asked=not yes)
    found = _to_purge(opened, before, age)
    if going := [one for one in found if one.manifests]:
        _tell(going)
        if not yes and not can_ask():
            raise UsageError("nothing was removed; pass --yes to remove it without being asked")
        if not yes and not _confirmed():
            raise UsageError("nothing was removed")
    failed: list[str] = []
    if found:
        with lock_between_landings(opened, EVENTS) as locked:
            # Read again, now that nobody else writes: a unit may have been replaced, or half replaced, meanwhile.
            locked.damage.clear()
            locked.recover()
            found = _to_purge(locked, before, age)
            for one in found:
                try:
                    remove_old(locked, one, age, is_once=True)
                except (BulkgladlyError, OSError) as error:
                    # On a full disk `current/` cannot be written again, and purging the others makes room for it.
                    failed.append(f"{one.data_set} was not purged completely: {error}; then run this again")
    _report([one for one in found if one.manifests], before, as_json=json)
    for text in (*failed, *(f"passed over: {damage.detail}" for damage in opened.damage.values())):
        tell(f"warning: {text}")
    if failed or opened.damage:
        raise typer.Exit(1)


def _purged_before(folder: "DataFolder", age: dt.timedelta, *, is_asked: bool) -> dt.datetime:
    """Return the day before which everything goes.

    A person sees the day and decides, so it counts from now. With nobody to look at it, it counts as in a dump: a
    clock that is ahead must not remove what is younger.
    """
    from bulkgladly.lake.old_units import cutoff_of, day_before, newest_data

    now = folder.now()
    before, newest = day_before(now, age), newest_data(folder)
    if newest is None or now - newest <= _USUAL_PAUSE:
        return before if is_asked else cutoff_of(folder, age, now)
    counts = "" if is_asked else "; the age counts from the newest data (without --yes, from now)"
    tell(
        f"warning: the newest data ends on {newest:%Y-%m-%d}, and the clock of this machine says {now:%Y-%m-%d}{counts}"
    )
    return before if is_asked else cutoff_of(folder, age, now)


def _to_purge(folder: "DataFolder", before: dt.datetime, age: dt.timedelta) -> "list[OldUnits]":
    """Return what is old, and what an earlier removal has left in `current/`."""
    from bulkgladly.lake.old_units import old_units

    return [one for one in old_units(folder, before, age) if one.manifests or one.is_unfinished]


def _tell(found: "Sequence[OldUnits]") -> None:
    """Say what would be removed."""
    from bulkgladly.runs.observer import counted

    tell(f"Data before {found[0].before:%Y-%m-%d} (UTC) will be removed permanently:")
    for one in found:
        tell(f"  {one.data_set}: {counted(one.rows, 'row')} in {counted(one.files, 'file')}")


def _confirmed() -> bool:
    return (ask("Remove it? [y/N]") or "").lower() in ("y", "yes")


def _report(found: "Sequence[OldUnits]", before: dt.datetime, *, as_json: bool) -> None:
    from bulkgladly.runs.observer import counted

    if as_json:
        removed = {one.data_set: {"rows": one.rows, "files": one.files, "bytes": one.bytes} for one in found}
        print_json({"before": before, "removed": removed})
    elif found:
        rows, files = sum(one.rows for one in found), sum(one.files for one in found)
        tell(f"removed {counted(rows, 'row')} in {counted(files, 'file')}")
    else:
        tell(f"nothing is entirely before {before:%Y-%m-%d}")
