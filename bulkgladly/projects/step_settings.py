"""The options of an import as a project file names them: as the long flags of `import`, with underscores."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bulkgladly.choices import (
    Attributes,
    FailOn,
    InputFormat,
    InvalidContacts,
    MissingNames,
    Null,
    OnConflict,
    OnDuplicate,
    Owner,
)
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.owners import field_of_column
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.mapping.tables import Table
from bulkgladly.records import Mode

__all__ = ("fix_in_file", "options_from", "read_settings")

_TEXTS = ("key", "namespace", "phone_region", "encoding", "delimiter", "sheet")
_SWITCHES = ("read_first", "undoable", "force_close", "show_values")
_CHOICES: Mapping[str, Iterable[str]] = {
    "mode": (Mode.CREATE, Mode.UPDATE, Mode.UPSERT),
    "on_conflict": OnConflict,
    "on_duplicate": OnDuplicate,
    "null": Null,
    "invalid_contacts": InvalidContacts,
    "attributes": Attributes,
    "missing_names": MissingNames,
    "fail_on": FailOn,
    "format": InputFormat,
}
_READING = ("encoding", "delimiter", "format", "skip_lines", "sheet")
_FLAG = re.compile(r"--([a-z-]+)(?: ([A-Za-z0-9]+)\b)?")
_OF_THE_COMMAND = (
    *("rate", "reserve", "concurrency", "max_errors", "max_duration", "max_requests", "give_up_after"),
    *("state_dir", "profile", "progress", "log_format", "json"),
)
"""Options that say how and where to run, not what the rows are."""
_ELSEWHERE: Mapping[str, str] = {
    **{
        name: f"pass --{name.replace('_', '-')} to `bulkgladly migrate run`, or put it into bulkgladly.toml"
        for name in _OF_THE_COMMAND
    },
    "limit": "try a project with `bulkgladly migrate run --rehearse`, or one file with `bulkgladly import --limit`",
    "i_know_this_contacts_people": "import what contacts people by itself, without a project",
}


def read_settings(table: Table) -> dict[str, Any]:
    """Return the options in `[defaults]` or in a step; the caller reads the other keys and finishes the table.

    Raises:
        UsageError: A value is not valid, or an option has another place.
    """
    for name in table.given(_ELSEWHERE):
        table.fail(name, f"is not an option of a step; {_ELSEWHERE[name]}")
    if table.name != "defaults" and isinstance(table.value("mode"), str) and table.value("mode") == Mode.DELETE:
        table.fail("mode", 'cannot be "delete", which cannot be undone; use `bulkgladly import --mode delete`')
    found: dict[str, Any] = {name: table.text(name) for name in _TEXTS}
    found |= {name: table.choice(name, choices) for name, choices in _CHOICES.items()}
    found |= {name: table.flag(name) for name in _SWITCHES if name in table}
    for name in _SWITCHES:
        table.value(name)  # asked for, so that a misspelt key is compared with it
    lines = table.number("skip_lines")
    if lines is not None and lines < 0:
        table.fail("skip_lines", "must be at least 0")
    words = table.value("ignore_columns")
    if words is not None:
        found["ignore_columns"] = _words(table, words)
    owners = table.table("owner")
    if owners is not None and table.name == "defaults":
        table.fail("owner", "belongs to a step, because every object has fields of its own")
    if owners is not None:
        found["owners"] = tuple((field_of_column(field), _owner(owners, field)) for field, _ in owners.items())
    return {name: value for name, value in {**found, "skip_lines": lines}.items() if value is not None}


def _owner(table: Table, field: str) -> str:
    return table.choice(field, Owner) or Owner.SOURCE


def _words(table: Table, given: Any) -> tuple[str, ...]:
    words = [word.strip() for word in given.split(",")] if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        table.fail("ignore_columns", 'must be a list of columns, such as ["url", "updated_at"]')
    return tuple(word for word in words if word)


def options_from(settings: Mapping[str, Any], where: str, **more: Any) -> ImportOptions:
    """Return the options of an import from what `read_settings` has returned; `more` are its other fields.

    Raises:
        UsageError: They do not go together; the message begins with `where`.
    """
    reading = {name: settings[name] for name in _READING if name in settings}
    own = {name: value for name, value in settings.items() if name not in _READING}
    if "mode" in own:
        own["mode"] = Mode(own["mode"])
    try:
        return ImportOptions(**own, reading=ReadOptions(**reading), **more)
    except UsageError as error:
        raise UsageError(f"{where}: {_in_words_of_the_file(str(error))}") from error


def _in_words_of_the_file(message: str) -> str:
    """Return a message about a flag as one about the option of the same name."""
    flag, space, rest = message.partition(" ")
    return f"{flag.removeprefix('--').replace('-', '_')}{space}{rest}" if flag.startswith("--") else message


def fix_in_file(fix: str) -> str:
    """Return what helps against a finding, with options of the file in place of the flags that a project has not."""
    told = _FLAG.sub(_as_option, fix)
    return fix if told == fix else told.replace("pass ", "set ")


def _as_option(flag: re.Match[str]) -> str:
    name, value = flag[1].replace("-", "_"), flag[2]
    if name not in (*_TEXTS, *_SWITCHES, *_CHOICES, *_READING, "ignore_columns"):
        return flag[0]
    return (f'{name} = "{value}"' if value else name) + " in the project file"
