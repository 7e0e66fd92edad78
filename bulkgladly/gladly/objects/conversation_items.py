"""Conversation items: those of an export job, and those of the live API. Facts: gladly-api, schemas 4.

One schema has a flat column for each field of an item and of the contents of all types, named as
in the API, with two differences. The content's `type` is `contentType`, because `type` and
`date` are the partition columns, and readers refuse a name that is both. And `to` is always a
list, of one element where the API has a text (SMS, PHONE_CALL); the type tells which it was.
"""

from collections.abc import Mapping

from bulkgladly.gladly.data_sets import (
    FLAG,
    INTEGER,
    MOMENT,
    TEXT,
    TEXTS,
    DataColumn,
    DataSetPlan,
    ListOf,
    Struct,
    ValuePlace,
    texts_of,
)
from bulkgladly.gladly.exports import IDS_OF_CONVERSATIONS, IdColumn, LiveExport, Parent
from bulkgladly.gladly.spec import GladlyObject

__all__ = ("CONTENT_TYPES", "OBJECT")

_KIND_PATH = ("content", "type")
_OPTIONS = ListOf(texts_of("id", "label"))
_CONTENT_TYPE = DataColumn("contentType", TEXT, "What kind of item it is, such as EMAIL or PHONE_CALL.")
_ITEM = (
    DataColumn("id", TEXT, "The id of the item."),
    DataColumn("timestamp", MOMENT, "When it happened."),
    DataColumn(
        "conversationId", TEXT, "The conversation it belongs to; null if it belongs to none, such as activities."
    ),
    DataColumn("customerId", TEXT, "The customer it belongs to."),
    DataColumn(
        "initiator",
        texts_of("id", "type"),
        "Who started it: an id, and its type (an agent, a customer, the API, ...).",
    ),
    DataColumn("responder", texts_of("id", "type"), "Who answered, as on phone calls: an id and its type."),
)
_CONTENT = (
    DataColumn("from", TEXT, "The address or number it came from."),
    DataColumn("to", TEXTS, "The addresses or numbers it went to."),
    DataColumn("cc", TEXTS, "Who got a copy of an email."),
    DataColumn("bcc", TEXTS, "Who got a hidden copy of an email."),
    DataColumn("subject", TEXT, "The subject of an email."),
    DataColumn("title", TEXT, "The title of an activity."),
    DataColumn("content", TEXT, "The text of a message; plain text for an email."),
    DataColumn("body", TEXT, "The text of a note, an activity or a spoken message; rich text for the first two."),
    DataColumn(
        "attachments",
        ListOf(Struct({"id": TEXT, "contentType": TEXT, "filename": TEXT, "fileSize": INTEGER})),
        "The attached files: id, type, name and length; whether files of export jobs have them is UNKNOWN.",
    ),
    DataColumn("messageType", TEXT, "What a chat message is: TEXT, QUICK_REPLY_REQUEST or QUICK_REPLY_RESPONSE."),
    DataColumn(
        "messageData",
        Struct(
            {
                "options": _OPTIONS,
                "quickReplyRequest": Struct({"options": _OPTIONS}),
                "selectedOptionId": TEXT,
                "requestMessageId": TEXT,
            }
        ),
        "The choices that a chat message offers, or the choice that was made.",
    ),
    DataColumn("sessionId", TEXT, "The session of the chat, or of the voice AI."),
    DataColumn(
        "status", TEXT, "OPEN or CLOSED after a change of status; PLAYED or INTERRUPTED for what the voice AI said."
    ),
    DataColumn("activityType", TEXT, "The kind of activity: EMAIL, ISSUE, SMS or SURVEY."),
    DataColumn("sourceName", TEXT, "The system an activity comes from."),
    DataColumn("link", texts_of("url", "text"), "A link of an activity: address and text."),
    DataColumn("expandByDefault", FLAG, "Whether an activity is shown open."),
    DataColumn("occurredAt", MOMENT, "When an activity took place; null if unknown."),
    DataColumn("receivedAt", MOMENT, "When Gladly received an activity."),
    DataColumn("startedAt", MOMENT, "When a call or voicemail began."),
    DataColumn("answeredAt", MOMENT, "When a call was answered."),
    DataColumn("completedAt", MOMENT, "When a call ended."),
    DataColumn("recordingStatus", TEXT, "Whether there is a recording: AVAILABLE, DELETED or ERROR."),
    DataColumn("recordingUrl", TEXT, "Where the recording can be requested, as a path of the API."),
    DataColumn("recordingDuration", INTEGER, "How long the recording is, in seconds."),
    DataColumn(
        "recordingSummary",
        texts_of("status", "summary", "language"),
        "A summary of the recording: its status, text and language.",
    ),
    DataColumn("addedTopicIds", TEXTS, "The topics that were added to the conversation."),
    DataColumn("removedTopicIds", TEXTS, "The topics that were removed from the conversation."),
    DataColumn("pageId", TEXT, "The organisation's Facebook page."),
    DataColumn("userId", TEXT, "The person's id at Facebook."),
    DataColumn("companyNumber", TEXT, "The phone number of the organisation."),
    DataColumn("customerNumber", TEXT, "The phone number of the customer."),
)
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
"""The fields of each content type beside `type`, as the contract and older exports have them."""

