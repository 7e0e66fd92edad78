"""What is published in a data folder, as a table with remarks, or as JSON."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkgladly.cli.output import print_json, print_lines, print_table, tell
from bulkgladly.commands import next_command

if TYPE_CHECKING:
    from bulkgladly.lake.summaries import DataSetSummary

__all__ = (
    "minute_text",
    "show_summaries",
    "summary_as_json",
)


_HEAD = (
    "data set",
    "rows",
    "files",
    "size",
    "from (UTC)",
    "to (UTC)",
    "rejected",
    "drift",
    "schemas",
    "last written (UTC)",
)


def show_summaries(folder: Path, names: Sequence[str] | None, *, as_json: bool) -> "Sequence[DataSetSummary]":
    """Print what is published of the named data sets, or of all, and return it.

    Raises:
        UsageError: It is not a data folder, or has no data set of a name.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.lake.old_units import removed_before
    from bulkgladly.lake.summaries import summaries_of

    opened = DataFolder.open(folder)
    summaries = summaries_of(opened)
    _refuse_unknown(folder, names or (), [one.data_set for one in summaries])
    summaries = [one for one in summaries if not names or one.data_set in names]
    removed = {one.data_set: removed_before(opened, one.data_set) for one in summaries}
    if as_json:
        told = [{**summary_as_json(one), "removed_before": removed[one.data_set]} for one in summaries]
        print_json({"host": opened.host, "data_sets": told})
    elif not summaries:
        tell(f"{folder} has no data yet")
    else:
        print_table(_HEAD, [_cells(one) for one in summaries])
        _show_remarks(folder, summaries, removed)
    return summaries


def _refuse_unknown(folder: Path, names: Sequence[str], present: Sequence[str]) -> None:
    from bulkgladly.choices import closest
    from bulkgladly.errors import UsageError

    for name in names:
        if name not in present:
            meant = closest(name, present)
            hint = f"did you mean {meant!r}?" if meant else f"it has: {', '.join(present) or 'none'}"
            raise UsageError(f"{folder} has no data set {name!r}; {hint}")


def _cells(one: "DataSetSummary") -> tuple[str, ...]:
    """Return a data set as a row below `_HEAD`."""
    return (
        one.data_set,
        f"{one.rows:,}",
        f"{one.parts:,}",
        _size(one.bytes),
        minute_text(one.coverage.since),
        minute_text(one.coverage.until),
        f"{one.rejected:,}" if one.rejected else "",
        f"{one.drift:,}" if one.drift else "",
        ",".join(map(str, one.schema_versions)) if len(one.schema_versions) > 1 else "",
        minute_text(one.last_written_at),
    )


def _show_remarks(
    folder: Path, summaries: "Sequence[DataSetSummary]", removed: Mapping[str, dt.datetime | None]
) -> None:
    """Print what the table has no room for: what was removed, what is missing, and drift."""
    from bulkgladly.runs.observer import counted

    for one in summaries:
        if before := removed[one.data_set]:
            print_lines(f"{one.data_set}: what is older than {minute_text(before)} was removed (retention)")
        for begin, end in one.coverage.gaps:
            print_lines(f"gap in {one.data_set}: {minute_text(begin)} to {minute_text(end)}")
        if one.incomplete:
            why = next_command("dataset", "verify", folder)
            print_lines(f"{one.data_set} is incomplete in {counted(one.incomplete, 'place')}; `{why}` lists them")
    if any(one.drift for one in summaries):
        print_lines(f"`{next_command('dataset', 'drift', folder)}` lists the values without a column of their own")


def summary_as_json(summary: Any) -> dict[str, Any]:
    """Return what is published of one data set, as values for JSON."""
    names = ("data_set", "units", "rows", "parts", "bytes", "rejected", "drift", "incomplete", "schema_versions")
    return {
        **{name: getattr(summary, name) for name in names},
        "covered_from": summary.coverage.since,
        "covered_to": summary.coverage.until,
        "gaps": summary.coverage.gaps,
        "last_written_at": summary.last_written_at,
    }


def minute_text(time: dt.datetime | None) -> str:
    """Return a time to the minute, and midnight as a day."""
    if time is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
