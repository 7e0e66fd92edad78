"""Topics and freeform topics of conversations, and redactions. Facts: gladly-api, endpoints 15 to 21, schemas 4.7."""

from collections.abc import Generator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import Change, Found, Held, writing
from bulkgladly.gladly.decisions import deletion_of, ended, update_of
from bulkgladly.gladly.earlier_attempts import deleted_before
from bulkgladly.gladly.endpoints import Search
from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.objects.conversations import (
    TOPIC_FIELDS,
    TOPICS_REVERSAL,
    add_topics,
    find_conversation,
    get_conversation,
    missing_topics,
    no_conversation,
    settle_topics,
)
from bulkgladly.gladly.outcomes import refused, unknown, unread
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import FieldDifference, Proof
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
    """Decide without a look, unless it is to be kept what the conversation had.

    Topics are a set, so adding or removing one twice has no second effect.
    """
    name, conversation_id = "conversation-topics", record.payload["conversationId"]
    topics = {"topicIds": record.payload["topicIds"]}
    held: Held | None = None
    if policy.undoable:
        found = yield from _read(conversation_id)
        if isinstance(found, Outcome):
            return ended(name, record, found)
        held = found
    if policy.mode is Mode.DELETE:
        return deletion_of(name, record, conversation_id, part=topics, before=held)
    return update_of(name, record, conversation_id, topics, before=held)


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
    return deleted_before(record, Outcome(word, gladly_id=conversation_id))


def _topics_left(held: Held, payload: Held) -> dict[str, Any]:
    left = [one for one in payload["topicIds"] if one in (held.get("topicIds") or ())]
    return {"topicIds": left} if left else {}


_TOPICS_PROOF = Proof(
    lambda record, _gladly_id, _policy: find_conversation(record.payload["conversationId"]),
    missing_topics,
    ("topicIds",),
    instructions=("conversationId",),
    adds=True,
    left_over=_topics_left,
)

# --- freeform topics ---


def _decide_freeform(record: Record, policy: Policy) -> Deciding:
    """Decide on freeform topics, after 1 request if the row does not name the customer."""
    conversation_id = record.payload["conversationId"]
    held: Held | None = None
    if record.payload.get("customerId") is None or policy.undoable:
        found = yield from _with_customer(conversation_id)
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
        held = yield from _with_customer(conversation_id)
        if isinstance(held, Outcome):
            return held
        if held["customerId"] != customer_id:
            reply = yield _freeform_request(conversation_id, held["customerId"], change._replace(before=held))
    if reply.is_absent:
        return refused(reply, conversation_id)  # the conversation was read, so something else is missing
    return _ended(reply, conversation_id, Word.UPDATED)


def _read(conversation_id: str) -> Generator[Request, Reply, Held | Outcome]:
    asked = yield get_conversation(conversation_id)
    if asked.object is not None:
        return asked.object
    return no_conversation(conversation_id) if asked.is_absent else unread(asked, conversation_id)


def _with_customer(conversation_id: str) -> Generator[Request, Reply, Held | Outcome]:
    """Read a conversation, which names its customer."""
    found = yield from _read(conversation_id)
    if isinstance(found, Outcome) or isinstance(found.get("customerId"), str):
        return found
    return unread(None, conversation_id)


def _freeform_request(conversation_id: str, customer_id: str, change: Change) -> Request:
    customer, conversation = segment(customer_id), segment(conversation_id)
    path = f"/api/v1/customer-history/{customer}/conversations/{conversation}/custom-attributes"
    return writing(Request("changeFreeformTopics", "POST", path, body=orjson.dumps(change.after)), change)


def _find_freeform(record: Record, _gladly_id: str | None, _policy: Policy) -> Search:
    """Read a conversation, and the definitions of its freeform topics that may be those of the row.

    A conversation shows their ids and a row names their keys: 1 request, and 1 for each definition.
    """
    payload = record.payload
    found = yield from find_conversation(payload["conversationId"])
    if found.held is None:
        return found
    wanted = [one.get("value") for name in ("add", "remove") for one in payload.get(name) or ()]
    pairs: list[dict[str, Any]] = []
    for shown in found.held.get("customAttributes") or ():
        if not isinstance(shown, Mapping) or shown.get("value") not in wanted:
            continue
        reply = yield Request("getCustomAttribute", "GET", f"/api/v1/custom-attributes/{segment(str(shown.get('id')))}")
        if reply.object is not None:
            pairs.append({"key": reply.object.get("key"), "value": shown["value"]})
        elif not reply.is_absent:
            return Found(found.gladly_id, reply=reply)
    return found._replace(held={**found.held, "freeform": pairs})


def _freeform_differences(held: Held, payload: Held) -> dict[str, Any]:
    present = [(one["key"], one["value"]) for one in held.get("freeform") or ()]
    missing = [one for one in payload.get("add") or () if (one.get("key"), one.get("value")) not in present]
    left = [one for one in payload.get("remove") or () if (one.get("key"), one.get("value")) in present]
    return {name: found for name, found in (("add", missing), ("remove", left)) if found}


def _freeform_details(held: Held, payload: Held, name: str) -> list[FieldDifference]:
    differing = _freeform_differences(held, payload)[name]
    if name == "add":
        return [FieldDifference(str(one.get("key")), one.get("value"), None) for one in differing]
    return [FieldDifference(str(one.get("key")), None, one.get("value")) for one in differing]


_FREEFORM_PROOF = Proof(
    _find_freeform,
    _freeform_differences,
    ("add", "remove"),
    details=_freeform_details,
    instructions=("conversationId", "customerId"),
    shared=frozenset({"getCustomAttribute"}),
    adds=True,
)

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
    unread=frozenset({Mode.UPDATE, Mode.DELETE}),
    proof=_TOPICS_PROOF,
    deletes="topics from conversations",
    reversal=TOPICS_REVERSAL,
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
    unread=frozenset({Mode.UPDATE}),
    irreversible="Gladly shows freeform topics under other names than those they are written with",
    proof=_FREEFORM_PROOF,
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
    irreversible="a redaction cannot be undone",
    unproven="Gladly does not document what it shows of an item that was redacted",
)

OBJECT = GladlyObject(writes=(CONVERSATION_TOPICS, FREEFORM_TOPICS, REDACTIONS))
