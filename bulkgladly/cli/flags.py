"""The flags that several commands share, each with its environment variable."""

from pathlib import Path
from typing import Annotated

import typer

from bulkgladly.local_paths import local_path

__all__ = (
    "Accept",
    "Concurrency",
    "Delimiter",
    "Encoding",
    "GiveUpAfter",
    "IgnoreColumns",
    "InputFormat",
    "Json",
    "Key",
    "LogFormat",
    "MapFile",
    "MaxDuration",
    "MaxErrors",
    "MaxRequests",
    "MaxRows",
    "Namespace",
    "Null",
    "OnConflict",
    "OnDuplicate",
    "PhoneRegion",
    "Profile",
    "Progress",
    "Rate",
    "Reserve",
    "StateDir",
    "Transform",
)


def _local_state_dir(value: Path) -> Path:
    return local_path(value, what="--state-dir")


_PACE, _STOP, _OUTPUT, _WHERE = "Pace", "When to stop", "Output", "Where"
_CONTENT, _READING = "What happens to a record", "Reading"

Rate = Annotated[
    str | None,
    typer.Option(
        help="Requests per second at most. (default: what Gladly allows, less the reserve)",
        envvar="BULKGLADLY_RATE",
        rich_help_panel=_PACE,
    ),
]
Reserve = Annotated[
    str | None,
    typer.Option(
        help="Share of Gladly's limit left to your other integrations: 0.1 or 10%. (default: 0.1)",
        envvar="BULKGLADLY_RESERVE",
        rich_help_panel=_PACE,
    ),
]
Concurrency = Annotated[
    str | None,
    typer.Option(
        help="Records on their way at once: auto, or a number. (default: auto)",
        envvar="BULKGLADLY_CONCURRENCY",
        rich_help_panel=_PACE,
    ),
]
MaxErrors = Annotated[
    str | None,
    typer.Option(
        help="Stop (exit code 3) when more records are rejected: 100, or 1% (judged from 100 rows on).",
        envvar="BULKGLADLY_MAX_ERRORS",
        rich_help_panel=_STOP,
    ),
]
MaxDuration = Annotated[
    str | None,
    typer.Option(
        help="Stop (exit code 10, resumable) after this time: 90s, 30m, 8h.",
        envvar="BULKGLADLY_MAX_DURATION",
        rich_help_panel=_STOP,
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Stop (exit code 10, resumable) after this many requests to Gladly, whatever they are.",
        envvar="BULKGLADLY_MAX_REQUESTS",
        rich_help_panel=_STOP,
    ),
]
MaxRows = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="Take only the next N rows (exit code 10, resumable, when there are more).",
        envvar="BULKGLADLY_LIMIT",
        rich_help_panel=_STOP,
    ),
]
GiveUpAfter = Annotated[
    str | None,
    typer.Option(
        help="How long an outage is waited out before the run ends (exit code 5, resumable). (default: 1h)",
        envvar="BULKGLADLY_GIVE_UP_AFTER",
        rich_help_panel=_STOP,
    ),
]
StateDir = Annotated[
    Path,
    typer.Option(
        help="Where runs and what they remember are kept.",
        envvar="BULKGLADLY_STATE_DIR",
        callback=_local_state_dir,
        rich_help_panel=_WHERE,
        file_okay=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Credentials from this profile of the settings file. (default: GLADLY_HOST and its siblings)",
        envvar="BULKGLADLY_PROFILE",
        rich_help_panel=_WHERE,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the result as JSON on stdout.",
        envvar="BULKGLADLY_JSON",
        rich_help_panel=_OUTPUT,
    ),
]
Progress = Annotated[
    str,
    typer.Option(
        help="auto, bar (a live view), line (one line a minute) or none.",
        envvar="BULKGLADLY_PROGRESS",
        rich_help_panel=_OUTPUT,
    ),
]
LogFormat = Annotated[
    str,
    typer.Option(
        help="How lines on stderr look: text or json.",
        envvar="BULKGLADLY_LOG_FORMAT",
        rich_help_panel=_OUTPUT,
    ),
]
Accept = Annotated[
    bool,
    typer.Option("--accept-changed-input", help="Go on although an input file has changed since the run began."),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="The column that identifies a row in your system. (default: the row's own id, else its content)",
        envvar="BULKGLADLY_KEY",
        rich_help_panel=_CONTENT,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        help="Separates source systems whose keys overlap.",
        envvar="BULKGLADLY_NAMESPACE",
        rich_help_panel=_CONTENT,
    ),
]
OnConflict = Annotated[
    str,
    typer.Option(
        help="When an email or mobile number belongs to another customer: quarantine, skip, update or merge.",
        envvar="BULKGLADLY_ON_CONFLICT",
        rich_help_panel=_CONTENT,
    ),
]
OnDuplicate = Annotated[
    str,
    typer.Option(
        help="When a key comes twice with different content: reject the later row, or let the last win.",
        envvar="BULKGLADLY_ON_DUPLICATE",
        rich_help_panel=_CONTENT,
    ),
]
Null = Annotated[
    str,
    typer.Option(
        help="What a null in the input means: keep what Gladly has, or clear it.",
        envvar="BULKGLADLY_NULL",
        rich_help_panel=_CONTENT,
    ),
]
PhoneRegion = Annotated[
    str | None,
    typer.Option(
        help="Country of national phone numbers, such as GB. Without it they are rejected.",
        envvar="BULKGLADLY_PHONE_REGION",
        rich_help_panel=_CONTENT,
    ),
]
IgnoreColumns = Annotated[
    str,
    typer.Option(
        help="Columns to leave out, with commas between; * for all unknown ones.",
        envvar="BULKGLADLY_IGNORE_COLUMNS",
        rich_help_panel=_CONTENT,
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        help="A mapping file: how the rows become records; see `bulkgladly map`.",
        envvar="BULKGLADLY_MAP",
        rich_help_panel=_CONTENT,
        dir_okay=False,
    ),
]
Transform = Annotated[
    str | None,
    typer.Option(
        help="A function of your own, as module:function, that is given each row first.",
        envvar="BULKGLADLY_TRANSFORM",
        rich_help_panel=_CONTENT,
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="ndjson, csv, parquet or arrow. (default: by the file's name)",
        envvar="BULKGLADLY_FORMAT",
        rich_help_panel=_READING,
    ),
]
Encoding = Annotated[
    str,
    typer.Option(help="Encoding of text files.", envvar="BULKGLADLY_ENCODING", rich_help_panel=_READING),
]
Delimiter = Annotated[
    str,
    typer.Option(
        help="Delimiter of CSV files; a tab in .tsv files.",
        envvar="BULKGLADLY_DELIMITER",
        rich_help_panel=_READING,
    ),
]
