"""Topics and freeform topics of conversations, and redactions. Facts: gladly-api, endpoints 15 to 21, schemas 4.7."""

from collections.abc import Generator

import orjson

from bulkgladly.gladly.change import Change, Held, writing
from bulkgladly.gladly.decisions import deletion_of, ended, update_of
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
from bulkgladly.gladly.spec import Deciding, GladlyObject, ImportSpec, Policy, Procedure, Record, Steps
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
    Field("customerId", Kind.ID, most=MAX_ID, help="saves the request that finds it by the conversation"),
    Field("add", Kind.OBJECTS, parts={"key": "text"}, help="freeform topics to add: key and value"),
    Field("remove", Kind.OBJECTS, parts={"key": "text"}, help="freeform topics to remove"),
)
_FREEFORM_RULES = (some_of("add", "remove"),)
_REDACTION_FIELDS = (
    Field("itemId", Kind.ID, most=MAX_ID, into="id", required=ALWAYS, help="the conversation item"),
    Field("id", Kind.ID, most=MAX_ID),
)


# --- topics ---


def _decide_topics(record: Record, policy: Policy) -> Deciding:
    """Decide without a look: topics are a set, so adding or removing one twice has no second effect."""
    yield from ()
    name, conversation_id = "conversation-topics", record.payload["conversationId"]
    topics = {"topicIds": record.payload["topicIds"]}
    if policy.mode is Mode.DELETE:
        return deletion_of(name, record, conversation_id, part=topics)
    return update_of(name, record, conversation_id, topics)


def _add(record: Record, _policy: Policy, change: Change) -> Steps:
    """Add topics to a conversation: 1 request for all of them."""
    conversation_id, topic_ids = record.payload["conversationId"], change.after["topicIds"]
    reply = yield writing(add_topics(conversation_id, topic_ids), change)
    if reply.is_unclear:
        return (yield from settle_topics(conversation_id, topic_ids, reply))
    return _ended(reply, conversation_id, Word.UPDATED)


def _remove(record: Record, _policy: Policy, change: Change) -> Steps:
    """Remove topics from a conversation: 1 request for each."""
    conversation_id = record.payload["conversationId"]
    word = Word.UNCHANGED
    # The API removes one topic in a request.
    for topic_id in change.after["topicIds"]:
        path = f"/api/v1/conversations/{segment(conversation_id)}/topics/{segment(topic_id)}"
        request = Request("deleteTopicFromConversation", "DELETE", path)
        reply = yield writing(request, change, part={"topicIds": [topic_id]})
        if reply.is_absent or reply.is_unclear:
            # A conversation that does not exist gives a 404. The response for a topic that it lacks is UNKNOWN.
            asked = yield get_conversation(conversation_id)
            if asked.object is None:
                return no_conversation(conversation_id) if asked.is_absent else unknown(asked, conversation_id)
            if topic_id in (asked.object.get("topicIds") or ()):
                return refused(reply, conversation_id)
            word = Word.DELETED if reply.lost else word
            continue
        outcome = _ended(reply, conversation_id, Word.DELETED)
        if outcome.word is not Word.DELETED:
            return outcome
        word = Word.DELETED
    return Outcome(word, gladly_id=conversation_id)


# --- freeform topics ---


def _decide_freeform(record: Record, _policy: Policy) -> Deciding:
    """Decide on freeform topics, after 1 request if the row does not name the customer."""
    conversation_id = record.payload["conversationId"]
    held: Held | None = None
    if record.payload.get("customerId") is None:
        found = yield from _conversation(conversation_id)
        if isinstance(found, Outcome):
            return ended("freeform-topics", record, found)
        held = found
    after = {name: record.payload[name] for name in ("add", "remove") if record.payload.get(name)}
    return update_of("freeform-topics", record, conversation_id, after, before=held)


