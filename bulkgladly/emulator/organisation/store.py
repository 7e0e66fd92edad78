"""The objects of the emulated organisation, in memory, and the rules that always hold for them."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from bulkgladly.emulator.organisation.clock import Clock, timestamp
from bulkgladly.emulator.organisation.event_log import APPLICATION, EventLog
from bulkgladly.emulator.organisation.export_jobs import ExportJobs
from bulkgladly.emulator.organisation.identifiers import generated_ids
from bulkgladly.emulator.organisation.indexes import AddressBook, OwnedObjects
from bulkgladly.emulator.organisation.report_corrections import ReportCorrections
from bulkgladly.emulator.organisation.told_facts import ToldFacts

__all__ = ("COLLECTIONS", "Entity", "Store", "Taken")

Entity = dict[str, Any]
"""One object as the API returns it."""

COLLECTIONS = (
    "customers",
    "conversations",
    "items",
    "transcripts",
    "tasks",
    "task_comments",
    "custom_attributes",
    "agents",
    "inboxes",
    "inbox_members",
    "teams",
    "topics",
    "audiences",
    "answers",
    "answer_contents",
    "answer_uses",
    "business_hours",
    "calls",
    "campaigns",
    "recipient_collections",
    "sent_messages",
    "webhooks",
    "webhook_log",
)
"""The kinds of objects. To add a kind, add its name here."""


class Taken(Exception):  # a state of the data, not a fault
    """An id or an address belongs to another customer; `attributes` says which. Nothing was changed."""

    def __init__(self, *attributes: str) -> None:
        super().__init__(", ".join(attributes))
        self.attributes = attributes


class Store:
    """All objects by kind and id: read them freely.

    Objects are replaced, never changed in place, so a reference to one is a snapshot. Write customers
    only through the methods, which keep the address book correct; the customer written last comes
    last. Every method either does all of its work or raises before it changes anything.
    """

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, reuse_deleted_ids: bool = True) -> None:
        self.clock = clock or Clock()
        self.customers: dict[str, Entity] = {}
        self.conversations = OwnedObjects("customerId")
        self.items = OwnedObjects("conversationId", "customerId")
        self.tasks = OwnedObjects("customerId")
        self.task_comments = OwnedObjects("taskId")
        self.collections: dict[str, MutableMapping[str, Entity]] = {name: {} for name in COLLECTIONS}
        # These are attributes as well, because nearly every operation needs them.
        for name in ("customers", "conversations", "items", "tasks", "task_comments"):
            self.collections[name] = getattr(self, name)
        self.organization: Entity = {}
        self.jobs = ExportJobs(self.clock)
        self.event_log = EventLog(self.clock, seed=seed)
        self.report_corrections = ReportCorrections()
        self.told: ToldFacts | None = None
        self.merged: dict[str, str] = {}
        self.deleted: set[str] = set()
        self._book = AddressBook()
        self._reuse_deleted_ids = reuse_deleted_ids
        self._ids = generated_ids(seed)

    # All kinds

    def count(self, kind: str) -> int:
        """Return the number of objects of a kind, such as `customers`."""
        return len(self.collections[kind])

    def now(self) -> str:
        """Return the current time, as the API writes it."""
        return timestamp(self.clock.wall())

    def new_id(self, kind: str = "customers") -> str:
        """Return a new id in the API's own style: 22 URL-safe characters, the first a letter."""
        if kind == "customers":
            return next(identifier for identifier in self._ids if not self.is_customer_id_taken(identifier))
        return next(identifier for identifier in self._ids if not self.is_id_taken(kind, identifier))

    def is_customer_id_taken(self, customer_id: str) -> bool:
        """Return whether this id is not available for a new customer. Ids of merged customers stay taken."""
        gone = not self._reuse_deleted_ids and customer_id in self.deleted
        return customer_id in self.customers or customer_id in self.merged or gone

    def is_id_taken(self, kind: str, identifier: str) -> bool:
        """Return whether this id is not available for a new object of a kind other than customers."""
        gone = not self._reuse_deleted_ids and f"{kind}:{identifier}" in self.deleted
        return identifier in self.collections[kind] or gone

    def remove(self, kind: str, identifier: str) -> None:
        """Delete an object of a kind other than customers.

        Raises:
            KeyError: There is none with this id.
        """
        del self.collections[kind][identifier]
        self.deleted.add(f"{kind}:{identifier}")

    # Customers, whose addresses are unique

    def add_customer(self, profile: Entity) -> None:
        """Add a checked profile that has an id; the dict is not copied.

        Raises:
            Taken: The id is taken, or other customers have the addresses.
        """
        customer_id = profile["id"]
        if self.is_customer_id_taken(customer_id):
            raise Taken("id")
        self._claim(profile)
        self.customers[customer_id] = profile
        self.deleted.discard(customer_id)

    def replace_customer(self, profile: Entity) -> None:
        """Replace the profile with the same id by a checked one.

        Raises:
            Taken: Other customers have the addresses.
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
        """Delete a profile with its conversations, items and tasks. Its addresses become free.

        Raises:
            KeyError: There is no customer with this id.
        """
        self._forget(self.customers[customer_id])
        self.deleted.add(customer_id)
        for task in self.tasks.of("customerId", customer_id):
            for comment in self.task_comments.of("taskId", task["id"]):
                self.remove("task_comments", comment["id"])
        for item in self.items.of("customerId", customer_id):
            self.collections["transcripts"].pop(item["id"], None)
        for kind, belongings in (("conversations", self.conversations), ("items", self.items), ("tasks", self.tasks)):
            for entity in belongings.of("customerId", customer_id):
                self.remove(kind, entity["id"])

    def has_open_conversation(self, customer_id: str) -> bool:
        """Return whether the customer has a conversation that is not closed."""
        return bool(self._open_conversations(customer_id))

    # Merged customers

    def merge(self, old: str, new: str) -> None:
        """Merge two customers: `new` gets the addresses, fields, conversations and tasks of `old`, which is removed.

        If both have a value, `new` keeps its own. If both have an open conversation, the one of
        `old` becomes part of the other (README.md of the fact sheet, "Merged customers").

        Raises:
            KeyError: One of the two does not exist.
            ValueError: Both are the same.
        """
        if old == new:
            raise ValueError(f"{old} cannot be merged into itself")
        loser, winner = self.customers[old], self.customers[new]
        # The loser goes first, so that the winner can take over its addresses.
        self._forget(loser)
        self.merged[old] = new
        # Conversations are joined while each still has its own customer.
        absorbed, absorbing = self._join_open_conversations(old, new)
        for belongings in (self.conversations, self.items, self.tasks):
            for entity in belongings.of("customerId", old):
                belongings[entity["id"]] = entity | {"customerId": new}
        self.replace_customer(_united_profile(loser, winner) | {"updatedAt": self.now()})
        content = {"sourceCustomerId": old, "destinationCustomerId": new}
        # The deprecated type, which only webhooks get, has no initiator.
        self.event_log.add("CUSTOMER_PROFILE/MERGED", dict(content))
        content |= {"sourceConversationId": absorbed, "destinationConversationId": absorbing}
        self.event_log.add("CUSTOMER/MERGED", content, APPLICATION)

    def successor(self, customer_id: str, *, last: bool = False) -> str | None:
        """Return the customer into which this one was merged, or None; with `last`, the end of the chain."""
        heir = self.merged.get(customer_id)
        while last and heir is not None and heir in self.merged:
            heir = self.merged[heir]
        return heir

    # Search

    def find_by_email(self, email: str) -> list[Entity]:
        """Return the profile with this address in upper or lower case, in a list of one or none."""
        return [self.customers[i] for i in self._book.by_email(email)]

    def find_by_phone(self, number: str) -> list[Entity]:
        """Return the profiles with this E.164 number of any type, the last written first."""
        return [self.customers[i] for i in self._book.by_phone(number)]

    def find_by_external_id(self, external_id: str) -> list[Entity]:
        """Return the profiles with this `externalCustomerId`, the last written first."""
        return [self.customers[i] for i in self._book.by_external_id(external_id)]

    def _claim(self, profile: Entity) -> None:
        conflicts = self._book.conflicts(profile, profile["id"])
        if conflicts:
            raise Taken(*conflicts)
        self._book.enter(profile)

    def _forget(self, profile: Entity) -> None:
        self._book.leave(profile)
        del self.customers[profile["id"]]

    def _open_conversations(self, customer_id: str) -> list[Entity]:
        return [c for c in self.conversations.of("customerId", customer_id) if c["status"] != "CLOSED"]

    def _join_open_conversations(self, old: str, new: str) -> tuple[str, str]:
        """Return the id of the removed conversation and of the one that now has its items, or two empty texts."""
        going, staying = self._open_conversations(old), self._open_conversations(new)
        if not going or not staying:
            return "", ""
        # If there are several, the latest of each.
        source, destination = going[-1], staying[-1]
        for item in self.items.of("conversationId", source["id"]):
            self.items[item["id"]] = item | {"conversationId": destination["id"]}
        self.conversations[destination["id"]] = _united_conversation(source, destination)
        del self.conversations[source["id"]]
        return str(source["id"]), str(destination["id"])


def _united_profile(loser: Mapping[str, Any], winner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the winner, with those addresses, fields and attributes of the loser that it does not have."""
    united = {**loser, **winner}
    for name in ("emails", "phones"):
        kept = winner.get(name, [])
        known = {entry["normalized"] for entry in kept}
        # At most one address may be primary.
        gained = [{**e, "primary": False} for e in loser.get(name, []) if e["normalized"] not in known]
        if kept or gained:
            united[name] = [*kept, *gained]
    attributes = {**loser.get("customAttributes", {}), **winner.get("customAttributes", {})}
    if attributes:
        united["customAttributes"] = attributes
    return united


def _united_conversation(source: Mapping[str, Any], destination: Mapping[str, Any]) -> dict[str, Any]:
    """Return the destination with the topics of both."""
    united = dict(destination)
    for name in ("topicIds", "customAttributes"):
        kept = destination.get(name, [])
        gained = [entry for entry in source.get(name, []) if entry not in kept]
        if gained:
            united[name] = [*kept, *gained]
    return united
