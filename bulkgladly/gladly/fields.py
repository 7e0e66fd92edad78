"""The fields of a kind of object, declared once. Columns, checks, references and documents follow from them."""

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
    """How the value of a field is read. The texts are those of the documents."""

    TEXT = "text"
    ID = "id"
    FLAG = "true or false"
    INTEGER = "whole number"
    MOMENT = "time with zone"
    CHOICE = "one of some values"
    TEXTS = "texts, separated by ;"
    OBJECT = "JSON object"
    OBJECTS = "JSON list of objects"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row.

    `into` is where its value goes in the payload (`assignee.inboxId`), its own name by default.
    Two fields may go to the same place; a row may then have only one of them. `names` is set if
    the value is the name of something with an id (`inbox`, `agent`, `team`, `topic`, `audience`),
    and `key_of` if it is the source key of such an object in an earlier import. `required` are
    the modes that need the field.
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
    """For `OBJECTS` in flat columns `name:1`, `name:1:part`: the other parts and their kinds."""
    value: str = "value"
    """For `OBJECTS` in flat columns: the part that `name:1` holds."""

    @property
    def place(self) -> str:
        """Where the value goes in the payload."""
        return self.into or self.name

    @property
    def is_identity(self) -> bool:
        """Whether the value identifies an object or person. A shortened one would identify another."""
        # Mappings cut long texts, but never these.
        refers = self.kind is Kind.ID or self.key_of is not None or self.names is not None
        return refers or self.place in _ADDRESSES or self.name.endswith("Ids")


@dataclass(frozen=True, slots=True)
class Link:
    """A name or a source key in a payload that has to be replaced by an id.

    `place` (and `index`, in a list) is where it is. `kind` is the kind of name, or the object of
    the key. `attr` is the field of the row. `or_name` is the name to use if the key turns out to
    be unknown. `former` is the key as it was written, if keys are compared in another form: the
    object may be known by it.
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
    """A row cannot become a payload; `problem` has the field and the fix."""

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
