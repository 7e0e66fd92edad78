"""`export` and `dump`: from flags to options to a report."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.configuration import lay_under
from bulkgladly.cli.flag_groups import (
    ErrorStopFlags,
    FlagGroup,
    OutputFlags,
    RunPaceFlags,
    StopFlags,
    WhereFlags,
    with_flags,
)
from bulkgladly.cli.flags import call_option, option
from bulkgladly.cli.lake_flags import FileFlags, LookBack, OutFolder, ParentFlags, ReportFlags, SpanFlags, day_of
from bulkgladly.cli.output import run_and_leave
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.values import seconds_of
from bulkgladly.errors import UsageError

__all__ = ("dump", "export")

_WHAT, _REPORTS, _FILES, _STATE = "What to export", "Reports", "Files", "State and credentials"
_AFTER = "Once it is up to date"


@dataclass(frozen=True)
class _ExportSafetyFlags(FlagGroup):
    new_run: flags.NewRun = False


@dataclass(frozen=True)
class _DumpFlags(FlagGroup):
    """What a dump brings up to date."""

    what: Annotated[
        str | None,
        option(
            "--what",
            "Comma-separated objects to bring up to date; +tasks adds to the default, -items leaves out, "
            "all stands for every object. "
            "(default: job files, events and all plain lists)",
            _WHAT,
            "OBJECTS",
            autocompletion=completions.objects_to_dump,
        ),
    ] = None
    reports: Annotated[
        str,
        option(
            "--reports",
            "Comma-separated reports (metric sets) to bring up to date as well.",
            _REPORTS,
            "NAMES",
            autocompletion=completions.reports,
        ),
    ] = ""
    reports_from: Annotated[
        str | None,
        call_option(
            "--reports-from",
            "First day of reports that the data set does not have yet. (default: 31 days ago)",
            _REPORTS,
            "DAY",
        ),
    ] = None
    look_back_days: LookBack = 3

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `ExportOptions`.

        Raises:
            UsageError: `--reports-from` is not a day, or a word of `--what` is unknown.
        """
        from bulkgladly.exports.chosen_kinds import dumped_words
        from bulkgladly.exports.export_options import ReportQuery

        metric_sets = words_of(self.reports)
        named = None if self.what is None else words_of(self.what)
        if named == ():
            raise UsageError("--what names nothing; leave it out, or name objects such as +tasks")
        words = dumped_words(named or ())
        if "report" in words and not metric_sets:
            raise UsageError("--what report: name the reports with --reports, such as ConversationExportReport")
        first = day_of("--reports-from", self.reports_from)
        return {
            "words": (*words, "report") if metric_sets and "report" not in words else words,
            "report": ReportQuery(metric_sets=metric_sets, first=first, look_back_days=self.look_back_days),
        }


@dataclass(frozen=True)
class _MaintenanceFlags(FlagGroup):
    """What is done with the data set after it is up to date."""

    compact: Annotated[
        bool,
        option("--compact", "Write the newest row of each key to DIR/current, where something changed.", _AFTER),
    ] = False
    retention: Annotated[
        str | None,
        option(
            "--retention",
            "Permanently remove data that is entirely older than this, such as 400d. (min: 31d)",
            _AFTER,
            "TIME",
        ),
    ] = None
    yes: Annotated[
        bool, call_option("--yes", "Let --retention remove rows the first time, without asking.", _AFTER)
    ] = False

    def chosen(self, out: Path) -> dict[str, Any]:
        """Return these options as fields of `ExportOptions`, after asking a person where that is needed.

        Raises:
            UsageError: `--retention` is not a time, or the person does not agree.
        """
        from bulkgladly.cli.old_data import agreed

        days = None if self.retention is None else seconds_of("--retention", self.retention) / 86400
        may_remove = days is not None and (self.yes or agreed(out, days))
        return {"compact": self.compact, "retention_days": days, "may_remove": may_remove}


@dataclass(frozen=True)
class _OldFileFlags(FlagGroup):
    config: Annotated[
        Path | None,
        call_option(
            "--config",
            "Deprecated: a TOML file with options of this command. Use [dump] in the settings file.",
            _STATE,
            "FILE",
            callback=lay_under,
            is_eager=True,
        ),
    ] = None


@with_flags
def export(
    *,
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            help="What to export: items, customers, inboxes, ...; or report METRICSET...; or reports --all.",
            metavar="OBJECT",
            autocompletion=completions.objects_to_export,
        ),
    ],
    span: SpanFlags,
    ids: ParentFlags,
    reports: ReportFlags,
    out: Annotated[Path, option("--out", "The folder of the data set.", _FILES, "DIR", file_okay=False)],
    files: FileFlags,
    safety: _ExportSafetyFlags,
    pace: RunPaceFlags,
    stop: ErrorStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Export objects and reports from Gladly into a data set.

    A data set is a folder of typed files. What it already has is not fetched again, and an export can be stopped and
    resumed at any time. `report` is followed by the names of metric sets, such as ConversationExportReport.
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
        **ids.chosen(),
        **files.chosen(),
    )
    credentials = where.credentials(context)
    run_and_leave(context, partial(start_export, options, credentials, new_run=safety.new_run), output)


def _metric_sets(words: list[str], *, every: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the objects to export, and the metric sets, which are all words after `report`."""
    if "reports" in words:
        if words != ["reports"] or not every:
            raise UsageError(
                "pass --all with `reports` and nothing else, or name reports: `report ConversationExportReport`"
            )
        return ("report",), ("all",)
    if every:
        raise UsageError("--all needs `reports`: `bulkgladly export reports --all --out DIR`")
    if "report" not in words:
        return tuple(words), ()
    at = words.index("report")
    if at == len(words) - 1:
        raise UsageError("name at least one metric set after `report`, such as `report ConversationExportReport`")
    return tuple(words[: at + 1]), tuple(words[at + 1 :])


@with_flags
def dump(
    *,
    context: typer.Context,
    out: OutFolder,
    what: _DumpFlags,
    files: FileFlags,
    maintenance: _MaintenanceFlags,
    pace: RunPaceFlags,
    stop: StopFlags,
    where: WhereFlags,
    old_file: _OldFileFlags,
    output: OutputFlags,
) -> None:
    """Bring a data set up to date with all that is new in Gladly.

    A second dump right after the first finds nothing to do. After a pause, a dump catches up, lists what Gladly has
    already deleted, and says when the next data will be lost.
    """
    from bulkgladly.exports.export_options import ExportOptions
    from bulkgladly.exports.run_export import dump as bring_up_to_date

    del old_file  # its callback has acted
    options = ExportOptions(
        out=out,
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
        **what.chosen(),
        **files.chosen(),
        **maintenance.chosen(out),
    )
    run_and_leave(context, partial(bring_up_to_date, options, where.credentials(context)), output)
