"""Conversations: assigned, closed with their topics first, reopened. Facts: gladly-api, endpoints 4, 5 and 15."""

from collections.abc import Generator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.compare import lacking
from bulkgladly.gladly.data_sets import ASKED_ID, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan, ListOf, texts_of
from bulkgladly.gladly.exports import (
    IDS_OF_CONVERSATIONS,
    IDS_OF_CUSTOMERS,
    IdColumn,
    LiveExport,
    Parent,
    SingleObjects,
)
from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.gladly_object import GladlyObject
from bulkgladly.gladly.objects.tasks import ASSIGNEE_FIELDS
from bulkgladly.gladly.outcomes import refused, unknown, unread
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.rules import assignee_has_inbox, some_of
from bulkgladly.gladly.spec import Policy, Record, ResourceSpec, Steps
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = (
    "CONVERSATIONS",
    "OBJECT",
    "TOPIC_FIELDS",
    "add_topics",
    "get_conversation",
    "no_conversation",
    "settle_topics",
)

TOPIC_FIELDS = (
    Field("topics", Kind.TEXTS, into="topicIds", names="topic", help="topics by path, such as Orders / Returns"),
    Field("topicIds", Kind.TEXTS, help="topics by id"),
)
_FIELDS = (
    Field("conversationId", Kind.ID, most=MAX_ID, into="id", required=ALWAYS),
    Field("id", Kind.ID, most=MAX_ID),
    *ASSIGNEE_FIELDS,
    *TOPIC_FIELDS,
    Field("status", Kind.CHOICE, choices=("OPEN", "CLOSED"), help="OPEN reopens a closed one"),
    Field("force", Kind.FLAG, help="close although the customer waits for an answer"),
)
_RULES = (assignee_has_inbox, some_of("assignee", "topicIds", "status"))
_STATES = (
    "a closed conversation is assigned only when it is reopened (status OPEN in the same row), one whose customer "
    "waits is closed only by --force-close, and some organisations want a topic first (topics)"
)


def get_conversation(conversation_id: str) -> Request:
    """Return the request for one conversation."""
    return Request("getConversation", "GET", f"/api/v1/conversations/{segment(conversation_id)}")


def add_topics(conversation_id: str, topic_ids: list[str]) -> Request:
    """Return the request that adds topics; those that are there already are ignored."""
    path = f"/api/v1/conversations/{segment(conversation_id)}/topics"
    return Request("addTopicToConversation", "POST", path, body=orjson.dumps({"topicIds": topic_ids}))


def no_conversation(conversation_id: str) -> Outcome:
    """Return the reject of a row whose conversation is not there; the API makes none."""
    problem = Problem("not_exist", "Gladly has no such conversation", "conversationId", Stage.API)
    return Outcome.rejected(problem, status=404, gladly_id=conversation_id)


def _update(record: Record, policy: Policy) -> Steps:
    """Bring a conversation to where the row wants it: 1 request, and 1 for topics.

    Topics come before closing, since organisations can require them, and after reopening.
    What is asked of a conversation is not remembered: people change them all the time.
    """
    is_reopened = record.payload.get("status") == "OPEN"
    word = None
    for part in (_patch, _topics) if is_reopened else (_topics, _patch):
        outcome = yield from part(record, policy)
        if outcome is None:
            continue
        if outcome.word not in (Word.UPDATED, Word.UNCHANGED):
            return outcome
        word = outcome.word if word is not Word.UPDATED else word
    return Outcome(word or Word.UNCHANGED, gladly_id=record.id)


def _topics(record: Record, _policy: Policy) -> Generator[Request, Reply, Outcome | None]:
    topic_ids = record.payload.get("topicIds")
    if not topic_ids:
        return None
    reply = yield add_topics(record.id, topic_ids)
    if reply.is_unclear:
        return (yield from settle_topics(record.id, topic_ids, reply))
    return _ended(record, reply)


def settle_topics(conversation_id: str, topic_ids: list[str], reply: Reply) -> Steps:
    """After topics were added with an unclear end: look whether the conversation has them."""
    asked = yield get_conversation(conversation_id)
    if asked.is_absent:
        return no_conversation(conversation_id)
    held = asked.object
    if held is None:
        return unknown(asked, conversation_id)
    if set(topic_ids) <= set(held.get("topicIds") or ()):
        return Outcome(Word.UPDATED, gladly_id=conversation_id)
    return refused(reply, conversation_id)


