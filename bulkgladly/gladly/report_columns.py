"""The columns of the reports as far as a source gives them, and the names that headers become. Pure.

Gladly's reports have headers for people ("Assigned Agent ID - Current"). A column of ours is
named by the header in snake case, so that one header in two spellings (a dash or a hyphen, a
space or a no-break space) is one column. Some columns are known by their snake case alone.

Facts: gladly-api, reports, "Columns where a source gives them". Most of the lists there are
not complete, and 42 of the sets have none: what is not here is text, and named as it comes.
"""

import enum
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ("KNOWN_COLUMNS", "RESERVED", "CellKind", "KnownColumn", "column_names", "snake_case")


class CellKind(enum.StrEnum):
    """What the cells of a column are, where that is known."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    FLAG = "flag"


class KnownColumn(NamedTuple):
    """A column before any report was seen. `header` is exact, or None where only the snake case is known."""

    name: str
    header: str | None
    kind: CellKind


RESERVED = frozenset({"window"})
"""Names that a column cannot have: the folder of a part says `window=`, and readers refuse a name that is both."""

_JOINED = re.compile(r"(?<=\w)\((\w+)\)")
_BETWEEN = re.compile(r"[\W_]+")


def snake_case(header: str) -> str:
    """Return the name that a header becomes; empty if it has neither letter nor digit.

    "Role(s)" is `roles`, "Duration (mins)" is `duration_mins`. The name never begins with an
    underscore, which marks our own columns, nor with a digit, which SQL would have in quotes.
    """
    text = unicodedata.normalize("NFKC", header)
    name = _BETWEEN.sub("_", _JOINED.sub(r"\1", text)).strip("_").lower()
    return f"n_{name}" if name[:1].isdigit() else name


def column_names(headers: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each header of a report, each once.

    The second column of a name ends in `_2`, and so on: some reports repeat their metrics for
    each channel, under the same headers. The same headers give the same names for ever.
    """
    plain = [snake_case(header) or f"column_{at}" for at, header in enumerate(headers, 1)]
    taken = {*plain, *RESERVED}
    met: set[str] = set(RESERVED)
    names: list[str] = []
    for name in plain:
        chosen, number = name, 1
        while chosen in met or (number > 1 and chosen in taken):
            number += 1
            chosen = f"{name}_{number}"
        met.add(chosen)
        names.append(chosen)
    return tuple(names)


_KINDS = {"i": CellKind.INTEGER, "n": CellKind.NUMBER, "t": CellKind.TIMESTAMP, "f": CellKind.FLAG}


def _columns(*texts: str, exact: bool = True) -> tuple[KnownColumn, ...]:
    """Read "Header; Header|t; ...": the letter after the bar is the kind, none is text."""
    found: list[KnownColumn] = []
    for part in "; ".join(texts).split(";"):
        header, _, letter = part.strip().partition("|")
        found.append(KnownColumn(snake_case(header), header if exact else None, _KINDS.get(letter, CellKind.TEXT)))
    return tuple(found)


_EVENT = (
    "Initiator Type; Initiator ID; Initiator Agent Name; Assigned Inbox ID; Assigned Inbox Name; "
    "Assigned Agent ID; Assigned Agent Name"
)
_DURATIONS = _columns("Agent ID; Agent; Start time|t; End time|t; Duration (mins)|n; Type; Context")
_AI_SESSIONS = _columns("Session ID; Customer ID; Conversation ID; Channel; Gladly Agent")
_WORK_SESSION_EVENTS = _columns(
    "id; contact_session_id; contact_session_created_at|t; customer_id; conversation_id; inbox_id; channel",
    "direction; agent_accepted_at|t; contact_session_routed_at|t; agent_id; sla_fulfilled_at|t",
    "contact_session_ended_at|t; status; within_sla|f; work_session_handle_time_sec|n",
    "work_session_after_contact_time_sec|n; work_session_unknown_time_sec|n; accepted_inbox_id",
)

KNOWN_COLUMNS: Mapping[str, tuple[KnownColumn, ...]] = {
    "ConversationExportReport": (
        *_columns(
            "Created At|t; Conversation ID; Customer ID; Conversation Link; Status",
            "Assigned Agent ID - Current; Assigned Agent Name - Current; Inbox ID - Current; Inbox Name - Current",
            "First Closed At|t; Last Closed At|t; Initiator Type - Created; Initiator Agent ID - Created",
            "Initiator Agent Name - Created; Inbox ID - Created; Inbox Name - Created",
        ),
        *_columns("assigned_agent_id_created; topics", exact=False),
        *_columns("Topics with Hierarchy"),
        *_columns("first_contact_id; first_channel; last_channel", exact=False),
        *_columns("Created-to-First Closed Time|n"),
        *_columns(
            "created_to_last_closed_time|n; conversation_handle_time|n; count_of_contacts|i; count_of_agents|i",
            "count_of_inboxes_assigned|i; times_closed|i; times_reopened|i",
            exact=False,
        ),
    ),
    "ConversationTimestampsReport": _columns(
        "Timezone Filter; Timestamp|t; Event Type; Conversation ID; Customer ID",
        _EVENT,
        "Topic ID; Topic Name; Newly Assigned Inbox ID; Newly Assigned Inbox Name; Newly Assigned Agent ID",
        "Newly Assigned Agent Name; Assignment Update Reason; Merged Customer ID; Merged Conversation ID",
    ),
    "ContactTimestampsReport": _columns(
        "Timestamp|t; Event Type; Contact ID; Conversation ID; Customer ID; Channel",
        _EVENT,
        "Transferred To Inbox Name; Final IVR Selection; Fulfilled by Contact ID",
    ),
    "AgentTimestampsReport": _columns(
        "Timestamp|t; Occurred At|t; Agent; Agent ID; Type; Available For; Away Reason; Active Reason"
    ),
    "ContactExportReportV3": _columns(
        "Queued At|t; Customer ID; Conversation ID; Contact ID; Link; Channel; Direction; Contact Initiator",
        "Entry Point; Final IVR Selection",
    ),
    "AgentDurationsReport": _DURATIONS,
    "AgentDurationsReportV2": _DURATIONS,
    "AgentSummaryV2": _columns(
        "Bucket Beginning; Bucket End; Name; Email; Agent ID; User Status; Role(s); Inbox(es); Team(s)",
        "Logged In; Logged Out; Logged In Time in seconds|n; Went Away; Returned from Away; Changed Active Reason",
    ),
    "HelpCenterAnswerUsageReport": _columns("timezone_filter; date; answer_name; number_of_clicks|i", exact=False),
    "GladAppContactPointsReport": _columns("timezone_filter; start_at; end_at; url; chats|i", exact=False),
    "GladlyAISessionsDetailReport": _AI_SESSIONS,
    "GladlyAISessionsDetailWithMessagesReport": _AI_SESSIONS,
    "WorkSessionEventsReportV4": _WORK_SESSION_EVENTS,
    "WorkSessionEventsReport": _WORK_SESSION_EVENTS,
}
"""Metric set to its columns, in the order of the source. A time or a number is one by the source, or by its name."""
