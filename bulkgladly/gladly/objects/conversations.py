"""Conversations: assigned, closed with their topics first, reopened. Facts: gladly-api, endpoints 4, 5 and 15."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import orjson

from bulkgladly.choices import Owner
from bulkgladly.gladly.change import Change, Found, Held, lacking, writing
from bulkgladly.gladly.data_sets import ASKED_ID, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan, ListOf, texts_of
from bulkgladly.gladly.decisions import ended, update_of
from bulkgladly.gladly.earlier_attempts import word_of_accepted
from bulkgladly.gladly.endpoints import Endpoint, Look
from bulkgladly.gladly.exports import (
    IDS_OF_CONVERSATIONS,
    IDS_OF_CUSTOMERS,
    IdColumn,
    LiveExport,
    Parent,
    SingleObjects,
)
from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.objects.tasks import ASSIGNEE_FIELDS
from bulkgladly.gladly.outcomes import refused, unknown, unread, with_hint
from bulkgladly.gladly.owners import OwnedFields, writable
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.rules import assignee_has_inbox, some_of
from bulkgladly.gladly.spec import Deciding, GladlyObject, ImportSpec, Policy, Procedure, Record, Steps
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = (
    "CONVERSATIONS",
    "OBJECT",
    "TOPICS_REVERSAL",
    "TOPIC_FIELDS",
    "add_topics",
    "find_conversation",
    "get_conversation",
    "missing_topics",
    "no_conversation",
    "settle_topics",
)

TOPIC_FIELDS = (
    Field("topics", Kind.TEXTS, into="topicIds", names="topic", help="topics by path, such as Orders / Returns"),
    Field("topicIds", Kind.TEXTS, help="topics by id"),
)
_FIELDS = (
    # Exports call it id, and the rows of other objects conversationId; a row may use either.
    Field("conversationId", Kind.ID, most=MAX_ID, into="id", required=ALWAYS),
    Field("id", Kind.ID, most=MAX_ID),
    *ASSIGNEE_FIELDS,
    *TOPIC_FIELDS,
    Field("status", Kind.CHOICE, choices=("OPEN", "CLOSED"), help="OPEN reopens a closed one"),
    Field("force", Kind.FLAG, help="close it although the customer is waiting for a reply"),
)
_WRITTEN = ("topicIds", "assignee", "status")
_RULES = (assignee_has_inbox, some_of("assignee", "topicIds", "status"))
_STATES = (
    "to assign a closed conversation, reopen it in the same row (status OPEN); to close one whose customer is "
    "waiting, pass --force-close; some organisations require a topic before closing (topics)"
)


def get_conversation(conversation_id: str) -> Request:
    """Return the request for one conversation."""
    return Request("getConversation", "GET", f"/api/v1/conversations/{segment(conversation_id)}")


def add_topics(conversation_id: str, topic_ids: list[str]) -> Request:
    """Return the request that adds topics; Gladly ignores those that the conversation has."""
    path = f"/api/v1/conversations/{segment(conversation_id)}/topics"
    return Request("addTopicToConversation", "POST", path, body=orjson.dumps({"topicIds": topic_ids}))


def no_conversation(conversation_id: str) -> Outcome:
    """Return the reject of a row whose conversation does not exist; the API cannot create one."""
    problem = Problem("not_exist", "Gladly has no such conversation", "conversationId", Stage.API)
    return Outcome.rejected(problem, status=404, gladly_id=conversation_id)


def _decide(record: Record, policy: Policy) -> Deciding:
    """Decide without a look, unless that is asked for: what a row asks of a conversation is always written.

    It is not remembered either: people change conversations all the time.
    """
    asked = {name: record.payload[name] for name in _WRITTEN if record.payload.get(name)}
    held: Held | None = None
    if policy.undoable or any(owner == Owner.FILL for _, owner in policy.owners):
        reply = yield get_conversation(record.id)
        if (held := reply.object) is None:
            end = no_conversation(record.id) if reply.is_absent else unread(reply, record.id)
            return ended("conversations", record, end)
    after = dict(writable(policy.owners, asked, {} if held is None else {**held, **_assignee_of(held)}))
    if status := after.get("status"):
        is_forced = status == "CLOSED" and bool(record.payload.get("force", policy.force_close))
        after["status"] = {"value": status, **({"force": True} if is_forced else {})}
    if not after:
        return ended("conversations", record, Outcome(Word.UNCHANGED, gladly_id=record.id))
    return update_of("conversations", record, record.id, after, before=held)


def _apply(record: Record, _policy: Policy, change: Change) -> Steps:
    """Bring a conversation to the state of the row: 1 request, and 1 for topics.

    Topics are added before it is closed, because organisations can require them, and after it
    is reopened.
    """
    topic_ids = change.after.get("topicIds")
    body = {name: value for name, value in change.after.items() if name != "topicIds"}
    parts = [_topics(record, topic_ids, change)] if topic_ids else []
    parts += [_patch(record, body, change)] if body else []
    word = Word.UNCHANGED
    for part in reversed(parts) if record.payload.get("status") == "OPEN" else parts:
        outcome = yield from part
        if outcome.word not in (Word.UPDATED, Word.UNCHANGED):
            return outcome
        word = outcome.word if word is not Word.UPDATED else word
    return Outcome(word, gladly_id=record.id)


def _topics(record: Record, topic_ids: list[str], change: Change) -> Steps:
    reply = yield writing(add_topics(record.id, topic_ids), change, part={"topicIds": topic_ids})
    if reply.is_unclear:
        return (yield from settle_topics(record.id, topic_ids, reply))
    return _ended(record, reply)


def settle_topics(conversation_id: str, topic_ids: list[str], reply: Reply) -> Steps:
    """Look whether the conversation has the topics, after a response that was unclear."""
    asked = yield get_conversation(conversation_id)
    if asked.is_absent:
        return no_conversation(conversation_id)
    held = asked.object
    if held is None:
        return unknown(asked, conversation_id)
    if set(topic_ids) <= set(held.get("topicIds") or ()):
        return Outcome(Word.UPDATED, gladly_id=conversation_id)
    return refused(reply, conversation_id)


def _patch(record: Record, body: Mapping[str, Any], change: Change) -> Steps:
    path = f"/api/v1/conversations/{segment(record.id)}"
    reply = yield writing(Request("patchConversation", "PATCH", path, body=orjson.dumps(body)), change, part=body)
    has_state = any(problem.code == "invalid_state" for problem in reply.problems)
    if not reply.is_unclear and not has_state:
        return _ended(record, reply)
    # Gladly also refuses a repeat of what was done, because a closed conversation cannot be assigned.
    asked = yield get_conversation(record.id)
    held = asked.object
    if asked.is_absent:
        return no_conversation(record.id)
    if held is None:
        return unknown(asked, record.id) if reply.lost else unread(asked, record.id)
    if not _lacks(held, {**body, "status": record.payload.get("status")} if "status" in body else body):
        return Outcome(Word.UPDATED if reply.lost else word_of_accepted(record), gladly_id=record.id)
    return _ended(record, reply)


def _lacks(held: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    return bool(lacking(_written_form(held), payload, ("assignee", "status")))


def _written_form(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a held conversation as a row would write it."""
    # A waiting conversation is open, too.
    status = "CLOSED" if held.get("status") == "CLOSED" else "OPEN"
    return {**_assignee_of(held), "status": status, "topicIds": held.get("topicIds") or []}


