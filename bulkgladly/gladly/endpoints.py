"""Which requests read and write one kind of object, and by which rules it is compared. Pure."""

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Found, Held
from bulkgladly.gladly.owners import Owners, whole_lists, writable
from bulkgladly.gladly.preparation import segment
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.messages import ApiProblem, Reply, Request
from bulkgladly.records import Outcome, Problem

__all__ = (
    "MAX_MERGES",
    "NOT_KEPT",
    "Collision",
    "Endpoint",
    "Look",
    "Search",
    "Unique",
    "look",
    "told_of_owner",
)

Search = Generator[Request, Reply, Found | Outcome]
"""Looks for the object that a record means; returns how the record ends if that cannot be found out."""

Collision = Generator[Request, Reply, ApiProblem | Outcome | None]
"""Looks whether a value is taken; returns how the record ends if that cannot be found out."""


class Unique(NamedTuple):
    """The words for a value that another object holds already: `attr` if Gladly names none, and the fix."""

    attr: str | None = "name"
    in_create: str = "name"
    in_update: str = "name"
    fix: str = "rename one, or choose --on-conflict skip, update or merge"


_NAME = Unique()


NOT_KEPT = "(not kept)"
"""What a journal has in place of a value that is secret in Gladly."""


# The defaults of an endpoint. A mode that needs one is missing in the object's procedures, so none is ever called.


def _no_create(_record: Record) -> Request:
    raise TypeError("objects of this kind cannot be created through the API")


def _no_change(_record: Record, _gladly_id: str, _changes: Held) -> Request:
    raise TypeError("objects of this kind cannot be changed")


def _no_removal(_record: Record, _gladly_id: str) -> Request:
    raise TypeError("objects of this kind cannot be deleted")


def _empty_in(held: Held, payload: Held) -> Held:
    return {name: value for name, value in payload.items() if held.get(name) in (None, "", [])}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The requests of one kind of object, and its own rules.

    `object` is the name of the import, `noun` is for messages.

    Requests: `create`, `fetch`, `change` and `remove` build them; what the API cannot do keeps
    its default. `owner` is the field that names the customer whom a record is created below.
    `parent` returns the kind of object that does not exist if a create gets a 404.

    Looking: `is_merged` says that objects of this kind can be merged, so that a 301 or 404 may
    mean that. `locate` looks for the object that an update means if its id is not remembered,
    `victim` for the one that a deletion means, and `rival` for the one that holds a value that
    must be unique; None if it can only be found by its id. `collision` looks before a write
    whether another object than the one with an id holds such a value of a payload, and returns the
    conflict that Gladly would name; None if only the write itself can show it. `holder` reads from
    a conflict which object holds the value. `own_id` are the fields that a conflict about our own id names.
    `is_read_first` says that these changes may only be written over what was read. `shared` are
    the fields that a change holds whole, with what others have added.

    Comparing: `differences` returns what to change so that a held object has everything in a
    payload; `gaps` returns the part of a payload for which a held object has nothing, and `as_given`
    the lists of these names that must change so that they hold nothing else. `fixed`
    are fields that only a create can set. `hidden` are fields that are written and never shown:
    they are sent if they differ from what Gladly accepted last. `completing` returns what a new
    object needs after its create. `may_create` says why a record must not be created, although
    it could be changed.

    Messages: `unique` has the words for a value that is taken. `states` has the fix for each
    code of a refusal that depends on the state of an object. `hint` returns the fix for a
    refused change.
    """

    object: str
    noun: str
    fetch: Callable[[Record, str], Request]
    differences: Callable[[Held, Held], dict[str, Any]]
    create: Callable[[Record], Request] = _no_create
    change: Callable[[Record, str, Held], Request] = _no_change
    remove: Callable[[Record, str], Request] = _no_removal
    owner: str | None = None
    parent: Callable[[Record], str | None] = lambda _: None
    is_merged: bool = False
    locate: Callable[[Record], Search] | None = None
    victim: Callable[[Record], Search] | None = None
    rival: Callable[[Record], Search] | None = None
    collision: Callable[[Held, str | None], Collision] | None = None
    holder: Callable[[ApiProblem], str | None] = lambda _: None
    own_id: tuple[str | None, ...] = (None, "id", "newConversationItems")
    is_read_first: Callable[[Policy, Collection[str]], bool] = lambda _policy, _changed: False
    shared: frozenset[str] = frozenset()
    gaps: Callable[[Held, Held], Held] = _empty_in
    as_given: Callable[[Held, Held, Collection[str]], dict[str, Any]] = lambda _held, _payload, _names: {}
    fixed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    completing: Callable[[Held], dict[str, Any]] = lambda _: {}
    may_create: Callable[[Record, Policy], Problem | None] = lambda _record, _policy: None
    unique: Unique = _NAME
    hint: Callable[[Held], str | None] = lambda _: None
    states: Mapping[str, str] | None = None

    def changes(self, held: Held, payload: Held, owners: Owners) -> dict[str, Any]:
        """Return what to change of a held object, as far as the owners of its fields let the file."""
        if not owners:
            return self.differences(held, payload)
        mine = writable(owners, payload, held)
        return {**self.differences(held, mine), **self.as_given(held, mine, whole_lists(owners, mine))}

    def additions(self, held: Held, payload: Held, owners: Owners) -> dict[str, Any]:
        """Return what to change so that a held object has what it has nothing of; nothing is taken from it."""
        return self.differences(held, writable(owners, self.gaps(held, payload), held))

    @property
    def can_create(self) -> bool:
        """Whether the API can create such objects."""
        return self.create is not _no_create

    def noted(self, fields: Held) -> Held:
        """Return fields as a journal may keep them: without the values that Gladly itself never shows."""
        if not self.hidden:
            return fields
        return {name: NOT_KEPT if name in self.hidden else value for name, value in fields.items()}

    @property
    def can_change(self) -> bool:
        """Whether the API can change such objects."""
        return self.change is not _no_change


MAX_MERGES = 5
"""How many merges are followed. Whether `meta.new` names the last profile of a chain is UNKNOWN."""


Look = Generator[Request, Reply, Found]
"""Yields requests that read, is sent their replies, and returns what they showed."""


def look(endpoint: Endpoint, record: Record, gladly_id: str) -> Look:
    """Request an object by its id: 1 request, and 1 more for each merge of customers, five at most."""
    # A merged customer is a 301 that names another one, which may be merged as well.
    hops = 0
    while True:
        reply = yield endpoint.fetch(record, gladly_id)
        if reply.object is not None:
            return Found(gladly_id, reply.object)
        if reply.is_absent:
            return Found(gladly_id)
        if not endpoint.is_merged or reply.successor is None or hops >= MAX_MERGES:
            return Found(gladly_id, reply=reply)
        gladly_id, hops = reply.successor, hops + 1


def told_of_owner(record: Record, reply: Reply, owner: str) -> Generator[Request, Reply, Reply]:
    """Return the reply that tells whether the customer in the field `owner` was merged, and into whom.

    That is the reply itself (301), or the one for the profile. How some operations respond to a
    merged id is UNKNOWN; the emulator returns 404.
    """
    customer_id = record.payload.get(owner)
    if reply.successor is not None or customer_id is None or not reply.is_absent:
        return reply
    return (yield Request("getCustomer", "GET", f"/api/v1/customer-profiles/{segment(str(customer_id))}"))
