"""What the emulated organization holds, in memory, and the rules that must always be true of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from bulkgladly.emulator.addressbook import AddressBook
from bulkgladly.emulator.clock import Clock, timestamp
from bulkgladly.emulator.export_jobs import ExportJobs
from bulkgladly.emulator.slugs import slug

__all__ = ("COLLECTIONS", "Entity", "Store", "Taken")

Entity = dict[str, Any]
"""One object, in the form in which the API returns it."""

COLLECTIONS = ("customers", "conversations", "agents", "inboxes", "teams", "topics", "audiences")
"""The kinds of objects; a further kind is one more word here."""


class Taken(Exception):  # a state of the data, not a fault
    """An id or an address belongs to somebody else; `attributes` says which. Nothing was changed."""

    def __init__(self, *attributes: str) -> None:
        super().__init__(", ".join(attributes))
        self.attributes = attributes


class Store:
    """All objects by kind and id. `customers` and the other kinds are plain dicts: read them freely.

    Write customers through the methods only, which keep the address book true. Every method
    either does all of its work or raises before any of it.
    """

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, reuse_deleted_ids: bool = True) -> None:
        self.clock = clock or Clock()
        self.collections: dict[str, dict[str, Entity]] = {name: {} for name in COLLECTIONS}
        self.organization: Entity = {}
        self.jobs = ExportJobs(self.clock)
        self.merged: dict[str, str] = {}
        self.deleted: set[str] = set()
        self._book = AddressBook()
        self._reuse_deleted_ids = reuse_deleted_ids
        self._ids = _generated_ids(seed)

    @property
    def customers(self) -> dict[str, Entity]:
        """The profiles by id; the last written is the last."""
        return self.collections["customers"]

    def count(self, kind: str) -> int:
        """How many objects of a kind there are, such as `customers`."""
        return len(self.collections[kind])

    def now(self) -> str:
        """This moment, as the API writes it."""
        return timestamp(self.clock.wall())

    def new_id(self) -> str:
        """A fresh id in the API's own style: 22 URL-safe characters that begin with a letter."""
        return next(identifier for identifier in self._ids if not self.is_taken(identifier))

    def is_taken(self, customer_id: str) -> bool:
        """Whether a new customer may not have this id. Ids of merged customers stay taken."""
        gone = not self._reuse_deleted_ids and customer_id in self.deleted
        return customer_id in self.customers or customer_id in self.merged or gone

    def add_customer(self, profile: Entity) -> None:
        """Take over a checked profile that has an id; the store keeps the very dict.

        Raises:
            Taken: For the id alone, or for the addresses that others have.
        """
        customer_id = profile["id"]
        if self.is_taken(customer_id):
            raise Taken("id")
        self._claim(profile)
        self.customers[customer_id] = profile
        self.deleted.discard(customer_id)

    def replace_customer(self, profile: Entity) -> None:
        """Put a checked profile in the place of the one with the same id.

        Raises:
            Taken: For addresses that others have.
            KeyError: There is no customer with this id.
        """
        before = self.customers[profile["id"]]
        conflicts = self._book.conflicts(profile, profile["id"])
        if conflicts:
            raise Taken(*conflicts)
        self._forget(before)
        self._claim(profile)
        self.customers[profile["id"]] = profile

    def remove_customer(self, customer_id: str) -> None:
        """Delete a profile with its conversations; its addresses are free again.

        Raises:
            KeyError: There is no customer with this id.
        """
        self._forget(self.customers[customer_id])
        self.deleted.add(customer_id)
        conversations = self.collections["conversations"]
        for conversation_id in [c["id"] for c in self._conversations_of(customer_id)]:
            del conversations[conversation_id]

    def has_open_conversation(self, customer_id: str) -> bool:
        """Whether a conversation of this customer is not closed."""
        return any(c["status"] != "CLOSED" for c in self._conversations_of(customer_id))

    def merge(self, old: str, new: str) -> None:
        """Do what the application does: `old` ceases; `new` gains its addresses, fields, conversations.

        Where both have a value, that of `new` stays.

        Raises:
            KeyError: One of the two is no customer.
            ValueError: Both are the same.
        """
        if old == new:
            raise ValueError(f"{old} cannot be merged into itself")
        loser, winner = self.customers[old], self.customers[new]
        self._forget(loser)
        self.merged[old] = new
        for conversation in self._conversations_of(old):
            conversation["customerId"] = new
        self.replace_customer(_united(loser, winner) | {"updatedAt": self.now()})

    def successor(self, customer_id: str, *, last: bool = False) -> str | None:
        """The customer that this one was merged into (with `last` the end of the chain), or None."""
        heir = self.merged.get(customer_id)
        while last and heir is not None and heir in self.merged:
            heir = self.merged[heir]
        return heir

    def find_by_email(self, email: str) -> list[Entity]:
        """The profile with this address in any case, in a list of one or none."""
        return [self.customers[i] for i in self._book.by_email(email)]

    def find_by_phone(self, number: str) -> list[Entity]:
        """The profiles with this E.164 number, whatever its type; the last written comes first."""
        return [self.customers[i] for i in self._book.by_phone(number)]

    def find_by_external_id(self, external_id: str) -> list[Entity]:
        """The profiles with this `externalCustomerId`; the last written comes first."""
        return [self.customers[i] for i in self._book.by_external_id(external_id)]

    def _claim(self, profile: Entity) -> None:
        conflicts = self._book.conflicts(profile, profile["id"])
        if conflicts:
            raise Taken(*conflicts)
        self._book.enter(profile)

    def _forget(self, profile: Entity) -> None:
        self._book.leave(profile)
        del self.customers[profile["id"]]

    def _conversations_of(self, customer_id: str) -> Iterator[Entity]:
        return (c for c in self.collections["conversations"].values() if c["customerId"] == customer_id)


def _united(loser: Mapping[str, Any], winner: Mapping[str, Any]) -> Entity:
    united = {**loser, **winner}
    for name in ("emails", "phones"):
        kept = winner.get(name, [])
        known = {entry["normalized"] for entry in kept}
        # A second primary address would break the rule of at most one.
        gained = [{**e, "primary": False} for e in loser.get(name, []) if e["normalized"] not in known]
        if kept or gained:
            united[name] = [*kept, *gained]
    attributes = {**loser.get("customAttributes", {}), **winner.get("customAttributes", {})}
    if attributes:
        united["customAttributes"] = attributes
    return united


def _generated_ids(seed: int) -> Iterator[str]:
    number = 0
    while True:
        yield slug(f"{seed}:{number}")
        number += 1