def _change_freeform(record: Record, _policy: Policy, change: Change) -> Steps:
    """Add and remove freeform topics: 1 request, and 2 if the customer whom the row names was merged."""
    conversation_id = record.payload["conversationId"]
    customer_id = (change.before or record.payload)["customerId"]
    reply = yield _freeform_request(conversation_id, customer_id, change)
    if reply.is_absent and "customerId" in record.payload:
        # The customer may have been merged: the conversation shows whom it belongs to now.
        held = yield from _conversation(conversation_id)
        if isinstance(held, Outcome):
            return held
        if held["customerId"] != customer_id:
            reply = yield _freeform_request(conversation_id, held["customerId"], change._replace(before=held))
    if reply.is_absent:
        return refused(reply, conversation_id)  # the conversation was read, so something else is missing
    return _ended(reply, conversation_id, Word.UPDATED)


def _conversation(conversation_id: str) -> Generator[Request, Reply, Held | Outcome]:
    """Read a conversation, which names its customer."""
    asked = yield get_conversation(conversation_id)
    if asked.object is not None and isinstance(asked.object.get("customerId"), str):
        return asked.object
    return no_conversation(conversation_id) if asked.is_absent else unread(asked, conversation_id)


def _freeform_request(conversation_id: str, customer_id: str, change: Change) -> Request:
    customer, conversation = segment(customer_id), segment(conversation_id)
    path = f"/api/v1/customer-history/{customer}/conversations/{conversation}/custom-attributes"
    return writing(Request("changeFreeformTopics", "POST", path, body=orjson.dumps(change.after)), change)


# --- redactions ---


def _decide_redaction(record: Record, _policy: Policy) -> Deciding:
    yield from ()
    return deletion_of("redactions", record, record.id)


def _redact(record: Record, _policy: Policy, change: Change) -> Steps:
    """Remove the content of an item permanently: 1 request. Gladly does not say whether it was removed before."""
    path = f"/api/v1/conversation-items/{segment(record.id)}/redact"
    reply = yield writing(Request("redactContent", "POST", path), change)
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


CONVERSATION_TOPICS = ImportSpec(
    name="conversation-topics",
    columns=column_plan(_TOPIC_FIELDS),
    prepare=Preparation("conversation-topics", _TOPIC_FIELDS),
    procedures={Mode.UPDATE: Procedure(_decide_topics, _add), Mode.DELETE: Procedure(_decide_topics, _remove)},
    requests_per_record={Mode.UPDATE: (1, 1), Mode.DELETE: (1, 2)},
    operations=("addTopicToConversation", "deleteTopicFromConversation", "getConversation"),
    fields=_TOPIC_FIELDS,
    lanes=("conversationId",),
    repeat=Repeat.HARMLESS,
    id_rule="none: topics are added to a conversation",
    deletes="topics from conversations",
)

FREEFORM_TOPICS = ImportSpec(
    name="freeform-topics",
    columns=column_plan(_FREEFORM_FIELDS),
    prepare=Preparation("freeform-topics", _FREEFORM_FIELDS, rules=_FREEFORM_RULES),
    procedures={Mode.UPDATE: Procedure(_decide_freeform, _change_freeform)},
    requests_per_record={Mode.UPDATE: (1, 2)},
    operations=("changeFreeformTopics", "getConversation"),
    fields=_FREEFORM_FIELDS,
    rules=_FREEFORM_RULES,
    lanes=("conversationId",),
    repeat=Repeat.HARMLESS,
    id_rule="none: values are added to a conversation",
)

REDACTIONS = ImportSpec(
    name="redactions",
    columns=column_plan(_REDACTION_FIELDS),
    prepare=Preparation("redactions", _REDACTION_FIELDS),
    procedures={Mode.DELETE: Procedure(_decide_redaction, _redact)},
    requests_per_record={Mode.DELETE: (1, 1)},
    operations=("redactContent",),
    fields=_REDACTION_FIELDS,
    repeat=Repeat.HARMLESS,
    id_rule="Gladly's own",
    deletes="the contents of conversation items",
)

OBJECT = GladlyObject(writes=(CONVERSATION_TOPICS, FREEFORM_TOPICS, REDACTIONS))