def _differences(seen: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conversation lacks of a row; topics that others have added are no difference."""
    return {**lacking(seen, payload, ("assignee", "status")), **missing_topics(seen, payload)}


def missing_topics(held: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the topics of a row that a conversation lacks; nothing if it has them all."""
    topics = [one for one in payload.get("topicIds") or () if one not in (held.get("topicIds") or ())]
    return {"topicIds": topics} if topics else {}


def find_conversation(conversation_id: str) -> Look:
    """Look for a conversation by its id: 1 request."""
    reply = yield get_conversation(conversation_id)
    return Found(conversation_id, reply.object, None if reply.is_absent or reply.object is not None else reply)


def _assignee_of(held: Held) -> Held:
    return {"assignee": {name: held.get(name) for name in ("inboxId", "agentId")}}


def _ended(record: Record, reply: Reply) -> Outcome:
    if reply.is_confirmed:
        return Outcome(Word.UPDATED, gladly_id=record.id, status=reply.status)
    if reply.is_absent:
        return no_conversation(record.id)
    outcome = refused(reply, record.id)
    return with_hint(outcome, _STATES if outcome.code == "invalid_state" else None)


# --- taken back ---


def _seen(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation in the form of rows. One that is waiting counts as open: nothing else can be written."""
    status = "CLOSED" if held.get("status") == "CLOSED" else "OPEN"
    assignee = {name: held.get(name) for name in ("inboxId", "agentId")}
    return {"assignee": assignee, "status": status, "topicIds": held.get("topicIds")}


def _left(base: Mapping[str, Any] | None, after: Mapping[str, Any], action: str) -> dict[str, Any]:
    """Return what a write left: topics are added to those that are there, or removed from them."""
    left = dict(after)
    if isinstance(after.get("status"), Mapping):
        left["status"] = after["status"].get("value")
    if "topicIds" in after:
        held, ours = list((base or {}).get("topicIds") or ()), list(after["topicIds"])
        is_removal = action == "delete"
        left["topicIds"] = [one for one in held if one not in ours] + ([] if is_removal else ours)
    return left


def _restore(conversation_id: str, changes: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Request, ...]:
    body: dict[str, Any] = {}
    if "status" in changes:
        body["status"] = {"value": changes["status"]}
    if assignee := changes.get("assignee"):
        body["assignee"] = {name: value for name, value in assignee.items() if value is not None}
    path = f"/api/v1/conversations/{segment(conversation_id)}"
    patch = [Request("patchConversation", "PATCH", path, body=orjson.dumps(body))] if body else []
    topics = _topic_changes(conversation_id, changes["topicIds"] or (), held) if "topicIds" in changes else []
    # An organisation may require a topic of a conversation that is closed.
    return (*topics, *patch)


def _topic_changes(conversation_id: str, wanted: Collection[str], held: Mapping[str, Any]) -> list[Request]:
    now = list(held.get("topicIds") or ())
    missing = [one for one in wanted if one not in now]
    path = f"/api/v1/conversations/{segment(conversation_id)}/topics"
    added = [add_topics(conversation_id, missing)] if missing else []
    surplus = [one for one in now if one not in wanted]
    return added + [Request("deleteTopicFromConversation", "DELETE", f"{path}/{segment(one)}") for one in surplus]


_AT = Endpoint("conversations", "conversation", lambda _, gladly_id: get_conversation(gladly_id), lambda *_: {})
_REVERSAL = Reversal(
    _AT, fields=("assignee", "status"), lists={"topicIds": str}, seen=_seen, left=_left, restore=_restore
)
TOPICS_REVERSAL = replace(_REVERSAL, fields=())
"""How topics of conversations are taken back."""


CONVERSATIONS = ImportSpec(
    name="conversations",
    columns=column_plan(_FIELDS, read_only=("customerId", "createdAt", "closedAt", "customAttributes")),
    prepare=Preparation("conversations", _FIELDS, rules=_RULES),
    procedures={Mode.UPDATE: Procedure(_decide, _apply)},
    requests_per_record={Mode.UPDATE: (1, 2)},
    operations=("patchConversation", "addTopicToConversation", "getConversation"),
    fields=_FIELDS,
    rules=_RULES,
    repeat=Repeat.HARMLESS,
    id_rule="Gladly's own: the API cannot create conversations",
    owned=OwnedFields(_WRITTEN, lists=("topicIds",), added=("topicIds",)),
    unread=frozenset({Mode.UPDATE}),
    reversal=_REVERSAL,
    proof=Proof(
        lambda record, _gladly_id, _policy: find_conversation(record.id),
        _differences,
        ("assignee", "status", "topicIds"),
        view=_written_form,
        instructions=("force",),
    ),
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the conversation."),
    DataColumn("customerId", TEXT, "The customer it belongs to."),
    DataColumn("inboxId", TEXT, "The inbox it is in."),
    DataColumn("agentId", TEXT, "The agent it is assigned to; null if none."),
    DataColumn("status", TEXT, "OPEN, WAITING or CLOSED."),
    DataColumn("topicIds", TEXTS, "The topics it has."),
    DataColumn(
        "customAttributes",
        ListOf(texts_of("id", "value")),
        "Its freeform topics, by id and value; one id may have several values.",
    ),
    DataColumn("createdAt", MOMENT, "When it was started."),
    DataColumn("closedAt", MOMENT, "When it was closed; null if it is open."),
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
