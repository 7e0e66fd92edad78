"""The nouns of a record: where it is in the input, what it holds, how it ends."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = (
    "GONE",
    "KEPT",
    "Claim",
    "ColumnPlan",
    "DroppedValue",
    "Known",
    "ListColumn",
    "Mark",
    "Mode",
    "Outcome",
    "Part",
    "Position",
    "Problem",
    "Row",
    "Stage",
    "Word",
    "numbered_by",
    "place_of_row",
)

_OF_ROWS = (".parquet", ".arrow", ".feather", ".ipc", ".xlsx", ".xlsm")


class Mode(enum.StrEnum):
    """What an import does with each record."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


class Word(enum.StrEnum):
    """How a record can end. There are no other ways; a record that was not reached is *unprocessed*."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Stage(enum.StrEnum):
    """Where a record was refused."""

    READ = "read"
    """The row is not what its format says."""
    CHECK = "check"
    """The row cannot become a payload, or clashes with an earlier row."""
    CONFLICT = "conflict"
    """Gladly holds the id or the address already, and no policy decides what to do."""
    API = "api"
    """Gladly refused the request."""


class Position(NamedTuple):
    """Where a row is in its file, so that a message can name it and a resume can seek to it.

    `offset` is the byte at which the row begins in the decompressed file; for columnar files it
    is the row group, in a sheet the row. `number` is the line at which the row begins, from 1, as editors show it; in
    columnar files and sheets it is the number of the row.
    """

    file: int
    offset: int
    number: int


def place_of_row(name: str, number: int) -> str:
    """Return a row's place, as editors understand it: `customers.csv:17`, or `customers.parquet, row 17`."""
    return f"{name}, row {number}" if numbered_by(name) == "row" else f"{name}:{number}"


def numbered_by(name: str) -> str:
    """Return what the numbers of rows in a file count: `line`, or `row` in columnar files and sheets."""
    return "row" if name.lower().endswith(_OF_ROWS) else "line"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between rows: all records of the run before `seq` are settled.

    `position` is the row at which reading continues; None is the very beginning.
    """

    seq: int = 0
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be used: a stable code, the field at fault, and what to do.

    `word` is how the row ends: rejected, or skipped if the user's own filter leaves it out.
    """

    code: str
    detail: str
    attr: str | None = None
    stage: Stage = Stage.CHECK
    word: Word = Word.REJECTED


class Part(NamedTuple):
    """Which one a record is, from 1, of the `of` records that its row of input makes."""

    number: int
    of: int


class DroppedValue(NamedTuple):
    """A value that was left out of a record, because it is not valid and the user chose to keep the record.

    `field` is Gladly's field as a flat column (`phone:1`), `column` the user's own. `code` and `detail` say what is
    wrong with it, as a `Problem` does.
    """

    field: str
    column: str
    code: str
    detail: str
    value: Any


@dataclass(slots=True)
class Row:
    """One row of input as read.

    Either `fields` holds the row (nested as in JSON, or flat as in a table), or `problem`
    says why it could not be read and `raw` holds its bytes. `seq` counts the rows of the
    whole run from 0. The code that joins the files sets it; nothing else changes a row.
    (A frozen row, numbered in a copy, made `check` 8 % slower.)

    If a mapping made `fields`, `source` holds the row as it was read, and `part` says which of
    several records this is; they share one position, and each has its own `seq`.
    `former_key` is the source key as earlier versions derived it from the row, if that differs.
    `dropped` are values that are not in the record, though the row has them.
    `key` is the source key of a row of which a mapping could not make a record, as far as it is known.
    """

    position: Position
    fields: dict[str, Any] | None
    problem: Problem | None = None
    raw: bytes = b""
    seq: int = -1
    source: dict[str, Any] | None = None
    part: Part | None = None
    former_key: str | None = None
    dropped: tuple[DroppedValue, ...] = ()
    key: str | None = None


class Claim(NamedTuple):
    """Something that only one record of a run may hold: its key, an email address, a mobile number.

    `digest` is a signed 64-bit hash of kind and value, so that no personal value is stored.
    """

    attr: str
    digest: int


class Known(NamedTuple):
    """What is known from earlier requests: the id under which Gladly holds a record, and what it last accepted.

    `accepted` maps field names to fingerprints. The id is empty if Gladly chooses it and the
    record may have been sent without a reply; `held_by` then names the run that may have sent
    it, if that is known.

    A data set may have told some of it (`--baseline`): `held` is then what Gladly held of the object
    at `held_at` (seconds since 1970), or empty if the record asks for nothing else, and `unread` are
    the fields of the record of which that says nothing.
    """

    gladly_id: str
    accepted: Mapping[str, str]
    held_by: str = ""
    held: Mapping[str, Any] | None = None
    held_at: float | None = None
    unread: tuple[str, ...] = ()


KEPT = "kept_"
"""How the codes begin of objects that a deletion of what is missing has looked at and kept."""
GONE = "_gone"
"""Stands among the accepted fields of an object that a deletion did not find. No field of Gladly's begins with `_`."""

FORGOTTEN = ""
"""Stands in place of the fingerprint of a field whose value Gladly no longer holds. No value has it, so the field is
sent again, whatever an older data set says that Gladly held."""


class Outcome(NamedTuple):
    """How a record ended.

    `accepted` maps field names to the fingerprints of what Gladly now holds, as far as is
    known; None keeps what the state has.
    """

    word: Word
    gladly_id: str | None = None
    stage: Stage | None = None
    status: int | None = None
    code: str | None = None
    attr: str | None = None
    detail: str | None = None
    accepted: Mapping[str, str] | None = None

    @classmethod
    def rejected(cls, problem: Problem, *, status: int | None = None, gladly_id: str | None = None) -> "Outcome":
        """Return the outcome of a record that cannot, or must not, be sent."""
        return cls(
            problem.word,
            gladly_id=gladly_id,
            stage=problem.stage,
            status=status,
            code=problem.code,
            attr=problem.attr,
            detail=problem.detail,
        )


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A list of objects with numbered flat columns: `email:1` stands for `emails[0].original`.

    `parts` maps the further parts (`email:1:primary`) to the way their text is read: "text",
    "flag" or "choice" (a word in capitals).
    """

    field: str
    prefix: str
    value: str
    parts: Mapping[str, str]
    choices: tuple[str, ...] = ()
    """The parts that are read as "choice", whatever is passed."""

    def __post_init__(self) -> None:
        """Find the choices once, since each entry of each row needs them."""
        object.__setattr__(self, "choices", tuple(part for part, kind in self.parts.items() if kind == "choice"))


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Which columns an object's rows may have, in the nested and in the flat form.

    `read_only` names fields that Gladly returns but does not accept: allowed in a row, never sent.
    """

    scalars: tuple[str, ...]
    lists: tuple[ListColumn, ...] = ()
    open_map: str | None = None
    open_prefix: str | None = None
    read_only: tuple[str, ...] = ()
