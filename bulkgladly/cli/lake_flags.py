"""The options of `export` and `dump`: what is fetched, for which ids, which reports, and in which files."""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import OutputFormat
from bulkgladly.cli import completions
from bulkgladly.cli.flag_groups import FlagGroup
from bulkgladly.cli.flags import call_option, choices_of, option
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.values import bytes_of, seconds_of
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.exports.export_options import ReportQuery

__all__ = (
    "FileFlags",
    "LookBack",
    "OutFolder",
    "ParentFlags",
    "ReportFlags",
    "SpanFlags",
    "day_of",
    "time_of_flag",
    "time_or_age_of_flag",
)

MOST_LOOK_BACK_DAYS = 3650
_AGE = re.compile(r"\d+(\.\d+)?[smhd]", re.ASCII)
# Written out, because the command line loads nothing of what Gladly looks like. A test compares them.
_AGGREGATIONS = "halfHourly|daily|weekly|monthly|quarterly"
_WHAT, _IDS, _REPORTS, _FILES = "What to export", "For which ids", "Reports", "Files"

OutFolder = Annotated[Path, typer.Argument(help="The folder of the data set.", metavar="DIR", file_okay=False)]
LookBack = Annotated[
    int,
    option(
        "--look-back-days",
        "Re-read the last N days of reports, because Gladly revises recent rows.",
        _REPORTS,
        "N",
        min=0,
        max=MOST_LOOK_BACK_DAYS,
    ),
]


@dataclass(frozen=True)
class SpanFlags(FlagGroup):
    """The time that is exported, and whether it is fetched again."""

    since: Annotated[
        str | None,
        call_option("--since", "Only what happened after this day or time (UTC).", _WHAT, "TIME"),
    ] = None
    until: Annotated[
        str | None,
        call_option("--until", "Only what happened before this day or time (UTC).", _WHAT, "TIME"),
    ] = None
    refresh: Annotated[bool, option("--refresh", "Fetch again what the data set already has.", _WHAT)] = False

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `ExportOptions`.

        Raises:
            UsageError: The value of an option is not a time.
        """
        since, until = time_of_flag("--since", self.since), time_of_flag("--until", self.until)
        return {"since": since, "until": until, "refresh": self.refresh}


@dataclass(frozen=True)
class ParentFlags(FlagGroup):
    """The ids to fetch for, for objects that the API returns only for one id at a time."""

    ids: Annotated[
        Path | None,
        call_option("--ids", "A file with the ids to fetch for: one a line, or in a column named id.", _IDS, "FILE"),
    ] = None
    emails: Annotated[
        Path | None,
        call_option("--emails", "A file with the email addresses of the customers to fetch.", _IDS, "FILE"),
    ] = None
    from_dataset: Annotated[
        Path | None,
        call_option(
            "--from-dataset",
            "A data set whose rows hold the ids; may be the same as --out.",
            _IDS,
            "DIR",
            file_okay=False,
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `ExportOptions`."""
        return {"ids": self.ids, "emails": self.emails, "from_dataset": self.from_dataset}


@dataclass(frozen=True)
class ReportFlags(FlagGroup):
    """Which reports, and for which days."""

    first: Annotated[str | None, call_option("--from", "First day of a report (UTC).", _REPORTS, "DAY")] = None
    last: Annotated[str | None, call_option("--to", "Last day of a report (UTC), inclusive.", _REPORTS, "DAY")] = None
    all_: Annotated[bool, call_option("--all", "Every report that needs no other option.", _REPORTS)] = False
    inbox: Annotated[list[str] | None, call_option("--inbox", "Only this inbox; repeatable.", _REPORTS, "ID")] = None
    team: Annotated[list[str] | None, call_option("--team", "Only this team; repeatable.", _REPORTS, "ID")] = None
    channel: Annotated[
        str | None,
        call_option(
            "--channel",
            "Only this channel: chat, email, sms, voice, fbMessenger, instagramDirect, twitter, whatsapp, allChannels.",
            _REPORTS,
            "NAME",
            autocompletion=completions.report_channels,
        ),
    ] = None
    aggregation: Annotated[
        str | None,
        call_option(
            "--aggregation",
            "The span of time that a row covers. (default: daily)",
            _REPORTS,
            _AGGREGATIONS,
            autocompletion=completions.report_levels,
        ),
    ] = None
    phone_number: Annotated[
        str | None,
        call_option("--phone-number", "The phone number of an IVR report (E.164).", _REPORTS, "NUMBER"),
    ] = None
    look_back_days: LookBack = 3

    def query(self, metric_sets: tuple[str, ...]) -> "ReportQuery":
        """Return the reports to fetch.

        Raises:
            UsageError: The value of an option is not a day.
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
        OutputFormat, option("--format", "The format of the files.", _FILES, choices_of(OutputFormat))
    ] = OutputFormat.PARQUET
    compression: Annotated[
        str | None,
        option(
            "--compression",
            "The compression of the files. (default: zstd for Parquet, else none)",
            _FILES,
            "zstd|snappy|gzip|none",
            autocompletion=completions.compressions,
        ),
    ] = None
    partition: Annotated[
        str | None,
        option(
            "--partition",
            "Comma-separated folders of a new data set: type, entity, date or month; or none. (default: those it has)",
            _FILES,
            "COLUMNS",
        ),
    ] = None
    keep_raw: Annotated[
        bool, option("--keep-raw", "Also keep each download as it came, as .jsonl.zst below _raw.", _FILES)
    ] = False
    max_file_size: Annotated[
        str | None,
        option("--max-file-size", "Refuse downloads larger than this: 500MB, 20GB. (default: 1TB)", _FILES, "SIZE"),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `ExportOptions`.

        Raises:
            UsageError: The value of an option is not a size.
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


def time_of_flag(flag: str, text: str | None) -> dt.datetime | None:
    """Return a time in UTC, written as a day or a time; without a zone it is in UTC.

    Raises:
        UsageError: Neither.
    """
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{flag} {text} is not a day or a time; use 2026-11-22 or 2026-11-22T08:00Z, for example"
        ) from None


def time_or_age_of_flag(flag: str, text: str | None) -> dt.datetime | None:
    """Return a time in UTC, written as `time_of_flag` takes it, or as an age: 90s, 30m, 8h or 2d ago.

    Raises:
        UsageError: None of these.
    """
    if text is not None and _AGE.fullmatch(text):
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_of(flag, text))
    try:
        return time_of_flag(flag, text)
    except UsageError:
        raise UsageError(
            f"{flag} {text} is not a time; use 8h (that long ago), 2026-11-22 or 2026-11-22T08:00Z, for example"
        ) from None


def day_of(flag: str, text: str | None) -> dt.date | None:
    """Return a day, written as 2026-11-22.

    Raises:
        UsageError: Not a day.
    """
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag} {text} is not a day; use 2026-11-22, for example") from None
