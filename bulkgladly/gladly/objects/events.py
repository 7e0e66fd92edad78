"""Events: what happened in the last 24 hours, one flat column per field of any content. Facts: gladly-api, events.

`context`, the state just before the event, is one struct with the members of all types. The
folder `entity=` is the type up to its slash, so that the type of an event gives its folder:
CONVERSATION_ASSIGNEE/UPDATED is in `entity=CONVERSATION_ASSIGNEE`, although it is probably
requested with the entity CONVERSATION.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from bulkgladly.gladly.data_sets import (
    MOMENT,
    NUMBER,
    TEXT,
    TEXTS,
    DataColumn,
    DataSetPlan,
    Struct,
    ValuePlace,
    texts_of,
)
from bulkgladly.gladly.spec import GladlyObject
from bulkgladly.messages import Request
from bulkgladly.times import to_milliseconds

__all__ = ("EVENTS", "EVENTS_WINDOW", "EVENT_ENTITIES", "EVENT_LAG", "EVENT_TYPES", "OBJECT", "events_request")

EVENTS = "events"
"""The data set of the stream, and the word that exports it."""
EVENT_ENTITIES = (
    "AGENT_AVAILABILITY",
    "AGENT_STATUS",
    "CONTACT",
    "CONVERSATION",
    "CUSTOMER",
    "CUSTOMER_PROFILE",
    "PAYMENT_REQUEST",
    "TASK",
)
EVENTS_WINDOW = dt.timedelta(hours=24)
"""How far back events can be requested; older ones cannot be read at all."""
EVENT_LAG = dt.timedelta(seconds=15)
"""How late an event may appear."""

_KIND_PATH = ("type",)
_ASSIGNEE = texts_of("inboxId", "agentId")
_ENVELOPE = (
    DataColumn("id", TEXT, "The id of the event; copies of one event have the same id."),
    DataColumn("type", TEXT, "What happened, such as CONVERSATION/CLOSED."),
    DataColumn("timestamp", MOMENT, "When the event was recorded."),
    DataColumn("initiator", texts_of("id", "type"), "Who caused it: an id, and its type (an agent, the API, ...)."),
)
_CONTENT = (
    DataColumn("customerId", TEXT, "The customer it is about."),
    DataColumn("conversationId", TEXT, "The conversation it is about."),
    DataColumn("contactId", TEXT, "The contact it is about: a part of a conversation on one channel."),
    DataColumn("channel", TEXT, "The channel of the contact, such as EMAIL, SMS or PHONE_CALL."),
    DataColumn("messageId", TEXT, "The message; exported items have it under this id."),
    DataColumn("agentId", TEXT, "The agent it is about."),
    DataColumn("assignee", _ASSIGNEE, "The inbox and the agent that it is assigned to now."),
    DataColumn("status", TEXT, "How a contact ended: ABANDONED, ANSWERED, UNANSWERED or UNKNOWN."),
    DataColumn("reason", TEXT, "Why it happened; each type of event has its own values."),
    DataColumn("fulfilledType", TEXT, "How a contact was fulfilled: RESPONDED or CANCELED."),
    DataColumn("transferType", TEXT, "How a contact was transferred: COLD or WARM."),
    DataColumn("matchReasons", TEXTS, "Why the contact was offered to this agent; the values are UNKNOWN."),
    DataColumn("entryPoint", TEXT, "Where the contact started; the values are UNKNOWN."),
    DataColumn("finalIVRSelection", TEXT, "What the caller chose last in the phone menu."),
    DataColumn("dueAt", MOMENT, "When a reply, or a task, is due."),
    DataColumn(
        "availableFor", TEXTS, "What the agent is available for now: MAIL, MESSAGING, TASK, VOICE; empty if nothing."
    ),
    DataColumn("occurredAt", MOMENT, "When it happened, for events where that can differ from when it was recorded."),
    DataColumn("awayAt", MOMENT, "When the agent went away."),
    DataColumn("activeReason", texts_of("id", "name"), "What the agent is doing, as set by the agent: id and name."),
    DataColumn("awayReason", texts_of("id", "name"), "Why the agent is away: id and name; null if the agent was idle."),
    DataColumn("topicId", TEXT, "The topic that was added or removed."),
    DataColumn("noteId", TEXT, "The note that was written."),
    DataColumn("customAttributeId", TEXT, "The id of the freeform topic."),
    DataColumn("customAttributeKey", TEXT, "The key of the freeform topic, such as orderId."),
    DataColumn("customAttributeValue", TEXT, "The value of the freeform topic that was added or removed."),
    DataColumn("sourceCustomerId", TEXT, "The customer who was merged into another."),
    DataColumn("destinationCustomerId", TEXT, "The customer who remains after a merge."),
    DataColumn("sourceConversationId", TEXT, "The conversation that was merged into another, if any."),
    DataColumn("destinationConversationId", TEXT, "The conversation that remains after a merge, if any."),
    DataColumn("paymentRequestId", TEXT, "The payment request it is about."),
    DataColumn("oldStatus", TEXT, "The status of the payment request before."),
    DataColumn("newStatus", TEXT, "The status of the payment request now."),
    DataColumn("taskId", TEXT, "The task it is about."),
    DataColumn("commentId", TEXT, "The comment that was added to the task."),
    DataColumn(
        "context",
        Struct(
            {
                "assignee": _ASSIGNEE,
                "availableFor": TEXTS,
                "createdAt": MOMENT,
                "dueAt": MOMENT,
                "currency": TEXT,
                "monetaryUnit": NUMBER,
            }
        ),
        "The state just before the event; which members it has depends on the type.",
    ),
)
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
"""The 45 types of events, each with the fields of its content.

The contract requires two fields that it does not define: `messageId` of CONTACT/JOINED and
`dueAt` of TASK/CONTENT_UPDATED. They are included.
"""


_OUTSIDE_THE_FEED: Mapping[str, tuple[str, ...]] = {
    "CONVERSATION_STATUS/UPDATED": _CONVERSATION,
    "CUSTOMER_PROFILE/MERGED": ("sourceCustomerId", "destinationCustomerId"),
}
"""Types that only webhooks bring and whose content has columns. That of EXPORT_JOB has none: it goes to _extra."""


def events_request(start: dt.datetime, end: dt.datetime | None, entities: Sequence[str] = EVENT_ENTITIES) -> Request:
    """Return the request for the events recorded from `start` to `end`, both aware; all entities at once.

    Without an end, Gladly takes its own present time.
    """
    query = [
        ("startAt", to_milliseconds(start)),
        *([("endAt", to_milliseconds(end))] if end is not None else []),
        *(("entities", name) for name in entities),
    ]
    return Request("listEvents", "GET", "/api/v1/events", tuple(query), accept="application/x-jsonlines")


def _places(kind: str | None) -> tuple[ValuePlace, ...]:
    # A field that its type does not declare goes to _extra, and so does every content of an unknown type.
    names = {**EVENT_TYPES, **_OUTSIDE_THE_FEED}[kind] if kind is not None else ()
    top = [ValuePlace(column.name, (column.name,)) for column in _ENVELOPE]
    return (*top, *(ValuePlace(name, ("content", name)) for name in names))


OBJECT = GladlyObject(
    data_sets=(
        DataSetPlan(
            EVENTS,
            (*_ENVELOPE, *_CONTENT),
            kind_path=_KIND_PATH,
            places=_places(None),
            kinds={kind: _places(kind) for kind in (*EVENT_TYPES, *_OUTSIDE_THE_FEED)},
            partitions=("entity", "date"),
        ),
    )
)
