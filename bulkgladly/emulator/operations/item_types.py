"""The content types of items, what can be done with each, and what redaction leaves of an item.

Facts: schemas.md, section 4.3, and endpoints.md, rows 7, 8 and 21, of the fact sheet.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ("DELETABLE_TYPE", "REDACTABLE_TYPES", "SHOWN_TYPES", "VOICE_TYPES", "is_shown", "redacted")

SHOWN_TYPES = (
    "CHAT_MESSAGE",
    "CONVERSATION_STATUS_CHANGE",
    "CUSTOMER_ACTIVITY",
    "EMAIL",
    "FACEBOOK_MESSAGE",
    "CONVERSATION_NOTE",
    "PHONE_CALL",
    "SMS",
    "TOPIC_CHANGE",
    "VOICE_AI_MESSAGE",
    "VOICEMAIL",
    "WHATSAPP",
    "INSTAGRAM_DIRECT",
    "TWITTER",
)
"""The types that the API shows; items of other types exist, but are hidden."""

REDACTABLE_TYPES = ("CHAT_MESSAGE", "SMS", "EMAIL", "TWITTER", "WHATSAPP", "VOICEMAIL", "PHONE_CALL")

DELETABLE_TYPE = "CUSTOMER_ACTIVITY"

VOICE_TYPES = ("PHONE_CALL", "VOICEMAIL")
"""The types that can have a recording and a transcript."""

_SAID = ("content", "subject")
_RECORDED = ("recordingUrl", "recordingDuration", "recordingSummary")


def is_shown(item: Mapping[str, Any]) -> bool:
    """Return whether the API shows this item."""
    return item["content"]["type"] in SHOWN_TYPES


def redacted(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a redactable type without what was said.

    The documents say only that the recording summary becomes REDACTED. The rest is a choice: texts
    are emptied, attachments removed, recordings DELETED; people, times and addresses stay.
    """
    left = {name: "" if name in _SAID else value for name, value in content.items() if name not in _RECORDED}
    left.pop("attachments", None)
    if content["type"] in VOICE_TYPES and "recordingStatus" in content:
        left |= {"recordingStatus": "DELETED", "recordingSummary": {"status": "REDACTED"}}
    if content.get("messageType") == "QUICK_REPLY_RESPONSE":
        # The selected option is what the customer said; the list of options is not.
        left["messageData"] = {**content["messageData"], "selectedOptionId": ""}
    return left
