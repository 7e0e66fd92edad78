"""What live state shows at one moment, as frozen values, and as JSON.

The texts in a view come from outside and are already harmless: one line, with nothing that a terminal obeys.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from bulkgladly.times import canonical

__all__ = (
    "AGENT_STATES",
    "AgentState",
    "AgentView",
    "ContactView",
    "LiveTotals",
    "LiveView",
    "QueueView",
    "TaskView",
    "Waiting",
)

AgentState = Literal["available", "focus", "active", "unavailable", "away", "logged_out", "unknown"]
AGENT_STATES: Mapping[AgentState, str] = {
    "available": "available",
    "focus": "in focus",
    "active": "logged in, availability unknown",
    "unavailable": "not available",
    "away": "away",
    "logged_out": "logged out",
    "unknown": "unknown",
}
"""The states of an agent in the order in which they are shown, with their words for people."""

Waiting = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent. `available_for` is None if it is not known and empty if it is nothing; `contacts` is None for none."""

    agent_id: str
    name: str | None
    state: AgentState
    available_for: tuple[str, ...] | None
    reason: str | None
    since: dt.datetime | None
    contacts: int | None
    """Open contacts with the agent that events have told of; None if there are none, as there may be older ones."""


@dataclass(frozen=True, slots=True)
class ContactView:
    """An open contact.

    `step` is where it is in its life: queued, offered, declined, missed, device error, with agent, on hold,
    transferred; None if it is not known. `waiting` says whether the customer waits, and `waiting_since` from when;
    with `is_at_least` the customer may have waited for longer, because what came before is not known.
    """

    contact_id: str
    conversation_id: str | None
    customer_id: str | None
    channel: str | None
    inbox_id: str | None
    inbox_name: str | None
    agent_id: str | None
    agent_name: str | None
    step: str | None
    step_since: dt.datetime | None
    waiting: Waiting
    waiting_since: dt.datetime | None
    is_at_least: bool
    due_at: dt.datetime | None
    is_overdue: bool
    last_event_at: dt.datetime


@dataclass(frozen=True, slots=True)
class QueueView:
    """The open contacts of one channel in one inbox."""

    channel: str | None
    inbox_id: str | None
    inbox_name: str | None
    open: int
    waiting: int
    unknown: int
    longest_waiting_since: dt.datetime | None
    is_at_least: bool


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task that has a due date. `is_open` is None if no event has said so."""

    task_id: str
    customer_id: str | None
    inbox_id: str | None
    inbox_name: str | None
    agent_id: str | None
    agent_name: str | None
    due_at: dt.datetime
    is_overdue: bool
    is_open: bool | None


@dataclass(frozen=True, slots=True)
class LiveTotals:
    """Counts of all that is known. A count is None if no event has told of anything of its kind: that is not 0."""

    agents: int | None
    available: int | None
    contacts: int | None
    waiting: int | None
    waiting_unknown: int | None
    waiting_overdue: int | None
    """Those who wait although their reply was due before."""
    longest_waiting_since: dt.datetime | None
    longest_is_at_least: bool
    longest_channel: str | None
    tasks_overdue: int | None
    tasks_due: int | None
    tasks_undated: int | None
    """Tasks without a due date, or with one that is not known."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """Live state at one moment.

    Contacts come in the order of waiting, those on the phone and in chat first; then those of whom it is not known
    whether they wait, then the rest.

    Lists are bounded; `left_out` says how many of each are not in them. `silent` counts contacts that are not shown
    because no event has told of them for so long that their end was probably missed. `forgotten` counts what was open
    and had to be dropped because there was too much. `gaps` are the times from which events are missing.
    """

    at: dt.datetime
    known_since: dt.datetime | None
    """Events from this time on are known. What has had no event since then is not in the view."""
    last_event_at: dt.datetime | None
    totals: LiveTotals
    agents: tuple[AgentView, ...]
    contacts: tuple[ContactView, ...]
    queues: tuple[QueueView, ...]
    tasks: tuple[TaskView, ...]
    left_out: Mapping[str, int]
    silent: int
    forgotten: int
    gaps: tuple[tuple[dt.datetime, dt.datetime], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the view as JSON values.

        Its keys are the fields of these classes. Times are texts in UTC. Each contact has `waiting_s`, and each task
        and each contact with a due date `due_in_s`, in seconds at the time of the view; the latter is negative
        if it is overdue.
        """
        return {each.name: _plain(getattr(self, each.name), self.at) for each in fields(self)}


def _plain(value: Any, at: dt.datetime) -> Any:
    if isinstance(value, dt.datetime):
        return canonical(value)
    if isinstance(value, tuple):
        return [_plain(each, at) for each in value]
    if isinstance(value, AgentView | ContactView | QueueView | TaskView | LiveTotals):
        plain = {each.name: _plain(getattr(value, each.name), at) for each in fields(value)}
        if isinstance(value, ContactView):
            plain["waiting_s"] = _seconds(value.waiting_since, at)
        if isinstance(value, ContactView | TaskView):
            plain["due_in_s"] = None if value.due_at is None else round((value.due_at - at).total_seconds())
        return plain
    return dict(value) if isinstance(value, Mapping) else value


def _seconds(since: dt.datetime | None, at: dt.datetime) -> int | None:
    return None if since is None else max(0, round((at - since).total_seconds()))
