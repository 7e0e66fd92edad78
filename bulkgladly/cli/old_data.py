"""`dataset purge`, and the question before `dump --retention` removes rows for the first time."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import ask, can_ask, print_json, tell
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.lake.old_units import OldUnits

__all__ = ("agreed", "purge")


def agreed(out: Path, days: float) -> bool:
    """Tell whether a person at the terminal agrees to what a first `--retention` would remove.

    False if there is nothing to agree to, or nobody to ask: then nothing is removed without consent.

    Raises:
        UsageError: The person does not agree.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.old_units import cutoff_of, old_units
    from bulkgladly.lake.places import MARKER

    if not can_ask() or not out.joinpath(MARKER).exists():
        return False
    age = dt.timedelta(days=days)
    folder = DataFolder.open(out)
    folder.pass_over_damage()
    found = old_units(folder, cutoff_of(folder, age, folder.now()), age)
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
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
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
    from bulkgladly.lake.old_units import LEAST_AGE, old_units, remove_old

    age = dt.timedelta(seconds=seconds_of("--older-than", older_than))
    if age < LEAST_AGE:
        raise UsageError(f"--older-than must be at least {LEAST_AGE.days}d: Gladly still offers newer data")
    opened = DataFolder.open(folder)
    opened.pass_over_damage()
    # Counted from now, and not from the newest data as in a dump: a person sees the day, and decides.
    before = (opened.now() - age).replace(hour=0, minute=0, second=0, microsecond=0)
    found = [one for one in old_units(opened, before, age) if one.manifests]
    if found:
        _tell(found)
        if not yes and not can_ask():
            raise UsageError("nothing was removed; pass --yes to remove it without being asked")
        if not yes and not _confirmed():
            raise UsageError("nothing was removed")
        with lock_between_landings(opened, EVENTS) as locked:
            locked.recover()
            # Read again, now that nobody else writes: a unit may have been replaced meanwhile.
            found = [one for one in old_units(locked, before, age) if one.manifests]
            for one in found:
                remove_old(locked, one, age)
    _report(found, before, as_json=json)


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
