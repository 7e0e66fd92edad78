"""What events say of agents: logged in or away, for what reason, and what they are available for. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkgladly.realtime.event_fields import LiveEvent, Newest, Stamp, part, text, texts
from bulkgladly.realtime.live_view import AgentState

__all__ = ("AGENT_EVENTS", "LiveAgent", "fold_agent")

_ACTIVE, _AWAY, _OUT = "active", "away", "logged_out"

_STATUS_EVENTS: Mapping[str, tuple[str, str | None]] = {
    "AGENT_STATUS/LOGGED_IN": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/CHANGED_ACTIVE_REASON": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/RETURNED_FROM_AWAY": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/WENT_AWAY": (_AWAY, "awayReason"),
    "AGENT_STATUS/LOGGED_OUT": (_OUT, None),
}
_FOCUS_EVENTS = {"AGENT_AVAILABILITY/FOCUS_ENTERED": True, "AGENT_AVAILABILITY/FOCUS_EXITED": False}
_UPDATED = "AGENT_AVAILABILITY/UPDATED"
AGENT_EVENTS: Mapping[str, int] = {
    name: rank for rank, name in enumerate((*_STATUS_EVENTS, *_FOCUS_EVENTS, _UPDATED), start=1)
}
"""The events that tell of agents, each with its rank among events of the same time."""


@dataclass(slots=True)
class LiveAgent:
    """What is known of one agent; each field as of the newest event that told of it."""

    status: Newest[tuple[str, str | None]] = field(default_factory=Newest)
    """`active`, `away` or `logged_out`, and the reason."""
    available_for: Newest[tuple[str, ...]] = field(default_factory=Newest)
    is_in_focus: Newest[bool] = field(default_factory=Newest)

    def last_moment(self) -> dt.datetime:
        """Return when the newest event about the agent happened."""
        moments = (self.status.moment, self.available_for.moment, self.is_in_focus.moment)
        return max(moment for moment in moments if moment is not None)

    def state(self) -> tuple[AgentState, str | None, dt.datetime | None]:
        """Return the agent's state, the reason for it, and since when it is so."""
        status, reason = self.status.value or (None, None)
        if status == _OUT and self.available_for.value and self.available_for.is_after(self.status.moment):
            status, reason = None, None  # available after logging out: a login was missed
        if status == _OUT:
            return "logged_out", None, self.status.moment
        if status == _AWAY:
            return "away", reason, self.status.moment
        # A login that was missed also ends what is known from before it.
        known = [] if status is None else [self.status]
        if self.is_in_focus.value:
            return "focus", reason, self._since(*known, self.is_in_focus)
        if self.available_for.stamp is None:
            return ("unknown" if status is None else "active"), reason, self._since(*known)
        word: AgentState = "available" if self.available_for.value else "unavailable"
        return word, reason, self._since(*known, self.available_for, self.is_in_focus)

    @staticmethod
    def _since(*parts: "Newest[tuple[str, str | None]] | Newest[tuple[str, ...]] | Newest[bool]") -> dt.datetime | None:
        return max((each.moment for each in parts if each.moment is not None), default=None)


def fold_agent(agent: LiveAgent, event: LiveEvent) -> bool:
    """Put what an event says into an agent, and return whether anything changed."""
    stamp = Stamp(event.occurred(), AGENT_EVENTS[event.type], event.event_id)
    if event.type in _STATUS_EVENTS:
        word, reason = _STATUS_EVENTS[event.type]
        name = None if reason is None else text(part(event.content, reason), "name")
        return agent.status.put(stamp, (word, name))
    is_focus = event.type in _FOCUS_EVENTS
    changed = is_focus and agent.is_in_focus.put(stamp, _FOCUS_EVENTS[event.type])
    works = texts(event.context if is_focus else event.content, "availableFor")
    if works is None:
        return changed
    # In a focus event this is the state before it, which counts less than an update of the same time.
    return agent.available_for.put(stamp._replace(rank=0) if is_focus else stamp, works) or changed
