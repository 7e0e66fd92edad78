"""`export`: from flags to options to a report."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bulkgladly.cli.flag_groups import ErrorStopFlags, OutputFlags, PaceFlags, WhereFlags, with_flags
from bulkgladly.cli.lake_flags import FileFlags, ParentFlags, ReportFlags, SpanFlags
from bulkgladly.cli.running import run_and_leave
from bulkgladly.errors import UsageError

__all__ = ("export",)


@with_flags
def export(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            help="What to export: items, customers, inboxes, ...; or report METRICSET..., or reports --all."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="The data set: a folder.", envvar="BULKGLADLY_OUT", rich_help_panel="Files", file_okay=False),
    ],
    span: SpanFlags,
    parents: ParentFlags,
    reports: ReportFlags,
    files: FileFlags,
    pace: PaceFlags,
    stop: ErrorStopFlags,
    where: WhereFlags,
    output: OutputFlags,
    new_run: Annotated[
        bool,
        typer.Option("--new-run", help="Start again although an export is not finished.", rich_help_panel="Safety"),
    ] = False,
) -> None:
    """Bring Gladly into a data set of typed files that opens as one table, whole units only, resumable at any time.

    What the data set has already is not fetched again. `report` is followed by the names
    of metric sets, such as ConversationExportReport.
    """
    from bulkgladly.exports.export_options import ExportOptions
    from bulkgladly.exports.run_export import start_export

    wanted, metric_sets = _metric_sets(words, every=reports.all_)
    options = ExportOptions(
        out=out,
        words=wanted,
        report=reports.query(metric_sets),
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
        **span.chosen(),
        **parents.chosen(),
        **files.chosen(),
    )
    credentials = where.credentials(context)
    run_and_leave(context, partial(start_export, options, credentials, new_run=new_run), output)


def _metric_sets(words: list[str], *, every: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words to export, and the metric sets: whatever follows `report`."""
    if "reports" in words:
        if words != ["reports"] or not every:
            raise UsageError("`reports` goes with --all and with nothing else; `report` is followed by metric sets")
        return ("report",), ("all",)
    if every:
        raise UsageError("--all goes with `reports`")
    if "report" not in words:
        return tuple(words), ()
    at = words.index("report")
    if at == len(words) - 1:
        raise UsageError("`report` is followed by the names of metric sets, such as ConversationExportReport")
    return tuple(words[: at + 1]), tuple(words[at + 1 :])