# A column has one type, so a `to` that is a text in the API becomes a list of one.
_TO_IS_ONE_TEXT = ("SMS", "PHONE_CALL")
_SESSION_OF_ITEM = ("VOICE_AI_MESSAGE",)


def _places(kind: str | None) -> tuple[ValuePlace, ...]:
    names = CONTENT_TYPES[kind] if kind is not None else ()
    item = [ValuePlace(column.name, (column.name,)) for column in _ITEM]
    content = [ValuePlace(name, ("content", name), name == "to" and kind in _TO_IS_ONE_TEXT) for name in names]
    return (*item, ValuePlace("contentType", _KIND_PATH), *content)


def _exported(kind: str | None) -> tuple[ValuePlace, ...]:
    """Return the places in a line of an export: `sessionId` is in the item only for VOICE_AI_MESSAGE."""
    session = [ValuePlace("sessionId", ("sessionId",))] if kind in _SESSION_OF_ITEM else []
    return (*session, *_places(kind))


def _asked(kind: str | None) -> tuple[ValuePlace, ...]:
    """Return the places in a line of the live API, where an item may have a `sessionId` beside its content's."""
    names = CONTENT_TYPES[kind] if kind is not None else ()
    session = ValuePlace("itemSessionId" if "sessionId" in names else "sessionId", ("sessionId",))
    return (session, *_places(kind), ValuePlace("_asked_id", ("_asked_id",)))


_COLUMNS = (_ITEM[0], _CONTENT_TYPE, *_ITEM[1:], *_CONTENT)
_ASKED_COLUMNS = (
    *_COLUMNS,
    DataColumn("itemSessionId", TEXT, "The session of a chat message itself, beside that of its content."),
    DataColumn("_asked_id", TEXT, "The conversation, or the item, that was requested."),
)

OBJECT = GladlyObject(
    reads=(
        LiveExport(
            "conversation-items",
            "getConversationItems",
            "/api/v1/conversations/{conversationId}/items",
            "conversation-items",
            Parent.CONVERSATION,
            cap=1000,
            order="timestamp",
            tells_of_cut=True,
            ids_from=IDS_OF_CONVERSATIONS,
        ),
        LiveExport(
            "item",
            "getItem",
            "/api/v1/conversation-items/{itemId}",
            "conversation-items",
            Parent.ITEM,
            is_list=False,
            # Events name items that no export job has yet.
            ids_from=(IdColumn("events", "messageId"),),
            may_be_withheld=True,
        ),
    ),
    data_sets=(
        DataSetPlan(
            "items",
            _COLUMNS,
            file="conversation_items.jsonl",
            kind_path=_KIND_PATH,
            places=_exported(None),
            kinds={kind: _exported(kind) for kind in CONTENT_TYPES},
            partitions=("type", "date"),
        ),
        DataSetPlan(
            "conversation-items",
            _ASKED_COLUMNS,
            kind_path=_KIND_PATH,
            places=_asked(None),
            kinds={kind: _asked(kind) for kind in CONTENT_TYPES},
        ),
    ),
)
"""The API refuses an item of a type that it does not show, which counts as gone.

In `conversation-items`, `sessionId` is the item's own, except for CHAT_MESSAGE: there it is the
content's, and the item's is `itemSessionId`.
"""
