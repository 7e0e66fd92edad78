"""The operations on answers themselves; their contents are in `answer_contents`.

Facts: endpoints.md, rows 41 to 44, and schemas.md, section 9, of the fact sheet. A taken name is
409 when an answer is created and 400 when one is renamed. Whether names can differ by case alone, how
long an id may be, and whether unknown audiences are refused is UNKNOWN: here names are compared as
they are written, ids have any length, and audiences are not checked.
"""

import re
from typing import Any

from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Refusal, Reply, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("ANSWER_OPERATIONS", "CONTENT_TYPES", "MAX_DESCRIPTION", "MAX_NAME", "existing_answer", "refusal_if_used")

MAX_NAME = 500
MAX_DESCRIPTION = 10_000

CONTENT_TYPES = ("public", "email", "messaging", "reference")

_PATH = "/api/v1/answers"

_ID = re.compile(r"[A-Za-z0-9_-]+")


def refusal_if_used(store: Store, answer_id: str, content_type: str | None = None) -> Refusal | None:
    """Return the 400 for an answer that is used, or for one used type of its contents; None if nothing uses it."""
    uses = [
        use
        for use in store.collections["answer_uses"].values()
        if use["answerId"] == answer_id and (content_type is None or use.get("type") in (None, content_type))
    ]
    if not uses:
        return None
    return refuse(400, *(problem("in_use", f"used by {use['by']}", meta=use.get("meta")) for use in uses))


def existing_answer(call: Call) -> Entity:
    """Return the answer in the path.

    Raises:
        Refusal: 404, because there is no such answer.
    """
    answer = call.store.collections["answers"].get(call.params["answerId"])
    if answer is None:
        raise call.not_found("answer")
    return answer


def _add(call: Call) -> Reply:
    payload = call.json_object()
    body, store = Fields(payload), call.store
    answer_id = body.text("id")
    if answer_id is not None and not _ID.fullmatch(answer_id):
        body.fault("id", "invalid", "id holds characters other than letters, digits, - and _")
    name = body.required_text("name", max_length=MAX_NAME)
    rest = _description_and_audiences(body)
    body.refuse_faults()
    conflicts = _conflicts(store, answer_id, name)
    if conflicts:
        raise refuse(409, *conflicts)
    moment = store.now()
    answer = {"id": answer_id or store.new_id("answers"), "name": name, **rest, "createdAt": moment}
    store.collections["answers"][answer["id"]] = {**answer, "updatedAt": moment}
    return json_reply(answer)


def _get(call: Call) -> Reply:
    return json_reply(existing_answer(call))


def _update(call: Call) -> Reply:
    answer, body = existing_answer(call), Fields(call.json_object())
    changes: Entity = {}
    if body.mentions("name"):
        changes["name"] = body.required_text("name", max_length=MAX_NAME)
    changes |= _description_and_audiences(body)
    body.refuse_faults()
    if _named(call.store, changes.get("name"), other_than=answer["id"]) is not None:
        raise refuse(400, problem("taken", "name used by another answer", attr="name"))
    call.store.collections["answers"][answer["id"]] = answer | changes | {"updatedAt": call.store.now()}
    return no_content()


def _delete(call: Call) -> Reply:
    answer_id, collections = existing_answer(call)["id"], call.store.collections
    used = refusal_if_used(call.store, answer_id)
    if used is not None:
        raise used
    call.store.remove("answers", answer_id)
    contents = collections["answer_contents"]
    for key in [key for key, content in contents.items() if content["answerId"] == answer_id]:
        del contents[key]
    return no_content()


def _description_and_audiences(body: Fields) -> Entity:
    """Return whichever of the two fields the body has; null empties a field."""
    found: Entity = {}
    if body.mentions("description"):
        found["description"] = body.text("description", max_length=MAX_DESCRIPTION) or ""
    if body.mentions("audienceIds"):
        found["audienceIds"] = body.optional_texts("audienceIds")
    return found


def _conflicts(store: Store, answer_id: str | None, name: str) -> list[dict[str, Any]]:
    conflicts = []
    if answer_id is not None and store.is_id_taken("answers", answer_id):
        conflicts.append(problem("taken", "this answer id is already in use", attr="id"))
    owner = _named(store, name)
    if owner is not None:
        meta = {"existingAnswerId": owner}
        conflicts.append(problem("taken", "name used by another answer", attr="name", meta=meta))
    return conflicts


def _named(store: Store, name: str | None, other_than: str | None = None) -> str | None:
    """Return the id of the answer that has this name."""
    answers = store.collections["answers"].values()
    return next((answer["id"] for answer in answers if answer["name"] == name and answer["id"] != other_than), None)


ANSWER_OPERATIONS = (
    Operation("POST", _PATH, "addAnswer", _add, (200, 400, 409)),
    Operation("GET", f"{_PATH}/{{answerId}}", "getAnswerById", _get, (200, 404)),
    Operation("PATCH", f"{_PATH}/{{answerId}}", "updateAnswer", _update, (204, 400, 404)),
    Operation("DELETE", f"{_PATH}/{{answerId}}", "deleteAnswer", _delete, (204, 400, 404)),
)
