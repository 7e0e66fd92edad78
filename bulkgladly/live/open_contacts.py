"""What events say of contacts: where they are, who has them, and whether the customer waits. Pure.

A customer begins to wait when a contact starts (unless an agent or a rule started it), when a message comes, when a
call is put on hold or transferred, and when an automation hands the contact over. The wait ends with a reply or, on the
phone, with an agent who takes the call. What a rule sends (initiator AUTOMATION) is not a reply; what Gladly's AI sends
is one.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bulkgladly.live.event_fields import LiveEvent, Newest, Stamp, part, text, time_in, unset

__all__ = ("CONTACT_EVENTS", "LiveContact", "fold_contact")

T = TypeVar("T")
MOST_ASKS = 50
"""Unanswered messages of one contact that are kept. The first is always among them, and so is the last."""
PHONE = "PHONE_CALL"
_STARTED = "CONTACT/STARTED"
_RECEIVED, _SENT = "CONTACT/MESSAGE_RECEIVED", "CONTACT/MESSAGE_SENT"
_JOINED = "CONTACT/JOINED"

_STEPS: Mapping[str, str] = {
    _STARTED: "queued",
    "CONTACT/OFFERED": "offered",
    "CONTACT/OFFER_REJECTED": "declined",
    "CONTACT/TRANSFERRED": "transferred",
    "CONTACT/OFFER_ACCEPTED": "with agent",
    _JOINED: "with agent",
    "CONTACT/HOLD_STARTED": "on hold",
    "CONTACT/HOLD_ENDED": "with agent",
}
_REJECTIONS = {"MISSED": "missed", "DEVICE ERROR": "device error"}
_OFFERS = frozenset({"offered", "declined", *_REJECTIONS.values()})
CONTACT_EVENTS: Mapping[str, int] = {
    name: rank
    for rank, name in enumerate(
        (*_STEPS, _RECEIVED, _SENT, "CONTACT/FULFILLED"),
        start=1,
    )
}
"""The events that tell of open contacts, each with its rank among events of the same time."""


@dataclass(slots=True)
class LiveContact:
    """What is known of one contact; each field as of the newest event that told of it.

    When it has ended, only what came later is kept, and only a newer start opens it again.
    """

    last: dt.datetime
    conversation_id: Newest[str] = field(default_factory=unset)
    customer_id: Newest[str] = field(default_factory=unset)
    channel: Newest[str] = field(default_factory=unset)
    inbox_id: Newest[str] = field(default_factory=unset)
    agent_id: Newest[str] = field(default_factory=unset)
    step: Newest[str] = field(default_factory=unset)
    due_at: Newest[dt.datetime] = field(default_factory=unset)
    started: dt.datetime | None = None
    opened: dt.datetime | None = None
    """When it last started or a message came: what opens it again after its conversation was closed."""
    ended: dt.datetime | None = None
    answered: dt.datetime | None = None
    asks: frozenset[dt.datetime] = frozenset()
    """When the customer began to wait, or asked again, after the last answer."""

    def has_ended(self) -> bool:
        """Return whether its end is known, and no newer start."""
        return self.ended is not None and (self.started is None or self.started <= self.ended)

    def waiting_since(self) -> tuple[dt.datetime | None, bool]:
        """Return since when the customer waits, None if that is not known, and whether it may be for longer."""
        since = min(self.asks, default=None)
        is_whole = self.is_start_known()
        if since is None and not is_whole and self.step.value in _OFFERS:
            since = self.step.moment  # a contact that is offered to agents waits, and has done so for longer
        return since, since is not None and not is_whole

    def is_start_known(self) -> bool:
        """Return whether its start or an answer was seen, so that it is known whether the customer waits."""
        return self.started is not None or self.answered is not None

    def ask(self, moment: dt.datetime) -> bool:
        """Note that the customer waits from a moment on, and return whether that is news."""
        if moment in self.asks or (self.answered is not None and moment <= self.answered):
            return False
        asks = self.asks | {moment}
        if len(asks) > MOST_ASKS:
            asks -= {sorted(asks)[-2]}
        changed, self.asks = asks != self.asks, asks
        return changed

    def answer(self, moment: dt.datetime) -> bool:
        """Note that the customer got an answer, and return whether that is news."""
        if self.answered is not None and moment <= self.answered:
            return False
        self.answered = moment
        self.asks = frozenset(asked for asked in self.asks if asked > moment)
        return True

    def open(self, moment: dt.datetime, *, is_start: bool) -> bool:
        """Note that it was open at a moment, and return whether that is news."""
        before = self.opened, self.started
        self.opened = _later(self.opened, moment)
        if is_start:
            self.started = _later(self.started, moment)
        return before != (self.opened, self.started)

    def end(self, moment: dt.datetime) -> None:
        """Note that it has ended, and forget what was before."""
        self.ended = moment
        self.conversation_id.forget_until(moment)
        self.customer_id.forget_until(moment)
        self.channel.forget_until(moment)
        self.inbox_id.forget_until(moment)
        self.agent_id.forget_until(moment)
        self.step.forget_until(moment)
        self.due_at.forget_until(moment)
        self.started, self.opened, self.answered = (
            None if each is None or each <= moment else each for each in (self.started, self.opened, self.answered)
        )
        self.asks = frozenset(asked for asked in self.asks if asked > moment)


def fold_contact(contact: LiveContact, event: LiveEvent) -> bool:
    """Put what an event later than the contact's end says into it, and return whether anything changed."""
    moment = event.recorded
    contact.last = max(contact.last, moment)
    changes = [
        _put_text(contact.conversation_id, event.stamp(), event.content, "conversationId"),
        _put_text(contact.customer_id, event.stamp(), event.content, "customerId"),
        _put_text(contact.channel, event.stamp(), event.content, "channel"),
        _put_step(contact, event),
        _put_place(contact, event),
        _put_wait(contact, event),
    ]
    if event.type in (_STARTED, _RECEIVED):
        changes.append(contact.open(moment, is_start=event.type == _STARTED))
    if event.type == _STARTED:
        changes.append(contact.due_at.put(_stamp(event), time_in(event.content, "dueAt")))
    return any(changes)


