"""`dataset show`, `verify`, `drift`, `compact` and `sql`: what was exported to a folder, read from it alone."""

import datetime as dt
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.dataset_tables import minute_text, show_summaries, summary_as_json
from bulkgladly.cli.output import print_json, print_lines, print_table, print_text, tell
from bulkgladly.cli.terminal_lines import Line, Style
from bulkgladly.commands import next_command

if TYPE_CHECKING:
    from bulkgladly.lake.summaries import DataSetSummary

__all__ = ("compact", "drift", "show", "sql", "verify")

Folder = Annotated[Path, typer.Argument(help="The folder, as given to --out.", metavar="DIR")]
DataSets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Only these data sets. (default: all)", metavar="DATASET", autocompletion=completions.data_sets
    ),
]


def verify(
    folder: Folder,
    deep: Annotated[
        bool,
        typer.Option("--deep/--quick", help="Read every byte, or only names, sizes, row counts and columns (default)."),
    ] = False,
    json: flags.Json = False,
) -> None:
    """Check that a data set is complete and undamaged.

    Missing and damaged files, leftovers and gaps are listed, each with what to do. The exit code is 0 if all is as it
    was written, else 1.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.verify import verify as verified

    found = verified(DataFolder.open(folder), deep=deep)
    if json:
        print_json(
            {
                "is_sound": found.is_sound,
                "is_deep": found.is_deep,
                "is_in_use": found.is_in_use,
                "findings": [
                    {name: getattr(one, name) for name in ("kind", "data_set", "unit", "path", "detail", "way_out")}
                    for one in found.findings
                ],
                "data_sets": [summary_as_json(summary) for summary in found.data_sets],
                "warnings": found.warnings,
            }
        )
    else:
        for one in found.findings:
            place = one.path or (f"{one.data_set} ({one.unit})" if one.unit else one.data_set)
            print_lines(Line(((f"{one.kind}", Style.BAD), (f": {place}: {one.detail}", None))), f"  fix: {one.way_out}")
        _tell_verdict(folder, found)
    raise typer.Exit(0 if found.is_sound else 1)


def _tell_verdict(folder: Path, found: Any) -> None:
    from bulkgladly.runs.observer import counted

    rows, files, rejected = (sum(getattr(s, name) for s in found.data_sets) for name in ("rows", "parts", "rejected"))
    told = counted(len(found.findings), "problem") + " found" if found.findings else "no problems found"
    tell(f"checked {counted(rows, 'row')} in {counted(files, 'file')}: {told}")
    if rejected:
        tell(f"{counted(rejected, 'line')} could not be converted; see {folder / '_rejects'}")
    for text in found.warnings:
        tell(f"warning: {text}")
    if found.is_in_use:
        tell("an export is writing here: unfinished files were ignored")
    if found.is_sound and not found.is_deep:
        command = next_command("dataset", "verify", folder, "--deep")
        tell(f"only names, sizes, row counts and columns were compared; `{command}` reads every byte")


def show(
    folder: Folder,
    data_sets: DataSets = None,
    json: flags.Json = False,
    max_age: Annotated[
        str | None,
        typer.Option(
            help="Exit with 1 if no export wrote anything for longer than this, such as 26h; or, with DATASET, not to "
            "each of these.",
            metavar="TIME",
        ),
    ] = None,
) -> None:
    """Show the rows, files and time span of each data set in a folder."""
    from bulkgladly.cli.values import seconds_of

    age = None if max_age is None else dt.timedelta(seconds=seconds_of("--max-age", max_age))
    summaries = show_summaries(folder, data_sets, as_json=json)
    if age is None:
        return
    groups = [(folder / one.data_set, [one]) for one in summaries] if data_sets else [(folder, summaries)]
    fresh = [_is_fresh(place, group, age, max_age or "") for place, group in groups]  # each that is not is told
    if not all(fresh):
        raise typer.Exit(1)


def _is_fresh(place: Path, summaries: "Sequence[DataSetSummary]", age: dt.timedelta, said: str) -> bool:
    """Tell whether an export wrote something within that time, and say why if none did.

    What `follow` and `listen` write counts only if nothing else ever did: it goes on while every export fails.
    """
    from bulkgladly.lake.summaries import SKEW

    now = dt.datetime.now(dt.UTC)
    exported = [one.last_exported_at for one in summaries if one.last_exported_at]
    written = exported or [one.last_written_at for one in summaries if one.last_written_at]
    # A time in the future was written by a clock that was ahead: it would count as fresh until then.
    newest = max((at for at in written if at <= now + SKEW), default=None)
    if newest is None:
        had = "was last written by a clock that is ahead" if written else "has no data yet"
        tell(f"{place} {had}, so it may be older than {said}")
    elif now - newest > age:
        by = "by an export " if exported else ""
        tell(f"{place} was last written {by}at {minute_text(newest)} (UTC), more than {said} ago")
    else:
        return True
    return False


def drift(folder: Folder, json: flags.Json = False) -> None:
    """Show the fields that have no column, and the values that did not fit theirs. All are kept in `_extra`."""
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.summaries import drift_summaries

    found = drift_summaries(DataFolder.open(folder))
    if json:
        print_json(
            [
                {name: getattr(one, name) for name in ("data_set", "path", "kind", "count", "since", "unit", "units")}
                for one in found
            ]
        )
        return
    if not found:
        tell("no drift: every value has its column")
        return
    print_table(
        ("data set", "path", "kind", "count", "since (UTC)", "first in"),
        [(one.data_set, one.path, one.kind.value, f"{one.count:,}", minute_text(one.since), one.unit) for one in found],
    )


def compact(
    folder: Folder,
    data_sets: DataSets = None,
    json: flags.Json = False,
) -> None:
    """Write the newest row of each key to DIR/current/DATASET. The exported files stay as they are.

    A data set that cannot be compacted is reported and does not stop the others; the exit code is then 1.
    """
    from bulkgladly.cli.display import path_from_here
    from bulkgladly.errors import UsageError
    from bulkgladly.gladly.objects.events import EVENTS
    from bulkgladly.lake.compact import compact as compacted
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.followers import lock_between_landings
    from bulkgladly.lake.summaries import clock_warnings
    from bulkgladly.runs.observer import counted

    done: list[dict[str, Any]] = []
    failed = 0
    # Of the four commands only this one writes, so only this one waits for the lock. One damaged
    # manifest must not keep the other data sets from being compacted.
    with lock_between_landings(DataFolder.open(folder), EVENTS) as opened:
        opened.pass_over_damage()
        recovery = opened.recover()
        for text in clock_warnings(recovery.newest, opened.now()):
            tell(f"warning: {text}")
        names = data_sets or [each for each in opened.data_sets() if _has_rows(opened, each)]
        for name in names:
            try:
                made = compacted(opened, name)
            except UsageError as error:
                if len(names) == 1:  # asked for alone, it is the error of the command
                    raise
                tell(f"{name}: not compacted: {error}")
                failed += 1
                continue
            tell(f"{name}: kept {made.rows:,} of {counted(made.rows_read, 'row')}, in {path_from_here(str(made.path))}")
            done.append(
                {
                    "data_set": name,
                    "path": str(made.path),
                    **{number: getattr(made, number) for number in ("rows_read", "rows", "parts", "bytes")},
                }
            )
    if json:
        print_json(done)
    elif not done and not failed:
        tell(f"{folder} has no data yet")
    if failed:
        raise typer.Exit(1)


def sql(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the SQL here. (default: the standard output)", metavar="FILE"),
    ] = None,
) -> None:
    """Write views for DuckDB: the newest row of each key, and joins such as `conversations_enriched`.

    The views read the files where they are now. Run the command again after a data set was added.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.view_sql import views_of
    from bulkgladly.runs.observer import counted

    script = views_of(DataFolder.open(folder))
    for remark in script.remarks:
        tell(f"warning: {remark}")
    if out is None or str(out) == "-":
        print_text(script.sql)
        return
    _write_script(out, script.sql)
    tell(f"wrote views of {counted(script.data_sets, 'data set')} to {out}; run `duckdb -init {shlex.quote(str(out))}`")


def _write_script(path: Path, text: str) -> None:
    """Write a script, in place of an earlier one only."""
    from bulkgladly.errors import UsageError
    from bulkgladly.storage.durable import write_whole

    mark = text[:12].encode()
    try:
        if path.exists() and path.stat().st_size and not path.read_bytes().startswith(mark):
            raise UsageError(f"{path} exists and is not a script of `dataset sql`; choose another name")
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _has_rows(folder: Any, data_set: str) -> bool:
    return any(manifest.parts for manifest in folder.iter_manifests(data_set))
