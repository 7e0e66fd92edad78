"""What is to become of one object in Gladly, as a value that is decided before anything is sent. Pure."""

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkgladly.messages import Reply
from bulkgladly.records import Outcome, Position, Word

__all__ = ("Action", "Change", "Found", "Held")

Held = Mapping[str, Any]
"""The fields of an object, as Gladly holds them or as they are to be written."""


class Found(NamedTuple):
    """What a look showed. `held` None with `reply` None: there is no such object.

    `reply` is there where it was no answer to the question: a failed look is never "not
    found". `is_searched` says that the object comes from a search, whose index may lag
    behind: nothing that others may have added to is written over it.
    """

    gladly_id: str
    held: Held | None = None
    reply: Reply | None = None
    is_searched: bool = False

    @property
    def is_absent(self) -> bool:
        """True only when Gladly said that there is no such object."""
        return self.held is None and self.reply is None


class Action(enum.StrEnum):
    """What a change does in Gladly."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NONE = "none"
    """Gladly holds it already, as far as is known."""
    REFUSE = "refuse"
    """Nothing is written: it must not be, or nobody knows what Gladly holds."""


class Change(NamedTuple):
    """What one record asks for, given what Gladly holds.

    `object` is the word of an import ("tasks"), `id` the object's id where it has one.
    `before` is what Gladly held, as far as somebody has looked. `after` has the fields that
    are written: all of the row's in a create, those that differ in an update. `cause` is the
    row of the input that asks for it. `word` is how the record ends once the change is done;
    `end` is its end where nothing is sent, and set for the actions `none` and `refuse` only.
    """

    object: str
    key: str
    id: str | None
    action: Action
    cause: Position
    word: Word
    after: Held
    before: Held | None = None
    end: Outcome | None = None
