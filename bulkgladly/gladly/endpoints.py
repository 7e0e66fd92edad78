"""Where one kind of object lives, and by which rules it is compared and written. Pure."""

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Found, Held
from bulkgladly.gladly.preparation import segment
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.messages import ApiProblem, Reply, Request
from bulkgladly.records import Outcome, Problem

__all__ = (
    "MAX_MERGES",
    "Endpoint",
    "Look",
    "Search",
    "Unique",
    "look",
    "survivor_of",
)

Search = Generator[Request, Reply, Found | Outcome]
"""Looks for the object that a record means; returns how the record ends where that cannot be told."""


class Unique(NamedTuple):
    """How a value that another object holds already is told: `attr` where Gladly names none, and the way out."""

    attr: str | None = "name"
    in_create: str = "name"
    in_update: str = "name"
    way_out: str = "rename one, or choose --on-conflict skip, update or merge"


_NAME = Unique()


def _no_create(_record: Record) -> Request:
    raise TypeError("objects of this kind are not made through the API")


def _no_change(_record: Record, _gladly_id: str, _changes: Held) -> Request:
    raise TypeError("objects of this kind cannot be changed")


def _no_removal(_record: Record, _gladly_id: str) -> Request:
    raise TypeError("objects of this kind cannot be deleted")


def _empty_in(held: Held, payload: Held) -> Held:
    return {name: value for name, value in payload.items() if held.get(name) in (None, "", [])}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one kind of object lives, and the rules of its own.

    `object` is the word of an import, `noun` is for messages.

    Requests: `create`, `fetch`, `change` and `remove` make them; what cannot be done has its
    default. `owner` is the field that names the customer below whom a record is made, and
    `parent` says below what kind of object that is, where a 404 then tells of.

    Looking: `is_merged` says that objects of this kind are merged into others, which a 301
    or 404 may stand for. `locate` looks for the object that an update means where nothing
    remembers its id, `victim` for the one that a deletion means, and `rival` for the one that
    holds what must be unique; None where an id is all there is. `holder` reads from a conflict
    which other object stands in the way. `own_id` is what a conflict names that is about our
    own id. `is_read_first` says that what changed may only be written over what was read, and
    `shared` are the fields that a change holds whole, with what others have added.

    Comparing: `differences` returns what a held object lacks of a payload, in the form of a
    change; `gaps` the part of a payload for which a held object has nothing. `fixed` are
    fields that a create sets once and for all, `hidden` those that are written and never
    shown: they are sent where they are not what Gladly accepted last. `completing` returns what a new object needs
    beyond its create, in the form of a change. `may_create` says why a record must not be
    made, though it could be changed.

    Telling: `unique` has the words for a value that is taken, `states` the codes of refusals
    that depend on the state of things, and the way out of each; `hint` is the way out of a
    refused change, by what it was to change.
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
    holder: Callable[[ApiProblem], str | None] = lambda _: None
    own_id: tuple[str | None, ...] = (None, "id", "newConversationItems")
    is_read_first: Callable[[Policy, Collection[str]], bool] = lambda _policy, _changed: False
    shared: frozenset[str] = frozenset()
    gaps: Callable[[Held, Held], Held] = _empty_in
    fixed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    completing: Callable[[Held], dict[str, Any]] = lambda _: {}
    may_create: Callable[[Record, Policy], Problem | None] = lambda _record, _policy: None
    unique: Unique = _NAME
    hint: Callable[[Held], str | None] = lambda _: None
    states: Mapping[str, str] | None = None

    @property
    def can_create(self) -> bool:
        """Whether the API makes such objects."""
        return self.create is not _no_create

    @property
    def can_change(self) -> bool:
        """Whether the API changes such objects."""
        return self.change is not _no_change


MAX_MERGES = 5
"""How many merges are followed; whether `meta.new` names the last profile of a chain is UNKNOWN."""


Look = Generator[Request, Reply, Found]
"""Yields read requests, is sent their replies, returns what they showed."""


def look(endpoint: Endpoint, record: Record, gladly_id: str) -> Look:
    """Ask for an object by its id; 1 request. Merges of customers are followed, up to five of them."""
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


def survivor_of(record: Record, reply: Reply, owner: str) -> Generator[Request, Reply, str | None]:
    """Find into whom the customer was merged that the field `owner` of a record names; None where nothing says so.

    The reply names the survivor (301), or the profile is asked for: what some operations
    answer for a merged id is UNKNOWN, and 404 is what the emulator takes it for.
    """
    customer_id = record.payload.get(owner)
    if reply.successor is not None or customer_id is None or not reply.is_absent:
        return reply.successor
    asked = yield Request("getCustomer", "GET", f"/api/v1/customer-profiles/{segment(str(customer_id))}")
    return asked.successor
