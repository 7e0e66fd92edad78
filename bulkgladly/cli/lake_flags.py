"""The flags of `export` and `dump`: what is fetched, for which parents, which reports, and in which files."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import OutputFormat
from bulkgladly.cli.flag_groups import FlagGroup
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.values import bytes_of
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.exports.export_options import ReportQuery

__all__ = ("FileFlags", "ParentFlags", "ReportFlags", "SpanFlags", "day_of")

MOST_LOOK_BACK_DAYS = 3650
_WHAT, _PARENTS, _REPORTS, _FILES, _SAFETY = "What", "For whom", "Reports", "Files", "Safety"

LookBack = Annotated[
    int,
    typer.Option(
        min=0,
        max=MOST_LOOK_BACK_DAYS,
        help="Re-read the last N days of reports, because Gladly revises recent rows.",
        envvar="BULKGLADLY_LOOK_BACK_DAYS",
        rich_help_panel=_REPORTS,
    ),
]


@dataclass(frozen=True)
class SpanFlags(FlagGroup):
    """From when to when, and whether again."""

    since: Annotated[
        str | None,
        typer.Option(help="Only what happened after this day or time (UTC).", rich_help_panel=_WHAT),
    ] = None
    until: Annotated[
        str | None,
        typer.Option(help="Only what happened before this day or time (UTC).", rich_help_panel=_WHAT),
    ] = None
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="Fetch again what the data set already has.",
            envvar="BULKGLADLY_REFRESH",
            rich_help_panel=_WHAT,
        ),
    ] = False

    def chosen(self) -> dict[str, Any]:
        """Return these flags as fields of `ExportOptions`.

        Raises:
            UsageError: A flag is not a time.
        """
        since, until = _time("--since", self.since), _time("--until", self.until)
        return {"since": since, "until": until, "refresh": self.refresh}


@dataclass(frozen=True)
class ParentFlags(FlagGroup):
    """For which parents objects are fetched that the API gives by parent only."""

    ids: Annotated[
        Path | None,
        typer.Option(
            help="A file with the ids of the parents: one a line, or in a column named id.", rich_help_panel=_PARENTS
        ),
    ] = None
    emails: Annotated[
        Path | None,
        typer.Option(help="A file with email addresses of customers.", rich_help_panel=_PARENTS),
    ] = None
    from_dataset: Annotated[
        Path | None,
        typer.Option(
            help="A data set whose rows name the parents; may be the same as --out.",
            rich_help_panel=_PARENTS,
            file_okay=False,
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these flags as fields of `ExportOptions`."""
        return {"ids": self.ids, "emails": self.emails, "from_dataset": self.from_dataset}


@dataclass(frozen=True)
class ReportFlags(FlagGroup):
    """Which reports, and over which days."""

    first: Annotated[
        str | None, typer.Option("--from", help="First day of a report (UTC).", rich_help_panel=_REPORTS)
    ] = None
    last: Annotated[
        str | None, typer.Option("--to", help="Last day of a report (UTC), inclusive.", rich_help_panel=_REPORTS)
    ] = None
    all_: Annotated[
        bool, typer.Option("--all", help="Every report that needs no other option.", rich_help_panel=_REPORTS)
    ] = False
    inbox: Annotated[
        list[str] | None, typer.Option(help="Only this inbox (an id); repeatable.", rich_help_panel=_REPORTS)
    ] = None
    team: Annotated[
        list[str] | None, typer.Option(help="Only this team (an id); repeatable.", rich_help_panel=_REPORTS)
    ] = None
    channel: Annotated[str | None, typer.Option(help="Only this channel.", rich_help_panel=_REPORTS)] = None
    aggregation: Annotated[
        str | None,
        typer.Option(help="halfHourly, daily, weekly, monthly or quarterly.", rich_help_panel=_REPORTS),
    ] = None
    phone_number: Annotated[
        str | None, typer.Option(help="The phone number of an IVR report (E.164).", rich_help_panel=_REPORTS)
    ] = None
    look_back_days: LookBack = 3

    def query(self, metric_sets: tuple[str, ...]) -> "ReportQuery":
        """Return which reports are asked for.

        Raises:
            UsageError: A flag is not a day.
        """
        from bulkgladly.exports.export_options import ReportQuery

        return ReportQuery(
            metric_sets=metric_sets,
            first=day_of("--from", self.first),
            last=day_of("--to", self.last),
            inboxes=tuple(self.inbox or ()),
            teams=tuple(self.team or ()),
            channel=self.channel,
            aggregation=self.aggregation,
            phone_number=self.phone_number,
            look_back_days=self.look_back_days,
        )


@dataclass(frozen=True)
class FileFlags(FlagGroup):
    """How the files of a data set are written."""

    format_: Annotated[
        OutputFormat,
        typer.Option("--format", help="The format of the files.", envvar="BULKGLADLY_FORMAT", rich_help_panel=_FILES),
    ] = OutputFormat.PARQUET
    compression: Annotated[
        str | None,
        typer.Option(
            help="Compression: zstd, snappy, gzip or none. (default: zstd for Parquet, else none)",
            envvar="BULKGLADLY_COMPRESSION",
            rich_help_panel=_FILES,
        ),
    ] = None
    partition: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated columns to partition by, or none. (default: those of the data set)",
            envvar="BULKGLADLY_PARTITION",
            rich_help_panel=_FILES,
        ),
    ] = None
    keep_raw: Annotated[
        bool,
        typer.Option(
            "--keep-raw",
            help="Also keep each download as it came, as .jsonl.zst below _raw.",
            envvar="BULKGLADLY_KEEP_RAW",
            rich_help_panel=_FILES,
        ),
    ] = False
    max_file_size: Annotated[
        str | None,
        typer.Option(
            help="Refuse downloads larger than this: 500MB, 20GB. (default: 1TB)",
            envvar="BULKGLADLY_MAX_FILE_SIZE",
            rich_help_panel=_SAFETY,
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these flags as fields of `ExportOptions`.

        Raises:
            UsageError: A flag is not a size.
        """
        from bulkgladly.exports.export_options import MAX_FILE_BYTES

        size = self.max_file_size
        return {
            "format": self.format_,
            "compression": self.compression,
            "partition": _folders(self.partition),
            "keep_raw": self.keep_raw,
            "max_file_bytes": MAX_FILE_BYTES if size is None else bytes_of("--max-file-size", size),
        }


def _folders(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return () if text in ("none", "") else words_of(text)


def _time(flag: str, text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{flag} {text}: write a day or a time, such as 2026-11-22 or 2026-11-22T08:00Z") from None


def day_of(flag: str, text: str | None) -> dt.date | None:
    """Return a day, written as 2026-11-22.

    Raises:
        UsageError: Not a day.
    """
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag} {text}: write a day, such as 2026-11-22") from None
