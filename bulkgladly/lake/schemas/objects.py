"""The smaller objects: lists that the API gives whole, and what is asked for parent by parent.

A list is read again and again: `_gone_since` says when a row was first missing from it.
`_asked_id` is the parent, or the id, that was asked for.
"""

from collections.abc import Mapping

import pyarrow as pa

from bulkgladly.lake.schemas.shapes import (
    FLAG,
    INT,
    JOB,
    TEXT,
    TEXTS,
    TIMESTAMP,
    DataSet,
    Fields,
    flat,
    struct,
    texts_of,
)

__all__ = ("ASKED", "EXPORTED", "LISTS")

_AGENT: Fields = dict.fromkeys(("id", "name", "emailAddress"), TEXT)
_TOPIC: Fields = {"id": TEXT, "name": TEXT, "disabled": FLAG, "parentId": TEXT}

EXPORTED: tuple[DataSet, ...] = (
    flat("agents", _AGENT, file="agents.jsonl", provenance=JOB),
    flat("topics", _TOPIC, file="topics.jsonl", provenance=JOB),
)
"""Small files of an export job."""

_BLOCKS = pa.list_(texts_of("start", "stop"))
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_OFFICE_HOURS = struct(
    timezone=TEXT,
    **dict.fromkeys(_DAYS, _BLOCKS),
    exceptions=pa.list_(struct(name=TEXT, start=TIMESTAMP, stop=TIMESTAMP, scheduleBlocks=_BLOCKS)),
)
_LISTED: Mapping[str, Fields] = {
    "agents-list": _AGENT,
    "topics-list": _TOPIC,
    "inboxes": {"id": TEXT, "name": TEXT, "disabled": FLAG},
    "teams": {"id": TEXT, "name": TEXT, "description": TEXT, "agentIds": TEXTS},
    "audiences": {"id": TEXT, "name": TEXT},
    "business-hours": {
        "id": TEXT,
        "version": INT,
        "name": TEXT,
        "primary": FLAG,
        "officeHours": _OFFICE_HOURS,
        "createdAt": TIMESTAMP,
        "updatedAt": TIMESTAMP,
    },
    "webhooks": {
        "id": TEXT,
        "name": TEXT,
        "url": TEXT,
        "events": TEXTS,
        "enabled": FLAG,
        "hasCredentials": FLAG,
        "headerKeys": TEXTS,
        "createdAt": TIMESTAMP,
        "updatedAt": TIMESTAMP,
        "disabledAtDueToRetryLimit": TIMESTAMP,
    },
    "schedules": {
        "id": TEXT,
        "frequency": TEXT,
        "type": TEXT,
        "nextStartAt": TIMESTAMP,
        "updatedAt": TIMESTAMP,
    },
    "jobs": {
        "id": TEXT,
        "scheduleId": TEXT,
        "status": TEXT,
        "updatedAt": TIMESTAMP,
        "parameters": struct(type=TEXT, startAt=TIMESTAMP, endAt=TIMESTAMP),
        "files": TEXTS,
    },
}
_PUBLIC_ANSWER: Fields = {**dict.fromkeys(("id", "language", "name", "bodyHtml"), TEXT), "updatedAt": TIMESTAMP}
_GONE: Fields = {"_gone_since": TIMESTAMP}

LISTS: tuple[DataSet, ...] = (
    flat("organization", dict.fromkeys(("id", "name", "loginDomain", "timezone", "gladlyUrl"), TEXT)),
    *(flat(name, {**fields, **_GONE}) for name, fields in _LISTED.items()),
    flat("public-answers", {**_PUBLIC_ANSWER, **_GONE}, key=("id", "language")),
)
"""What one request gives whole. `agents-list` and `topics-list` are the live ones, `agents` and
`topics` those of the export jobs: their rows come from different places, and say from where."""

_ASKED: Mapping[str, Fields] = {
    "conversations": {
        "id": TEXT,
        "customerId": TEXT,
        "inboxId": TEXT,
        "agentId": TEXT,
        "status": TEXT,
        "topicIds": TEXTS,
        "customAttributes": pa.list_(texts_of("id", "value")),
        "createdAt": TIMESTAMP,
        "closedAt": TIMESTAMP,
    },
    "tasks": {
        "id": TEXT,
        "timestamp": TIMESTAMP,
        "customerId": TEXT,
        "createdBy": texts_of("id", "type"),
        "assignee": texts_of("inboxId", "agentId"),
        "status": TEXT,
        "body": TEXT,
        "dueAt": TIMESTAMP,
    },
    "task-comments": {"id": TEXT, "taskId": TEXT, "agentId": TEXT, "comment": TEXT, "createdAt": TIMESTAMP},
    "answers": {
        "id": TEXT,
        "name": TEXT,
        "description": TEXT,
        "audienceIds": TEXTS,
        "createdAt": TIMESTAMP,
        "updatedAt": TIMESTAMP,
    },
    "answer-contents": {
        **dict.fromkeys(("answerId", "language", "type", "title", "subject", "bodyHtml"), TEXT),
        "internal": FLAG,
    },
}
_KEYS: Mapping[str, tuple[str, ...]] = {"answer-contents": ("answerId", "language", "type")}

ASKED: tuple[DataSet, ...] = tuple(
    flat(name, {**fields, "_asked_id": TEXT}, key=_KEYS.get(name, ("id",))) for name, fields in _ASKED.items()
)
"""What needs a request for each parent or each id."""
