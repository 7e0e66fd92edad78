"""How it is found out whether Gladly holds what a row says, by requests that only read. Pure.

The comparison is that of the import: what is equal here, an import of the same row would not change.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Found, Held, same_value
from bulkgladly.gladly.endpoints import Endpoint, Search, look
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.messages import Request
from bulkgladly.records import Outcome

__all__ = ("FieldDifference", "Find", "Proof", "by_id", "differing_parts", "in_list", "proof_of")

Find = Callable[[Record, str | None, Policy], Search]
"""Looks for the object that a record means: by the id that an import has noted, else as an import would.

A `Found` that is absent says that Gladly has confirmed that there is no such object; an `Outcome` says why it cannot
be told.
"""


class FieldDifference(NamedTuple):
    """A field, or a part of one, in which a row and Gladly differ: what the row says, and what Gladly holds."""

    field: str
    expected: Any
    held: Any


Details = Callable[[Held, Held, str], list[FieldDifference]]
"""Returns how a field of a held object differs from that of a payload, part by part."""

Surplus = Details
"""Returns what a list of a held object has besides what a payload has."""


def differing_parts(held: Held, payload: Held, name: str) -> list[FieldDifference]:
    """Return how a field differs: the parts of an object one by one, everything else as a whole."""
    wanted, has = payload.get(name), held.get(name)
    if isinstance(wanted, Mapping) and isinstance(has, Mapping):
        parts = [
            FieldDifference(f"{name}.{part}", value, has.get(part))
            for part, value in wanted.items()
            if not same_value(has.get(part), value)
        ]
        if parts:
            return parts
    return [FieldDifference(name, wanted, has)]


def _nothing_left(_held: Held, _payload: Held) -> dict[str, Any]:
    return {}


def _no_surplus(_held: Held, _payload: Held, _name: str) -> list[FieldDifference]:
    return []


def _whole(held: Held) -> Held:
    return held


@dataclass(frozen=True, slots=True)
class Proof:
    """How one kind of object is read back and compared.

    `find` looks for the object. `differences` is the comparison of the import: what of a payload a held object lacks,
    given the `view` of what is compared. `details` says field by field how the two differ. `compared` are the fields
    of a payload that the comparison covers, and `instructions` those that say where or how to write and are not data.
    `hidden` are fields that Gladly never shows.

    `shared` are operations whose response is about many objects, so that one request serves many rows; `is_listed`
    says that one serves all. `is_merged` says that objects of this kind can be merged. `adds` says that a row adds to
    what an object has, so that several rows about one object hold at the same time. `left_over` is set if a deletion
    removes a part of an object: it returns what of that is still there. `gaps` is the part of a payload that an import
    writes which only fills what is empty.
    """

    find: Find
    differences: Callable[[Held, Held], dict[str, Any]]
    compared: tuple[str, ...]
    view: Callable[[Held], Held] = _whole
    details: Details = differing_parts
    instructions: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    is_listed: bool = False
    is_merged: bool = False
    adds: bool = False
    left_over: Callable[[Held, Held], dict[str, Any]] | None = None
    gaps: Callable[[Held, Held], Held] = _nothing_left
    surplus: Surplus = _no_surplus

    def unverifiable(self, payload: Held) -> tuple[str, ...]:
        """Return the fields of a payload that Gladly does not show, or that no import compares."""
        covered = {*self.compared, *self.instructions}
        return tuple(name for name, value in payload.items() if name not in covered and value is not None)

    def compare(self, held: Held, payload: Held, whole: Collection[str] = ()) -> tuple[FieldDifference, ...]:
        """Return every difference between a held object and a payload; what others have added is none.

        `whole` are the lists to which others may add nothing.
        """
        seen = self.view(held)
        changed = self.differences(seen, payload)
        parts = [one for name in changed for one in self.details(seen, payload, name)]
        return (*parts, *(one for name in whole for one in self.surplus(seen, payload, name)))

    def remains(self, held: Held, payload: Held) -> tuple[FieldDifference, ...]:
        """Return what a deletion should have removed and Gladly still holds."""
        if self.left_over is None:
            return (FieldDifference("", None, "still exists"),)
        return tuple(FieldDifference(name, None, value) for name, value in self.left_over(held, payload).items())


def proof_of(at: Endpoint, compared: tuple[str, ...], *, find: Find | None = None, **more: Any) -> Proof:
    """Return the proof of objects that have an endpoint, with its comparison; by default they are found by their id."""
    return Proof(
        find or by_id(at), at.differences, compared, hidden=at.hidden, gaps=at.gaps, is_merged=at.is_merged, **more
    )


def by_id(at: Endpoint, seek: Callable[[Record, Policy], Search] | None = None) -> Find:
    """Return a search by id: the noted one, else the row's own, else the derived ones, and then what `seek` finds.

    It takes 1 request for an object that has its id, and 1 more for each merge.
    """

    def find(record: Record, gladly_id: str | None, policy: Policy) -> Search:
        found = Found(record.id)
        for each in (gladly_id,) if gladly_id else filter(None, (record.id, record.former_id)):
            found = yield from look(at, record, each)
            if not found.is_absent:
                return found
        if seek is None or gladly_id or record.has_own_id:
            return found
        return (yield from seek(record, policy))

    return find


def in_list(at: Endpoint, whole: Request, pick: Callable[[Record, list[dict[str, Any]]], Found | Outcome]) -> Find:
    """Return a search in a list that shows all objects of its kind; `pick` chooses by what the row says without an id.

    An object that the list lacks is requested by its id as well, since only that proves that it does not exist.
    """

    def find(record: Record, gladly_id: str | None, _policy: Policy) -> Search:
        wanted = gladly_id or (record.id if record.has_own_id else None)
        reply = yield whole
        listed = reply.objects
        if wanted is not None:
            held = next((one for one in listed if one.get("id") == wanted), None)
            return Found(wanted, held) if held is not None else (yield from look(at, record, wanted))
        if not reply.is_confirmed:
            return Found(record.id, reply=reply)
        return pick(record, listed)

    return find
