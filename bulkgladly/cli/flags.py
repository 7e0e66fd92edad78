"""The options that several commands share, each with its text. Its environment variable follows from its name."""

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly import choices
from bulkgladly.cli import completions
from bulkgladly.local_paths import local_path

__all__ = (
    "CONTACTS_PEOPLE",
    "Accept",
    "After",
    "Canary",
    "Concurrency",
    "Delimiter",
    "Encoding",
    "FailOn",
    "FinishBy",
    "GiveUpAfter",
    "IgnoreColumns",
    "InputFiles",
    "InputFormat",
    "InvalidContacts",
    "Json",
    "Key",
    "Languages",
    "LogFormat",
    "MapFile",
    "MaxDuration",
    "MaxErrors",
    "MaxRequests",
    "MaxRows",
    "Namespace",
    "NewRun",
    "Null",
    "OnConflict",
    "OnDuplicate",
    "PhoneRegion",
    "Profile",
    "Progress",
    "Rate",
    "RateSchedule",
    "Reserve",
    "RowsObject",
    "ShowValues",
    "StateDir",
    "Transform",
    "Zone",
    "call_option",
    "choices_of",
    "option",
)

RECORDS, INPUT, SAFETY, OUTPUT = "Records", "Input files", "Safety", "Output"
_PACE, _LIMITS, _STATE = "Pace", "Limits", "State and credentials"


def option(
    name: str, help_: str, panel: str, metavar: str | None = None, *, has_variable: bool = True, **more: Any
) -> Any:
    """Return the declaration of an option; `metavar` says what it takes, and a switch has none.

    With `has_variable` the environment may give it, as `BULKGLADLY_MAX_ERRORS` gives `--max-errors`.
    """
    variable = "BULKGLADLY_" + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        name,
        help=help_,
        metavar=metavar,
        rich_help_panel=panel,
        envvar=variable if has_variable else None,
        show_envvar=False,
        **more,
    )


def call_option(name: str, help_: str, panel: str, metavar: str | None = None, **more: Any) -> Any:
    """Return the declaration of an option that is meant for one call, and that the environment cannot give."""
    return option(name, help_, panel, metavar, has_variable=False, **more)


def choices_of(words: type[enum.StrEnum]) -> str:
    """Return a closed list of words as a help page shows it: `keep|clear`."""
    return "|".join(words)


def _local_state_dir(value: Path) -> Path:
    return local_path(value, what="--state-dir")


