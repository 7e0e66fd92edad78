"""Events: one flat column per field of any content, named as in the API.

`context`, the state just before the event, is one struct with the members of all kinds.
The folder `entity=` is the type up to its slash, so that a reader who knows the type knows
the folder: CONVERSATION_ASSIGNEE/UPDATED stands in `entity=CONVERSATION_ASSIGNEE`, although
it is asked for under the entity CONVERSATION, or so it is assumed.
"""

from collections.abc import Mapping

from bulkgladly.lake.schemas.shapes import (
    FETCH,
    NUMBER,
    TEXT,
    TEXTS,
    TIMESTAMP,
    Column,
    DataSet,
    Fields,
    Shape,
    schema_of,
    struct,
    texts_of,
)

__all__ = ("EVENTS", "EVENT_TYPES")

_KIND_PATH = ("type",)
_ASSIGNEE = texts_of("inboxId", "agentId")
_ENVELOPE: Fields = {"id": TEXT, "type": TEXT, "timestamp": TIMESTAMP, "initiator": texts_of("id", "type")}
_CONTENT: Fields = {
    "customerId": TEXT,
    "conversationId": TEXT,
    "contactId": TEXT,
    "channel": TEXT,
    "messageId": TEXT,
    "agentId": TEXT,
    "assignee": _ASSIGNEE,
    "status": TEXT,
    "reason": TEXT,
    "fulfilledType": TEXT,
    "transferType": TEXT,
    "matchReasons": TEXTS,
    "entryPoint": TEXT,
    "finalIVRSelection": TEXT,
    "dueAt": TIMESTAMP,
    "availableFor": TEXTS,
    "occurredAt": TIMESTAMP,
    "awayAt": TIMESTAMP,
    "activeReason": texts_of("id", "name"),
    "awayReason": texts_of("id", "name"),
    "topicId": TEXT,
    "noteId": TEXT,
    "customAttributeId": TEXT,
    "customAttributeKey": TEXT,
    "customAttributeValue": TEXT,
    "sourceCustomerId": TEXT,
    "destinationCustomerId": TEXT,
    "sourceConversationId": TEXT,
    "destinationConversationId": TEXT,
    "paymentRequestId": TEXT,
    "oldStatus": TEXT,
    "newStatus": TEXT,
    "taskId": TEXT,
    "commentId": TEXT,
    "context": struct(
        assignee=_ASSIGNEE,
        availableFor=TEXTS,
        createdAt=TIMESTAMP,
        dueAt=TIMESTAMP,
        currency=TEXT,
        monetaryUnit=NUMBER,
    ),
}
_CONTACT = ("channel", "contactId", "conversationId", "customerId", "context")
_CONVERSATION = ("customerId", "conversationId")
_ATTRIBUTE = (*_CONVERSATION, "customAttributeId", "customAttributeKey", "customAttributeValue")
_PAYMENT = ("contactId", *_CONVERSATION, "paymentRequestId", "context")
_TASK = ("customerId", "taskId", "context")
_AGENT = ("agentId", "occurredAt")
EVENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "AGENT_AVAILABILITY/FOCUS_ENTERED": ("agentId", "context"),
    "AGENT_AVAILABILITY/FOCUS_EXITED": ("agentId", "context"),
    "AGENT_AVAILABILITY/UPDATED": (*_AGENT, "availableFor"),
    "AGENT_STATUS/CHANGED_ACTIVE_REASON": (*_AGENT, "activeReason"),
    "AGENT_STATUS/LOGGED_IN": (*_AGENT, "activeReason"),
    "AGENT_STATUS/LOGGED_OUT": _AGENT,
    "AGENT_STATUS/RETURNED_FROM_AWAY": (*_AGENT, "awayAt", "activeReason", "awayReason"),
    "AGENT_STATUS/WENT_AWAY": (*_AGENT, "awayReason"),
    "CONTACT/ENDED": (*_CONTACT, "status", "reason"),
    "CONTACT/FULFILLED": (*_CONTACT, "fulfilledType"),
    "CONTACT/HOLD_STARTED": (*_CONTACT, "reason"),
    "CONTACT/HOLD_ENDED": (*_CONTACT, "reason"),
    "CONTACT/JOINED": (*_CONTACT, "messageId"),
    "CONTACT/MESSAGE_RECEIVED": (*_CONTACT, "messageId"),
    "CONTACT/MESSAGE_SENT": (*_CONTACT, "messageId"),
    "CONTACT/OFFER_ACCEPTED": (*_CONTACT, "agentId"),
    "CONTACT/OFFERED": (*_CONTACT, "agentId", "matchReasons"),
    "CONTACT/OFFER_REJECTED": (*_CONTACT, "agentId", "reason"),
    "CONTACT/STARTED": (*_CONTACT, "dueAt", "entryPoint", "finalIVRSelection"),
    "CONTACT/TRANSFERRED": (*_CONTACT, "transferType", "reason", "assignee"),
    "CONVERSATION/CLOSED": (*_CONVERSATION, "context"),
    "CONVERSATION/CREATED": (*_CONVERSATION, "context"),
    "CONVERSATION/REOPENED": (*_CONVERSATION, "context"),
    "CONVERSATION/CUSTOM_ATTRIBUTE_ADDED": _ATTRIBUTE,
    "CONVERSATION/CUSTOM_ATTRIBUTE_REMOVED": _ATTRIBUTE,
    "CONVERSATION/NOTE_CREATED": (*_CONVERSATION, "noteId"),
    "CONVERSATION/TOPIC_ADDED": (*_CONVERSATION, "topicId", "context"),
    "CONVERSATION/TOPIC_REMOVED": (*_CONVERSATION, "topicId", "context"),
    "CONVERSATION_ASSIGNEE/UPDATED": (*_CONVERSATION, "reason", "assignee", "context"),
    "CUSTOMER/MERGED": (
        *("sourceCustomerId", "destinationCustomerId"),
        *("sourceConversationId", "destinationConversationId"),
    ),
    "CUSTOMER_PROFILE/CREATED": ("customerId",),
    "CUSTOMER_PROFILE/DELETED": ("customerId",),
    "CUSTOMER_PROFILE/UPDATED": ("customerId",),
    "PAYMENT_REQUEST/CREATED": _PAYMENT,
    "PAYMENT_REQUEST/VIEWED": _PAYMENT,
    "PAYMENT_REQUEST/STATUS_CHANGED": (*_PAYMENT, "oldStatus", "newStatus"),
    "TASK/CREATED": _TASK,
    "TASK/CLOSED": _TASK,
    "TASK/REOPENED": _TASK,
    "TASK/CONTENT_UPDATED": (*_TASK, "dueAt"),
    "TASK/COMMENT_ADDED": (*_TASK, "commentId"),
    "TASK/DUE_DATE_UPDATED": (*_TASK, "dueAt"),
    "TASK/ASSIGNEE_UPDATED": (*_TASK, "assignee"),
    "TASK/FOLLOWER_ADDED": (*_TASK, "agentId"),
    "TASK/FOLLOWER_REMOVED": (*_TASK, "agentId"),
}
"""The 45 types of the stream, each with the fields of its content.

The contract names two fields as required that it does not define: `messageId` of
CONTACT/JOINED and `dueAt` of TASK/CONTENT_UPDATED. They have a place here.
"""


def _shape(kind: str | None) -> Shape:
    names = EVENT_TYPES[kind] if kind is not None else ()
    columns = [Column(name, (name,), kept) for name, kept in _ENVELOPE.items()]
    columns += [Column(name, ("content", name), _CONTENT[name]) for name in names]
    return Shape(kind, tuple(columns), _KIND_PATH)


EVENTS = DataSet(
    "events",
    1,
    schema_of("events", 1, {**_ENVELOPE, **_CONTENT}, FETCH),
    ("id",),
    _shape(None),
    {kind: _shape(kind) for kind in EVENT_TYPES},
    kind_path=_KIND_PATH,
    partitions=("entity", "date"),
)
