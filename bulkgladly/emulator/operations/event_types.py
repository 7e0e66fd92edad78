"""The types of events: the content of each, its entity in the stream, and which ones webhooks can get.

Facts: events.md, "Types and content", of the fact sheet; column W is about webhooks.

A row below is a type of the stream with its fields; `*` marks a required field. The kind of a field's
value is the word after `=`, or else its name; `seed_events` invents values by kind. Shared parts are in
capitals.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, get_args

__all__ = (
    "DEPRECATED_SPELLING",
    "ENTITIES",
    "EVENT_SHAPES",
    "WEBHOOK_EVENTS",
    "WEBHOOK_ONLY_SHAPES",
    "WORDS",
    "EventEntity",
    "Field",
    "entity_of",
)


EventEntity = Literal[
    "AGENT_AVAILABILITY",
    "AGENT_STATUS",
    "CONTACT",
    "CONVERSATION",
    "CUSTOMER",
    "CUSTOMER_PROFILE",
    "PAYMENT_REQUEST",
    "TASK",
]

ENTITIES: frozenset[str] = frozenset(get_args(EventEntity))
"""The entities that a query can ask for."""


class Field(NamedTuple):
    """One field of a content. `kind` is the kind of its value, or the fields of the object that it holds."""

    name: str
    kind: "str | tuple[Field, ...]"
    required: bool


WORDS: Mapping[str, tuple[str, ...]] = {
    "channel": ("CHAT", "EMAIL", "FB_MESSENGER", "INSTAGRAM_DIRECT", "PHONE_CALL", "SMS", "VOICEMAIL", "WHATSAPP"),
    "call": ("PHONE_CALL",),
    "received": ("CHAT", "EMAIL", "FB_MESSENGER", "INSTAGRAM_DIRECT", "SMS", "VOICEMAIL", "WHATSAPP"),
    "sent": ("CHAT", "EMAIL", "FB_MESSENGER", "INSTAGRAM_DIRECT", "SMS", "WHATSAPP"),
    "work": ("MAIL", "MESSAGING", "TASK", "VOICE"),
    "contact_status": ("ABANDONED", "ANSWERED", "UNANSWERED", "UNKNOWN"),
    "ended_reason": (
        *("AGENT_ENDED", "CONVERSATION_CLOSED", "CUSTOMER_ABANDONED", "CUSTOMER_DELETED"),
        *("CUSTOMER_NO_REPLY", "MERGED", "NO_REPLY_NEEDED", "STARTED_NEW"),
    ),
    "fulfilled_type": ("CANCELED", "RESPONDED"),
    "hold_reason": ("COLD_TRANSFER", "CONFERENCE", "MANUAL", "WARM_TRANSFER"),
    "rejected_reason": ("DECLINED", "MISSED", "DEVICE ERROR"),
    "transfer_type": ("COLD", "WARM"),
    "transfer_reason": ("AUTOMATION", "MANUAL", "MERGE", "UNKNOWN"),
    "assignee_reason": (
        *("AUTOMATED_ASSIGNMENT", "CONTACT_DECLINED", "CONTACT_INBOUND", "CONTACT_MISSED", "CONTACT_OFFERED"),
        *("CUSTOMER_CONVERSATION_MERGE", "DEDICATED_HERO_ASSIGN", "DEDICATED_HERO_CHANGE", "DEVICE_ERROR"),
        *("MANUAL", "MESSAGE_OUTBOUND", "CONTACT_OFFER_CONFLICT", "PHONE_CALL_TRANSFER"),
        *("QUEUE_IVR_TRANSFER", "REROUTED_UNASSIGN", "USER_DEACTIVATION"),
    ),
    "payment_status": ("COMPLETED", "DECLINED", "ERROR", "REQUESTING", "SUBMITTED", "TIMED_OUT"),
}
"""The values of each kind that has a fixed list."""

_PARTS = {
    "A": "inboxId* agentId",
    "PLACE": "contactId* conversationId* customerId*",
    "K": "channel* PLACE",
    "CALL": "channel*=call PLACE",
    "TALK": "customerId* conversationId*",
    "CX": "context*={assignee*={A}}",
    "TX": "context*={createdAt*=moment assignee={A} dueAt=later}",
    "TASK": "customerId* taskId*",
    "PX": "contactId* customerId* conversationId* paymentRequestId* context*={currency* monetaryUnit*}",
    "ATTRIBUTE": "TALK customAttributeId* customAttributeKey* customAttributeValue*",
    "DONE": "agentId* occurredAt*=moment",
}

_ROWS = """
AGENT_AVAILABILITY/FOCUS_ENTERED | agentId* context*={availableFor*}
AGENT_AVAILABILITY/FOCUS_EXITED | agentId* context*={availableFor*}
AGENT_AVAILABILITY/UPDATED | DONE availableFor*
AGENT_STATUS/CHANGED_ACTIVE_REASON | DONE activeReason=reason
AGENT_STATUS/LOGGED_IN | DONE activeReason=reason
AGENT_STATUS/LOGGED_OUT | DONE
AGENT_STATUS/RETURNED_FROM_AWAY | DONE awayAt*=earlier activeReason=reason awayReason=reason
AGENT_STATUS/WENT_AWAY | DONE awayReason=reason
CONTACT/ENDED | K status*=contact_status reason=ended_reason CX
CONTACT/FULFILLED | K fulfilledType*=fulfilled_type CX
CONTACT/HOLD_STARTED | CALL reason*=hold_reason CX
CONTACT/HOLD_ENDED | CALL reason*=hold_reason CX
CONTACT/JOINED | K CX
CONTACT/MESSAGE_RECEIVED | channel*=received PLACE messageId* CX
CONTACT/MESSAGE_SENT | channel*=sent PLACE messageId* CX
CONTACT/OFFER_ACCEPTED | K agentId* CX
CONTACT/OFFERED | K agentId* matchReasons CX
CONTACT/OFFER_REJECTED | K agentId* reason*=rejected_reason CX
CONTACT/STARTED | K dueAt=later entryPoint finalIVRSelection CX
CONTACT/TRANSFERRED | K transferType*=transfer_type reason*=transfer_reason assignee*={A} CX
CONVERSATION/CLOSED | TALK CX
CONVERSATION/CREATED | TALK CX
CONVERSATION/REOPENED | TALK CX
CONVERSATION/CUSTOM_ATTRIBUTE_ADDED | ATTRIBUTE
CONVERSATION/CUSTOM_ATTRIBUTE_REMOVED | ATTRIBUTE
CONVERSATION/NOTE_CREATED | noteId* TALK
CONVERSATION/TOPIC_ADDED | TALK topicId* CX
CONVERSATION/TOPIC_REMOVED | TALK topicId* CX
CONVERSATION_ASSIGNEE/UPDATED | TALK reason*=assignee_reason assignee*={A} CX
CUSTOMER/MERGED | destinationCustomerId* sourceCustomerId* destinationConversationId* sourceConversationId*
CUSTOMER_PROFILE/CREATED | customerId*
CUSTOMER_PROFILE/DELETED | customerId*
CUSTOMER_PROFILE/UPDATED | customerId*
PAYMENT_REQUEST/CREATED | PX
PAYMENT_REQUEST/VIEWED | PX
PAYMENT_REQUEST/STATUS_CHANGED | PX oldStatus*=payment_status newStatus*=payment_status
TASK/CREATED | TASK TX
TASK/CLOSED | TASK TX
TASK/REOPENED | TASK TX
TASK/CONTENT_UPDATED | TASK TX
TASK/COMMENT_ADDED | TASK commentId* TX
TASK/DUE_DATE_UPDATED | TASK dueAt=later TX
TASK/ASSIGNEE_UPDATED | assignee*={A} TASK TX
TASK/FOLLOWER_ADDED | TASK agentId* TX
TASK/FOLLOWER_REMOVED | TASK agentId* TX
"""


_WEBHOOK_ONLY_ROWS = """
CONVERSATION_STATUS/UPDATED | TALK
CUSTOMER_PROFILE/MERGED | sourceCustomerId* destinationCustomerId*
EXPORT_JOB/COMPLETED | jobId*
EXPORT_JOB/FAILED | jobId*
"""


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[{}]|[^\s{}]+", text):
        yield from _words(_PARTS[word]) if word in _PARTS else (word,)


def _fields(words: Iterator[str]) -> tuple[Field, ...]:
    """Parse the fields up to the closing brace or the end."""
    found: list[Field] = []
    for word in words:
        if word == "}":
            break
        name, _, kind = word.partition("=")
        if name == "{":
            # The brace belongs to the field before it, whose word ends in `=`.
            found[-1] = found[-1]._replace(kind=_fields(words))
        else:
            bare = name.removesuffix("*")
            found.append(Field(bare, kind or bare, name.endswith("*")))
    return tuple(found)


def _shape(row: str) -> tuple[str, tuple[Field, ...]]:
    event, _, content = row.partition(" | ")
    return event, _fields(_words(content))


def _shapes(rows: str) -> Mapping[str, tuple[Field, ...]]:
    return dict(map(_shape, filter(None, rows.splitlines())))


EVENT_SHAPES = _shapes(_ROWS)
"""The content of each type of the stream."""

WEBHOOK_ONLY_SHAPES = _shapes(_WEBHOOK_ONLY_ROWS)
"""The content of each type that only webhooks get. These events have no initiator."""


def entity_of(event: str) -> str:
    """Return the entity of a type in the stream.

    `CONVERSATION_ASSIGNEE/UPDATED` has no entity of its own; that it comes with CONVERSATION is assumed.
    """
    entity = event.partition("/")[0]
    return "CONVERSATION" if entity == "CONVERSATION_ASSIGNEE" else entity


_BY_ENTITY = {
    "AGENT_AVAILABILITY": "FOCUS_ENTERED FOCUS_EXITED UPDATED",
    "AGENT_STATUS": "CHANGED_ACTIVE_REASON LOGGED_IN LOGGED_OUT RETURNED_FROM_AWAY WENT_AWAY",
    "CONTACT": (
        "ENDED FULFILLED HOLD_ENDED HOLD_STARTED JOINED MESSAGE_RECEIVED MESSAGE_SENT OFFER_ACCEPTED OFFERED"
        " OFFER_REJECTED STARTED TRANSFERRED"
    ),
    "CONVERSATION": (
        "CLOSED CREATED CUSTOM_ATTRIBUTE_ADDED CUSTOM_ATTRIBUTE_REMOVED NOTE_CREATED REOPENED TOPIC_ADDED TOPIC_REMOVED"
    ),
    "CONVERSATION_ASSIGNEE": "UPDATED",
    "CONVERSATION_STATUS": "UPDATED",
    "CUSTOMER": "MERGED",
    "CUSTOMER_PROFILE": "CREATED DELETED MERGED UPDATED",
    "EXPORT_JOB": "COMPLETED FAILED",
    "PAYMENT_REQUEST": "CREATED STATUS_CHANGED VIEWED",
    "TASK": (
        "ASSIGNEE_UPDATED CLOSED COMMENT_ADDED CONTENT_UPDATED CREATED DUE_DATE_UPDATED FOLLOWER_ADDED"
        " FOLLOWER_REMOVED REOPENED"
    ),
}

WEBHOOK_EVENTS = tuple(f"{entity}/{name}" for entity, names in _BY_ENTITY.items() for name in names.split())

DEPRECATED_SPELLING = "CUSTOMER_PROFILE/MERGED (deprecated)"
"""The document's spelling of its one deprecated event; payloads do not have the remark."""
