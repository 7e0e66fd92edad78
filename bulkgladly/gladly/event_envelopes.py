"""The envelope of one event, as the feed and the webhooks send it: its id, type, time, and what it is about. Pure.

Facts: gladly-api, events, "Envelope" and "Types and content". Order is not promised, so events of one conversation
are put in order by their timestamps, and a copy is recognised by its id alone.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENT_TYPES
from bulkgladly.times import time_of, to_milliseconds

__all__ = (
    "EXPORT_JOB_COMPLETED",
    "KNOWN_TYPES",
    "PING",
    "WEBHOOK_ONLY",
    "Envelope",
    "content_of",
    "entities_of",
    "entity_of",
    "job_event",
    "key_of",
    "read_envelope",
)

PING = "PING"
"""Sent when a webhook is created, enabled, or gets another URL. Its form is not documented."""
EXPORT_JOB_COMPLETED = "EXPORT_JOB/COMPLETED"
WEBHOOK_ONLY: Mapping[str, tuple[str, ...]] = {
    "CONVERSATION_STATUS/UPDATED": ("customerId", "conversationId"),
    "CUSTOMER_PROFILE/MERGED": ("sourceCustomerId", "destinationCustomerId"),
    EXPORT_JOB_COMPLETED: ("jobId",),
    "EXPORT_JOB/FAILED": ("jobId",),
}
"""The types that are not in the feed, each with the fields of its content. The first three have no initiator."""
KNOWN_TYPES = frozenset({*EVENT_TYPES, *WEBHOOK_ONLY})

_LONGEST = 200
_DEEP = 200
"""So many brackets make it worth a look whether JSON this deep can be written again: at about 250 it cannot."""
_JOBS = "EXPORT_JOB/"
_KEYS = ("conversationId", "taskId", "customerId", "agentId", "contactId", "paymentRequestId")


class Envelope(NamedTuple):
    """What every event has. `dedupe_id` is equal for all copies of one event, whichever way they came."""

    id: str
    type: str
    recorded_at: dt.datetime | None
    """When Gladly recorded it; None if the timestamp is not one."""
    dedupe_id: str
    content: Mapping[str, Any]


def read_envelope(body: bytes) -> Envelope | str:
    """Return the envelope of an event, or why the bytes are not an event."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error.msg}, character {error.pos + 1}"
    if not isinstance(found, dict):
        return "JSON, but not an object"
    for name in ("id", "type"):
        value = found.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or not value.isprintable():
            return f"{name!r} is missing, or not a text of 1 to {_LONGEST} printable characters"
    if body.count(b"{") + body.count(b"[") > _DEEP and not _can_be_written(found):
        return "nested too deeply"
    fields = content_of(found)
    at = time_of(found.get("timestamp"))
    return Envelope(found["id"], found["type"], at, _dedupe_id(found["id"], found["type"], fields), fields)


def _can_be_written(found: Any) -> bool:
    try:
        orjson.dumps({"event": found})
    except orjson.JSONEncodeError:
        return False
    return True


def _dedupe_id(event_id: str, event_type: str, content: Mapping[str, Any]) -> str:
    # A job is also found in the list of jobs, which knows no ids of events.
    job = content.get("jobId")
    if event_type.startswith(_JOBS) and isinstance(job, str) and job:
        return f"{event_type}:{job}"
    return event_id


def content_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content of an event that has been parsed; an empty one if it has none."""
    found = event.get("content")
    return found if isinstance(found, dict) else {}


def job_event(job_id: str, event_type: str, at: dt.datetime) -> bytes:
    """Return the event that a webhook would have sent for an export job, for one that was found in the list of jobs."""
    return orjson.dumps(
        {"id": f"job-{job_id}", "type": event_type, "timestamp": to_milliseconds(at), "content": {"jobId": job_id}}
    )


def key_of(content: Mapping[str, Any]) -> str:
    """Return what an event is about, within which order matters: conversation, else task, customer, agent; or "".

    The name of the field is part of the key, so that ids of different objects never meet.
    """
    for name in _KEYS:
        value = content.get(name)
        if isinstance(value, str) and value:
            return f"{name}:{value}"
    return ""


def entity_of(event_type: str) -> str:
    """Return the entity with which events of a type are requested from the feed; "" if there is none.

    CONVERSATION_ASSIGNEE/UPDATED has no entity of its own; that it comes with CONVERSATION is assumed.
    """
    entity = event_type.partition("/")[0]
    entity = "CONVERSATION" if entity == "CONVERSATION_ASSIGNEE" else entity
    return entity if entity in EVENT_ENTITIES and event_type not in WEBHOOK_ONLY else ""


def entities_of(types: Sequence[str]) -> tuple[str, ...]:
    """Return the entities with which all of these types are requested, in Gladly's order."""
    wanted = {entity_of(each) for each in types}
    return tuple(entity for entity in EVENT_ENTITIES if entity in wanted)
