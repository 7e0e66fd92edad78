"""One contact of a customer, and the events that tell of it."""

from dataclasses import dataclass
from typing import Any

from bulkgladly.emulator.operations.timeline import assign_conversation, assignee_of, contact_of
from bulkgladly.emulator.organisation.event_log import APPLICATION
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.traffic.agent_shift import AtWork

__all__ = ("Contact", "ContactLog")


@dataclass(slots=True, eq=False)
class Contact:
    """A customer who wants something on one channel, and the agent who has been offered the contact, if any."""

    channel: str
    conversation_id: str
    customer_id: str
    started_s: float
    patience_s: float = 0.0
    """How long a caller waits."""
    is_first: bool = True
    """Whether the customer has not come back yet."""
    messages_left: int = 0
    agent: AtWork | None = None

    @property
    def id(self) -> str:
        """The id of the contact in events."""
        return contact_of(self.conversation_id, self.channel)

    @property
    def is_call(self) -> bool:
        """Whether the two talk, so that there are no messages."""
        return self.channel == "PHONE_CALL"


class ContactLog:
    """Writes events of contacts to the log of a store, and assigns conversations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def conversation_of(self, contact: Contact) -> Entity | None:
        """Return the conversation, or None if it is closed or gone: others can change the store at any time."""
        conversation = self._store.conversations.get(contact.conversation_id)
        return None if conversation is None or conversation["status"] == "CLOSED" else conversation

    def why_gone(self, contact: Contact) -> str:
        """Return the reason why there is no open conversation any more."""
        is_there = contact.conversation_id in self._store.conversations
        return "CONVERSATION_CLOSED" if is_there else "CUSTOMER_DELETED"

    def add(self, contact: Contact, name: str, *, by: AtWork | None = None, **content: Any) -> None:
        """Add an event of the contact; without an agent it is caused by the customer."""
        place = {"channel": contact.channel, "contactId": contact.id}
        ids = {"conversationId": contact.conversation_id, "customerId": contact.customer_id}
        conversation = self._store.conversations.get(contact.conversation_id, {"inboxId": "inbox-0"})
        context = {"assignee": assignee_of(conversation)}
        initiator = {"id": contact.customer_id, "type": "CUSTOMER"} if by is None else by.initiator
        self._store.event_log.add(f"CONTACT/{name}", {**place, **ids, **content, "context": context}, initiator)

    def assign(self, contact: Contact, agent: AtWork | None, reason: str) -> None:
        """Give the conversation to an agent, or take it away from all."""
        conversation = self.conversation_of(contact)
        agent_id = None if agent is None else agent.id
        if conversation is not None and conversation.get("agentId") != agent_id:
            assign_conversation(self._store, conversation, agent_id, reason=reason, initiator=APPLICATION)
