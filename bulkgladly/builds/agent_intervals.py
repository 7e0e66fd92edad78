"""From events to the states of agents: one row for each agent and time during which nothing changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bulkgladly.builds.built_names import DirectoryNames
from bulkgladly.builds.event_gaps import EventGaps
from bulkgladly.builds.sorted_rows import SortedRow, SortedRows
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.plain_rows import plain_rows

__all__ = ("AGENT_ENTITIES", "agent_interval_rows", "intervals_of", "known_order")

AGENT_ENTITIES = ("AGENT_AVAILABILITY", "AGENT_STATUS")
_COLUMNS = (
    *("id", "type", "timestamp", "occurredAt", "awayAt", "agentId"),
    *("availableFor", "activeReason", "awayReason", "context"),
)
_NEEDED = ("type", "availableFor", "activeReason", "awayReason", "context")
_WENT_AWAY, _RETURNED = "AGENT_STATUS/WENT_AWAY", "AGENT_STATUS/RETURNED_FROM_AWAY"
_ORDER = (
    *("AGENT_STATUS/LOGGED_IN", "AGENT_STATUS/CHANGED_ACTIVE_REASON", _RETURNED, _WENT_AWAY),
    *("AGENT_STATUS/LOGGED_OUT", "AGENT_AVAILABILITY/FOCUS_ENTERED", "AGENT_AVAILABILITY/FOCUS_EXITED"),
    "AGENT_AVAILABILITY/UPDATED",
)
_RANKS = {name: rank for rank, name in enumerate(_ORDER)}
"""Which of several events of the same time comes last, and so decides; as in `live`."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What events have said of an agent so far."""

    presence: str | None = None
    reason: str | None = None
    is_in_focus: bool = False
    works: tuple[str, ...] | None = None

    def state(self) -> str:
        if self.presence in ("away", "logged_out"):
            return str(self.presence)
        if self.is_in_focus:
            return "focus"
        if self.works is None:
            return "active" if self.presence else "unknown"
        return "available" if self.works else "unavailable"


def agent_interval_rows(folder: Catalogue, names: DirectoryNames, scratch: Path) -> Iterator[SortedRow]:
    """Yield the intervals of all agents: by agent, then by time. Those of one agent never overlap.

    Copies of an event count once, and the order in which events came does not matter. Memory is that of
    `SortedRows`.

    Raises:
        InputError: A part is missing or cannot be read.
        OSError: `scratch` cannot hold what is sorted.
    """
    events = SortedRows(scratch)
    for row in plain_rows(folder, "events", _COLUMNS, entities=AGENT_ENTITIES):
        if row["agentId"] is not None:
            for when, rank, event in known_order(row):
                events.add((row["agentId"], when, rank, row["id"] or ""), event)
    gaps = EventGaps(folder)
    for agent_id, of_one in groupby(events, key=lambda each: str(each.key[0])):
        for row in intervals_of(of_one):
            named = {"agent_id": agent_id, "agent": names.agents.get(agent_id), **row}
            named["has_gap"] = gaps.is_within(row["from_at"], row["to_at"])
            yield SortedRow((agent_id, row["from_at"]), named, len(str(named)))


def known_order(row: Mapping[str, Any]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield what an event tells: when, its rank among what happened then, and what is needed of it."""
    at = row.get("timestamp") if row["occurredAt"] is None else row["occurredAt"]
    if row["type"] not in _RANKS or at is None:
        return
    event = {name: row.get(name) for name in _NEEDED}
    away = row["awayAt"]
    if row["type"] == _RETURNED and away is not None and away < at:
        # The event that it went away may be missing, as if it lay before the first one that is there.
        yield away, _RANKS[_WENT_AWAY], {**event, "type": _WENT_AWAY}
    yield at, _RANKS[row["type"]], event


def intervals_of(events: Iterator[SortedRow]) -> Iterator[dict[str, Any]]:
    """Yield the intervals that the sorted events of one agent tell. The last one has no end."""
    known, begun = _Known(), None
    for moment, at_once in groupby(events, key=lambda each: int(each.key[1])):
        after = known
        for each in at_once:
            after = _after(after, each.row)
        if begun is not None and _seen(after) != _seen(known):
            yield _interval(known, begun, moment)
        if begun is None or _seen(after) != _seen(known):
            begun = moment
        known = after
    if begun is not None:
        yield _interval(known, begun, None)


def _after(known: _Known, event: dict[str, Any]) -> _Known:
    kind = event["type"]
    if kind == "AGENT_AVAILABILITY/UPDATED":
        works = event["availableFor"]
        return known if works is None else replace(known, works=tuple(sorted(set(works))))
    if kind.startswith("AGENT_AVAILABILITY/"):
        works = (event["context"] or {}).get("availableFor")
        # What the context says is the state before it; it counts if nothing else is known.
        before = tuple(sorted(set(works))) if works and known.works is None else known.works
        return replace(known, is_in_focus=kind.endswith("ENTERED"), works=before)
    if kind == _WENT_AWAY:
        return replace(known, presence="away", reason=_name(event["awayReason"]))
    if kind == "AGENT_STATUS/LOGGED_OUT":
        return replace(known, presence="logged_out", reason=None, is_in_focus=False)
    is_in_focus = known.is_in_focus and kind != "AGENT_STATUS/LOGGED_IN"
    return replace(known, presence="active", reason=_name(event["activeReason"]), is_in_focus=is_in_focus)


def _name(reason: dict[str, Any] | None) -> str | None:
    return None if reason is None else reason.get("name") or reason.get("id")


def _seen(known: _Known) -> tuple[Any, ...]:
    """Return what tells one interval from the next: for what a logged-out agent would be available does not."""
    state = known.state()
    return state, known.reason, None if state == "logged_out" else known.works


def _interval(known: _Known, begin: int, end: int | None) -> dict[str, Any]:
    state, reason, works = _seen(known)
    return {
        "from_at": begin,
        "to_at": end,
        "seconds": None if end is None else (end - begin) / 1e6,
        "state": state,
        "reason": reason,
        "available_for": None if works is None else list(works),
    }
