"""The flags that several commands share, each with its environment variable."""

from pathlib import Path
from typing import Annotated

import typer

from bulkgladly import choices
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
        help="Requests per second, at most. (default: what Gladly allows, less the reserve)",
        envvar="BULKGLADLY_RATE",
        rich_help_panel=_PACE,
    ),
]
Reserve = Annotated[
    str | None,
    typer.Option(
        help="Share of Gladly's limit to leave to your other integrations: 0.1 or 10%. (default: 0.1)",
        envvar="BULKGLADLY_RESERVE",
        rich_help_panel=_PACE,
    ),
]
Concurrency = Annotated[
    str | None,
    typer.Option(
        help="Requests in flight at once: auto, or a number. (default: auto)",
        envvar="BULKGLADLY_CONCURRENCY",
        rich_help_panel=_PACE,
    ),
]
MaxErrors = Annotated[
    str | None,
    typer.Option(
        help="Stop (exit code 3) when more records are rejected than this: 100, or 1% (judged from 100 rows on).",
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
        help="Stop (exit code 10, resumable) after this many requests to Gladly.",
        envvar="BULKGLADLY_MAX_REQUESTS",
        rich_help_panel=_STOP,
    ),
]
MaxRows = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="Import only the next N rows (exit code 10, resumable, if there are more).",
        envvar="BULKGLADLY_LIMIT",
        rich_help_panel=_STOP,
    ),
]
GiveUpAfter = Annotated[
    str | None,
    typer.Option(
        help="How long to wait for Gladly during an outage before stopping (exit code 5, resumable). (default: 1h)",
        envvar="BULKGLADLY_GIVE_UP_AFTER",
        rich_help_panel=_STOP,
    ),
]
StateDir = Annotated[
    Path,
    typer.Option(
        help="The directory for runs and for what they remember.",
        envvar="BULKGLADLY_STATE_DIR",
        callback=_local_state_dir,
        rich_help_panel=_WHERE,
        file_okay=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Use the credentials of this profile in the settings file. (default: the GLADLY_* environment variables)",
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
    choices.ProgressView,
    typer.Option(
        help="How to show progress: bar is a live view, line one line a minute.",
        envvar="BULKGLADLY_PROGRESS",
        rich_help_panel=_OUTPUT,
    ),
]
LogFormat = Annotated[
    choices.LogFormat,
    typer.Option(
        help="The format of lines on stderr.",
        envvar="BULKGLADLY_LOG_FORMAT",
        rich_help_panel=_OUTPUT,
    ),
]
Accept = Annotated[
    bool,
    typer.Option("--accept-changed-input", help="Continue although an input file has changed since the run began."),
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
        help="Keeps source systems apart whose keys overlap.",
        envvar="BULKGLADLY_NAMESPACE",
        rich_help_panel=_CONTENT,
    ),
]
OnConflict = Annotated[
    choices.OnConflict,
    typer.Option(
        help="What to do when an email address or mobile number belongs to another customer.",
        envvar="BULKGLADLY_ON_CONFLICT",
        rich_help_panel=_CONTENT,
    ),
]
OnDuplicate = Annotated[
    choices.OnDuplicate,
    typer.Option(
        help="What to do when a key comes twice with different content: reject the later row, or let the last row win.",
        envvar="BULKGLADLY_ON_DUPLICATE",
        rich_help_panel=_CONTENT,
    ),
]
Null = Annotated[
    choices.Null,
    typer.Option(
        help="What a null in the input means: keep what Gladly has, or clear it.",
        envvar="BULKGLADLY_NULL",
        rich_help_panel=_CONTENT,
    ),
]
PhoneRegion = Annotated[
    str | None,
    typer.Option(
        help="The country of national phone numbers, such as GB. Without it they are rejected.",
        envvar="BULKGLADLY_PHONE_REGION",
        rich_help_panel=_CONTENT,
    ),
]
IgnoreColumns = Annotated[
    str,
    typer.Option(
        help="Comma-separated columns to leave out; * for all unknown ones.",
        envvar="BULKGLADLY_IGNORE_COLUMNS",
        rich_help_panel=_CONTENT,
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        help="A mapping file, which says how rows become records; see `bulkgladly map`.",
        envvar="BULKGLADLY_MAP",
        rich_help_panel=_CONTENT,
        dir_okay=False,
    ),
]
Transform = Annotated[
    str | None,
    typer.Option(
        help="Your own function, as module:function, that gets each row first.",
        envvar="BULKGLADLY_TRANSFORM",
        rich_help_panel=_CONTENT,
    ),
]
InputFormat = Annotated[
    choices.InputFormat | None,
    typer.Option(
        "--format",
        help="The format of the input files. (default: by file name)",
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