def _patch(record: Record, policy: Policy) -> Generator[Request, Reply, Outcome | None]:
    body: dict[str, Any] = {name: record.payload[name] for name in ("assignee",) if record.payload.get(name)}
    if status := record.payload.get("status"):
        is_forced = status == "CLOSED" and bool(record.payload.get("force", policy.force_close))
        body["status"] = {"value": status, **({"force": True} if is_forced else {})}
    if not body:
        return None
    path = f"/api/v1/conversations/{segment(record.id)}"
    reply = yield Request("patchConversation", "PATCH", path, body=orjson.dumps(body))
    has_state = any(problem.code == "invalid_state" for problem in reply.problems)
    if not reply.is_unclear and not has_state:
        return _ended(record, reply)
    # A repeat of what was done is refused, too: a closed conversation cannot be assigned.
    asked = yield get_conversation(record.id)
    held = asked.object
    if asked.is_absent:
        return no_conversation(record.id)
    if held is None:
        return unknown(asked, record.id) if reply.lost else unread(asked, record.id)
    if not _lacks(held, record.payload):
        return Outcome(Word.UPDATED if reply.lost else Word.UNCHANGED, gladly_id=record.id)
    return _ended(record, reply)


def _lacks(held: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    assignee = {"assignee": {name: held.get(name) for name in ("inboxId", "agentId")}}
    # WAITING is one way of being open.
    status = {"status": "CLOSED" if held.get("status") == "CLOSED" else "OPEN"}
    return bool(lacking({**assignee, **status}, payload, ("assignee", "status")))


def _ended(record: Record, reply: Reply) -> Outcome:
    if reply.is_confirmed:
        return Outcome(Word.UPDATED, gladly_id=record.id, status=reply.status)
    if reply.is_absent:
        return no_conversation(record.id)
    outcome = refused(reply, record.id)
    return outcome._replace(detail=f"{outcome.detail}; {_STATES}") if outcome.code == "invalid_state" else outcome


CONVERSATIONS = ResourceSpec(
    name="conversations",
    columns=column_plan(_FIELDS, read_only=("customerId", "createdAt", "closedAt", "customAttributes")),
    prepare=Preparation("conversations", _FIELDS, rules=_RULES),
    procedures={Mode.UPDATE: _update},
    requests_per_record={Mode.UPDATE: (1, 2)},
    operations=("patchConversation", "addTopicToConversation", "getConversation"),
    fields=_FIELDS,
    rules=_RULES,
    repeat=Repeat.HARMLESS,
    id_rule="Gladly's own: conversations are not made through the API",
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the conversation."),
    DataColumn("customerId", TEXT, "The customer it belongs to."),
    DataColumn("inboxId", TEXT, "The inbox it is in."),
    DataColumn("agentId", TEXT, "The agent it is assigned to; null for nobody."),
    DataColumn("status", TEXT, "OPEN, WAITING or CLOSED."),
    DataColumn("topicIds", TEXTS, "The topics it has."),
    DataColumn(
        "customAttributes",
        ListOf(texts_of("id", "value")),
        "Its freeform topics, by id and value; one id may stand there with several values.",
    ),
    DataColumn("createdAt", MOMENT, "When it began."),
    DataColumn("closedAt", MOMENT, "When it was closed; null while it is not."),
    ASKED_ID,
)

OBJECT = GladlyObject(
    writes=(CONVERSATIONS,),
    reads=(
        LiveExport(
            "conversations",
            "getConversations",
            "/api/v1/customers/{customerId}/conversations",
            "conversations",
            Parent.CUSTOMER,
            cap=100,
            order="timestamp",
            tells_of_cut=True,
            ids_from=(*IDS_OF_CUSTOMERS, IdColumn("profiles", "id")),
            one_by_one=SingleObjects("conversation", "items", parent="customerId", id="conversationId"),
        ),
        LiveExport(
            "conversation",
            "getConversation",
            "/api/v1/conversations/{conversationId}",
            "conversations",
            Parent.CONVERSATION,
            is_list=False,
            ids_from=IDS_OF_CONVERSATIONS[:1],
        ),
    ),
    data_sets=(DataSetPlan("conversations", _COLUMNS),),
)
