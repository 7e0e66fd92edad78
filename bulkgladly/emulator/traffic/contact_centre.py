"""A contact centre at work: agents come, contacts start, conversations are closed and reopened, tasks become due."""

import random
from functools import partial
from itertools import islice

from bulkgladly.emulator.application import Application
from bulkgladly.emulator.operations.conversation_topics import change_topics
from bulkgladly.emulator.operations.timeline import close_conversation, open_conversation
from bulkgladly.emulator.organisation.event_log import APPLICATION
from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.traffic.agent_shift import AgentShift
from bulkgladly.emulator.traffic.contact_flow import ContactFlow
from bulkgladly.emulator.traffic.contact_log import Contact
from bulkgladly.emulator.traffic.schedule import Schedule
from bulkgladly.emulator.traffic.task_flow import TaskFlow

__all__ = ("ContactCentre",)

_USUAL_PER_MINUTE = 6.0
"""So many contacts a minute keep five agents busy; if there are more, everything takes less time."""

_CHANNELS = ("CHAT", "CHAT", "SMS", "EMAIL", "WHATSAPP", "PHONE_CALL", "PHONE_CALL", "VOICEMAIL")
_FIRST_CUSTOMERS = 1000
_NEW_CUSTOMERS = 200


class ContactCentre:
    """What happens in a contact centre, decided by a seed. `advance` lets it happen, up to a moment.

    It changes the store as the application and the agents would, so that what the events name can be read
    through the API. It uses the first 1,000 customers, and creates up to 200 more.
    """

    def __init__(self, application: Application, *, per_minute: float, seed: int = 0) -> None:
        self._application, self._store = application, application.store
        self._draw = draw = random.Random(f"{seed}:contact-centre")  # noqa: S311  # a repeatable draw is the point
        self._per_minute = per_minute
        self._schedule = Schedule(draw, quickness=max(1.0, per_minute / _USUAL_PER_MINUTE))
        self._shift = AgentShift(self._store, self._schedule, draw)
        self._contacts = ContactFlow(application, self._schedule, self._shift, draw, self._after)
        self._tasks = TaskFlow(application, self._schedule, draw)
        self._customers = list(islice(self._store.customers, _FIRST_CUSTOMERS))
        self._created = 0
        self._busy: set[str] = set()
        self._shift.begin()
        self._schedule.within(5, 10, self._contact)

    def advance(self, moment_s: float) -> float:
        """Let everything happen that is due up to a moment, in seconds since the beginning; return the next moment."""
        following = self._schedule.run_until(moment_s)
        return moment_s if following is None else following

    def _contact(self) -> None:
        """Let a contact start, and the next one after a random time."""
        self._schedule.after(self._draw.expovariate(self._per_minute / 60), self._contact)
        customer_id = self._customer()
        if customer_id is not None:
            channel = self._draw.choice(_CHANNELS)
            self._start(self._open_conversation(customer_id), channel)

    def _start(self, conversation: Entity, channel: str, *, is_first: bool = True) -> None:
        moment_s = self._schedule.now_s
        contact = Contact(channel, conversation["id"], conversation["customerId"], moment_s, is_first=is_first)
        self._busy.add(contact.customer_id)
        self._contacts.start(contact)

    def _after(self, contact: Contact) -> None:
        """Do what follows the end of a contact."""
        self._schedule.within(5, 20, partial(self._close, contact))
        conversation = self._store.conversations.get(contact.conversation_id)
        if conversation is None:
            return
        topics = [topic["id"] for topic in self._store.collections["topics"].values() if not topic.get("disabled")]
        missing = [topic for topic in topics if topic not in conversation.get("topicIds", ())]
        if missing:
            change_topics(self._store, conversation, added=[self._draw.choice(missing)], removed=[])
        if self._draw.random() < 0.3:
            self._tasks.start(contact.customer_id)

    def _close(self, contact: Contact) -> None:
        """Close the conversation, unless somebody else has; now the customer can have another one."""
        self._busy.discard(contact.customer_id)
        conversation = self._store.conversations.get(contact.conversation_id)
        if conversation is None:
            return
        if conversation["status"] != "CLOSED":
            agent_id = conversation.get("agentId")
            initiator = {"id": agent_id, "type": "AGENT"} if agent_id else APPLICATION
            close_conversation(self._store, conversation, initiator=initiator)
        # Once only: a third contact would have a channel, and so the id, of an earlier one.
        if contact.is_first and self._draw.random() < 0.25:
            self._schedule.within(60, 180, partial(self._come_back, contact))

    def _come_back(self, contact: Contact) -> None:
        """Let the customer write again about a closed conversation, on another channel."""
        conversation = self._store.conversations.get(contact.conversation_id)
        if conversation is None or conversation["status"] != "CLOSED" or contact.customer_id in self._busy:
            return
        if not self._store.has_open_conversation(contact.customer_id):
            customer = {"id": contact.customer_id, "type": "CUSTOMER"}
            opened = open_conversation(self._store, conversation, initiator=customer)
            # A contact of its own: its id belongs to the conversation and the channel.
            self._start(opened, "EMAIL" if contact.channel != "EMAIL" else "SMS", is_first=False)

    def _customer(self) -> str | None:
        """Return a customer who has no contact now, often a new one, or None."""
        if self._created < _NEW_CUSTOMERS and self._draw.random() < 0.5:
            self._created += 1
            tier = self._draw.choice(("bronze", "silver", "gold", "vip"))
            customer_id = self._application.add_customer(name="Live Visitor", customAttributes={"tier": tier})
            self._customers.append(customer_id)
            return customer_id
        free = [each for each in self._customers if each not in self._busy and each in self._store.customers]
        return self._draw.choice(free) if free else None

    def _open_conversation(self, customer_id: str) -> Entity:
        for conversation in self._store.conversations.of("customerId", customer_id):
            if conversation["status"] != "CLOSED":
                return open_conversation(self._store, conversation)
        return self._store.conversations[self._application.add_conversation(customer_id)]
