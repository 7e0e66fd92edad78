"""`import`: from flags to options to a report; also as a dry run, and as a rehearsal."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, PaceFlags, RowStopFlags, WhereFlags, with_flags
from bulkgladly.cli.output import print_json, tell
from bulkgladly.cli.row_flags import ImportFlags
from bulkgladly.cli.running import run_and_leave
from bulkgladly.cli.streams import standard_input
from bulkgladly.errors import UsageError
from bulkgladly.records import Mode
from bulkgladly.settings import Credentials

if TYPE_CHECKING:
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("SafetyFlags", "import_")

_SAFETY = "Safety"


@dataclass(frozen=True)
class SafetyFlags(FlagGroup):
    """What is done before, or instead of, the import."""

    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read and check every row; send nothing.", rich_help_panel=_SAFETY),
    ] = False
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="Run the whole import against a local emulator, without a limit; Gladly is not touched.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    new_run: Annotated[
        bool,
        typer.Option(
            "--new-run",
            help="Start again although a run of this input is not finished.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete without asking for confirmation.", rich_help_panel=_SAFETY)
    ] = False


@with_flags
def import_(
    context: typer.Context,
    resource: Annotated[
        str, typer.Argument(help="What to import: customers, tasks, activities, topics, answers, notes, and more.")
    ],
    files: Annotated[
        list[str],
        typer.Argument(help="NDJSON, CSV, Parquet or Arrow files, also .gz and .zst; globs; - for the standard input."),
    ],
    rows: ImportFlags,
    safety: SafetyFlags,
    pace: PaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Bring files into Gladly: every record once, at Gladly's pace, resumable at any time.

    A row is either Gladly's own JSON (name, emails, phones, customAttributes) or flat
    columns: name, address, email:1, phone:1, phone:1:type, customAttribute:KEY. See
    `bulkgladly schema show RESOURCE`.
    """
    from bulkgladly.gladly.table import resource as find
    from bulkgladly.imports.run_import import rehearse_import, start_import

    options = rows.import_options(where.state_dir, pace=pace.over(), limits=stop.over())
    if safety.dry_run:
        _dry_run(resource, files, options, credentials_or_none(context, where.profile), json=output.json)
    if safety.rehearse:
        run_and_leave(context, partial(rehearse_import, resource, files, options, stdin=standard_input()), output)
    credentials = where.credentials(context)
    spec = find(resource)
    if spec.mode(options.mode) is Mode.DELETE:
        _confirm_deletion(spec.deletes, credentials, yes=safety.yes)
    begin = partial(start_import, new_run=safety.new_run, stdin=standard_input())
    run_and_leave(context, partial(begin, resource, files, credentials, options), output)


def _dry_run(
    resource: str, files: list[str], options: "ImportOptions", credentials: Credentials | None, *, json: bool
) -> None:
    import anyio

    from bulkgladly.imports.dry_run import dry_run

    # Nothing is sent, so nothing is needed; but what is remembered of earlier runs goes by the host.
    host = credentials.host if credentials else ""
    result = anyio.run(lambda: dry_run(resource, files, options, host=host, stdin=standard_input()))
    tell(f"dry run: {result.rows:,} rows read, nothing was sent")
    if not result.rows:
        tell("  the input has no rows: nothing to import")
    for operation, number in result.first_requests.items():
        tell(f"  {number:>9,} would begin with {operation}")
    for word, number in result.settled.items():
        tell(f"  {number:>9,} {word} without a request")
    for finding in result.findings:
        tell(f"  {finding.rows:>9,} x {finding.code}: {finding.detail}")
        tell(f"            at {'; '.join(finding.examples)}")
    tell(f"  to send: {result.estimate.text()}")
    if json:
        print_json(result.as_dict())
    raise typer.Exit(result.exit_code)


def _confirm_deletion(what: str, credentials: Credentials, *, yes: bool) -> None:
    if yes:
        return
    if (answers := standard_input()) is None or not answers.isatty():
        raise UsageError("deleting cannot be undone; pass --yes to delete without confirmation")
    typer.confirm(f"Delete these {what} from {credentials.host}, for good?", abort=True, err=True)
