"""Labels of conversations and the removal of contents. Facts: gladly-api, endpoints 15 to 17 and 21, schemas 4.7."""

from collections.abc import Generator
from typing import Any

import orjson

from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.objects.conversations import (
    TOPIC_FIELDS,
    add_topics,
    get_conversation,
    no_conversation,
    settle_topics,
)
from bulkgladly.gladly.outcomes import refused, unknown, unread
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.rules import some_of
from bulkgladly.gladly.spec import GladlyObject, Policy, Record, ResourceSpec, Steps
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("CONVERSATION_TOPICS", "FREEFORM_TOPICS", "OBJECT", "REDACTIONS")

_CONVERSATION = Field("conversationId", Kind.ID, most=MAX_ID, required=ALWAYS)
_TOPIC_FIELDS = (
    _CONVERSATION,
    Field(
        "topics",
        Kind.TEXTS,
        into="topicIds",
        names="topic",
        required=ALWAYS,
        help="topics by path, such as Orders / Returns",
    ),
    *TOPIC_FIELDS[1:],
)
_FREEFORM_FIELDS = (
    _CONVERSATION,
    Field("customerId", Kind.ID, most=MAX_ID, help="saves a request: without it the conversation is asked"),
    Field("add", Kind.OBJECTS, parts={"key": "text"}, help="freeform topics to add: the key, and the value"),
    Field("remove", Kind.OBJECTS, parts={"key": "text"}, help="freeform topics to remove"),
)
_FREEFORM_RULES = (some_of("add", "remove"),)
_REDACTION_FIELDS = (
    Field("itemId", Kind.ID, most=MAX_ID, into="id", required=ALWAYS, help="the conversation item"),
    Field("id", Kind.ID, most=MAX_ID),
)


def _add(record: Record, _policy: Policy) -> Steps:
    """Add topics to a conversation: 1 request for all of them."""
    conversation_id = record.payload["conversationId"]
    reply = yield add_topics(conversation_id, record.payload["topicIds"])
    if reply.is_unclear:
        return (yield from settle_topics(conversation_id, record.payload["topicIds"], reply))
    return _ended(reply, conversation_id, Word.UPDATED)


def _remove(record: Record, _policy: Policy) -> Steps:
    """Take topics off a conversation: 1 request for each."""
    conversation_id = record.payload["conversationId"]
    word = Word.UNCHANGED
    for topic_id in record.payload["topicIds"]:
        path = f"/api/v1/conversations/{segment(conversation_id)}/topics/{segment(topic_id)}"
        reply = yield Request("deleteTopicFromConversation", "DELETE", path)
        if reply.is_absent or reply.is_unclear:
            # What a topic that is not there answers is UNKNOWN; a conversation that is not there answers 404.
            asked = yield get_conversation(conversation_id)
            if asked.object is None:
                return no_conversation(conversation_id) if asked.is_absent else unknown(asked, conversation_id)
            if reply.is_unclear and topic_id in (asked.object.get("topicIds") or ()):
                return refused(reply, conversation_id)
            word = Word.DELETED if reply.lost else word
            continue
        outcome = _ended(reply, conversation_id, Word.DELETED)
        if outcome.word is not Word.DELETED:
            return outcome
        word = Word.DELETED
    return Outcome(word, gladly_id=conversation_id)


def _change_freeform(record: Record, _policy: Policy) -> Steps:
    """Add and remove freeform topics: 1 request, and 1 where the customer has to be asked for."""
    conversation_id = record.payload["conversationId"]
    customer_id = record.payload.get("customerId")
    if customer_id is None:
        owner = yield from _owner(conversation_id)
        if isinstance(owner, Outcome):
            return owner
        customer_id = owner
    reply = yield _freeform_request(record, customer_id)
    if reply.is_absent and "customerId" in record.payload:
        # The customer may have been merged: the conversation knows to whom it belongs now.
        owner = yield from _owner(conversation_id)
        if isinstance(owner, Outcome):
            return owner
        if owner != customer_id:
            reply = yield _freeform_request(record, owner)
    return _ended(reply, conversation_id, Word.UPDATED)


