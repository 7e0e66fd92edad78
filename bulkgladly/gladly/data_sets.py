"""What the rows of a data set hold, in plain types. `lake/schemas.py` builds the Arrow schemas from it. Pure.

Each column has a sentence that says what it means in Gladly. UNKNOWN in it marks what Gladly
does not document.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = (
    "ASKED_ID",
    "EXTRA",
    "FETCHED",
    "FLAG",
    "GONE_SINCE",
    "INTEGER",
    "JOB",
    "LINE",
    "MOMENT",
    "NUMBER",
    "TEXT",
    "TEXTS",
    "DataColumn",
    "DataSetPlan",
    "ListOf",
    "OpenMap",
    "Scalar",
    "Struct",
    "ValuePlace",
    "ValueType",
    "texts_of",
    "type_words",
)


class Scalar(enum.StrEnum):
    """A single value."""

    TEXT = "text"
    FLAG = "true or false"
    INTEGER = "whole number"
    NUMBER = "number"
    MOMENT = "time in UTC"


@dataclass(frozen=True)
class ListOf:
    """Any number of values of one type."""

    element: "ValueType"


@dataclass(frozen=True)
class Struct:
    """Named values, each of its own type."""

    members: Mapping[str, "ValueType"]


@dataclass(frozen=True)
class OpenMap:
    """Texts under names that the organisation has chosen."""


ValueType = Scalar | ListOf | Struct | OpenMap

TEXT, FLAG, INTEGER, NUMBER, MOMENT = Scalar.TEXT, Scalar.FLAG, Scalar.INTEGER, Scalar.NUMBER, Scalar.MOMENT
TEXTS = ListOf(TEXT)


class DataColumn(NamedTuple):
    """One column: its name and type, and a sentence about what it means."""

    name: str
    type: ValueType
    meaning: str


class ValuePlace(NamedTuple):
    """Where the value of a column is in a line; `wraps` says that a text there becomes a list of one."""

    column: str
    path: tuple[str, ...]
    wraps: bool = False


JOB = (
    DataColumn("_job_id", TEXT, "The export job whose file held the row."),
    DataColumn("_job_updated_at", MOMENT, "When Gladly last changed that job; of several jobs, the newest one counts."),
    DataColumn("_file", TEXT, "The file of the job that held the row."),
)
"""The origin of rows from an export job."""
FETCHED = (DataColumn("_fetched_at", MOMENT, "When the row was requested."),)
"""The origin of rows from the live API."""
LINE = DataColumn("_line", INTEGER, "The number of the line in what Gladly sent.")
EXTRA = DataColumn("_extra", TEXT, "What the line holds beyond the other columns, as JSON; null if nothing.")
ASKED_ID = DataColumn("_asked_id", TEXT, "The id that was requested: the object's own, or that of its parent.")
GONE_SINCE = DataColumn("_gone_since", MOMENT, "Since when Gladly no longer lists the object; null if it does.")


@dataclass(frozen=True)
class DataSetPlan:
    """The declaration of one data set and version. A change of columns is a new version.

    `columns` are those of the object, in order; the provenance, `_line` and `_extra` follow
    them. `key` names the columns that identify a row. `file` is the file of an export job that
    the rows come from; without it they come from the live API.

    `kind_path` is where a line holds its kind, if lines differ. `places` says where the columns
    are in lines of an unknown kind, and `kinds` in those of each known one. Without `places`,
    each column is at the top of the line, under its own name. `partitions` names the folders
    that rows are sorted into, outermost first.
    """

    name: str
    columns: tuple[DataColumn, ...]
    key: tuple[str, ...] = ("id",)
    version: int = 1
    file: str | None = None
    kind_path: tuple[str, ...] = ()
    places: tuple[ValuePlace, ...] = ()
    kinds: Mapping[str, tuple[ValuePlace, ...]] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()

    @property
    def provenance(self) -> tuple[DataColumn, ...]:
        """The columns with the origin of a row."""
        return FETCHED if self.file is None else JOB

    @property
    def all_columns(self) -> tuple[DataColumn, ...]:
        """Every column of the data set, in order."""
        return (*self.columns, *self.provenance, LINE, EXTRA)


def texts_of(*names: str) -> Struct:
    """Return a struct of texts."""
    return Struct(dict.fromkeys(names, TEXT))


def type_words(plain: ValueType, mark: str = "") -> str:
    """Return a type in words, such as `list of text`; `mark` stands around the names of members."""
    if isinstance(plain, ListOf):
        return f"list of {type_words(plain.element, mark)}"
    if isinstance(plain, Struct):
        return f"object ({', '.join(f'{mark}{name}{mark}' for name in plain.members)})"
    return "map of texts" if isinstance(plain, OpenMap) else plain.value
