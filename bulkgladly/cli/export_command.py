"""`export` and `dump`: from flags to options to a report."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.choices import closest
from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_for
from bulkgladly.cli.running import changed_limits, changed_pace, run_and_leave
from bulkgladly.cli.values import bytes_of
from bulkgladly.errors import UsageError
from bulkgladly.settings import Limits, Pace, load_toml

__all__ = ("dump", "export")

MOST_LOOK_BACK_DAYS = 3650
_WHAT, _PARENTS, _REPORTS, _FILES, _SAFETY = "What", "Of whom", "Reports", "Files", "Safety"

Format = Annotated[
    str,
    typer.Option("--format", help="parquet, ndjson or csv.", envvar="BULKGLADLY_FORMAT", rich_help_panel=_FILES),
]
Compression = Annotated[
    str | None,
    typer.Option(
        help="zstd, snappy, gzip or none. (default: zstd for Parquet, else none)",
        envvar="BULKGLADLY_COMPRESSION",
        rich_help_panel=_FILES,
    ),
]
Partition = Annotated[
    str | None,
    typer.Option(
        help="Folders to part by, with commas between, or none. (default: the data set's own, such as type,date)",
        envvar="BULKGLADLY_PARTITION",
        rich_help_panel=_FILES,
    ),
]
KeepRaw = Annotated[
    bool,
    typer.Option(
        "--keep-raw",
        help="Also keep each downloaded file as it came, as .jsonl.zst below _raw.",
        envvar="BULKGLADLY_KEEP_RAW",
        rich_help_panel=_FILES,
    ),
]
MaxFileSize = Annotated[
    str | None,
    typer.Option(
        help="Refuse a download longer than this: 500MB, 20GB. (default: 1TB)",
        envvar="BULKGLADLY_MAX_FILE_SIZE",
        rich_help_panel=_SAFETY,
    ),
]
LookBack = Annotated[
    int,
    typer.Option(
        min=0,
        max=MOST_LOOK_BACK_DAYS,
        help="Read so many days of reports again, since Gladly restates rows.",
        envvar="BULKGLADLY_LOOK_BACK_DAYS",
        rich_help_panel=_REPORTS,
    ),
]
Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh",
        help="Fetch again what the data set has, too.",
        envvar="BULKGLADLY_REFRESH",
        rich_help_panel=_WHAT,
    ),
]


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
        typer.Option(help="The data set: a folder.", envvar="BULKGLADLY_OUT", rich_help_panel=_FILES, file_okay=False),
    ],
    since: Annotated[
        str | None,
        typer.Option(help="Only what lies after this day or time (UTC).", rich_help_panel=_WHAT),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Only what lies before this day or time (UTC).", rich_help_panel=_WHAT),
    ] = None,
    refresh: Refresh = False,
    ids: Annotated[
        Path | None,
        typer.Option(help="File with the ids of the parents, one a line or in a column id.", rich_help_panel=_PARENTS),
    ] = None,
    emails: Annotated[
        Path | None,
        typer.Option(help="File with the email addresses of customers.", rich_help_panel=_PARENTS),
    ] = None,
    from_dataset: Annotated[
        Path | None,
        typer.Option(
            help="A data set whose rows name the parents; may be --out itself.",
            rich_help_panel=_PARENTS,
            file_okay=False,
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day of a report (UTC).", rich_help_panel=_REPORTS)
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day of a report, included.", rich_help_panel=_REPORTS)
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every report that needs no further option.", rich_help_panel=_REPORTS)
    ] = False,
    inbox: Annotated[
        list[str] | None, typer.Option(help="Only this inbox (its id); may be repeated.", rich_help_panel=_REPORTS)
    ] = None,
    team: Annotated[
        list[str] | None, typer.Option(help="Only this team (its id); may be repeated.", rich_help_panel=_REPORTS)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.", rich_help_panel=_REPORTS)] = None,
    aggregation: Annotated[
        str | None,
        typer.Option(help="halfHourly, daily, weekly, monthly or quarterly.", rich_help_panel=_REPORTS),
    ] = None,
    phone_number: Annotated[
        str | None, typer.Option(help="The number of an IVR report (E.164).", rich_help_panel=_REPORTS)
    ] = None,
    look_back_days: LookBack = 3,
    format_: Format = "parquet",
    compression: Compression = None,
    partition: Partition = None,
    keep_raw: KeepRaw = False,
    max_file_size: MaxFileSize = None,
    new_run: Annotated[
        bool,
        typer.Option("--new-run", help="Start anew although an export is not finished.", rich_help_panel=_SAFETY),
    ] = False,
    rate: flags.Rate = None,
    reserve: flags.Reserve = None,
    concurrency: flags.Concurrency = None,
    max_errors: flags.MaxErrors = None,
    max_duration: flags.MaxDuration = None,
    max_requests: flags.MaxRequests = None,
    give_up_after: flags.GiveUpAfter = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    json: flags.Json = False,
    progress: flags.Progress = "auto",
    log_format: flags.LogFormat = "text",
) -> None:
    """Bring Gladly into a data set of typed files that opens as one table, whole units only, resumable at any time.

    What the data set has already is not fetched again. `report` is followed by the names
    of metric sets, such as ConversationExportReport.
    """
    from bulkgladly.pipelines.exports.options import MAX_FILE_BYTES, ExportOptions, ReportQuery
    from bulkgladly.pipelines.exports.run_export import start_export

    wanted, metric_sets = _metric_sets(words, every=all_)
    options = ExportOptions(
        out=out,
        words=wanted,
        since=_time("--since", since),
        until=_time("--until", until),
        format=format_,
        compression=compression,
        partition=_folders(partition),
        keep_raw=keep_raw,
        refresh=refresh,
        ids=ids,
        emails=emails,
        from_dataset=from_dataset,
        report=ReportQuery(
            metric_sets=metric_sets,
            first=_day("--from", first),
            last=_day("--to", last),
            inboxes=tuple(inbox or ()),
            teams=tuple(team or ()),
            channel=channel,
            aggregation=aggregation,
            phone_number=phone_number,
            look_back_days=look_back_days,
        ),
        max_file_bytes=MAX_FILE_BYTES if max_file_size is None else bytes_of("--max-file-size", max_file_size),
        pace=changed_pace(Pace(), rate, reserve, concurrency),
        limits=changed_limits(Limits(), max_errors, max_duration, max_requests, None, give_up_after),
        state_dir=state_dir,
    )
    credentials = credentials_for(context, profile)

    work = partial(start_export, options, credentials, new_run=new_run)
    run_and_leave(context, work, json=json, progress=progress, log_format=log_format)


def dump(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The data set: a folder.", metavar="DIR", file_okay=False)],
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with the flags of this command, such as what = [...].", rich_help_panel=_WHAT),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(
            help="What to bring up to date, with commas between. (default: job files, events and all plain lists)",
            envvar="BULKGLADLY_WHAT",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    reports: Annotated[
        str,
        typer.Option(
            help="Reports to bring up to date as well, with commas between.",
            envvar="BULKGLADLY_REPORTS",
            rich_help_panel=_REPORTS,
        ),
    ] = "",
    reports_from: Annotated[
        str | None,
        typer.Option(
            help="First day of reports that the data set does not have yet. (default: 31 days back)",
            rich_help_panel=_REPORTS,
        ),
    ] = None,
    look_back_days: LookBack = 3,
    format_: Format = "parquet",
    compression: Compression = None,
    partition: Partition = None,
    keep_raw: KeepRaw = False,
    max_file_size: MaxFileSize = None,
    rate: flags.Rate = None,
    reserve: flags.Reserve = None,
    concurrency: flags.Concurrency = None,
    max_duration: flags.MaxDuration = None,
    max_requests: flags.MaxRequests = None,
    give_up_after: flags.GiveUpAfter = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    json: flags.Json = False,
    progress: flags.Progress = "auto",
    log_format: flags.LogFormat = "text",
) -> None:
    """Bring a data set up to date with everything that can be fetched incrementally: one line for cron.

    Run twice, the second finds nothing to do. Run after a pause, it catches up, tells what
    is gone for good, and from when on data will be lost next.
    """
    from bulkgladly.pipelines.exports.kinds import DUMP_WORDS
    from bulkgladly.pipelines.exports.options import MAX_FILE_BYTES, ExportOptions, ReportQuery
    from bulkgladly.pipelines.exports.run_export import dump as bring_up_to_date

    pick = _laid_over(context, config)
    wanted = pick("what", what)
    metric_sets = _names(pick("reports", reports))
    words = DUMP_WORDS if wanted is None else _names(wanted)
    size = pick("max_file_size", max_file_size)
    options = ExportOptions(
        out=out,
        words=(*words, "report") if metric_sets and "report" not in words else words,
        format=pick("format", format_),
        compression=pick("compression", compression),
        partition=_folders(pick("partition", partition)),
        keep_raw=bool(pick("keep_raw", keep_raw)),
        report=ReportQuery(
            metric_sets=metric_sets,
            first=_day("--reports-from", pick("reports_from", reports_from)),
            look_back_days=int(pick("look_back_days", look_back_days)),
        ),
        max_file_bytes=MAX_FILE_BYTES if size is None else bytes_of("--max-file-size", size),
        pace=changed_pace(Pace(), rate, reserve, concurrency),
        limits=changed_limits(Limits(), None, max_duration, max_requests, None, give_up_after),
        state_dir=state_dir,
    )
    credentials = credentials_for(context, profile)

    run_and_leave(
        context, partial(bring_up_to_date, options, credentials), json=json, progress=progress, log_format=log_format
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_words(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_day(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, dt.date) and not isinstance(value, dt.datetime))


def _is_days(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_LOOK_BACK_DAYS


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_IN_FILE: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("what", "reports", "partition"), (_is_words, 'texts, such as ["items", "customers"]')),
    "reports_from": (_is_day, "a day, such as 2026-11-22"),
    "look_back_days": (_is_days, f"a number of days from 0 to {MOST_LOOK_BACK_DAYS}"),
    **dict.fromkeys(("format", "compression"), (_is_text, 'a text, such as "zstd"')),
    "keep_raw": (_is_flag, "true or false"),
    "max_file_size": (_is_text, 'a text, such as "20GB"'),
}


def _refuse_kind(config: Path | None, name: str, value: Any) -> None:
    is_fit, wanted = _IN_FILE[name]
    if not is_fit(value):
        raise UsageError(f"{config}: {name} is not valid; write {wanted}")


def _laid_over(context: typer.Context, config: Path | None) -> Callable[[str, Any], Any]:
    """Return how a value is found: a flag or a variable that was given, else what the file says, else the default."""
    found: Mapping[str, Any] = {} if config is None else load_toml(config)
    for name, value in found.items():
        if name in _IN_FILE:
            _refuse_kind(config, name, value)
        else:
            meant = closest(name, _IN_FILE)
            hint = f"; did you mean {meant}?" if meant else f"; there are: {', '.join(_IN_FILE)}"
            raise UsageError(f"{config} has {name}, which a dump does not know{hint}")

    def pick(name: str, value: Any) -> Any:
        source = context.get_parameter_source("format_" if name == "format" else name)
        is_given = source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")
        return value if is_given else found.get(name, value)

    return pick


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


def _names(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else str(value).split(",")
    return tuple(name for part in parts if (name := str(part).strip()))


def _folders(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return () if value in ("none", []) else _names(value)


def _time(flag: str, text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{flag} {text}: write a day or a time, such as 2026-11-22 or 2026-11-22T08:00Z") from None


def _day(flag: str, value: Any) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"{flag} {value}: write a day, such as 2026-11-22") from None