def _owner(conversation_id: str) -> Generator[Request, Reply, str | Outcome]:
    asked = yield get_conversation(conversation_id)
    if asked.object is not None and isinstance(owner := asked.object.get("customerId"), str):
        return owner
    return no_conversation(conversation_id) if asked.is_absent else unread(asked, conversation_id)


def _freeform_request(record: Record, customer_id: str) -> Request:
    conversation_id = segment(record.payload["conversationId"])
    path = f"/api/v1/customer-history/{segment(customer_id)}/conversations/{conversation_id}/custom-attributes"
    body: dict[str, Any] = {name: record.payload[name] for name in ("add", "remove") if record.payload.get(name)}
    return Request("changeFreeformTopics", "POST", path, body=orjson.dumps(body))


def _redact(record: Record, _policy: Policy) -> Steps:
    """Remove the content of an item, for good: 1 request. Whether it was gone before, Gladly does not say."""
    path = f"/api/v1/conversation-items/{segment(record.id)}/redact"
    reply = yield Request("redactContent", "POST", path)
    if reply.is_absent:
        problem = Problem("not_exist", "Gladly has no such conversation item", "itemId", Stage.API)
        return Outcome.rejected(problem, status=reply.status, gladly_id=record.id)
    return _ended(reply, record.id, Word.DELETED)


def _ended(reply: Reply, gladly_id: str, word: Word) -> Outcome:
    if reply.is_confirmed:
        return Outcome(word, gladly_id=gladly_id, status=reply.status)
    if reply.is_absent:
        return no_conversation(gladly_id)
    return unknown(reply, gladly_id) if reply.is_unclear else refused(reply, gladly_id)


CONVERSATION_TOPICS = ResourceSpec(
    name="conversation-topics",
    columns=column_plan(_TOPIC_FIELDS),
    prepare=Preparation("conversation-topics", _TOPIC_FIELDS),
    procedures={Mode.UPDATE: _add, Mode.DELETE: _remove},
    requests_per_record={Mode.UPDATE: (1, 1), Mode.DELETE: (1, 2)},
    operations=("addTopicToConversation", "deleteTopicFromConversation", "getConversation"),
    fields=_TOPIC_FIELDS,
    lanes=("conversationId",),
    repeat=Repeat.HARMLESS,
    id_rule="none: topics are added to what is there",
    deletes="topics from conversations",
)

FREEFORM_TOPICS = ResourceSpec(
    name="freeform-topics",
    columns=column_plan(_FREEFORM_FIELDS),
    prepare=Preparation("freeform-topics", _FREEFORM_FIELDS, rules=_FREEFORM_RULES),
    procedures={Mode.UPDATE: _change_freeform},
    requests_per_record={Mode.UPDATE: (1, 2)},
    operations=("changeFreeformTopics", "getConversation"),
    fields=_FREEFORM_FIELDS,
    rules=_FREEFORM_RULES,
    lanes=("conversationId",),
    repeat=Repeat.HARMLESS,
    id_rule="none: values are added to what is there",
)

REDACTIONS = ResourceSpec(
    name="redactions",
    columns=column_plan(_REDACTION_FIELDS),
    prepare=Preparation("redactions", _REDACTION_FIELDS),
    procedures={Mode.DELETE: _redact},
    requests_per_record={Mode.DELETE: (1, 1)},
    operations=("redactContent",),
    fields=_REDACTION_FIELDS,
    repeat=Repeat.HARMLESS,
    id_rule="Gladly's own",
    deletes="the contents of conversation items",
)

OBJECT = GladlyObject(writes=(CONVERSATION_TOPICS, FREEFORM_TOPICS, REDACTIONS))
