"""`resume` and `retry`: continue a run, and import its rejected rows again."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import FailOn, InvalidContacts, OnConflict, OnDuplicate
from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, RowStopFlags, RunPaceFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import CONTACTS_PEOPLE, RECORDS, SAFETY, call_option, choices_of, option
from bulkgladly.cli.output import run_and_leave, tell
from bulkgladly.cli.run_arguments import RejectedRun, UnfinishedRun
from bulkgladly.commands import next_command
from bulkgladly.errors import JournalDamaged, UsageError

if TYPE_CHECKING:
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("RetryFlags", "resume", "retry")

UNFINISHED = ("running", "stopped", "interrupted", "failed", "new")


@with_flags
def resume(
    context: typer.Context,
    pace: RunPaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
    run: UnfinishedRun = None,
    accept_changed_input: flags.Accept = False,
    fail_on: flags.FailOn = None,
) -> None:
    """Continue an import, an export or an undo where it stopped.

    What was in flight is looked up first, so that nothing is sent twice.
    """
    from bulkgladly.journal.runs import find_run, unusable_runs
    from bulkgladly.resume import resume_run

    folder = find_run(where.state_dir, run, statuses=UNFINISHED)
    unusable = unusable_runs(where.state_dir) if run is None else []
    if folder is None and unusable:
        # One of them may be the run that is meant, so it would be wrong to say that nothing is left to do.
        raise JournalDamaged("; ".join(unusable))
    for line in unusable:
        tell(line)
    if folder is None or folder.status() == "complete":
        name = f"run {folder.name} is complete" if folder else f"no unfinished run in {where.state_dir}"
        tell(f"{name}; nothing to resume")
        raise typer.Exit(0)
    # Only now, because learning that there is nothing to resume takes no credentials.
    credentials = where.credentials(context)

    def change(stored: Any) -> Any:
        return replace(stored, pace=pace.over(stored.pace), limits=stop.over(stored.limits))

    work = partial(
        resume_run, folder, credentials, change=change, accept_changed_input=accept_changed_input, fail_on=fail_on
    )
    run_and_leave(context, work, output)


@dataclass(frozen=True)
class RetryFlags(FlagGroup):
    """What a retry may do differently from the run before."""

    on_conflict: Annotated[
        OnConflict | None,
        option("--on-conflict", "Use another policy for conflicts.", RECORDS, choices_of(OnConflict)),
    ] = None
    on_duplicate: Annotated[
        OnDuplicate | None,
        option(
            "--on-duplicate",
            "last also imports the rows whose key came twice; reject leaves them out.",
            RECORDS,
            choices_of(OnDuplicate),
        ),
    ] = None
    phone_region: Annotated[
        str | None, option("--phone-region", "The country of local phone numbers, such as GB.", RECORDS, "COUNTRY")
    ] = None
    invalid_contacts: Annotated[
        InvalidContacts | None,
        option(
            "--invalid-contacts",
            "Drop emails and phones that are not valid, or reject their rows.",
            RECORDS,
            choices_of(InvalidContacts),
        ),
    ] = None
    fail_on: flags.FailOn = None
    sent_nothing: Annotated[
        bool,
        call_option(
            "--sent-nothing",
            "Send only the rows whose outcome is unknown, after you have checked in Gladly that they were not sent.",
            SAFETY,
        ),
    ] = False
    contacts_people: Annotated[bool, CONTACTS_PEOPLE] = False


@with_flags
def retry(
    context: typer.Context,
    settings: RetryFlags,
    pace: RunPaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
    run: RejectedRun = None,
) -> None:
    """Import the rejected rows of a run again. The retry is a new run with the same settings."""
    from bulkgladly.imports.retry_import import retry_import
    from bulkgladly.journal.runs import find_run, newest_with_rejects

    folder = newest_with_rejects(where.state_dir) if run is None else find_run(where.state_dir, run)
    if folder is None:
        raise UsageError(f"no run in {where.state_dir} has rejected rows; choose another with --state-dir")
    if run is None:
        tell(f"retrying what was rejected in {folder.name}")
    folder.check()  # `find_run` also returns runs that cannot be read, so that the reason can be told
    mode = folder.header().mode
    if mode == "plan":
        raise UsageError(f"run {folder.name} made a plan and sent nothing; correct its rejected rows, and plan again")
    if mode == "export":
        raise UsageError(f"run {folder.name} is an export; run the same export command again to fetch what is missing")
    if mode == "undo":
        again = next_command("undo", folder.header().parent or "RUN", state_dir=where.state_dir, connects=True)
        raise UsageError(f"run {folder.name} is an undo; to try again what it left, run `{again}`")
    if not folder.header().is_import:
        raise UsageError(f"run {folder.name} is not an import ({mode}), so it has no rejected rows")
    credentials = where.credentials(context)

    def change(stored: "ImportOptions") -> "ImportOptions":
        return replace(
            stored,
            on_conflict=settings.on_conflict or stored.on_conflict,
            on_duplicate=settings.on_duplicate or stored.on_duplicate,
            phone_region=settings.phone_region or stored.phone_region,
            invalid_contacts=settings.invalid_contacts or stored.invalid_contacts,
            fail_on=settings.fail_on or FailOn.ANY,  # what a cron job asks for says nothing about a retry by hand
            contacts_people=settings.contacts_people,  # given for each run, never taken from the one before
            pace=pace.over(stored.pace),
            limits=stop.over(stored.limits),
        )

    work = partial(retry_import, folder, credentials, change=change, sent_nothing=settings.sent_nothing)
    run_and_leave(context, work, output)
