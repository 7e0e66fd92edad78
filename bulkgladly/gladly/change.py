"""What happens to one object in Gladly, as a value that is decided before anything is written. Pure.

The comparison of what Gladly holds with what a row says leaves out what Gladly adds by itself.
"""

import enum
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from bulkgladly.messages import Effect, Reply, Request
from bulkgladly.records import Outcome, Position, Word
from bulkgladly.times import time_of

__all__ = (
    "Action",
    "Change",
    "Found",
    "Held",
    "after_change",
    "creating",
    "is_equal",
    "lacking",
    "same_in_map",
    "same_moment",
    "same_set",
    "same_value",
    "without",
    "writing",
)

Held = Mapping[str, Any]
"""The fields of an object, as Gladly holds them or as they are to be written."""


class Found(NamedTuple):
    """What a look showed. If `held` and `reply` are both None, there is no such object.

    `reply` is set if the response does not tell: a failed look never means "not found".
    `is_searched` says that the object comes from a search, whose index may lag behind. Fields
    that others may have added to are not written over it.
    """

    gladly_id: str
    held: Held | None = None
    reply: Reply | None = None
    is_searched: bool = False

    @property
    def is_absent(self) -> bool:
        """True only if Gladly has confirmed that there is no such object."""
        return self.held is None and self.reply is None


class Action(enum.StrEnum):
    """What a change does in Gladly."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NONE = "none"
    """Gladly holds this content already, as far as is known."""
    REFUSE = "refuse"
    """Nothing is written: it must not be, or it is not known what Gladly holds."""


class Change(NamedTuple):
    """What one record asks for, given what Gladly holds.

    `object` is what is imported ("tasks"). `id` is the object's id, or None if Gladly gives it
    one. `before` is what Gladly held; None if it was not read. `after` has the fields that are
    written: all of the row's in a create, those that differ in an update. In a deletion it has
    the part that is removed, and is empty if the whole object is. `cause` is the row that asks
    for the change. `word` is how the record ends once the change is done. `end` is set for the
    actions `none` and `refuse` only: how the record ends without a write.
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


def creating(request: Request, gladly_id: str | None, fields: Held) -> Request:
    """Return a request with the note that it creates an object with these fields; None is an id that Gladly gives."""
    return request._replace(effect=Effect(Action.CREATE.value, gladly_id, None, fields, replaces_noted=True))


def writing(request: Request, change: Change, *, part: Held | None = None, replaces_noted: bool = False) -> Request:
    """Return a request with the note of what it changes: all that a change says, or a part of that."""
    after = change.after if part is None else part
    effect = Effect(change.action.value, change.id, change.before, after, replaces_noted)
    return request._replace(effect=effect)


def after_change(payload: Held, change: Change) -> Held:
    """Return a payload with what Gladly holds in place of what a change does not write."""
    held = change.before or {}
    return {name: change.after.get(name, held.get(name, value)) for name, value in payload.items()}


def without(payload: Held, names: Collection[str]) -> Held:
    """Return a payload without some fields."""
    return {name: value for name, value in payload.items() if name not in names} if names else payload


def lacking(held: Mapping[str, Any], payload: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named fields of a payload that a held object lacks or holds with another value.

    Absent, null and empty are equal [gladly-api, schemas, conventions]. Times are compared as
    moments and lists as sets; of an object only the parts in the payload are compared.
    """
    return {name: payload[name] for name in names if name in payload and not same_value(held.get(name), payload[name])}


def is_equal(held: Any, wanted: Any) -> bool:
    """Tell whether two JSON values are exactly equal. A flag equals no number, which it does in Python."""
    if held != wanted:
        return False
    if isinstance(wanted, bool) or isinstance(held, bool):
        return held is wanted
    if isinstance(wanted, Mapping):
        return all(is_equal(held[name], value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return all(map(is_equal, held, wanted))
    return True


def same_value(held: Any, wanted: Any) -> bool:
    """Tell whether a held value is what a row asks for."""
    if _is_nothing(held) and _is_nothing(wanted):
        return True
    if isinstance(held, Mapping) and isinstance(wanted, Mapping):
        return all(same_in_map(held.get(name), value) for name, value in wanted.items())
    if isinstance(held, list) and isinstance(wanted, list):
        return same_set(held, wanted)
    is_same = isinstance(held, bool) is isinstance(wanted, bool) and bool(held == wanted)
    return is_same or same_moment(held, wanted) or _same_text(held, wanted)


def same_set(held: list[Any], wanted: list[Any]) -> bool:
    """Tell whether two lists hold the same values, in any order."""
    return len(held) == len(wanted) and all(any(_same_entry(one, other) for one in held) for other in wanted)


def same_in_map(held: Any, wanted: Any) -> bool:
    """Tell whether two values of a name are the same: an attribute that is false says more than one that is absent."""
    return held is wanted if held is False or wanted is False else same_value(held, wanted)


def _same_entry(held: Any, wanted: Any) -> bool:
    # Of an entry, such as an address that is not the primary one, Gladly need not show what is false.
    if isinstance(held, Mapping) and isinstance(wanted, Mapping):
        return all(same_value(held.get(name), value) for name, value in wanted.items())
    return same_value(held, wanted)


def same_moment(held: Any, wanted: Any) -> bool:
    """Tell whether two texts name the same moment, to the millisecond."""
    # We send milliseconds. Gladly may show a time with more digits, or with another offset.
    first, second = time_of(held), time_of(wanted)
    return first is not None and second is not None and abs((first - second).total_seconds()) < 0.001


def _same_text(held: Any, wanted: Any) -> bool:
    return isinstance(held, str) and isinstance(wanted, str) and held.strip() == wanted.strip()


def _is_nothing(value: Any) -> bool:
    # Not by `in`: 0 equals False, and says something.
    return value is None or value is False or value in ("", [], {})
