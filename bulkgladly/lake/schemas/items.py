"""Conversation items: those of an export job, and those of one conversation asked for.

One flat column per field of an item and of its content, named as in the API, and the union
of all content types in one schema. Two names differ: the content's `type` is `contentType`,
since `type` and `date` are the partition columns and readers refuse a name that is both;
and `to` is always a list, of one where the API has a text (SMS, PHONE_CALL): the type tells
which it was.
"""

from collections.abc import Mapping

import pyarrow as pa

from bulkgladly.lake.schemas.shapes import (
    FETCH,
    FLAG,
    INT,
    JOB,
    TEXT,
    TEXTS,
    TIMESTAMP,
    Column,
    DataSet,
    Fields,
    Shape,
    schema_of,
    struct,
    texts_of,
)

__all__ = ("CONTENT_TYPES", "CONVERSATION_ITEMS", "ITEMS")

_KIND_PATH = ("content", "type")
_OPTIONS = pa.list_(texts_of("id", "label"))
_ITEM: Fields = {
    "id": TEXT,
    "timestamp": TIMESTAMP,
    "conversationId": TEXT,
    "customerId": TEXT,
    "initiator": texts_of("id", "type"),
    "responder": texts_of("id", "type"),
}
_CONTENT: Fields = {
    "from": TEXT,
    "to": TEXTS,
    "cc": TEXTS,
    "bcc": TEXTS,
    "subject": TEXT,
    "title": TEXT,
    "content": TEXT,
    "body": TEXT,
    "attachments": pa.list_(struct(id=TEXT, contentType=TEXT, filename=TEXT, fileSize=INT)),
    "messageType": TEXT,
    "messageData": struct(
        options=_OPTIONS,
        quickReplyRequest=struct(options=_OPTIONS),
        selectedOptionId=TEXT,
        requestMessageId=TEXT,
    ),
    "sessionId": TEXT,
    "status": TEXT,
    "activityType": TEXT,
    "sourceName": TEXT,
    "link": texts_of("url", "text"),
    "expandByDefault": FLAG,
    "occurredAt": TIMESTAMP,
    "receivedAt": TIMESTAMP,
    "startedAt": TIMESTAMP,
    "answeredAt": TIMESTAMP,
    "completedAt": TIMESTAMP,
    "recordingStatus": TEXT,
    "recordingUrl": TEXT,
    "recordingDuration": INT,
    "recordingSummary": texts_of("status", "summary", "language"),
    "addedTopicIds": TEXTS,
    "removedTopicIds": TEXTS,
    "pageId": TEXT,
    "userId": TEXT,
    "companyNumber": TEXT,
    "customerNumber": TEXT,
}
_MESSAGE = ("content", "attachments")
_RECORDING = ("startedAt", "recordingStatus", "recordingUrl", "recordingDuration", "recordingSummary")
CONTENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "CHAT_MESSAGE": ("sessionId", "messageType", "messageData", *_MESSAGE),
    "CONVERSATION_STATUS_CHANGE": ("status",),
    "CUSTOMER_ACTIVITY": (
        *("activityType", "title", "body", "sourceName", "link"),
        *("expandByDefault", "occurredAt", "receivedAt"),
    ),
    "EMAIL": ("from", "to", "cc", "bcc", "subject", *_MESSAGE),
    "FACEBOOK_MESSAGE": ("pageId", "userId", *_MESSAGE),
    "CONVERSATION_NOTE": ("body", "attachments"),
    "PHONE_CALL": ("from", "to", "answeredAt", "completedAt", *_RECORDING),
    "SMS": ("from", "to", *_MESSAGE),
    "TOPIC_CHANGE": ("addedTopicIds", "removedTopicIds"),
    "VOICE_AI_MESSAGE": ("companyNumber", "customerNumber", "body", "status"),
    "VOICEMAIL": _RECORDING,
    "WHATSAPP": _MESSAGE,
    "INSTAGRAM_DIRECT": _MESSAGE,
    "TWITTER": _MESSAGE,
}
"""Content type to its fields beside `type`, as the contract and older exports have them."""

_TO_IS_ONE_TEXT = ("SMS", "PHONE_CALL")
_SESSION_OF_ITEM = ("VOICE_AI_MESSAGE",)


def _columns(kind: str | None) -> list[Column]:
    names = CONTENT_TYPES[kind] if kind is not None else ()
    columns = [Column(name, (name,), kept) for name, kept in _ITEM.items()]
    columns.append(Column("contentType", _KIND_PATH, TEXT))
    for name in names:
        wraps = name == "to" and kind in _TO_IS_ONE_TEXT
        columns.append(Column(name, ("content", name), _CONTENT[name], wraps))
    return columns


def _exported(kind: str | None) -> Shape:
    """`sessionId` is the content's for CHAT_MESSAGE and the item's for VOICE_AI_MESSAGE."""
    session = [Column("sessionId", ("sessionId",), TEXT)] if kind in _SESSION_OF_ITEM else []
    return Shape(kind, (*session, *_columns(kind)), _KIND_PATH)


def _asked(kind: str | None) -> Shape:
    """An item asked for may name its session itself, which the export's record schema does not have."""
    names = CONTENT_TYPES[kind] if kind is not None else ()
    session = Column("itemSessionId" if "sessionId" in names else "sessionId", ("sessionId",), TEXT)
    return Shape(kind, (session, *_columns(kind), Column("_asked_id", ("_asked_id",), TEXT)), _KIND_PATH)


_FIELDS: Fields = {"id": TEXT, "contentType": TEXT, **_ITEM, **_CONTENT}

ITEMS = DataSet(
    "items",
    1,
    schema_of("items", 1, _FIELDS, JOB),
    ("id",),
    _exported(None),
    {kind: _exported(kind) for kind in CONTENT_TYPES},
    kind_path=_KIND_PATH,
    partitions=("type", "date"),
    file="conversation_items.jsonl",
    provenance=JOB,
)
CONVERSATION_ITEMS = DataSet(
    "conversation-items",
    1,
    schema_of("conversation-items", 1, {**_FIELDS, "itemSessionId": TEXT, "_asked_id": TEXT}, FETCH),
    ("id",),
    _asked(None),
    {kind: _asked(kind) for kind in CONTENT_TYPES},
    kind_path=_KIND_PATH,
)
"""The items of conversations asked for one by one, `_asked_id` being the conversation.

`sessionId` is the item's own, but for CHAT_MESSAGE the content's: there the item's is
`itemSessionId`.
"""
