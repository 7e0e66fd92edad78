"""`import`: from flags to options to a report; also as a dry run, and as a rehearsal."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_for, credentials_or_none
from bulkgladly.cli.output import print_json, tell
from bulkgladly.cli.running import changed_limits, changed_pace, run_and_leave
from bulkgladly.cli.streams import standard_input
from bulkgladly.errors import UsageError
from bulkgladly.records import Mode
from bulkgladly.settings import Credentials, Limits, Pace

if TYPE_CHECKING:
    from bulkgladly.pipelines.options import ImportOptions

__all__ = ("import_",)

_CONTENT, _SAFETY = "What happens to a record", "Safety"


def import_(
    context: typer.Context,
    resource: Annotated[
        str, typer.Argument(help="What to import: customers, tasks, activities, topics, answers, notes, and more.")
    ],
    files: Annotated[
        list[str],
        typer.Argument(help="NDJSON, CSV, Parquet or Arrow files, also .gz and .zst; globs; - for the standard input."),
    ],
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="What to do with each record. (default: upsert, or what the resource has of it)",
            envvar="BULKGLADLY_MODE",
            rich_help_panel=_CONTENT,
        ),
    ] = None,
    key: flags.Key = None,
    namespace: flags.Namespace = "default",
    on_conflict: flags.OnConflict = "quarantine",
    on_duplicate: flags.OnDuplicate = "reject",
    null: flags.Null = "keep",
    phone_region: flags.PhoneRegion = None,
    read_first: Annotated[
        bool,
        typer.Option(
            "--read-first",
            help="Read each profile before changing it (one request more per changed record).",
            envvar="BULKGLADLY_READ_FIRST",
            rich_help_panel=_CONTENT,
        ),
    ] = False,
    attributes: Annotated[
        str,
        typer.Option(
            help="Whether Gladly merges custom attributes on an update: unknown (read them first), or merge (tried).",
            envvar="BULKGLADLY_ATTRIBUTES",
            rich_help_panel=_CONTENT,
        ),
    ] = "unknown",
    after: Annotated[
        str,
        typer.Option(
            help="Earlier runs, with commas between, whose source keys rows refer to (customerKey, taskKey, ...).",
            envvar="BULKGLADLY_AFTER",
            rich_help_panel=_CONTENT,
        ),
    ] = "",
    missing_names: Annotated[
        str,
        typer.Option(
            help="When rows name an inbox, agent, topic or audience that is not there: stop, or reject these rows.",
            envvar="BULKGLADLY_MISSING_NAMES",
            rich_help_panel=_CONTENT,
        ),
    ] = "stop",
    force_close: Annotated[
        bool,
        typer.Option(
            "--force-close",
            help="Close conversations although the customer waits for an answer.",
            envvar="BULKGLADLY_FORCE_CLOSE",
            rich_help_panel=_CONTENT,
        ),
    ] = False,
    ignore_columns: flags.IgnoreColumns = "",
    map_: flags.MapFile = None,
    transform: flags.Transform = None,
    format_: flags.InputFormat = None,
    encoding: flags.Encoding = "utf-8",
    delimiter: flags.Delimiter = ",",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read and check every row; send nothing.", rich_help_panel=_SAFETY),
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="Run the whole import against a local emulator, without a limit; Gladly is not touched.",
            rich_help_panel=_SAFETY,
        ),
    ] = False,
    new_run: Annotated[
        bool,
        typer.Option(
            "--new-run",
            help="Start anew although a run of this input is not finished.",
            rich_help_panel=_SAFETY,
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.", rich_help_panel=_SAFETY)] = False,
    contacts_people: Annotated[
        bool,
        typer.Option(
            "--i-know-this-contacts-people",
            help="Allow sms, emails, replies and recipient-collections; one record is sent first, to be looked at.",
            rich_help_panel=_SAFETY,
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
    """Bring files into Gladly: every record once, at Gladly's pace, resumable at any time.

    A row is either Gladly's own JSON (name, emails, phones, customAttributes) or flat
    columns: name, address, email:1, phone:1, phone:1:type, customAttribute:KEY. See
    `bulkgladly schema show RESOURCE`.
    """
    from bulkgladly.formats.contract import ReadOptions
    from bulkgladly.pipelines.mapped import choose_mapping
    from bulkgladly.pipelines.options import ImportOptions, namespaces_after
    from bulkgladly.pipelines.rehearsal import rehearse_import
    from bulkgladly.pipelines.run_import import start_import
    from bulkgladly.resources.table import resource as find

    options = ImportOptions(
        mode=mode,
        key=key,
        namespace=namespace,
        on_conflict=on_conflict,
        on_duplicate=on_duplicate,
        null=null,
        phone_region=phone_region,
        read_first=read_first,
        attributes=attributes,
        missing_names=missing_names,
        after=namespaces_after(state_dir, [name.strip() for name in after.split(",") if name.strip()]),
        force_close=force_close,
        contacts_people=contacts_people,
        ignore_columns=tuple(name.strip() for name in ignore_columns.split(",") if name.strip()),
        mapping=choose_mapping(map_, transform),
        reading=ReadOptions(encoding=encoding, delimiter=delimiter, format=format_),
        pace=changed_pace(Pace(), rate, reserve, concurrency),
        limits=changed_limits(Limits(), max_errors, max_duration, max_requests, limit, give_up_after),
        state_dir=state_dir,
    )
    if dry_run:
        _dry_run(resource, files, options, credentials_or_none(context, profile), json=json)
    if rehearse:
        work = partial(rehearse_import, resource, files, options, stdin=standard_input())
        run_and_leave(context, work, json=json, progress=progress, log_format=log_format)
    credentials = credentials_for(context, profile)
    spec = find(resource)
    if spec.mode(mode) is Mode.DELETE:
        _confirm_deletion(spec.deletes, credentials, yes=yes)

    work = partial(start_import, resource, files, credentials, options, new_run=new_run, stdin=standard_input())
    run_and_leave(context, work, json=json, progress=progress, log_format=log_format)


def _dry_run(
    resource: str, files: list[str], options: "ImportOptions", credentials: Credentials | None, *, json: bool
) -> None:
    import anyio

    from bulkgladly.pipelines.dry_run import dry_run

    # Nothing is sent, so nothing is needed; but what is remembered of earlier runs goes by the host.
    host = credentials.host if credentials else ""
    result = anyio.run(lambda: dry_run(resource, files, options, host=host))
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
        raise UsageError("deleting cannot be undone; say --yes to do it without being asked")
    typer.confirm(f"Delete these {what} from {credentials.host}, for good?", abort=True, err=True)
