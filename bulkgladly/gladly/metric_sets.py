"""What is declared of a metric set, and the names that the headers of its reports become. Pure.

The metric sets themselves are in `objects/reports.py`. Gladly's reports have headers for people
("Assigned Agent ID - Current"). Our columns are named by the header in snake case, so that one
header in two spellings (a dash or a hyphen, a space or a no-break space) is one column. Of some
columns only the name in snake case is known.
"""

import enum
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulkgladly.gladly.report_windows import Grain

__all__ = (
    "RESERVED",
    "CellKind",
    "KnownColumn",
    "MetricSet",
    "Period",
    "column_names",
    "known_columns",
    "snake_case",
    "unlisted",
)


OPTIONS = frozenset(("aggregationLevel", "channel", "inboxes", "teams", "phoneNumber"))
"""The fields of a request beside its period; no set takes all of them."""


class CellKind(enum.StrEnum):
    """What the cells of a column are, where that is known."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    FLAG = "flag"


class KnownColumn(NamedTuple):
    """A column that is known before any report is read. `header` is None if only the snake case is known."""

    name: str
    header: str | None
    kind: CellKind


class Period(enum.StrEnum):
    """How a request gives its period."""

    DAYS = "days"
    """`startAt` and `endAt`, both included, in `timezone`."""
    MINUTES = "minutes"
    """`startAtTime` and `endAtTime`, for a few sets."""


@dataclass(frozen=True, slots=True)
class MetricSet:
    """One kind of report.

    `takes` names the fields of a request that it allows beside the period. `key` names the
    columns that identify a row permanently; empty if they are not known. `anchor` names the
    columns with the time of a row, of which the first that has a value counts; only sets whose
    periods may overlap have one. `periods` are the forms in which a period can be given, the
    likelier first. `columns` are those that are known before a report is read, in the order of
    the source. `is_listed` is false for a name that is not in the document's list. `question` is what the
    report answers, in a few words.
    """

    name: str
    grain: Grain
    takes: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    anchor: tuple[str, ...] = ()
    periods: tuple[Period, ...] = (Period.DAYS,)
    columns: tuple[KnownColumn, ...] = ()
    path: str = "/api/v1/reports"
    operation: str = "generateReport"
    is_listed: bool = True
    question: str = ""

    @property
    def is_described(self) -> bool:
        """Whether a source says what is in the report; otherwise only its name does."""
        return bool(self.columns)

    @property
    def has_own_path(self) -> bool:
        """Whether the path of a request names the set, so that its body does not."""
        return self.path != "/api/v1/reports"

    @property
    def splits(self) -> tuple[str, ...]:
        """The filters that divide a day above the row cap into smaller responses, in the order to try them.

        Empty for sets whose rows are sums: a filter changes their values. The channel is left out
        where rows have no key, because it may change which columns are sent, and then one row
        would look like two.
        """
        if self.grain in (Grain.BUCKET, Grain.PERIOD):
            return ()
        usable = ("inboxes", "channel", "teams") if self.key else ("inboxes", "teams")
        return tuple(name for name in usable if name in self.takes)


def unlisted(name: str) -> MetricSet:
    """Return a metric set that the document does not list: it may take any option, and Gladly decides."""
    return MetricSet(name, Grain.THING, OPTIONS, is_listed=False)


RESERVED = frozenset({"window"})
"""Names that a column cannot have: readers refuse a name that is also a folder's (`window=...`)."""

_JOINED = re.compile(r"(?<=\w)\((\w+)\)")
_BETWEEN = re.compile(r"[\W_]+")
_KINDS = {"i": CellKind.INTEGER, "n": CellKind.NUMBER, "t": CellKind.TIMESTAMP, "f": CellKind.FLAG}


def known_columns(*texts: str, exact: bool = True) -> tuple[KnownColumn, ...]:
    """Read "Header; Header|t; ...": the letter after the bar is the kind, without one it is text.

    The kinds are `i` for integers, `n` for numbers, `t` for times and `f` for flags. `exact=False`
    says that the texts are names in snake case, and that the headers are not known.
    """
    found: list[KnownColumn] = []
    for part in "; ".join(texts).split(";"):
        header, _, letter = part.strip().partition("|")
        found.append(KnownColumn(snake_case(header), header if exact else None, _KINDS.get(letter, CellKind.TEXT)))
    return tuple(found)


def snake_case(header: str) -> str:
    """Return the column name for a header; empty if it has neither letters nor digits.

    "Role(s)" is `roles`, "Duration (mins)" is `duration_mins`. The name never begins with an
    underscore, which marks our own columns, nor with a digit, which would need quotes in SQL.
    """
    text = unicodedata.normalize("NFKC", header)
    name = _BETWEEN.sub("_", _JOINED.sub(r"\1", text)).strip("_").lower()
    return f"n_{name}" if name[:1].isdigit() else name


def column_names(headers: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each header of a report, each once.

    The second column of a name ends in `_2`, and so on: some reports repeat their metrics for
    each channel, under the same headers. The same headers always give the same names.
    """
    plain = [snake_case(header) or f"column_{at}" for at, header in enumerate(headers, 1)]
    taken = {*plain, *RESERVED}
    met: set[str] = set(RESERVED)
    names: list[str] = []
    # A number that another header has in its own name is skipped, so that this header keeps its column.
    for name in plain:
        chosen, number = name, 1
        while chosen in met or (number > 1 and chosen in taken):
            number += 1
            chosen = f"{name}_{number}"
        met.add(chosen)
        names.append(chosen)
    return tuple(names)
