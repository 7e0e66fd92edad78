"""Topics: what conversations can be about.

Facts: endpoints.md, rows 63 to 66, and schemas.md, section 7, of the fact sheet. Names are compared
as they are written; the reply for an unknown parent is UNKNOWN: here 400.
"""

import re
from collections.abc import Mapping
from typing import Any

from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Refusal, Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("TOPIC_OPERATIONS",)

_TOPICS = "/api/v1/topics"
_TOPIC = f"{_TOPICS}/{{topicId}}"
# The document says that some characters are not allowed, and nothing about the length.
_ID = re.compile(r"[A-Za-z0-9_-]+")


def _list(call: Call) -> Reply:
    return json_reply(list(call.store.collections["topics"].values()))


def _get(call: Call) -> Reply:
    return json_reply(_existing(call))


def _add(call: Call) -> Reply:
    payload, store = call.json_object(), call.store
    fields = Fields(payload)
    chosen = fields.text("id")
    if chosen is not None and not _ID.fullmatch(chosen):
        fields.fault("id", "invalid", "id has characters that are not URL-safe")
    given = _read(fields, store, chosen)
    fields.refuse_faults()
    if chosen is not None and store.is_id_taken("topics", chosen):
        raise refuse(409, problem("taken", "this topic id is already in use", attr="id"))
    topic_id = store.new_id("topics") if chosen is None else chosen
    _check_name(store, given["name"], topic_id)
    store.collections["topics"][topic_id] = {"id": topic_id, "disabled": False} | given
    return created(f"{_TOPICS}/{topic_id}")


def _update(call: Call) -> Reply:
    topic = _existing(call)
    fields = Fields(call.json_object())
    given = _read(fields, call.store, topic["id"])
    fields.refuse_faults()
    _check_name(call.store, given["name"], topic["id"])
    call.store.collections["topics"][topic["id"]] = topic | given
    return no_content()


def _read(fields: Fields, store: Store, topic_id: str | None) -> dict[str, Any]:
    read: dict[str, Any] = {
        "name": fields.text("name", required=True),
        "disabled": fields.flag("disabled"),
        "parentId": fields.text("parentId"),
    }
    topics, parent_id = store.collections["topics"], read["parentId"]
    if parent_id is not None and parent_id not in topics:
        fields.fault("parentId", "not_exist", "no topic has this id")
    elif parent_id is not None and topic_id in _line_of(topics, parent_id):
        fields.fault("parentId", "invalid", "a topic cannot lie below itself")
    return {name: value for name, value in read.items() if value is not None}


def _line_of(topics: Mapping[str, Entity], topic_id: str | None) -> list[str]:
    """Return the topic, its parent, and so on to the top."""
    line: list[str] = []
    while topic_id is not None and topic_id not in line:
        line.append(topic_id)
        topic_id = topics.get(topic_id, {}).get("parentId")
    return line


def _check_name(store: Store, name: str, topic_id: str) -> None:
    for other in store.collections["topics"].values():
        if other["name"] == name and other["id"] != topic_id:
            raise _name_taken(other["id"])


def _name_taken(other_id: str) -> Refusal:
    return refuse(409, problem("taken", "name used by another topic", attr="name", meta={"id": other_id}))


def _existing(call: Call) -> Entity:
    topic = call.store.collections["topics"].get(call.params["topicId"])
    if topic is None:
        raise call.not_found("topic")
    return topic


TOPIC_OPERATIONS = (
    Operation("GET", _TOPICS, "getTopics", _list, (200,)),
    Operation("POST", _TOPICS, "addTopic", _add, (201, 400, 409)),
    Operation("GET", _TOPIC, "getTopic", _get, (200, 404)),
    Operation("PATCH", _TOPIC, "updateTopic", _update, (204, 400, 404, 409)),
)
