"""One conversation from what the data sets have of it: who, when, and the messages in order. Pure.

What is derived is derived as in the views of `dataset sql`; a test compares the two.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bulkgladly.builds.built_names import DirectoryNames
from bulkgladly.mapping.html import html_to_text
from bulkgladly.times import time_of

__all__ = ("CONVERSATION_FIELDS", "ITEM_FIELDS", "REPORT_FIELDS", "conversation_of", "text_of", "with_customer")

CONVERSATION_FIELDS = ("id", "customerId", "inboxId", "agentId", "status", "topicIds", "createdAt", "closedAt")
ITEM_FIELDS = (
    *("id", "contentType", "timestamp", "conversationId", "customerId", "initiator", "responder", "subject"),
    *("content", "body", "status", "answeredAt", "addedTopicIds", "removedTopicIds", "recordingSummary"),
)
REPORT_FIELDS = (
    *("conversation_id", "customer_id", "created_at", "status", "last_closed_at", "inbox_id_current"),
    *("inbox_name_current", "assigned_agent_id_current", "assigned_agent_name_current", "first_channel"),
)

_CHANNELS = {
    **{name: name for name in ("EMAIL", "INSTAGRAM_DIRECT", "PHONE_CALL", "SMS", "TWITTER", "VOICEMAIL", "WHATSAPP")},
    "CHAT_MESSAGE": "CHAT",
    "FACEBOOK_MESSAGE": "FB_MESSENGER",
    "VOICE_AI_MESSAGE": "PHONE_CALL",
}
"""The channel of each type of message, named as in events."""
_NOTE, _STATUS, _TOPICS = "CONVERSATION_NOTE", "CONVERSATION_STATUS_CHANGE", "TOPIC_CHANGE"
NOTE_CHANNEL = "NOTE"
_WHO = {"CUSTOMER": "customer", "AGENT": "agent", "INTERNAL": "other", "EXTERNAL": "other"}
_PROGRAMS = {"SIDEKICK_V2": "Gladly AI"}

Row = Mapping[str, Any]


def conversation_of(
    conversation_id: str, live: Row | None, report: Row | None, items: Iterable[Row], names: DirectoryNames
) -> dict[str, Any] | None:
    """Return the row of a conversation without its text, and without what the name of the customer is needed for.

    `live` is the row of `conversations`, `report` that of `ConversationExportReport`. The items are in any order, each
    once. None if Gladly has merged the conversation into another.
    """
    live, report = live or {}, report or {}
    if report.get("status") == "MERGED":
        return None
    ordered = sorted(items, key=lambda each: (each["timestamp"] or 0, each["id"] or ""))
    said = [each for each in ordered if each["contentType"] in _CHANNELS]
    first = next((each for each in said if each["timestamp"] is not None), {})
    change = next((each for each in reversed(ordered) if each["contentType"] == _STATUS and each["status"]), {})
    closed = change["timestamp"] if change.get("status") == "CLOSED" else None
    inbox_id = _first(live.get("inboxId"), report.get("inbox_id_current"))
    agent_id = _first(live.get("agentId"), report.get("assigned_agent_id_current"))
    topic_ids = live["topicIds"] if live else _topics_of(ordered)
    channel = _CHANNELS.get(first.get("contentType") or "")
    return {
        "conversation_id": conversation_id,
        "customer_id": _first(live.get("customerId"), report.get("customer_id"), first.get("customerId")),
        "status": _first(live.get("status"), report.get("status"), change.get("status")),
        "inbox_id": inbox_id,
        "inbox": _first(names.inboxes.get(inbox_id or ""), report.get("inbox_name_current")),
        "agent_id": agent_id,
        "agent": _first(names.agents.get(agent_id or ""), _agent_of_report(report, agent_id)),
        "topic_ids": topic_ids,
        "topics": _topic_names(topic_ids, names),
        "channel": _first(channel, report.get("first_channel")),
        "opened_at": _first(live.get("createdAt"), _micros(report.get("created_at")), first.get("timestamp")),
        "closed_at": _first(live.get("closedAt"), _micros(report.get("last_closed_at")), closed),
        "first_response_s": _first_response_s(said),
        "items_by_channel": list(_counts(ordered)),
        "messages": [_message(each, names) for each in ordered if each["contentType"] in (*_CHANNELS, _NOTE)],
    }


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _micros(value: Any) -> int | None:
    """Return a time of a report in microseconds: a column of times already is, one of texts is read."""
    if value is None or isinstance(value, int):
        return value
    found = time_of(value)
    return None if found is None else round(found.timestamp() * 1_000_000)


def _agent_of_report(report: Row, agent_id: str | None) -> Any:
    # The name is that of the report's own agent, who may not be the one of the newer row.
    is_same = agent_id is not None and report.get("assigned_agent_id_current") == agent_id
    return report.get("assigned_agent_name_current") if is_same else None


def _topics_of(items: Sequence[Row]) -> list[str] | None:
    """Return the topics that the changes among the items leave; None if there are no changes."""
    changes = [each for each in items if each["contentType"] == _TOPICS]
    held: dict[str, None] = {}
    for each in changes:
        held.update(dict.fromkeys(each["addedTopicIds"] or ()))
        for topic_id in each["removedTopicIds"] or ():
            held.pop(topic_id, None)
    return list(held) if changes else None


def _topic_names(ids: Sequence[str] | None, names: DirectoryNames) -> list[str] | None:
    """Return the names of topics; the id of one that has no name. None if no topic has a name."""
    return None if ids is None or not names.topics else [names.topics.get(one, one) for one in ids]


def _is_from_customer(item: Row) -> bool:
    return (item["initiator"] or {}).get("type") == "CUSTOMER"


def _first_response_s(said: Sequence[Row]) -> float | None:
    asked = next((each["timestamp"] for each in said if _is_from_customer(each) and each["timestamp"]), None)
    if asked is None:
        return None
    replies = [at for each in said if (at := _replied_at(each)) is not None and at >= asked]
    return (min(replies) // 1000 - asked // 1000) / 1000 if replies else None


def _replied_at(item: Row) -> int | None:
    """Return when an agent wrote a message, or answered a call; None if none has."""
    is_in, at = _is_from_customer(item), item["answeredAt"]
    is_answered = (item["responder"] or {}).get("type") == "AGENT" and at is not None
    if (item["initiator"] or {}).get("type") != "AGENT" and not is_answered:
        return None
    return at if is_in else item["timestamp"]  # type: ignore[no-any-return]


def _counts(items: Sequence[Row]) -> Iterator[dict[str, Any]]:
    found = Counter(_CHANNELS.get(each["contentType"] or "", each["contentType"] or "UNKNOWN") for each in items)
    yield from ({"channel": channel, "items": number} for channel, number in sorted(found.items()))


def _message(item: Row, names: DirectoryNames) -> dict[str, Any]:
    by = item["initiator"] or {}
    who, person = _WHO.get(by.get("type") or "", "system"), by.get("id") or ""
    name = names.agents.get(person) if who == "agent" else _PROGRAMS.get(person) if who == "system" else None
    return {
        "item_id": item["id"],
        "at": item["timestamp"],
        "channel": _CHANNELS.get(item["contentType"], NOTE_CHANNEL),
        "who": who,
        "name": name,
        "subject": item["subject"],
        "text": _plain_text(item),
    }


def _plain_text(item: Row) -> str | None:
    text: str | None = _first(item["content"], item["body"])
    if text is None:
        return (item["recordingSummary"] or {}).get("summary")
    return html_to_text(text) if item["contentType"] == _NOTE and ("<" in text or "&" in text) else text


# --- What needs the name of the customer ---


def with_customer(row: dict[str, Any], name: str | None) -> dict[str, Any]:
    """Return a row with the name of its customer, also at the messages of that customer."""
    messages = [each | {"name": name} if each["who"] == "customer" else each for each in row["messages"]]
    return row | {"customer": name, "messages": messages}


def text_of(row: Row, written: Mapping[int | None, str]) -> str:
    """Return all messages as plain text; `written` has each of their times as people read it."""
    messages = (_block(each, written[each["at"]]) for each in row["messages"])
    return "\n\n".join(messages)


def _block(message: Row, at: str) -> str:
    head = f"{at}  {message['name'] or message['who']} ({message['who']}, {message['channel']})"
    subject = f"Subject: {message['subject']}" if message["subject"] else None
    return "\n".join(line for line in (head, subject, message["text"]) if line)
