"""From events to the lives of contacts: one row for each, from its start to its end."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from bulkgladly.builds.built_names import DirectoryNames
from bulkgladly.builds.event_gaps import EventGaps
from bulkgladly.builds.sorted_rows import SortedRow, SortedRows
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.plain_rows import plain_rows

__all__ = ("contact_lifecycle_rows", "lifecycle_of")

_COLUMNS = (
    *("id", "type", "timestamp", "contactId", "conversationId", "customerId", "channel", "agentId", "assignee"),
    *("status", "reason", "context", "initiator"),
)
_ORDER = (
    *("STARTED", "MESSAGE_RECEIVED", "OFFERED", "OFFER_REJECTED", "TRANSFERRED", "OFFER_ACCEPTED", "JOINED"),
    *("HOLD_STARTED", "HOLD_ENDED", "MESSAGE_SENT", "FULFILLED", "ENDED"),
)
_RANKS = {f"CONTACT/{name}": rank for rank, name in enumerate(_ORDER)}
"""The order of events of the same time."""
_REJECTED = {"DECLINED": "declined", "MISSED": "missed", "DEVICE ERROR": "device error"}


def contact_lifecycle_rows(folder: Catalogue, names: DirectoryNames, scratch: Path) -> Iterator[SortedRow]:
    """Yield one row for each contact, by its start; those whose start no event tells come first.

    Copies of an event count once, and the order in which events came does not matter. Memory is that of
    `SortedRows`, and one contact.

    Raises:
        InputError: A part is missing or cannot be read.
        OSError: `scratch` cannot hold what is sorted.
    """
    events = SortedRows(scratch)
    for row in plain_rows(folder, "events", _COLUMNS, entities=("CONTACT",)):
        if row["type"] in _RANKS and row["contactId"] is not None and row["timestamp"] is not None:
            key = (row["contactId"], row["timestamp"], _RANKS[row["type"]], row["id"] or "")
            events.add(key, {name: row[name] for name in _COLUMNS})
    made, gaps = SortedRows(scratch), EventGaps(folder)
    for contact_id, copies in groupby(events, key=lambda each: str(each.key[0])):
        row = lifecycle_of(contact_id, _each_once(copies))
        row["agent"], row["inbox"] = names.agents.get(row["agent_id"]), names.inboxes.get(row["inbox_id"])
        row["has_gap"] = gaps.is_within(row["created_at"], row["ended_at"])
        for offer in row["offers"]:
            offer["agent"] = names.agents.get(offer["agent_id"])
        made.add((-1 if row["created_at"] is None else row["created_at"], contact_id), row)
    yield from made


def _each_once(events: Iterable[SortedRow]) -> Iterator[dict[str, Any]]:
    # Copies have the same time as well, so they stand together; only an id says that two are copies.
    for (*_, event_id), copies in groupby(events, key=lambda each: each.key):
        for each in copies:
            yield each.row
            if event_id:
                break


def lifecycle_of(contact_id: str, events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of one contact, from its events in the order of time; without names."""
    told = list(events)
    times = {kind: [each["timestamp"] for each in told if each["type"] == f"CONTACT/{kind}"] for kind in _ORDER}
    created = min(times["STARTED"], default=None)
    accepted = min(times["OFFER_ACCEPTED"], default=None)
    replied = next((each["timestamp"] for each in told if _is_reply(each)), None)
    end = next((each for each in reversed(told) if each["type"] == "CONTACT/ENDED"), None)
    if end is not None and max(times["STARTED"], default=end["timestamp"]) > end["timestamp"]:
        end = None  # it was opened again
    ended = None if end is None else end["timestamp"]
    offers = sorted(_offers(told), key=_offer_order)
    return {
        "contact_id": contact_id,
        **{name: _last(told, field) for name, field in _IDS.items()},
        "inbox_id": _last_inbox(told),
        "agent_id": _last_agent(told),
        "created_at": created,
        "first_offered_at": min(times["OFFERED"], default=None),
        "first_accepted_at": accepted,
        "first_reply_at": replied,
        "fulfilled_at": max(times["FULFILLED"], default=None),
        "ended_at": ended,
        "status": None if end is None else end["status"],
        "reason": None if end is None else end["reason"],
        "offers": offers,
        "declined": sum(each["outcome"] in _REJECTED.values() for each in offers),
        "transfers": len(times["TRANSFERRED"]),
        "messages_in": len(times["MESSAGE_RECEIVED"]),
        "messages_out": len(times["MESSAGE_SENT"]),
        "wait_s": _seconds(created, accepted),
        "first_reply_s": _seconds(created, replied),
        "hold_s": _hold_s(told, ended),
        "total_s": _seconds(created, ended),
    }


