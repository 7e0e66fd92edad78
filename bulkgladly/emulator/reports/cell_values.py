"""The texts of cells: for each word of the column table, how it is read from a fact."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.reports.facts import Fact

__all__ = ("measure_of", "text_of")

_REASONS = ("MANUAL", "CONTACT_INBOUND", "AUTOMATED_ASSIGNMENT", "REROUTED_UNASSIGN")
_PAUSES = ("Lunch", "Training, in house", 'Meeting "stand-up"', "")
_ANSWERS = ("Opening hours", "Sizes, all brands", 'What "final sale" means', "Returns\nand exchanges")
_TERMS = ("where is my order", "returns, refunds", 'the "blue" one', "gift card")
_REMARKS = ("Call back", "Check the order, then write", 'Customer says "urgent"', "First line\nsecond line")
_MESSAGES = (
    "Customer: Where is my order?\nGladly: It left the warehouse, and arrives today.",
    'Customer: What does "backordered" mean?\nGladly: It is on its way to us.',
    "Customer: Größe M, bitte.",
)
_SELECTIONS = ("Orders", "Returns, exchanges", "Agent")
_IVR_ENDS = ("ABANDONED", "DEFLECTED", "TRANSFERRED", "VOICEMAIL")


def _only(of: str, *events: str) -> Callable[[Fact], bool]:
    return lambda fact: fact.event(of) in events


_topic_event = _only("conversation", "CONVERSATION/TOPIC_ADDED", "CONVERSATION/TOPIC_REMOVED")
_assignment = _only("conversation", "CONVERSATION_ASSIGNEE/UPDATED")
_merge = _only("conversation", "CUSTOMER/MERGED")
_transfer = _only("contact", "CONTACT/TRANSFERRED")
_fulfilment = _only("contact", "CONTACT/FULFILLED")
_pause = _only("agent", "AGENT_STATUS/WENT_AWAY", "AGENT_STATUS/RETURNED_FROM_AWAY")
_active = _only("agent", "AGENT_STATUS/LOGGED_IN", "AGENT_STATUS/CHANGED_ACTIVE_REASON")
_availability = _only("agent", "AGENT_AVAILABILITY/UPDATED")


def _initiator_id(fact: Fact) -> str:
    match fact.initiator:
        case "AGENT":
            return str(fact.agent["id"])
        case "CUSTOMER":
            return fact.customer
        case other:
            return f"{other.lower()}-1"


def _status(fact: Fact) -> str:
    return "ANSWERED" if fact.answered else "ABANDONED" if fact.closed else "UNKNOWN"


def _when(condition: bool, text: str) -> str:
    return text if condition else ""


def _joined(entities: Sequence[Entity]) -> str:
    return ", ".join(entity["name"] for entity in entities)


def _available(fact: Fact) -> str:
    return fact.pick(("[ ]", "[MAIL]", "[MAIL, VOICE]", "[MAIL, MESSAGING, TASK, VOICE]"), 50)


_LINK = "https://emulator.example.org/customer"
_HANDLE_MOST_S = 3600

_DAY_S = 86_400


def _handle_s(fact: Fact) -> float:
    return fact.seconds(_HANDLE_MOST_S, 34)


VALUES: Mapping[str, Callable[[Fact], str]] = {
    "moment": lambda t: t.write(t.moment),
    "ended": lambda t: t.after(_handle_s(t)),
    "date": lambda t: t.date,
    "timezone": lambda t: t.view.zone_name,
    "zero": lambda _: "0",
    "one": lambda _: "1",
    "few": lambda t: str(1 + (t.bits >> 30) % 5),
    "percent": lambda t: str((t.bits >> 30) % 21 * 5),
    "percent.new": lambda t: str((t.bits >> 35) % 21 * 5),
    "remark": lambda t: t.pick(_REMARKS, 38),
    "switch": lambda t: t.pick(("ON", "OFF"), 41),
    "phone": lambda t: t.view.phone,
    "url": lambda t: t.pick(("https://example.org/", "https://example.org/cart", "https://example.org/?q=a,b"), 18),
    "link": lambda t: f"{_LINK}/{t.customer}/history/{t.named('conversation')}",
    "agent.id": lambda t: t.agent["id"],
    "agent.name": lambda t: t.agent["name"],
    "agent.email": lambda t: t.agent.get("emailAddress", ""),
    "agent.teams": lambda t: _joined(t.teams),
    "agent.inboxes": lambda t: _joined([t.inbox]),
    "agent.roles": lambda _: "Agent, Task Admin",
    "agent.user_status": lambda _: "Active",
    "agent.event": lambda t: t.event("agent"),
    "agent.available_for": lambda t: _when(_availability(t), _available(t)),
    "agent.away_reason": lambda t: _when(_pause(t), t.pick(_PAUSES, 46)),
    "agent.active_reason": lambda t: _when(_active(t), t.pick(("", "Chats, mail"), 46)),
    "agent.state": lambda t: t.pick(("ACTIVE", "AWAY"), 42),
    "agent.context": lambda t: t.pick(_PAUSES, 46),
    "inbox.id": lambda t: t.inbox["id"],
    "inbox.name": lambda t: t.inbox["name"],
    "topic.id": lambda t: t.topic["id"],
    "topic.name": lambda t: t.topic["name"],
    "topic.path": lambda t: t.path(t.topic),
    "topics": lambda t: _joined(t.topics),
    "topics.path": lambda t: ", ".join(map(t.path, t.topics)),
    "channel": lambda t: t.channel,
    "customer": lambda t: t.customer,
    "conversation": lambda t: t.named("conversation"),
    "conversation.status": lambda t: "CLOSED" if t.closed else "OPEN",
    "conversation.closed": lambda t: _when(t.closed, t.after(t.seconds(_DAY_S, 33))),
    "conversation.open_s": lambda t: _when(t.closed, f"{t.seconds(_DAY_S, 33)}"),
    "conversation.closings": lambda t: str(int(t.closed)),
    "conversation.event": lambda t: t.event("conversation"),
    "starter.type": lambda t: t.pick(("Agent", "Application", "Customer", "System"), 28),
    "starter.agent.id": lambda t: _when(VALUES["starter.type"](t) == "Agent", t.agent["id"]),
    "starter.agent.name": lambda t: _when(VALUES["starter.type"](t) == "Agent", t.agent["name"]),
    "initiator.type": lambda t: t.initiator,
    "initiator.id": _initiator_id,
    "initiator.name": lambda t: _when(t.initiator == "AGENT", t.agent["name"]),
    "event.topic.id": lambda t: _when(_topic_event(t), t.topic["id"]),
    "event.topic.name": lambda t: _when(_topic_event(t), t.topic["name"]),
    "event.inbox.id": lambda t: _when(_assignment(t), t.other_inbox["id"]),
    "event.inbox.name": lambda t: _when(_assignment(t), t.other_inbox["name"]),
    "event.agent.id": lambda t: _when(_assignment(t), t.other_agent["id"]),
    "event.agent.name": lambda t: _when(_assignment(t), t.other_agent["name"]),
    "event.reason": lambda t: _when(_assignment(t), t.pick(_REASONS, 50)),
    "event.merged.customer": lambda t: _when(_merge(t), t.named("merged-customer")),
    "event.merged.conversation": lambda t: _when(_merge(t), t.named("merged-conversation")),
    "contact": lambda t: t.named("contact"),
    "contact.event": lambda t: t.event("contact"),
    "contact.status": _status,
    "contact.created": lambda t: t.after(-_handle_s(t) - 60) if t.closed else t.write(t.moment),
    "contact.routed": lambda t: t.after(-_handle_s(t) - 55) if t.closed else "",
    "contact.accepted": lambda t: t.after(-_handle_s(t)) if t.answered else "",
    "contact.ended": lambda t: _when(t.closed, t.write(t.moment)),
    "contact.within_sla": lambda t: _when(t.answered, t.pick(("true", "false"), 52)),
    "contact.transferred": lambda t: _when(_transfer(t), t.other_inbox["name"]),
    "contact.fulfilled_by": lambda t: _when(_fulfilment(t), t.named("contact")),
    "handler.id": lambda t: _when(t.answered, t.agent["id"]),
    "direction": lambda t: t.pick(("INBOUND", "OUTBOUND"), 43),
    "entry_point": lambda t: t.pick(("support@example.org", "+16505550100", "https://example.org/cart"), 36),
    "handle_s": lambda t: _when(t.closed, f"{_handle_s(t)}"),
    "hold_s": lambda t: _when(t.channel == "PHONE_CALL", f"{t.seconds(300, 31)}"),
    "after_s": lambda t: f"{t.seconds(300, 45)}",
    "unknown_s": lambda t: f"{t.seconds(60, 47)}",
    "duration_min": lambda t: f"{_handle_s(t) / 60:.3f}",
    "session.id": lambda t: _when(t.closed, t.named("session")),
    "task": lambda t: t.named("task"),
    "task.status": lambda t: "CLOSED" if t.closed else "OPEN",
    "task.closed": lambda t: _when(t.closed, t.after(t.seconds(_DAY_S, 33))),
    "task.event": lambda t: t.event("task"),
    "answer.id": lambda t: f"answer-{(t.bits >> 24) % len(_ANSWERS) + 1}",
    "answer.name": lambda t: t.pick(_ANSWERS, 24),
    "answer.agent": lambda t: f"{VALUES['answer.id'](t)} {t.agent['id']}",
    "action": lambda t: t.pick(("Track, cancel or change", "Start a return", "Talk to us"), 24),
    "search.term": lambda t: t.pick(_TERMS, 24),
    "ivr.selection": lambda t: t.pick(_SELECTIONS, 24),
    "ivr.of_call": lambda t: _when(t.channel == "PHONE_CALL", t.pick(_SELECTIONS, 24)),
    "ivr.end": lambda t: t.pick(_IVR_ENDS, 25),
    "ai.agent": lambda t: t.pick(("Guide, web", "Guide, phone"), 27),
    "ai.handed_off": lambda t: t.pick(("true", "false"), 37),
    "ai.messages": lambda t: t.pick(_MESSAGES, 39),
    "currency": lambda _: "USD",
}
"""The text of a cell, by the word in the column table. An empty text means no value."""

MEASURES: Mapping[str, Callable[[Fact], float]] = {
    "handle_s": _handle_s,
    "wait_s": lambda t: t.seconds(600, 31),
    "hold_s": lambda t: t.seconds(300, 31) if t.channel == "PHONE_CALL" else 0,
    "logged_s": lambda t: t.seconds(7200, 33),
    "away_s": lambda t: t.seconds(1800, 35),
    "away_n": lambda t: t.bits >> 42 & 1,
    "changed_n": lambda t: t.bits >> 43 & 1,
    "answered_n": lambda t: t.answered,
    "voice_n": lambda t: t.channel == "PHONE_CALL",
    "chat_n": lambda t: t.channel == "CHAT",
    "email_n": lambda t: t.channel == "EMAIL",
    "amount": lambda t: (t.bits >> 36) % 20_000 / 100,
}
"""The numbers that are summed in reports with buckets."""


def text_of(fact: Fact, word: str) -> str:
    """Return the text of a cell.

    Raises:
        KeyError: There is no such word.
    """
    if word not in fact.known:
        return VALUES[word](fact)
    value = fact.known[word]
    if isinstance(value, datetime):
        return fact.write(value)
    return "" if value is None else value if isinstance(value, str) else f"{value:.3f}".rstrip("0").removesuffix(".")


def measure_of(fact: Fact, name: str) -> float:
    """Return a number that is summed.

    Raises:
        KeyError: There is no such measure.
    """
    if name not in fact.known:
        return MEASURES[name](fact)
    value = fact.known[name]
    return value if isinstance(value, float) else 0.0