def _stamp(event: LiveEvent) -> Stamp:
    return event.stamp(CONTACT_EVENTS[event.type])


def _put_text(target: Newest[str], stamp: Stamp, holder: Mapping[str, object], name: str) -> bool:
    """Set a field to a text of an event. Where the event has none, that says nothing."""
    value = text(holder, name)
    return value is not None and target.put(stamp, value)


def _put_step(contact: LiveContact, event: LiveEvent) -> bool:
    step = _STEPS.get(event.type)
    if step == "declined":
        step = _REJECTIONS.get(text(event.content, "reason") or "", step)
    elif event.type == _SENT and _is_by_agent(event):
        step = "with agent"  # agents also answer what was never offered to them
    elif event.type == _JOINED and _is_by_customer(event):
        return False
    return step is not None and contact.step.put(_stamp(event), step)


def _put_place(contact: LiveContact, event: LiveEvent) -> bool:
    """Set inbox and agent: from the context, which is the state before the event, and above it from the event."""
    before, stamp = part(event.context, "assignee"), _stamp(event)
    changed = _put_text(contact.inbox_id, event.stamp_before(), before, "inboxId")
    changed |= _put_text(contact.agent_id, event.stamp_before(), before, "agentId")
    if event.type in ("CONTACT/OFFERED", "CONTACT/OFFER_ACCEPTED"):
        changed |= _put_text(contact.agent_id, stamp, event.content, "agentId")
    elif event.type == "CONTACT/OFFER_REJECTED":
        changed |= contact.agent_id.put(stamp, None)
    elif event.type in (_JOINED, _SENT) and _is_by_agent(event) and event.initiator_id is not None:
        changed |= contact.agent_id.put(stamp, event.initiator_id)
    elif event.type == "CONTACT/TRANSFERRED" and (after := part(event.content, "assignee")):
        changed |= _put_text(contact.inbox_id, stamp, after, "inboxId")
        changed |= contact.agent_id.put(stamp, text(after, "agentId"))
    return changed


def _is_by_agent(event: LiveEvent) -> bool:
    return event.initiator_type == "AGENT"


def _is_by_customer(event: LiveEvent) -> bool:
    return event.initiator_type == "CUSTOMER"


def _is_by_person_or_bot(event: LiveEvent) -> bool:
    return event.initiator_type != "AUTOMATION"


def _is_call(event: LiveEvent) -> bool:
    return event.content.get("channel") == PHONE


def _is_handed_over(event: LiveEvent) -> bool:
    return _is_call(event) or event.content.get("reason") == "AUTOMATION"


def _always(_: LiveEvent) -> bool:
    return True


_ASKS: Mapping[str, Callable[[LiveEvent], bool]] = {
    _STARTED: lambda event: event.initiator_type not in ("AGENT", "AUTOMATION"),
    _RECEIVED: _always,
    "CONTACT/TRANSFERRED": _is_handed_over,
    "CONTACT/HOLD_STARTED": _always,
}
_ANSWERS: Mapping[str, Callable[[LiveEvent], bool]] = {
    _SENT: _is_by_person_or_bot,
    "CONTACT/FULFILLED": _always,
    "CONTACT/OFFER_ACCEPTED": _is_call,
    _JOINED: lambda event: _is_call(event) and not _is_by_customer(event),
    "CONTACT/HOLD_ENDED": _always,
}
"""Which events begin and end a wait; each event alone decides, so that their order does not matter."""


def _put_wait(contact: LiveContact, event: LiveEvent) -> bool:
    if event.type in _ASKS and _ASKS[event.type](event):
        return contact.ask(event.recorded)
    if event.type in _ANSWERS and _ANSWERS[event.type](event):
        return contact.answer(event.recorded)
    return False


def _later(one: dt.datetime | None, other: dt.datetime) -> dt.datetime:
    return other if one is None else max(one, other)
