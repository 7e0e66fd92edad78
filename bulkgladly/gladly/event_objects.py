"""Which object an event is about, and the request for it. Pure.

Facts: gladly-api, events, "Types and content"; endpoints. An event has ids only. Contacts and payment requests cannot
be requested, so their conversation stands for them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkgladly.gladly.preparation import segment
from bulkgladly.messages import Request
from bulkgladly.operations import operation_of

__all__ = ("OBJECT_OF_EVENT", "EventObject", "ObjectSource", "customer_of_event", "object_of_event")


class ObjectSource(NamedTuple):
    """How an object is requested: its type for users, the operation, and the fields of the content for its path."""

    type: str
    operation: str
    fields: tuple[str, ...]


class EventObject(NamedTuple):
    """One object that an event is about, with its type for users."""

    type: str
    request: Request


_ITEM = ObjectSource("item", "getItem", ("messageId",))
_CONVERSATION = ObjectSource("conversation", "getConversation", ("conversationId",))
_TASK = ObjectSource("task", "getTask", ("taskId",))
_AGENT = ObjectSource("agent", "getAgent", ("agentId",))
_CUSTOMER = ObjectSource("customer", "getCustomer", ("customerId",))
_SURVIVOR = ObjectSource("customer", "getCustomer", ("destinationCustomerId",))

OBJECT_OF_EVENT: Mapping[str, ObjectSource] = {
    "CONTACT/MESSAGE_RECEIVED": _ITEM,
    "CONTACT/MESSAGE_SENT": _ITEM,
    "CONVERSATION/NOTE_CREATED": ObjectSource("note", "getNoteFromConversation", ("conversationId", "noteId")),
    "TASK/COMMENT_ADDED": ObjectSource("task_comment", "getTaskComment", ("taskId", "commentId")),
    "CUSTOMER_PROFILE/MERGED": _SURVIVOR,
    "CONTACT": _CONVERSATION,
    "CONVERSATION": _CONVERSATION,
    "CONVERSATION_ASSIGNEE": _CONVERSATION,
    "CONVERSATION_STATUS": _CONVERSATION,
    "PAYMENT_REQUEST": _CONVERSATION,
    "CUSTOMER": _SURVIVOR,
    "CUSTOMER_PROFILE": _CUSTOMER,
    "TASK": _TASK,
    "AGENT_AVAILABILITY": _AGENT,
    "AGENT_STATUS": _AGENT,
    "EXPORT_JOB": ObjectSource("export_job", "getJob", ("jobId",)),
}
"""By the type of an event, or by its part before the slash."""


def object_of_event(event_type: str, content: Mapping[str, Any]) -> EventObject | None:
    """Return the object that an event is about; None if its type is unknown or an id is missing."""
    source = OBJECT_OF_EVENT.get(event_type) or OBJECT_OF_EVENT.get(event_type.partition("/")[0])
    return None if source is None else _requested(source, content)


def customer_of_event(content: Mapping[str, Any]) -> EventObject | None:
    """Return the customer of an event, after a merge the one who remains; None if it has none."""
    return _requested(_SURVIVOR, content) or _requested(_CUSTOMER, content)


def _requested(source: ObjectSource, content: Mapping[str, Any]) -> EventObject | None:
    ids = [content.get(name) for name in source.fields]
    if not all(isinstance(each, str) and each for each in ids):
        return None
    operation = operation_of(source.operation)
    names = dict(zip(operation.variables, map(str, ids), strict=True))
    path = operation.path.format_map({name: segment(value) for name, value in names.items()})
    return EventObject(source.type, Request(source.operation, operation.method, path))
