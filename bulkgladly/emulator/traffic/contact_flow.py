"""The course of a contact: it starts, is offered and accepted, the two talk, it ends."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from bulkgladly.emulator.application import Application
from bulkgladly.emulator.operations.timeline import CHANNELS
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.traffic.agent_shift import AgentShift, AtWork
from bulkgladly.emulator.traffic.contact_log import Contact, ContactLog
from bulkgladly.emulator.traffic.schedule import Schedule

__all__ = ("ContactFlow",)

_ITEM_TYPES = {channel: item for item, channel in CHANNELS.items()}
_NUMBER, _EMAIL = "+16505550199", "help@example.org"
_PATIENCE_S = (120.0, 600.0)
_REPLY_WITHIN_S = 600.0


class ContactFlow:
    """Moves contacts along, each by its own random times. `on_end` is called once for each, after its last event.

    Others can close or delete a conversation at any moment. Then its contact ends at its next step.
    """

    def __init__(
        self,
        application: Application,
        schedule: Schedule,
        shift: AgentShift,
        draw: random.Random,
        on_end: Callable[[Contact], None],
    ) -> None:
        self._application, self._store = application, application.store
        self._schedule, self._shift, self._draw = schedule, shift, draw
        self._log = ContactLog(application.store)
        self._on_end = on_end

    def start(self, contact: Contact) -> None:
        """Begin a contact of an open conversation."""
        contact.messages_left = self._draw.randrange(1, 5)
        contact.patience_s = self._schedule.scaled(self._draw.uniform(*_PATIENCE_S))
        due = timestamp(self._store.clock.wall() + self._schedule.scaled(_REPLY_WITHIN_S))
        self._log.add(contact, "STARTED", dueAt=due, entryPoint="support@example.org")
        if not contact.is_call:
            self._say(contact, by=None)
        self._schedule.within(1, 4, partial(self._offer, contact))

    # Until an agent has it

    def _offer(self, contact: Contact, not_to: str | None = None) -> None:
        conversation = self._log.conversation_of(contact)
        if conversation is None:
            self._end(contact, "UNANSWERED", self._log.why_gone(contact))
            return
        agent = self._shift.agent_for(contact.channel, conversation["inboxId"], other_than=not_to)
        if agent is None:
            self._wait_or_leave(contact)
            return
        agent.contacts.append(contact.channel)
        contact.agent = agent
        self._log.assign(contact, agent, "CONTACT_OFFERED")
        self._log.add(contact, "OFFERED", by=agent, agentId=agent.id, matchReasons=["PEOPLE_MATCH"])
        if self._draw.random() < 0.15:
            self._schedule.within(3, 8, partial(self._reject, contact, agent))
        else:
            self._schedule.within(2, 8, partial(self._accept, contact, agent))

    def _wait_or_leave(self, contact: Contact) -> None:
        # Who has written waits longer than who holds a telephone.
        if contact.is_call and self._schedule.now_s - contact.started_s > contact.patience_s:
            self._end(contact, "ABANDONED", "CUSTOMER_ABANDONED")
        else:
            self._schedule.within(3, 6, partial(self._offer, contact))

    def _reject(self, contact: Contact, agent: AtWork) -> None:
        reason = self._draw.choice(("DECLINED", "MISSED"))
        self._log.add(contact, "OFFER_REJECTED", by=agent, agentId=agent.id, reason=reason)
        self._release(contact)
        self._log.assign(contact, None, f"CONTACT_{reason}")
        self._schedule.within(1, 4, partial(self._offer, contact, agent.id))

    def _accept(self, contact: Contact, agent: AtWork) -> None:
        self._log.add(contact, "OFFER_ACCEPTED", by=agent, agentId=agent.id)
        self._log.add(contact, "JOINED", by=agent)
        self._schedule.within(5, 15, partial(self._talk, contact, agent))

    # While an agent has it

    def _talk(self, contact: Contact, agent: AtWork) -> None:
        """Take one step of the talk, and then the next, or the end."""
        if self._log.conversation_of(contact) is None:
            self._end(contact, "ANSWERED", self._log.why_gone(contact))
            return
        if contact.is_call:
            self._hold(contact, agent)
        else:
            self._say(contact, by=agent)
            if contact.messages_left > 1:
                self._schedule.within(2, 7, partial(self._reply, contact))
        contact.messages_left -= 1
        following = self._talk if contact.messages_left > 0 else self._wind_up
        self._schedule.within(8, 18, partial(following, contact, agent))

    def _reply(self, contact: Contact) -> None:
        if self._log.conversation_of(contact) is not None:
            self._say(contact, by=None)

    def _hold(self, contact: Contact, agent: AtWork) -> None:
        """Put the caller on hold for a moment, in some of the steps."""
        if contact.messages_left % 2 == 0:
            self._log.add(contact, "HOLD_STARTED", by=agent, reason="MANUAL")
            self._schedule.within(2, 7, partial(self._log.add, contact, "HOLD_ENDED", by=agent, reason="MANUAL"))

    def _wind_up(self, contact: Contact, agent: AtWork) -> None:
        if not contact.is_call:
            self._log.add(contact, "FULFILLED", by=agent, fulfilledType="RESPONDED")
        self._end(contact, "ANSWERED", "AGENT_ENDED")

    def _end(self, contact: Contact, status: str, reason: str) -> None:
        agent = contact.agent
        self._release(contact)
        self._log.add(contact, "ENDED", by=agent, status=status, reason=reason)
        self._on_end(contact)

    def _release(self, contact: Contact) -> None:
        if contact.agent is not None:
            contact.agent.contacts.remove(contact.channel)
            contact.agent = None

    def _say(self, contact: Contact, *, by: AtWork | None) -> None:
        """Add a message, whose event comes with it."""
        ways: dict[str, dict[str, Any]] = {
            "EMAIL": {"from": _EMAIL, "to": [_EMAIL], "subject": "My order"},
            "SMS": {"from": _NUMBER, "to": _NUMBER},
            "CHAT": {"sessionId": contact.id, "messageType": "TEXT"},
            "VOICEMAIL": {"startedAt": self._store.now()},
        }
        words = {} if contact.channel == "VOICEMAIL" else {"content": "Hello"}
        content = {"type": _ITEM_TYPES[contact.channel], **words, **ways.get(contact.channel, {})}
        more: dict[str, Any] = {} if by is None else {"initiator": by.initiator}
        self._application.add_item(content, conversation_id=contact.conversation_id, **more)