_IDS = {"conversation_id": "conversationId", "customer_id": "customerId", "channel": "channel"}


def _seconds(begin: int | None, end: int | None) -> float | None:
    """Return the time between two moments; None if one is missing, or the second came first."""
    return None if begin is None or end is None or end < begin else (end - begin) / 1e6


def _last(events: list[dict[str, Any]], field: str) -> Any:
    return next((each[field] for each in reversed(events) if each[field] is not None), None)


def _is_by_agent(event: dict[str, Any]) -> bool:
    return (event["initiator"] or {}).get("type") == "AGENT"


def _is_reply(event: dict[str, Any]) -> bool:
    return event["type"] == "CONTACT/MESSAGE_SENT" and _is_by_agent(event)


def _last_inbox(events: list[dict[str, Any]]) -> str | None:
    for event in reversed(events):
        # A transfer names the new inbox; the context is the state just before an event.
        after, before = event["assignee"] or {}, (event["context"] or {}).get("assignee") or {}
        if found := after.get("inboxId") or before.get("inboxId"):
            return str(found)
    return None


def _last_agent(events: list[dict[str, Any]]) -> str | None:
    for event in reversed(events):
        if event["type"] == "CONTACT/OFFER_ACCEPTED" and event["agentId"]:
            return str(event["agentId"])
        if event["type"] in ("CONTACT/JOINED", "CONTACT/MESSAGE_SENT") and _is_by_agent(event):
            return (event["initiator"] or {}).get("id")
    return None


def _offers(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each offer with what became of it. An outcome whose offer is missing is an offer without a time."""
    open_: dict[str | None, dict[str, Any]] = {}
    for event in events:
        kind, agent_id, at = event["type"], event["agentId"], event["timestamp"]
        if kind == "CONTACT/OFFERED":
            if agent_id in open_:
                yield open_.pop(agent_id)  # offered to the same agent again: the first has no outcome
            open_[agent_id] = {"at": at, "agent_id": agent_id, "outcome": None, "outcome_at": None}
        elif kind in ("CONTACT/OFFER_ACCEPTED", "CONTACT/OFFER_REJECTED"):
            offer = open_.pop(agent_id, {"at": None, "agent_id": agent_id})
            is_taken = kind == "CONTACT/OFFER_ACCEPTED"
            outcome = "accepted" if is_taken else _REJECTED.get(event["reason"], "declined")
            yield {**offer, "outcome": outcome, "outcome_at": at}
    yield from open_.values()


def _offer_order(offer: dict[str, Any]) -> tuple[int, str]:
    return offer["outcome_at"] if offer["at"] is None else offer["at"], offer["agent_id"] or ""


def _hold_s(events: list[dict[str, Any]], ended: int | None) -> float:
    """Return how long the caller was on hold. A hold without an end lasts until the end of the contact, if known."""
    total, since = 0, None
    for event in events:
        if event["type"] == "CONTACT/HOLD_STARTED":
            since = event["timestamp"] if since is None else since
        elif event["type"] == "CONTACT/HOLD_ENDED" and since is not None:
            total, since = total + event["timestamp"] - since, None
    if since is not None and ended is not None:
        total += max(0, ended - since)
    return total / 1e6
