"""What can be taken back of the writes to one kind of object, and by which requests. Pure.

An object without a `Reversal` stays as an import left it: Gladly's API cannot delete it, or it has reached people.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bulkgladly.gladly.change import Held
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.spec import Record
from bulkgladly.messages import Request
from bulkgladly.records import Position, Row

__all__ = ("BelongsTo", "Guard", "Reversal", "belonging_to", "stand_in")

Identity = Callable[[Any], str]
"""Returns what two entries of a list have in common if they are the same thing, such as a phone number."""

Guard = tuple[str, Callable[[str], Request]]
"""What may hang on an object (`conversations`), and the request that shows it for the id of the object.

A list that is not empty, or an object, says that there is some.
"""


class BelongsTo(NamedTuple):
    """What an object hangs on, so that a deletion of that would take it along, and no request lists such objects.

    `object` is the name of its import; `id_in` returns its id, from the id of the object and the fields that were
    written, or None if they do not tell.
    """

    object: str
    id_in: Callable[[str, Held], str | None]


def stand_in(payload: Held) -> Record:
    """Return a record with a payload, for an endpoint that builds its requests from one."""
    row = Row(Position(0, 0, 0), None)
    return Record(row, "", "", True, payload, {}, (), (), None, None)


def belonging_to(name: str) -> BelongsTo:
    """Return the owner that a field of the payload names: `customerId`."""

    def id_in(_gladly_id: str, after: Held) -> str | None:
        found = after.get(name)
        return found if isinstance(found, str) else None

    return BelongsTo("customers", id_in)


def _as_it_is(held: Held) -> Held:
    return held


def _as_written(_before: Held | None, after: Held, _action: str) -> Held:
    return after


@dataclass(frozen=True, slots=True)
class Reversal:
    """How the objects of an endpoint are brought back to what they were.

    `fields` are compared and restored as whole values, `lists` entry by entry, `maps` name by name. `added_by_gladly`
    are fields that say nothing about what people did. `seen` returns a held object in the form in which it is
    written, `left` what a write has left of the fields that it names, if that is not what it sent.

    `can_delete` says that the API deletes such objects; otherwise `why_not` is why a new one stays. `guards` show
    what a deletion would take along, and `belongs_to` is what the object itself hangs on. `payload_of` returns what the
    endpoint's requests need besides the id. `restore` and `remove` return requests where one PATCH or one DELETE is
    not enough.
    """

    at: Endpoint
    fields: tuple[str, ...] = ()
    lists: Mapping[str, Identity] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    added_by_gladly: tuple[str, ...] = ()
    can_delete: bool = False
    why_not: str = "Gladly's API cannot delete it"
    guards: tuple[Guard, ...] = ()
    belongs_to: BelongsTo | None = None
    seen: Callable[[Held], Held] = _as_it_is
    left: Callable[[Held | None, Held, str], Held] = _as_written
    payload_of: Callable[[str], Held] = lambda _: {}
    restore: Callable[[str, Held, Held], tuple[Request, ...]] | None = None
    remove: Callable[[str], tuple[Request, ...]] | None = None

    @property
    def noun(self) -> str:
        """What such an object is called in messages."""
        return self.at.noun

    @property
    def named(self) -> tuple[str, ...]:
        """All fields that are compared."""
        return (*self.fields, *self.lists, *self.maps)

    def fetch(self, gladly_id: str) -> Request:
        """Return the request that reads an object."""
        return self.at.fetch(stand_in(self.payload_of(gladly_id)), gladly_id)

    def restoring(self, gladly_id: str, changes: Held, held: Held) -> tuple[Request, ...]:
        """Return the requests that write `changes`, in the form of `seen`, over a held object."""
        if self.restore is not None:
            return self.restore(gladly_id, changes, held)
        record = stand_in({**held, **self.payload_of(gladly_id)})
        return (self.at.change(record, gladly_id, changes),)

    def removing(self, gladly_id: str) -> tuple[Request, ...]:
        """Return the requests that delete an object; the last one deletes."""
        if self.remove is not None:
            return self.remove(gladly_id)
        return (self.at.remove(stand_in(self.payload_of(gladly_id)), gladly_id),)

    @property
    def requests_to_delete(self) -> int:
        """How many requests a deletion takes, the reading included."""
        return 1 + len(self.guards) + len(self.removing("x/x/x") if self.can_delete else ())
