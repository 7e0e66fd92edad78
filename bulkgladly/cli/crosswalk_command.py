"""`crosswalk export`, `crosswalk import` and `crosswalk repair`: which source key is which id in Gladly."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, RunPaceFlags, StopFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import INPUT, RECORDS, SAFETY, call_option, option
from bulkgladly.cli.output import print_json, print_text, run_and_leave, tell

if TYPE_CHECKING:
    from bulkgladly.crosswalk.crosswalk_import import CrosswalkImported

__all__ = ("export", "import_", "repair")

_LINES_AT_ONCE = 1_000

_Object = Annotated[
    str,
    typer.Argument(
        help="The object that the keys are of, as in `import`: customers, tasks, ...",
        metavar="OBJECT",
        autocompletion=completions.objects_to_import,
    ),
]
_Host = Annotated[
    str | None,
    call_option("--host", "The organisation, if no credentials are set: https://acme.gladly.com.", RECORDS, "URL"),
]
_EveryNamespace = Annotated[
    str | None, option("--namespace", "Only the keys of this source system. (default: all)", RECORDS, "NAME")
]


@with_flags
def export(
    context: typer.Context,
    resource: _Object,
    where: WhereFlags,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A .csv, .parquet or .ndjson file. (default: CSV on stdout)",
            metavar="FILE",
            rich_help_panel=flags.OUTPUT,
        ),
    ] = None,
    namespace: _EveryNamespace = None,
    host: _Host = None,
    fingerprints: Annotated[
        bool,
        call_option(
            "--fingerprints",
            "Add the hashes by which unchanged rows are recognised, so that they need no requests on another machine.",
            RECORDS,
        ),
    ] = False,
) -> None:
    """Write the source keys and their ids in Gladly to a file.

    Nothing is sent. Keys of objects that may have been sent, and whose outcome is unknown, have no id and the status
    `unknown`.
    """
    from bulkgladly.crosswalk.crosswalk_export import crosswalk_lines, export_crosswalk
    from bulkgladly.gladly.table import import_spec
    from bulkgladly.journal.crosswalk import entries_in
    from bulkgladly.runs.observer import counted

    spec, host = import_spec(resource), _host(context, where, host)
    if out is None:
        entries = entries_in(where.state_dir / "state.sqlite", spec.name, host=host, namespace=namespace)
        _print(crosswalk_lines(spec, entries, fingerprints=fingerprints))
        return
    written = export_crosswalk(
        where.state_dir, spec.name, out, host=host, namespace=namespace, fingerprints=fingerprints
    )
    tell(f"{out}: {counted(written, 'key')} of {spec.name}")
    if not written:
        of = f" of {host}" if host else ""
        tell(f"no key of {spec.name}{of} is known in {where.state_dir}")


def _print(lines: Iterator[bytes]) -> None:
    held: list[str] = []
    for line in lines:
        held.append(line.decode())
        if len(held) >= _LINES_AT_ONCE:
            print_text("\n".join(held))
            held.clear()
    if held:
        print_text("\n".join(held))


def _host(context: typer.Context, where: WhereFlags, given: str | None) -> str | None:
    """Return the organisation that is meant; None if nothing names one."""
    from bulkgladly.settings import base_url

    if given is not None:
        return base_url(given)
    credentials = credentials_or_none(context, where.profile)
    return None if credentials is None else credentials.host


@dataclass(frozen=True)
class IntakeFlags(FlagGroup):
    """Where keys and ids stand in a file, and whose they are."""

    namespace: Annotated[
        str | None,
        option(
            "--namespace", "The source system of the keys. (default: what the file says, else default)", RECORDS, "NAME"
        ),
    ] = None
    host: _Host = None
    key_column: Annotated[
        str | None, call_option("--key-column", "The column of the source keys. (default: key)", INPUT, "COLUMN")
    ] = None
    id_column: Annotated[
        str | None, call_option("--id-column", "The column of the ids in Gladly. (default: gladly_id)", INPUT, "COLUMN")
    ] = None
    format_: flags.InputFormat = None
    replace: Annotated[
        bool, call_option("--replace", "Replace the ids of keys that are known with another id.", SAFETY)
    ] = False


@with_flags
def import_(
    context: typer.Context,
    resource: _Object,
    file: Annotated[
        str, typer.Argument(help="A CSV, Parquet, NDJSON or Excel file with keys and ids.", metavar="FILE")
    ],
    settings: IntakeFlags,
    where: WhereFlags,
    json: flags.Json = False,
) -> None:
    """Read source keys and their ids in Gladly from a file.

    Nothing is sent. Either all rows are imported or none. The next import of a row with such a key updates the object
    that has the id, instead of creating one.
    """
    from dataclasses import asdict

    from bulkgladly.crosswalk.crosswalk_import import CrosswalkSource, import_crosswalk
    from bulkgladly.files.contract import ReadOptions

    source = CrosswalkSource(
        file,
        host=_host(context, where, settings.host),
        namespace=settings.namespace,
        key_column=settings.key_column,
        id_column=settings.id_column,
        reading=ReadOptions(format=settings.format_),
    )
    found = import_crosswalk(where.state_dir, resource, source, replace=settings.replace)
    if json:
        print_json(asdict(found))
    if found.problems:
        _tell_refused(found, file)
        raise typer.Exit(2)
    _tell_taken_in(found, resource)


def _tell_refused(found: "CrosswalkImported", file: str) -> None:
    from bulkgladly.runs.observer import counted

    tell(*found.told)
    if (more := found.problems - len(found.told)) > 0:
        tell(f"and {more:,} more")
    fix = (
        "check which id is right, then pass --replace to take those of the file"
        if found.conflicts
        else "correct these rows and import the file again"
    )
    tell(f"error: {file}: {counted(found.problems, 'row')} cannot be used, so nothing was imported; {fix}")


def _tell_taken_in(found: "CrosswalkImported", resource: str) -> None:
    from bulkgladly.runs.observer import counted

    parts = [(found.added, "new"), (found.replaced, "replaced"), (found.unchanged, "known already")]
    parts += [(found.repeated, "repeated in the file")]
    said = ", ".join(f"{number:,} {what}" for number, what in parts if number) or "none"
    tell(f"Read {counted(found.rows, 'key')} of {resource} for {found.host}: {said}; nothing was sent")
    if found.cleaned:
        tell(f"  {counted(found.cleaned, 'key')} written in another form (spaces, apostrophes, 4711.0); read as usual")
    if found.shared_ids:
        keys = ", ".join(found.shared)
        tell(f"  {counted(found.shared_ids, 'id')} with several keys, such as {keys}: their rows change one object")
    if (found.added or found.replaced) and not found.has_fingerprints:
        new = found.added + found.replaced
        rows = "this row sends 1 or 2 requests" if new == 1 else f"these {new:,} rows sends 1 or 2 requests for each"
        tell(f"  the next import of {rows}, even if nothing has changed")


@with_flags
def repair(
    context: typer.Context,
    resource: _Object,
    pace: RunPaceFlags,
    stop: StopFlags,
    where: WhereFlags,
    output: OutputFlags,
    namespace: _EveryNamespace = None,
    forget_deleted: Annotated[
        bool,
        call_option(
            "--forget-deleted",
            "Forget the keys of objects that Gladly has deleted, so that an import creates them again.",
            SAFETY,
        ),
    ] = False,
    max_forgotten: Annotated[
        str,
        call_option(
            "--max-forgotten", "Forget none (exit code 3) if more than this share is deleted.", SAFETY, "SHARE"
        ),
    ] = "10%",
    new_run: Annotated[
        bool, call_option("--new-run", "Start from the first key even if an earlier repair is not finished.", SAFETY)
    ] = False,
) -> None:
    """Look up every known id in Gladly, and follow merges of customers.

    It sends one request for each key, and one more for each merge. A key whose customer was merged leads to the
    customer that remains; keys of deleted objects are listed, and stay known.
    """
    from bulkgladly.cli.values import share_of
    from bulkgladly.crosswalk.crosswalk_repair import start_repair
    from bulkgladly.crosswalk.repair_report import RepairOptions

    options = RepairOptions(
        namespace=namespace,
        forget_deleted=forget_deleted,
        max_forgotten=share_of(max_forgotten, flag="--max-forgotten", can_be_all=True),
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
    )
    credentials = where.credentials(context)
    run_and_leave(context, partial(start_repair, resource, credentials, options, new_run=new_run), output)
