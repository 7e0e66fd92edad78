"""`import`: from options to a report; also as a dry run, and as a rehearsal."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.choices import Missing
from bulkgladly.cli import completions, flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, PaceFlags, RowStopFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import SAFETY, call_option
from bulkgladly.cli.output import print_json, run_and_leave, tell
from bulkgladly.cli.row_flags import ImportFlags
from bulkgladly.cli.streams import standard_input
from bulkgladly.errors import UsageError
from bulkgladly.records import Mode
from bulkgladly.settings import Credentials

if TYPE_CHECKING:
    from bulkgladly.gladly.spec import ImportSpec
    from bulkgladly.imports.dry_run import DryRun
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("SafetyFlags", "import_")


@dataclass(frozen=True)
class SafetyFlags(FlagGroup):
    """What is done before, or instead of, the import."""

    dry_run: Annotated[bool, call_option("--dry-run", "Read and check every row, and send nothing.", SAFETY)] = False
    rehearse: Annotated[
        bool,
        call_option(
            "--rehearse",
            "Run the whole import against a local emulator, without a rate limit. Nothing is sent to Gladly.",
            SAFETY,
        ),
    ] = False
    new_run: flags.NewRun = False
    yes: Annotated[bool, call_option("--yes", "Delete without asking for confirmation.", SAFETY)] = False


@with_flags
def import_(
    context: typer.Context,
    resource: Annotated[
        str,
        typer.Argument(
            help="What to import: customers, activities, tasks, task-comments, notes, conversations, topics, answers "
            "and more.",
            metavar="OBJECT",
            autocompletion=completions.objects_to_import,
        ),
    ],
    files: flags.InputFiles,
    safety: SafetyFlags,
    rows: ImportFlags,
    pace: PaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Import files into Gladly. Each record is sent once, and a run can be stopped and resumed at any time.

    A row is Gladly's own JSON (name, emails, phones, customAttributes), or it has flat columns (name, address,
    email:1, phone:1, phone:1:type, customAttribute:KEY). `bulkgladly schema show OBJECT` lists the columns.
    """
    from bulkgladly.gladly.table import import_spec
    from bulkgladly.imports.run_import import rehearse_import, start_import

    # A dry run and a rehearsal work without credentials, so they come before these are looked for.
    options = rows.import_options(where.state_dir, pace=pace.over(), limits=stop.over())
    if safety.dry_run:
        _dry_run(resource, files, options, credentials_or_none(context, where.profile), json=output.json)
    if safety.rehearse:
        run_and_leave(context, partial(rehearse_import, resource, files, options, stdin=standard_input()), output)
    credentials = where.credentials(context)
    spec = import_spec(resource)
    if spec.mode(options.mode) is Mode.DELETE:
        _confirm_deletion(spec, files, options, credentials, yes=safety.yes)
    if options.missing == Missing.DELETE:
        _confirm_missing(spec, options, credentials, yes=safety.yes)
    begin = partial(start_import, new_run=safety.new_run, stdin=standard_input())
    run_and_leave(context, partial(begin, resource, files, credentials, options), output)


def _dry_run(
    resource: str, files: list[str], options: "ImportOptions", credentials: Credentials | None, *, json: bool
) -> None:
    import anyio

    from bulkgladly.imports.dry_run import dry_run

    # Credentials are optional, because nothing is sent; but what is remembered of earlier runs is kept by host.
    host = credentials.host if credentials else ""
    result = anyio.run(lambda: dry_run(resource, files, options, host=host, stdin=standard_input()))
    _tell_dry_run(result)
    if json:
        print_json(result.as_dict())
    raise typer.Exit(result.exit_code)


def _tell_dry_run(result: "DryRun") -> None:
    from bulkgladly.imports.forecast import label_of
    from bulkgladly.runs.observer import counted

    for note in result.notes:
        tell(note)
    tell(f"dry run: {counted(result.rows, 'row')} read, nothing was sent")
    if not result.rows:
        tell("  the input has no rows: nothing to import")
    labels: Counter[str] = Counter()
    for operation, number in result.first_requests.items():
        labels[label_of(operation)] += number
    labels.update(result.settled)
    for label, number in labels.items():
        tell(f"  {number:>9,} {label}")
    for finding in result.findings:
        tell(f"  {finding.rows:>9,} x {finding.code}: {finding.detail}")
        tell(f"            at {'; '.join(finding.examples)}")
    if result.dropped_values:
        tell(f"  {result.dropped_values:>9,} dropped, because not valid")
    if result.rows:
        tell(f"  an import of these rows takes {result.estimate.effort()} ({result.memory})")


def _confirm_deletion(
    spec: "ImportSpec", files: list[str], options: "ImportOptions", credentials: Credentials, *, yes: bool
) -> None:
    """Ask a person whether to delete, and say how much and from where.

    Raises:
        Abort: The person has said no.
        UsageError: There is nobody to ask, or the files cannot be used.
    """
    if not yes:
        _demand_answer()
        rows = _rows_text(spec, files, options)
        tell(f"This deletes {spec.deletes} from {credentials.host}: {rows}. It cannot be undone.")
        typer.confirm("Delete?", abort=True, err=True)


def _demand_answer() -> None:
    # Under cron there is no one to answer, and a pipe may hold the input itself.
    if (answers := standard_input()) is None or not answers.isatty():
        raise UsageError("deleting cannot be undone; pass --yes to delete without confirmation")


def _confirm_missing(spec: "ImportSpec", options: "ImportOptions", credentials: Credentials, *, yes: bool) -> None:
    """Ask a person whether to delete what the files no longer have, and say how much that is at most.

    Raises:
        Abort: The person has said no.
        UsageError: There is nobody to ask, or the object cannot be deleted by its id.
    """
    from bulkgladly.imports.missing_deletion import refuse_deletion
    from bulkgladly.journal.state import known_keys

    refuse_deletion(spec, options)
    if yes:
        return
    _demand_answer()
    state = options.state_dir / "state.sqlite"
    known = sum(1 for _ in known_keys(state, credentials.host, spec.name, options.namespace))
    most = int(known * options.missing_limit / 100)
    tell(
        f"After the import, this deletes {spec.deletes} from {credentials.host} that imports have created under the "
        f"namespace {options.namespace} and these files do not have: at most {most:,} of {known:,} "
        f"(--missing-limit {options.missing_limit:g}). It cannot be undone."
    )
    typer.confirm("Delete?", abort=True, err=True)


def _rows_text(spec: "ImportSpec", files: list[str], options: "ImportOptions") -> str:
    """Return how many rows the files have, as far as their beginnings tell."""
    from bulkgladly.imports.import_inputs import open_checked
    from bulkgladly.runs.observer import counted

    rows, is_exact = open_checked(spec, files, options).estimate_rows()
    if options.limits.max_rows is not None and options.limits.max_rows < rows:
        return f"the next {counted(options.limits.max_rows, 'row')} of {'' if is_exact else 'about '}{rows:,}"
    return f"{'' if is_exact else 'about '}{counted(rows, 'row')} of input"
