"""`dataset verify`, `show`, `drift` and `compact`: what was exported here, read from the folder alone."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, print_lines, tell

__all__ = ("compact", "drift", "show", "verify")

Folder = Annotated[Path, typer.Argument(help="The folder, as given to --out.", metavar="DIR")]


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
                "data_sets": [_as_json(summary) for summary in found.data_sets],
                "warnings": found.warnings,
            }
        )
    else:
        for one in found.findings:
            place = one.path or (f"{one.data_set}, unit {one.unit}" if one.unit else one.data_set)
            print_lines(f"{one.kind}: {place}: {one.detail}", f"  {one.way_out}")
        _tell_verdict(folder, found)
    raise typer.Exit(0 if found.is_sound else 1)


def _tell_verdict(folder: Path, found: Any) -> None:
    from bulkgladly.runs.observer import counted

    rows, parts, rejected = (sum(getattr(s, name) for s in found.data_sets) for name in ("rows", "parts", "rejected"))
    told = counted(len(found.findings), "finding")
    tell(f"{counted(rows, 'row')} in {counted(parts, 'part')}: {told}")
    if rejected:
        tell(f"rejected: {counted(rejected, 'line')}, in {folder / '_rejects'}")
    for text in found.warnings:
        tell(f"warning: {text}")
    if found.is_in_use:
        tell("an export is writing here: files on their way were passed over")
    if found.is_sound and not found.is_deep:
        tell("names, sizes, row counts and columns were compared; --deep reads every byte")


def show(folder: Folder, json: flags.Json = False) -> None:
    """Show the rows, files and time span of each data set in a folder."""
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.summaries import summaries_of

    opened = DataFolder.open(folder)
    summaries = summaries_of(opened)
    if json:
        print_json({"host": opened.host, "data_sets": [_as_json(summary) for summary in summaries]})
        return
    if not summaries:
        tell(f"nothing is published in {folder} yet")
        return
    head = ("data set", "units", "rows", "parts", "bytes", "from", "to", "rejects", "drift", "schema", "written")
    rows = [
        (
            one.data_set,
            *(f"{number:,}" for number in (one.units, one.rows, one.parts, one.bytes)),
            _shown(one.coverage.since),
            _shown(one.coverage.until),
            *(f"{number:,}" for number in (one.rejected, one.drift)),
            ",".join(map(str, one.schema_versions)),
            _shown(one.last_written_at),
        )
        for one in summaries
    ]
    _print_table(head, rows)
    for one in summaries:
        for begin, end in one.coverage.gaps:
            print_lines(f"gap in {one.data_set}: {_shown(begin)} to {_shown(end)}")
        if one.incomplete:
            print_lines(f"incomplete units of {one.data_set}: {one.incomplete:,}; `dataset verify` says why")


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
        tell("every value has its column")
        return
    head = ("data set", "path", "kind", "count", "units", "since", "first in unit")
    _print_table(
        head,
        [
            (one.data_set, one.path, one.kind.value, f"{one.count:,}", f"{one.units:,}", _shown(one.since), one.unit)
            for one in found
        ],
    )


def compact(
    folder: Folder,
    data_sets: Annotated[
        list[str] | None, typer.Argument(help="Only these data sets. (default: all)", metavar="DATASET")
    ] = None,
    json: flags.Json = False,
) -> None:
    """Write the newest row of each key to DIR/current/DATASET. The exported files stay as they are.

    A data set that cannot be compacted is reported and does not stop the others; the exit code is then 1.
    """
    from bulkgladly.errors import UsageError
    from bulkgladly.lake.compact import compact as compacted
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.summaries import clock_warnings

    done: list[dict[str, Any]] = []
    failed = 0
    with DataFolder.open(folder).lock() as opened:
        opened.pass_over_damage()
        recovery = opened.recover()
        for text in clock_warnings(recovery.newest, opened.now()):
            tell(f"warning: {text}")
        names = data_sets or [each for each in opened.data_sets() if _has_rows(opened, each)]
        for name in names:
            try:
                made = compacted(opened, name)
            except UsageError as error:
                if len(names) == 1:
                    raise
                tell(f"{name}: not compacted: {error}")
                failed += 1
                continue
            tell(f"{name}: {made.rows:,} of {made.rows_read:,} rows, in {made.path}")
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
        tell(f"nothing is published in {folder} yet")
    if failed:
        raise typer.Exit(1)


def _has_rows(folder: Any, data_set: str) -> bool:
    return any(manifest.parts for manifest in folder.iter_manifests(data_set))


def _as_json(summary: Any) -> dict[str, Any]:
    names = ("data_set", "units", "rows", "parts", "bytes", "rejected", "drift", "incomplete", "schema_versions")
    return {
        **{name: getattr(summary, name) for name in names},
        "covered_from": summary.coverage.since,
        "covered_to": summary.coverage.until,
        "gaps": summary.coverage.gaps,
        "last_written_at": summary.last_written_at,
    }


def _shown(time: dt.datetime | None) -> str:
    return "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as they need to be: numbers to the right, texts to the left."""
    cells = [head, *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        print_lines("  ".join(_padded(row, widths)).rstrip())


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(row, widths, strict=True):
        yield cell.rjust(width) if cell.replace(",", "").isdecimal() else cell.ljust(width)
