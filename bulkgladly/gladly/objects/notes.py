"""Notes in conversations, sent at most once. Facts: gladly-api, endpoints 14, 18 and 19, schemas 4.6."""

from collections.abc import Generator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import Found, lacking, same_value
from bulkgladly.gladly.endpoints import Search
from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.once_steps import OnceSteps, Sending, Trace, id_in_location, is_ours
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.rules import keeps_its_tags
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Policy, Record, Screening
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage

__all__ = ("NOTES", "OBJECT")

_FIELDS = (
    Field("conversationId", Kind.ID, most=MAX_ID, required=ALWAYS),
    Field("body", required=ALWAYS, help="plain or rich text"),
    Field("content", Kind.OBJECT, help="Gladly's own form: an object with body"),
)


def _unwrap(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    content = nested.get("content")
    if not isinstance(content, dict):
        return nested
    rest = {name: value for name, value in nested.items() if name != "content"}
    return {**rest, **{name: value for name, value in content.items() if name == "body"}}


def _request(record: Record) -> Request:
    path = f"/api/v1/conversations/{segment(record.payload['conversationId'])}/notes"
    # The document contradicts itself: its schema has `body` at the top, its example nests it. We follow the example.
    body = orjson.dumps({"content": {"body": record.payload["body"]}})
    return Request("addNoteToConversation", "POST", path, body=body, repeat=Repeat.UNSAFE)


def _items(record: Record) -> Request:
    path = f"/api/v1/conversations/{segment(record.payload['conversationId'])}/items"
    return Request("getConversationItems", "GET", path)


def _look(record: Record) -> Generator[Request, Reply, Trace]:
    """Look for the note among the items: the same text, written through the API after the request was sent."""
    reply = yield _items(record)
    if not reply.is_confirmed:
        return Trace()
    for item in reply.objects:
        if _is_this(item, record):
            return Trace(str(item["id"]))
    return Trace()


def _is_this(item: Mapping[str, Any], record: Record) -> bool:
    content, initiator = item.get("content"), item.get("initiator")
    if not isinstance(content, Mapping) or content.get("type") != "CONVERSATION_NOTE":
        return False
    by_people = isinstance(initiator, Mapping) and initiator.get("type") not in (None, "API")
    is_same = same_value(content.get("body"), record.payload["body"])
    return is_same and not by_people and is_ours(record, item, item.get("timestamp"))


_STEPS = OnceSteps(Sending("notes", "note", request=_request, made=id_in_location, look=_look, parent="conversation"))

# --- reading notes back ---

_MOST_ITEMS = 1000


def _find(record: Record, gladly_id: str | None, _policy: Policy) -> Search:
    """Find a note by its id, or by its text among the items of its conversation, of which Gladly lists 1,000."""
    if gladly_id is not None:
        path = f"/api/v1/conversations/{segment(record.payload['conversationId'])}/notes/{segment(gladly_id)}"
        reply = yield Request("getNoteFromConversation", "GET", path)
        return Found(gladly_id, reply.object, None if reply.is_absent or reply.object is not None else reply)
    reply = yield _items(record)
    if reply.is_absent:
        return Found(record.id)
    if not reply.is_confirmed:
        return Found(record.id, reply=reply)
    held = next((one for one in reply.objects if not lacking(_content(one), record.payload, _SAID)), None)
    if held is not None:
        return Found(str(held["id"]), held)
    if len(reply.objects) < _MOST_ITEMS:
        return Found(record.id)
    detail = "the conversation has more items than Gladly lists, so that a missing note proves nothing"
    return Outcome.rejected(Problem("unreadable", detail, None, Stage.API))


def _content(item: Mapping[str, Any]) -> Mapping[str, Any]:
    content = item.get("content")
    return content if isinstance(content, Mapping) and content.get("type") == "CONVERSATION_NOTE" else {}


_SAID = ("body",)
_PROOF = Proof(
    _find,
    lambda content, payload: lacking(content, payload, _SAID),
    _SAID,
    view=_content,
    instructions=("conversationId",),
    shared=frozenset({"getConversationItems"}),
    adds=True,
)

NOTES = ImportSpec(
    name="notes",
    columns=column_plan(_FIELDS),
    prepare=Preparation("notes", _FIELDS, unwrap=_unwrap),
    procedures={Mode.CREATE: _STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 1)},
    operations=("addNoteToConversation", "getConversationItems"),
    fields=_FIELDS,
    warnings=(keeps_its_tags("body"),),
    lanes=("conversationId",),
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    not_kept=("when it was written, and by whom: Gladly has now, and the API user", "attachments"),
    screening=Screening.FIELDS,
    irreversible="Gladly's API cannot delete notes",
    proof=_PROOF,
)

OBJECT = GladlyObject(writes=(NOTES,))
