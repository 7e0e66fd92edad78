"""The story of one record as data: texts, masked unless they may be shown; what is not known is empty. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bulkgladly.gladly.spec import Draft
from bulkgladly.records import Position

__all__ = (
    "PENDING",
    "UNCERTAIN",
    "RecordStory",
    "StoryDropped",
    "StoryField",
    "StoryRequest",
    "ToldRecord",
)

PENDING = "pending"
UNCERTAIN = "(not certain)"
"""Behind the operation of a write that may not have been carried out."""


class StoryField(NamedTuple):
    """A field with two values, as texts: of the row and of the record, or before and after a write.

    `from_` is the user's column, or the operation that wrote it.
    """

    field: str
    from_: str
    before: str
    after: str


class StoryDropped(NamedTuple):
    """A value that the record was sent without, and why."""

    field: str
    from_: str
    value: str
    code: str
    detail: str
    reason: str


class StoryRequest(NamedTuple):
    """A request and its last reply."""

    at: str
    operation: str
    status: int
    codes: Sequence[str]
    attempts: int
    meant: str


@dataclass(frozen=True, slots=True)
class RecordStory:
    """What is known of one record. `now` is added when Gladly was asked; what is not known is empty.

    `undone` says what undos of the run have done with its object.
    """

    run: str
    object: str
    mode: str
    place: str
    plan: str = ""
    part: str = ""
    key: str = ""
    key_from: str = ""
    gladly_id: str = ""
    id_from: str = ""
    outcome: str = ""
    status: int | None = None
    code: str = ""
    attr: str = ""
    detail: str = ""
    fix: str = ""
    decision: str = ""
    known_before: str = ""
    row: Mapping[str, str] = field(default_factory=dict[str, str])
    row_note: str = ""
    made: Sequence[StoryField] = ()
    dropped: Sequence[StoryDropped] = ()
    claims: Sequence[str] = ()
    requests: Sequence[StoryRequest] = ()
    requests_note: str = ""
    written: Sequence[StoryField] = ()
    at: str = ""
    undone: str = ""
    now: str = ""
    now_differs: Sequence[StoryField] = ()


class ToldRecord(NamedTuple):
    """A story, and what is needed to ask Gladly about its object."""

    story: RecordStory
    gladly_id: str | None
    draft: Draft | None
    written: Sequence[Mapping[str, Any]]
    position: Position
