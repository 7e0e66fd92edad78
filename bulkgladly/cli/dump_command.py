"""`dump`: a data set brought up to date, from flags to options to a report."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bulkgladly.cli.configuration import lay_under
from bulkgladly.cli.flag_groups import OutputFlags, PaceFlags, StopFlags, WhereFlags, with_flags
from bulkgladly.cli.lake_flags import FileFlags, LookBack, day_of
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.running import run_and_leave

__all__ = ("dump",)

_WHAT, _REPORTS = "What", "Reports"


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
            rich_help_panel=_WHAT,
        ),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated objects to bring up to date. (default: job files, events and all plain lists)",
            envvar="BULKGLADLY_WHAT",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    reports: Annotated[
        str,
        typer.Option(
            help="Comma-separated reports to bring up to date as well.",
            envvar="BULKGLADLY_REPORTS",
            rich_help_panel=_REPORTS,
        ),
    ] = "",
    reports_from: Annotated[
        str | None,
        typer.Option(
            help="First day of reports that the data set does not have yet. (default: 31 days ago)",
            rich_help_panel=_REPORTS,
        ),
    ] = None,
    look_back_days: LookBack = 3,
) -> None:
    """Bring a data set up to date with everything that can be fetched incrementally: one line for cron.

    Run twice, the second finds nothing to do. Run after a pause, it catches up, tells what
    Gladly has deleted, and when data will be lost next.
    """
    from bulkgladly.exports.export_options import ExportOptions, ReportQuery
    from bulkgladly.exports.run_export import DUMP_WORDS
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