Rate = Annotated[
    str | None,
    option("--rate", "Send at most N requests a second. (default: Gladly's limit, less --reserve)", _PACE, "N"),
]
Reserve = Annotated[
    str | None,
    option(
        "--reserve",
        "Share of Gladly's limit to leave to your other integrations, such as 0.1 or 10%. (default: 0.1)",
        _PACE,
        "SHARE",
    ),
]
RateSchedule = Annotated[
    str | None,
    option(
        "--rate-schedule",
        'Requests a second by weekday and time: "Mon-Fri 08:00 3, 20:00 9; Sat-Sun 9". 0 sends nothing, usual is the '
        "pace without it; none for no schedule.",
        _PACE,
        "TEXT",
    ),
]
Zone = Annotated[
    str | None,
    option(
        "--zone",
        "The time zone of --rate-schedule, such as Europe/Berlin. (default: that of your organisation)",
        _PACE,
        "NAME",
    ),
]
Concurrency = Annotated[
    str | None,
    option("--concurrency", "Requests in flight at once: auto, or a number. (default: auto)", _PACE, "auto|N"),
]
MaxErrors = Annotated[
    str | None,
    option(
        "--max-errors",
        "Stop (exit code 3) if more records are rejected than this: 100, or 1% (judged from 100 rows on).",
        _LIMITS,
        "N|PERCENT%",
    ),
]
FailOn = Annotated[
    choices.FailOn | None,
    option(
        "--fail-on",
        "Which rejects make a finished import exit with code 1: any, only new ones (not rejected for the same "
        "reason before), or none. (default: any)",
        _LIMITS,
        choices_of(choices.FailOn),
    ),
]
MaxDuration = Annotated[
    str | None,
    option("--max-duration", "Stop (exit code 10, resumable) after this time: 90s, 30m, 8h.", _LIMITS, "TIME"),
]
FinishBy = Annotated[
    str | None,
    option(
        "--finish-by",
        "Refuse what cannot be done by this time, and stop then (exit code 10, resumable): 06:00, or 2026-11-28T06:00.",
        _LIMITS,
        "TIME",
    ),
]
Canary = Annotated[
    int | None,
    call_option(
        "--canary",
        "Write N records, then stop for you to check them (exit code 10); `resume` writes the rest.",
        _LIMITS,
        "N",
        min=1,
    ),
]
MaxRequests = Annotated[
    int | None,
    option("--max-requests", "Stop (exit code 10, resumable) after N requests to Gladly.", _LIMITS, "N", min=1),
]
MaxRows = Annotated[
    int | None,
    option("--limit", "Import only the next N rows (exit code 10, resumable, if there are more).", _LIMITS, "N", min=1),
]
MaxObjects = Annotated[
    int | None,
    option("--limit", "Take back only N objects (exit code 10, resumable, if there are more).", _LIMITS, "N", min=1),
]
GiveUpAfter = Annotated[
    str | None,
    option(
        "--give-up-after",
        "Stop (exit code 5, resumable) if an outage of Gladly lasts longer than this. (default: 1h)",
        _LIMITS,
        "TIME",
    ),
]
StateDir = Annotated[
    Path,
    option(
        "--state-dir",
        "The folder for runs, and for what bulkgladly remembers between them.",
        _STATE,
        "DIR",
        callback=_local_state_dir,
        file_okay=False,
    ),
]
Profile = Annotated[
    str | None,
    option(
        "--profile",
        "Use the credentials of this profile in the settings file. (default: the GLADLY_* environment variables)",
        _STATE,
        "NAME",
        autocompletion=completions.profiles,
    ),
]
Json = Annotated[bool, option("--json", "Print the result as JSON on stdout.", OUTPUT)]
Progress = Annotated[
    choices.ProgressView,
    option(
        "--progress",
        "How to show progress: bar is a live view, line prints one line a minute.",
        OUTPUT,
        choices_of(choices.ProgressView),
    ),
]
LogFormat = Annotated[
    choices.LogFormat,
    option("--log-format", "The format of the lines on stderr.", OUTPUT, choices_of(choices.LogFormat)),
]
ShowValues = Annotated[
    bool,
    call_option("--show-values", "Show the values of rows instead of masking them. They may be personal data.", OUTPUT),
]
Languages = Annotated[
    str,
    option(
        "--languages",
        "Comma-separated languages of your organisation, such as en-us,de-de. Others are refused.",
        "What is checked",
        "CODES",
    ),
]
Accept = Annotated[
    bool,
    call_option("--accept-changed-input", "Continue even if an input file has changed since the run began.", SAFETY),
]
NewRun = Annotated[
    bool,
    call_option(
        "--new-run", "Start a new run even if an earlier one of the same input or folder is not finished.", SAFETY
    ),
]
CONTACTS_PEOPLE = call_option(
    "--i-know-this-contacts-people",
    "Allow sms, emails, replies and recipient-collections, which message people. One record is sent first, for you "
    "to check.",
    SAFETY,
)
InputFiles = Annotated[
    list[str],
    typer.Argument(
        help="NDJSON, CSV, Excel, Parquet or Arrow files; .gz, .zst; globs; - for standard input.",
        metavar="FILE",
    ),
]
PlannedFiles = Annotated[
    list[str],
    typer.Argument(help="NDJSON, CSV, Excel, Parquet or Arrow files; .gz, .zst; globs.", metavar="FILE"),
]
RowsObject = Annotated[
    str,
    typer.Argument(
        help="What the rows are, as in `import`: customers, tasks, ...",
        metavar="OBJECT",
        autocompletion=completions.objects_to_import,
    ),
]
After = Annotated[
    str,
    option(
        "--after",
        "Comma-separated earlier runs whose source keys the rows refer to (customerKey, taskKey, ...).",
        RECORDS,
        "RUNS",
        autocompletion=completions.several_runs,
    ),
]
Key = Annotated[
    str | None,
    option(
        "--key",
        "The column that identifies a row in your system. (default: the row's own id, else its content)",
        RECORDS,
        "COLUMN",
    ),
]
Namespace = Annotated[
    str,
    option("--namespace", "The source system. Set it if the keys of several systems overlap.", RECORDS, "NAME"),
]
OnConflict = Annotated[
    choices.OnConflict,
    option(
        "--on-conflict",
        "What to do if an email address or mobile number belongs to another customer.",
        RECORDS,
        choices_of(choices.OnConflict),
    ),
]
OnDuplicate = Annotated[
    choices.OnDuplicate,
    option(
        "--on-duplicate",
        "What to do if two rows have the same key and different content: reject the later row, or let the last row "
        "win.",
        RECORDS,
        choices_of(choices.OnDuplicate),
    ),
]
Null = Annotated[
    choices.Null,
    option(
        "--null",
        "What a null in the input means: keep what Gladly has, or clear it.",
        RECORDS,
        choices_of(choices.Null),
    ),
]
InvalidContacts = Annotated[
    choices.InvalidContacts | None,
    option(
        "--invalid-contacts",
        "What to do with a customer whose email or phone is not valid: reject the row, or drop only that value. "
        "(default: what the mapping says, else reject)",
        RECORDS,
        choices_of(choices.InvalidContacts),
    ),
]
PhoneRegion = Annotated[
    str | None,
    option(
        "--phone-region",
        "The country of local phone numbers, such as GB. Without it they are rejected.",
        RECORDS,
        "COUNTRY",
    ),
]
Owners = Annotated[
    list[str] | None,
    call_option(
        "--owner",
        "Who decides what an update does to a field: source (the file), gladly (never written), fill (only if empty) "
        "or union (lists: add only). (default: source, for emails and phones union) Repeatable.",
        RECORDS,
        "FIELD=OWNER",
    ),
]
IgnoreColumns = Annotated[
    str,
    option("--ignore-columns", "Comma-separated columns to leave out; * for all unknown ones.", RECORDS, "COLUMNS"),
]
MapFile = Annotated[
    Path | None,
    option(
        "--map",
        "A mapping file, which turns your columns into Gladly's fields; see `bulkgladly help map`.",
        RECORDS,
        "FILE",
        dir_okay=False,
    ),
]
Transform = Annotated[
    str | None,
    option("--transform", "Your own function, which is given each row first.", RECORDS, "MODULE:FUNCTION"),
]
Variables = Annotated[
    list[str] | None,
    call_option("--var", "A value that goes before that in [vars] of the mapping; repeatable.", RECORDS, "NAME=VALUE"),
]
InputFormat = Annotated[
    choices.InputFormat | None,
    option(
        "--format",
        "The format of the input files. (default: from the file name)",
        INPUT,
        choices_of(choices.InputFormat),
    ),
]
Encoding = Annotated[
    str | None,
    option("--encoding", "The encoding of text files. (default: from the byte order mark, else UTF-8)", INPUT, "NAME"),
]
Delimiter = Annotated[
    str | None,
    option("--delimiter", "The delimiter of CSV files. (default: detected from the header)", INPUT, "CHARACTER"),
]
SkipLines = Annotated[
    int | None,
    option("--skip-lines", "The number of lines (Excel: rows) before the header in CSV files.", INPUT, "N", min=0),
]
Sheet = Annotated[
    str | None, option("--sheet", "The sheet of Excel files. (default: the first one with values)", INPUT, "NAME")
]
