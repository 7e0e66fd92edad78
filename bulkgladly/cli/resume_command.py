"""`resume` and `retry`: going on with a run, and trying its rejects again."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import OnConflict, OnDuplicate
from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, PaceFlags, RowStopFlags, WhereFlags, with_flags
from bulkgladly.cli.output import tell
from bulkgladly.cli.running import run_and_leave
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("RetryFlags", "resume", "retry")

UNFINISHED = ("running", "stopped", "interrupted", "failed", "new")


@with_flags
def resume(
    context: typer.Context,
    pace: PaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
    run: Annotated[
        str | None,
        typer.Argument(help="The run, or an unambiguous part of its name. (default: the newest unfinished run)"),
    ] = None,
    accept_changed_input: flags.Accept = False,
) -> None:
    """Continue a run where it stopped. Requests that were in flight are looked up first."""
    from bulkgladly.journal.runs import find_run
    from bulkgladly.resume import resume_run

    folder = find_run(where.state_dir, run, statuses=UNFINISHED)
    if folder is None or folder.status() == "complete":
        name = f"run {folder.name} is complete" if folder else f"no unfinished run in {where.state_dir}"
        tell(f"{name}; nothing to resume")
        raise typer.Exit(0)
    credentials = where.credentials(context)

    def change(stored: Any) -> Any:
        return replace(stored, pace=pace.over(stored.pace), limits=stop.over(stored.limits))

    work = partial(resume_run, folder, credentials, change=change, accept_changed_input=accept_changed_input)
    run_and_leave(context, work, output)


@dataclass(frozen=True)
class RetryFlags(FlagGroup):
    """What may be other in a retry than in the run before."""

    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(
            help="Another policy than the run had.",
            envvar="BULKGLADLY_ON_CONFLICT",
        ),
    ] = None
    on_duplicate: Annotated[
        OnDuplicate | None,
        typer.Option(
            help="last also imports the rows whose key came twice; reject leaves them out.",
            envvar="BULKGLADLY_ON_DUPLICATE",
        ),
    ] = None
    phone_region: Annotated[
        str | None,
        typer.Option(help="Another country for national phone numbers.", envvar="BULKGLADLY_PHONE_REGION"),
    ] = None
    sent_nothing: Annotated[
        bool,
        typer.Option(
            "--sent-nothing",
            help="Send only the rows whose outcome is unknown: you have checked in Gladly that they were not sent.",
        ),
    ] = False
    contacts_people: Annotated[
        bool,
        typer.Option(
            "--i-know-this-contacts-people",
            help="Allow sms, emails, replies and recipient-collections. One record is sent first, for you to check.",
        ),
    ] = False


@with_flags
def retry(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The run whose rejected rows to import again.")],
    settings: RetryFlags,
    pace: PaceFlags,
    stop: RowStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Import the rejected rows of a run again, with the same settings, as a new run."""
    from bulkgladly.imports.retry_import import retry_import
    from bulkgladly.journal.runs import find_run

    folder = find_run(where.state_dir, run)
    if folder is None:
        raise UsageError(f"there is no run {run!r} in {where.state_dir}")
    folder.check()
    if folder.header().mode == "export":
        raise UsageError(f"run {folder.name} is an export: run the same command again, and it fetches what is missing")
    credentials = where.credentials(context)

    def change(stored: "ImportOptions") -> "ImportOptions":
        return replace(
            stored,
            on_conflict=settings.on_conflict or stored.on_conflict,
            on_duplicate=settings.on_duplicate or stored.on_duplicate,
            phone_region=settings.phone_region or stored.phone_region,
            contacts_people=settings.contacts_people,
            pace=pace.over(stored.pace),
            limits=stop.over(stored.limits),
        )

    work = partial(retry_import, folder, credentials, change=change, sent_nothing=settings.sent_nothing)
    run_and_leave(context, work, output)
