"""`export` and `dump`: from flags to options to a report."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bulkgladly.cli.configuration import lay_under
from bulkgladly.cli.flag_groups import ErrorStopFlags, OutputFlags, PaceFlags, StopFlags, WhereFlags, with_flags
from bulkgladly.cli.lake_flags import FileFlags, LookBack, ParentFlags, ReportFlags, SpanFlags, day_of
from bulkgladly.cli.output import run_and_leave
from bulkgladly.cli.row_flags import words_of
from bulkgladly.errors import UsageError

__all__ = ("dump", "export")


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


@with_flags
def dump(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The data set: a folder.", metavar="DIR", file_okay=False)],
    files: FileFlags,
    pace: PaceFlags,
    stop: StopFlags,
    where: WhereFlags,
    output: OutputFlags,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with the flags of this command. Use [dump] in the settings file instead.",
            callback=lay_under,
            is_eager=True,
            rich_help_panel="What",
        ),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated objects to bring up to date. (default: job files, events and all plain lists)",
            envvar="BULKGLADLY_WHAT",
            rich_help_panel="What",
        ),
    ] = None,
    reports: Annotated[
        str,
        typer.Option(
            help="Comma-separated reports to bring up to date as well.",
            envvar="BULKGLADLY_REPORTS",
            rich_help_panel="Reports",
        ),
    ] = "",
    reports_from: Annotated[
        str | None,
        typer.Option(
            help="First day of reports that the data set does not have yet. (default: 31 days ago)",
            rich_help_panel="Reports",
        ),
    ] = None,
    look_back_days: LookBack = 3,
) -> None:
    """Bring a data set up to date with everything that can be fetched incrementally: one line for cron.

    Run twice, the second finds nothing to do. Run after a pause, it catches up, tells what
    Gladly has deleted, and when data will be lost next.
    """
    from bulkgladly.exports.export_options import ExportOptions, ReportQuery
    from bulkgladly.exports.kinds import DUMP_WORDS
    from bulkgladly.exports.run_export import dump as bring_up_to_date

    del config  # its callback has acted
    metric_sets = words_of(reports)
    words = DUMP_WORDS if what is None else words_of(what)
    options = ExportOptions(
        out=out,
        words=(*words, "report") if metric_sets and "report" not in words else words,
        report=ReportQuery(
            metric_sets=metric_sets, first=day_of("--reports-from", reports_from), look_back_days=look_back_days
        ),
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
        **files.chosen(),
    )
    run_and_leave(context, partial(bring_up_to_date, options, where.credentials(context)), output)
