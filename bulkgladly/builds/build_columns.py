"""The columns of the tables that are built, each with a sentence about it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from bulkgladly.gladly.data_sets import (
    FLAG,
    INTEGER,
    MOMENT,
    NUMBER,
    TEXT,
    TEXTS,
    DataColumn,
    ListOf,
    Struct,
    ValueType,
)

__all__ = ("AGENT_INTERVALS", "BUILT_TABLES", "CONTACT_LIFECYCLES", "CONVERSATIONS", "types_of_built")

CONVERSATIONS, AGENT_INTERVALS, CONTACT_LIFECYCLES = "conversations", "agent-intervals", "contact-lifecycles"

_MESSAGE = Struct(
    {
        "item_id": TEXT,
        "at": MOMENT,
        "channel": TEXT,
        "who": TEXT,
        "name": TEXT,
        "subject": TEXT,
        "text": TEXT,
    }
)
_COUNT = Struct({"channel": TEXT, "items": INTEGER})
_OFFER = Struct({"at": MOMENT, "agent_id": TEXT, "agent": TEXT, "outcome": TEXT, "outcome_at": MOMENT})

_CONVERSATION_COLUMNS = (
    DataColumn("conversation_id", TEXT, "The conversation."),
    DataColumn("customer_id", TEXT, "Its customer."),
    DataColumn("customer", TEXT, "The name of the customer."),
    DataColumn("status", TEXT, "OPEN, WAITING or CLOSED."),
    DataColumn("inbox_id", TEXT, "The inbox it is in."),
    DataColumn("inbox", TEXT, "The name of the inbox."),
    DataColumn("agent_id", TEXT, "The agent it is assigned to."),
    DataColumn("agent", TEXT, "The name of the agent."),
    DataColumn("topic_ids", TEXTS, "The topics it has."),
    DataColumn("topics", TEXTS, "Their names, each after those of its parents: Orders > Late orders."),
    DataColumn("channel", TEXT, "The channel of its first message."),
    DataColumn("opened_at", MOMENT, "When it was started."),
    DataColumn("closed_at", MOMENT, "When it was last closed."),
    DataColumn("first_response_s", NUMBER, "Seconds from the customer's first message to an agent's next one."),
    DataColumn("items_by_channel", ListOf(_COUNT), "How many items it has: by channel, and notes and changes by type."),
    DataColumn("messages", ListOf(_MESSAGE), "Messages, calls and notes in the order of time."),
    DataColumn("text", TEXT, "All of it as plain text."),
)
_INTERVAL_COLUMNS = (
    DataColumn("agent_id", TEXT, "The agent."),
    DataColumn("agent", TEXT, "The name of the agent."),
    DataColumn("from_at", MOMENT, "When the state began."),
    DataColumn("to_at", MOMENT, "When it ended; null if no later event says so."),
    DataColumn("seconds", NUMBER, "How long it lasted; null if it has no end."),
    DataColumn("state", TEXT, "available, unavailable, active, focus, away, logged_out or unknown."),
    DataColumn("reason", TEXT, "The reason that the agent has set, such as Lunch."),
    DataColumn("available_for", TEXTS, "MAIL, MESSAGING, TASK, VOICE; empty if nothing, null if unknown."),
    DataColumn("has_gap", FLAG, "Whether events are missing within it, so that it may have been several states."),
)
_LIFECYCLE_COLUMNS = (
    DataColumn("contact_id", TEXT, "The contact."),
    DataColumn("conversation_id", TEXT, "Its conversation."),
    DataColumn("customer_id", TEXT, "Its customer."),
    DataColumn("channel", TEXT, "Its channel, such as CHAT."),
    DataColumn("inbox_id", TEXT, "The inbox it was last in."),
    DataColumn("inbox", TEXT, "The name of that inbox."),
    DataColumn("agent_id", TEXT, "The agent who last accepted or joined it."),
    DataColumn("agent", TEXT, "The name of that agent."),
    DataColumn("created_at", MOMENT, "When it started."),
    DataColumn("first_offered_at", MOMENT, "When it was first offered to an agent."),
    DataColumn("first_accepted_at", MOMENT, "When an agent first accepted it."),
    DataColumn("first_reply_at", MOMENT, "When an agent first sent a message."),
    DataColumn("fulfilled_at", MOMENT, "When it was last fulfilled."),
    DataColumn("ended_at", MOMENT, "When it ended; null if it is open."),
    DataColumn("status", TEXT, "How it ended: ABANDONED, ANSWERED, UNANSWERED or UNKNOWN."),
    DataColumn("reason", TEXT, "Why it ended, such as AGENT_ENDED."),
    DataColumn("offers", ListOf(_OFFER), "Each offer: when, to whom, and what became of it and when."),
    DataColumn("declined", INTEGER, "How many offers were declined or missed, or failed."),
    DataColumn("transfers", INTEGER, "How often it was transferred."),
    DataColumn("messages_in", INTEGER, "How many messages came in."),
    DataColumn("messages_out", INTEGER, "How many messages were sent."),
    DataColumn("wait_s", NUMBER, "Seconds from its start until an agent accepted it."),
    DataColumn("first_reply_s", NUMBER, "Seconds from its start to the first message of an agent."),
    DataColumn("hold_s", NUMBER, "Seconds that the caller was on hold."),
    DataColumn("total_s", NUMBER, "Seconds from its start to its end."),
    DataColumn("has_gap", FLAG, "Whether events are missing between its start and its end."),
)

BUILT_TABLES: Mapping[str, tuple[DataColumn, ...]] = MappingProxyType(
    {
        CONVERSATIONS: _CONVERSATION_COLUMNS,
        AGENT_INTERVALS: _INTERVAL_COLUMNS,
        CONTACT_LIFECYCLES: _LIFECYCLE_COLUMNS,
    }
)
"""The tables by name, as they are given on the command line."""


def types_of_built(table: str) -> Mapping[str, ValueType]:
    """Return the columns of a table with their types, in order."""
    return {column.name: column.type for column in BUILT_TABLES[table]}
