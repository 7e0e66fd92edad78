"""The fields of a kind of object, declared once: columns, checks, references and documents follow from them."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulkgladly.records import ColumnPlan, ListColumn, Mode, Problem

__all__ = (
    "ALWAYS",
    "MAKING",
    "MAX_ID",
    "Field",
    "FieldProblem",
    "Kind",
    "Link",
    "column_plan",
)

ALWAYS = frozenset(Mode)
MAKING = frozenset({Mode.CREATE, Mode.UPSERT})
MAX_ID = 50
"""Characters of an id, by the schema of all objects but customers [gladly-api, schemas, conventions]."""


_ADDRESSES = frozenset({"customer.emailAddress", "customer.mobilePhone", "customer.mobileNumber", "to", "from", "url"})


class Kind(enum.StrEnum):
    """How the value of a field is read. The values are the words that documents use."""

    TEXT = "text"
    ID = "id"
    FLAG = "true or false"
    INTEGER = "whole number"
    MOMENT = "time with zone"
    CHOICE = "one of some words"
    TEXTS = "texts, with ; between"
    OBJECT = "JSON object"
    OBJECTS = "JSON list of objects"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row.

    `into` is where its value goes in the payload (`assignee.inboxId`), its own name by
    default; two fields may go to the same place, and then only one of them may be given.
    `names` says that the value is the name of something with an id (`inbox`, `agent`, `team`,
    `topic`, `audience`), `key_of` that it is the source key under which an earlier import
    brought such an object in. `required` are the modes that cannot do without it.
    """

    name: str
    kind: Kind = Kind.TEXT
    required: frozenset[Mode] = frozenset()
    most: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    into: str | None = None
    names: str | None = None
    key_of: str | None = None
    help: str = ""
    parts: Mapping[str, str] | None = None
    """For `OBJECTS` in flat columns `name:1`, `name:1:part`: the further parts and their kinds."""
    value: str = "value"
    """For `OBJECTS` in flat columns: the part that `name:1` holds."""

    @property
    def place(self) -> str:
        """Where the value goes in the payload."""
        return self.into or self.name

    @property
    def is_identity(self) -> bool:
        """Whether the value says which object or person is meant: cut, it would mean another one."""
        refers = self.kind is Kind.ID or self.key_of is not None or self.names is not None
        return refers or self.place in _ADDRESSES or self.name.endswith("Ids")


@dataclass(frozen=True, slots=True)
class Link:
    """A name or a source key in a payload that an id has to take the place of.

    `place` (and `index`, in a list) says where it stands; `kind` is that of the name, or the
    resource of the key; `attr` is the field of the row that gave it. `or_name` is the name
    to fall back on where nothing came of a key. `former` is a key as it was written, where
    that is not the form in which keys are compared: the object may be known by it.
    """

    place: str
    index: int | None
    kind: str
    text: str
    attr: str
    is_key: bool
    or_name: str | None = None
    former: str | None = None


class FieldProblem(ValueError):
    """A row cannot become a payload; `problem` says which field is to blame and the way out."""

    def __init__(self, code: str, attr: str, detail: str) -> None:
        super().__init__(f"{attr} {detail}")
        self.problem = Problem(code, str(self), attr)


def column_plan(fields: Iterable[Field], read_only: tuple[str, ...] = ()) -> ColumnPlan:
    """Return the columns that rows with these fields may have."""
    fields = tuple(fields)
    return ColumnPlan(
        scalars=tuple(field.name for field in fields if field.parts is None),
        lists=tuple(
            ListColumn(field.name, field.name, field.value, field.parts) for field in fields if field.parts is not None
        ),
        read_only=read_only,
    )
