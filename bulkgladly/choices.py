"""The choices of options, one closed list for each, and the message for a word that is not a choice. Pure."""

import difflib
import enum
from collections.abc import Iterable

__all__ = (
    "Attributes",
    "FailOn",
    "InputFormat",
    "InvalidContacts",
    "LogFormat",
    "Missing",
    "MissingNames",
    "NotifyOn",
    "Null",
    "OnConflict",
    "OnDuplicate",
    "OutputFormat",
    "Owner",
    "ProgressView",
    "closest",
    "closest_few",
    "one_of",
    "unsupported",
)


class OnConflict(enum.StrEnum):
    """What happens to a record whose email address or mobile number belongs to another customer."""

    QUARANTINE = "quarantine"
    SKIP = "skip"
    UPDATE = "update"
    MERGE = "merge"


class OnDuplicate(enum.StrEnum):
    """What happens to a row that has the key of an earlier row, and other content."""

    REJECT = "reject"
    LAST = "last"


class Null(enum.StrEnum):
    """What a null in the input means for a field that Gladly holds."""

    KEEP = "keep"
    CLEAR = "clear"


class Attributes(enum.StrEnum):
    """Whether a PATCH of some custom attributes is known not to change the others."""

    UNKNOWN = "unknown"
    MERGE = "merge"


class MissingNames(enum.StrEnum):
    """What happens when rows name an inbox, agent, topic or audience that does not exist."""

    STOP = "stop"
    REJECT = "reject"


class InvalidContacts(enum.StrEnum):
    """What happens to a customer with an email address or a phone number that is not valid."""

    REJECT = "reject"
    DROP = "drop"


class Owner(enum.StrEnum):
    """Who decides what a field of an object that exists holds."""

    SOURCE = "source"
    GLADLY = "gladly"
    FILL = "fill"
    UNION = "union"


class FailOn(enum.StrEnum):
    """Which rejects make a finished import end with exit code 1."""

    ANY = "any"
    NEW = "new"
    NONE = "none"


class NotifyOn(enum.StrEnum):
    """After which ends people are notified."""

    FAILURE = "failure"
    ALWAYS = "always"


class Missing(enum.StrEnum):
    """What happens to the records of earlier imports that a complete input no longer has."""

    TELL = "tell"
    DELETE = "delete"


class InputFormat(enum.StrEnum):
    """The formats of input files."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    XLSX = "xlsx"


class OutputFormat(enum.StrEnum):
    """The formats of a data set's files."""

    PARQUET = "parquet"
    NDJSON = "ndjson"
    CSV = "csv"


class ProgressView(enum.StrEnum):
    """How a run is shown while it works."""

    AUTO = "auto"
    BAR = "bar"
    LINE = "line"
    NONE = "none"


class LogFormat(enum.StrEnum):
    """The format of lines on stderr."""

    TEXT = "text"
    JSON = "json"


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that was probably meant, ignoring case; None if none is close."""
    return next(iter(closest_few(word, known, most=1, cutoff=cutoff)), None)


def closest_few(word: str, known: Iterable[str], *, most: int, cutoff: float = 0.6) -> list[str]:
    """Return up to `most` known words that are close, the closest first, ignoring case."""
    spelled = {one.lower(): one for one in known}
    return [spelled[found] for found in difflib.get_close_matches(word.lower(), spelled, n=most, cutoff=cutoff)]


def one_of(choices: Iterable[str]) -> str:
    """Return the words as a list in a sentence: `a, b or c`."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def unsupported(word: str, choices: Iterable[str]) -> str:
    """Return the message for a word that is not one of the choices."""
    return f"{word!r} is not supported; choose {one_of(choices)}"
