"""What events say of agents: logged in or away, for what reason, and what they are available for. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkgladly.live.event_fields import LiveEvent, Newest, Stamp, part, text, texts, unset
from bulkgladly.live.live_view import AgentState

__all__ = ("AGENT_EVENTS", "LiveAgent", "fold_agent")

_ACTIVE, _AWAY, _OUT = "active", "away", "logged_out"

_STATUS_EVENTS: Mapping[str, tuple[str, str | None]] = {
    "AGENT_STATUS/LOGGED_IN": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/CHANGED_ACTIVE_REASON": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/RETURNED_FROM_AWAY": (_ACTIVE, "activeReason"),
    "AGENT_STATUS/WENT_AWAY": (_AWAY, "awayReason"),
    "AGENT_STATUS/LOGGED_OUT": (_OUT, None),
}
_SESSION_EVENTS = frozenset({"AGENT_STATUS/LOGGED_IN", "AGENT_STATUS/LOGGED_OUT"})
_FOCUS_EVENTS = {"AGENT_AVAILABILITY/FOCUS_ENTERED": True, "AGENT_AVAILABILITY/FOCUS_EXITED": False}
_UPDATED = "AGENT_AVAILABILITY/UPDATED"
AGENT_EVENTS: Mapping[str, int] = {
    name: rank for rank, name in enumerate((*_STATUS_EVENTS, *_FOCUS_EVENTS, _UPDATED), start=1)
}
"""The events that tell of agents, each with its rank among events of the same time."""


@dataclass(slots=True)
class LiveAgent:
    """What is known of one agent; each field as of the newest event that told of it."""

    presence: Newest[tuple[str, str | None]] = field(default_factory=unset)
    """`active`, `away` or `logged_out`, and the reason."""
    available_for: Newest[tuple[str, ...]] = field(default_factory=unset)
    was_available_for: Newest[tuple[str, ...]] = field(default_factory=unset)
    """What the context of a focus event says: the state before it. It counts if there is nothing else."""
    is_in_focus: Newest[bool] = field(default_factory=unset)
    session: Newest[bool] = field(default_factory=unset)
    """When the agent last logged in or out: a focus from before has ended, whether that was told or not."""

    def last_moment(self) -> dt.datetime:
        """Return when the newest event about the agent happened."""
        moments = (self.presence.moment, self.available_for.moment, self.is_in_focus.moment)
        return max(moment for moment in moments if moment is not None)

    def state(self) -> tuple[AgentState, str | None, dt.datetime | None]:
        """Return the agent's state, the reason for it, and since when it is so."""
        presence, reason = self.presence.value or (None, None)
        if presence == _OUT and self.available_for.value and self.available_for.is_after(self.presence):
            presence, reason = None, None  # available after logging out: a login was missed
        if presence == _OUT:
            return "logged_out", None, self.presence.moment
        if presence == _AWAY:
            return "away", reason, self.presence.moment
        # A login that was missed also ends what is known from before it.
        known = () if presence is None else (self.presence.moment,)
        if self.is_in_focus.value and self.is_in_focus.is_after(self.session):
            return "focus", reason, _latest(*known, self.is_in_focus.moment)
        works = self.works()
        if works is None:
            return ("unknown" if presence is None else "active"), reason, _latest(*known)
        word: AgentState = "available" if works else "unavailable"
        return word, reason, _latest(*known, self.available_for.moment, self.is_in_focus.moment)

    def works(self) -> tuple[str, ...] | None:
        """Return what the agent is available for, as far as it is known."""
        return self.was_available_for.value if self.available_for.stamp is None else self.available_for.value


def fold_agent(agent: LiveAgent, event: LiveEvent) -> bool:
    """Put what an event says into an agent, and return whether anything changed."""
    occurred = event.occurred()
    stamp = Stamp(occurred, AGENT_EVENTS[event.type], event.event_id, occurred)
    if event.type in _STATUS_EVENTS:
        word, reason = _STATUS_EVENTS[event.type]
        name = None if reason is None else text(part(event.content, reason), "name")
        changed = event.type in _SESSION_EVENTS and agent.session.put(stamp, True)
        return agent.presence.put(stamp, (word, name)) or changed
    is_focus = event.type in _FOCUS_EVENTS
    changed = is_focus and agent.is_in_focus.put(stamp, _FOCUS_EVENTS[event.type])
    works = texts(event.context if is_focus else event.content, "availableFor")
    if is_focus:
        # That it was available for nothing in its focus says nothing of the time after it.
        return (bool(works) and agent.was_available_for.put(stamp, works)) or changed
    return works is not None and agent.available_for.put(stamp, works)


def _latest(*moments: dt.datetime | None) -> dt.datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
