"""`resume` and `retry`: going on with a run, and trying its rejects again."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_for
from bulkgladly.cli.output import tell
from bulkgladly.cli.running import changed_limits, changed_pace, run_and_leave
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.pipelines.options import ImportOptions

__all__ = ("resume", "retry")

UNFINISHED = ("running", "stopped", "interrupted", "failed", "new")


def resume(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="The run, or an unambiguous part of its name. (default: the newest unfinished)"),
    ] = None,
    accept_changed_input: flags.Accept = False,
    rate: flags.Rate = None,
    reserve: flags.Reserve = None,
    concurrency: flags.Concurrency = None,
    max_errors: flags.MaxErrors = None,
    max_duration: flags.MaxDuration = None,
    max_requests: flags.MaxRequests = None,
    limit: flags.MaxRows = None,
    give_up_after: flags.GiveUpAfter = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    json: flags.Json = False,
    progress: flags.Progress = "auto",
    log_format: flags.LogFormat = "text",
) -> None:
    """Go on with a run where it stopped; what was on its way is asked about first."""
    from bulkgladly.journal.runs import find_run
    from bulkgladly.pipelines.resume import resume_run

    folder = find_run(state_dir, run, statuses=UNFINISHED)
    if folder is None or folder.status() == "complete":
        name = f"run {folder.name} is complete" if folder else f"no unfinished run in {state_dir}"
        tell(f"{name}; nothing to resume")
        raise typer.Exit(0)
    credentials = credentials_for(context, profile)

    def change(stored: Any) -> Any:
        limits = changed_limits(stored.limits, max_errors, max_duration, max_requests, limit, give_up_after)
        return replace(stored, pace=changed_pace(stored.pace, rate, reserve, concurrency), limits=limits)

    work = partial(resume_run, folder, credentials, change=change, accept_changed_input=accept_changed_input)
    run_and_leave(context, work, json=json, progress=progress, log_format=log_format)


def retry(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The run whose rejected rows are tried again.")],
    on_conflict: Annotated[
        str | None,
        typer.Option(
            help="Another policy than the run had: quarantine, skip, update or merge.",
            envvar="BULKGLADLY_ON_CONFLICT",
        ),
    ] = None,
    on_duplicate: Annotated[
        str | None,
        typer.Option(
            help="last also takes the rows whose key came twice; reject leaves them out.",
            envvar="BULKGLADLY_ON_DUPLICATE",
        ),
    ] = None,
    phone_region: Annotated[
        str | None,
        typer.Option(help="Another country for national phone numbers.", envvar="BULKGLADLY_PHONE_REGION"),
    ] = None,
    sent_nothing: Annotated[
        bool,
        typer.Option(
            "--sent-nothing",
            help="You have looked in Gladly, and the rows that ended as unknown were not sent: send these rows only.",
        ),
    ] = False,
    contacts_people: Annotated[
        bool,
        typer.Option(
            "--i-know-this-contacts-people",
            help="Allow sms, emails, replies and recipient-collections; one record is sent first, to be looked at.",
        ),
    ] = False,
    rate: flags.Rate = None,
    reserve: flags.Reserve = None,
    concurrency: flags.Concurrency = None,
    max_errors: flags.MaxErrors = None,
    max_duration: flags.MaxDuration = None,
    max_requests: flags.MaxRequests = None,
    limit: flags.MaxRows = None,
    give_up_after: flags.GiveUpAfter = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    json: flags.Json = False,
    progress: flags.Progress = "auto",
    log_format: flags.LogFormat = "text",
) -> None:
    """Import only the rejected rows of a run again, with the same settings, as a run of its own."""
    from bulkgladly.journal.runs import find_run
    from bulkgladly.pipelines.run_import import retry_import

    folder = find_run(state_dir, run)
    if folder is None:
        raise UsageError(f"there is no run {run!r} in {state_dir}")
    folder.check()
    if folder.header().mode == "export":
        raise UsageError(f"run {folder.name} is an export: run the same command again, and it fetches what is missing")
    credentials = credentials_for(context, profile)

    def change(stored: "ImportOptions") -> "ImportOptions":
        return replace(
            stored,
            on_conflict=on_conflict or stored.on_conflict,
            on_duplicate=on_duplicate or stored.on_duplicate,
            phone_region=phone_region or stored.phone_region,
            contacts_people=contacts_people,
            pace=changed_pace(stored.pace, rate, reserve, concurrency),
            limits=changed_limits(stored.limits, max_errors, max_duration, max_requests, limit, give_up_after),
        )

    work = partial(retry_import, folder, credentials, change=change, sent_nothing=sent_nothing)
    run_and_leave(context, work, json=json, progress=progress, log_format=log_format)
