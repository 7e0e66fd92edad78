"""The words that decide what a run does with what it meets, and how it is shown: one closed list for each."""

import enum

__all__ = (
    "Attributes",
    "InputFormat",
    "LogFormat",
    "MissingNames",
    "Null",
    "OnConflict",
    "OnDuplicate",
    "OutputFormat",
    "ProgressView",
)


class OnConflict(enum.StrEnum):
    """What happens to a record whose email address or mobile number belongs to another customer."""

    QUARANTINE = "quarantine"
    SKIP = "skip"
    UPDATE = "update"
    MERGE = "merge"


class OnDuplicate(enum.StrEnum):
    """What happens to a later row with a key that an earlier row had, and with other content."""

    REJECT = "reject"
    LAST = "last"


class Null(enum.StrEnum):
    """What a null in the input means for a field that Gladly holds."""

    KEEP = "keep"
    CLEAR = "clear"


class Attributes(enum.StrEnum):
    """Whether a PATCH of some custom attributes is known to leave the others alone."""

    UNKNOWN = "unknown"
    MERGE = "merge"


class MissingNames(enum.StrEnum):
    """What happens when rows name an inbox, agent, topic or audience that does not exist."""

    STOP = "stop"
    REJECT = "reject"


class InputFormat(enum.StrEnum):
    """The formats of input files."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


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
    """How lines on stderr look."""

    TEXT = "text"
    JSON = "json"
