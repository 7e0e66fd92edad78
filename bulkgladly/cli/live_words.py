"""Live state in words for people: its counts as one line, who waits, each agent and each task as a line."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkgladly.live.live_view import AgentView, ContactView, LiveView, QueueView, TaskView

__all__ = (
    "UNKNOWN",
    "channel_text",
    "doubt_text",
    "due_text",
    "gap_texts",
    "headline",
    "inbox_text",
    "live_lines",
    "queue_wait_text",
    "source_text",
    "span_text",
    "state_text",
    "step_text",
    "wait_text",
    "works_text",
)

CHANNELS: Mapping[str, str] = {
    "PHONE_CALL": "Phone",
    "EMAIL": "Email",
    "CHAT": "Chat",
    "SMS": "SMS",
    "VOICEMAIL": "Voicemail",
    "WHATSAPP": "WhatsApp",
    "FB_MESSENGER": "Messenger",
    "INSTAGRAM_DIRECT": "Instagram",
}
WORKS: Mapping[str, str] = {"MAIL": "mail", "MESSAGING": "messaging", "TASK": "tasks", "VOICE": "voice"}
UNKNOWN = "unknown"


def headline(view: "LiveView") -> str:
    """Return the counts of a view as one line. What is not known has no number."""
    totals = view.totals
    parts = ["no agent seen"]
    if totals.agents is not None:
        parts = [f"{totals.available} of {totals.agents} available"]
    if totals.contacts is None:
        parts.append("no contact seen")
    else:
        overdue = f" ({totals.waiting_overdue} overdue)" if totals.waiting_overdue else ""
        parts.append(f"{totals.waiting} of {totals.contacts} waiting{overdue}")
    if totals.longest_waiting_since is not None:
        parts.append(f"longest {span_text(totals.longest_waiting_since, view.at, totals.longest_is_at_least)}")
    if totals.tasks_overdue is not None:
        parts.append(f"{totals.tasks_overdue} {'task' if totals.tasks_overdue == 1 else 'tasks'} overdue")
    return ", ".join(parts)


def live_lines(view: "LiveView") -> Iterable[str]:
    """Yield a view as lines for a log or a pipe: the counts, and a line for each that waits, is here, or is due."""
    yield headline(view)
    for contact in view.contacts:
        if contact.waiting != "no":
            due = due_text(contact.due_at, view.at) if contact.waiting == "yes" else ""
            about = (channel_text(contact), inbox_text(contact), step_text(contact), due and f"reply due {due}")
            yield _joined(f"waiting {wait_text(contact, view.at)}", *about)
    for queue in view.queues:
        unknown = f"{queue.unknown:,} unknown" if queue.unknown else ""
        yield _joined(
            f"queue {channel_text(queue)}, {inbox_text(queue)}: {queue.open:,} open",
            f"{queue.waiting:,} waiting",
            unknown,
        )
    for agent in view.agents:
        since = "" if agent.since is None else f"for {span_text(agent.since, view.at)}"
        yield _joined(
            f"agent {agent.name or agent.agent_id}: {state_text(agent)}", since, works_text(agent), agent.reason or ""
        )
    for task in view.tasks:
        who = task.agent_name or task.agent_id or ""
        yield _joined(
            f"task {task.task_id}: due {due_text(task.due_at, view.at)}", who, inbox_text(task), doubt_text(task)
        )
    yield source_text(view)
    yield from gap_texts(view)


def source_text(view: "LiveView") -> str:
    """Return from when on events are known, and what a view leaves out."""
    if view.known_since is None:
        return "no event yet"
    last = "" if view.last_event_at is None else f"; last event {_clock(view.last_event_at, view.at)}"
    silent = f"; {view.silent:,} silent for long left out" if view.silent else ""
    forgotten = f"; {view.forgotten:,} dropped" if view.forgotten else ""
    return f"from events since {_clock(view.known_since, view.at)}, older ones are not known{last}{silent}{forgotten}"


def gap_texts(view: "LiveView") -> list[str]:
    """Return the last times from which events are missing."""
    gaps = view.gaps[-2:]
    return [f"events missing from {_clock(since, view.at)} to {_clock(until, view.at)}" for since, until in gaps]


def _clock(time: dt.datetime, at: dt.datetime) -> str:
    local = time.astimezone()
    return local.strftime("%H:%M" if local.date() == at.astimezone().date() else "%a %d %b %H:%M")


def span_text(since: dt.datetime | None, at: dt.datetime, is_at_least: bool = False) -> str:
    """Return how long ago a time was; `is_at_least` if it may have been for longer."""
    from bulkgladly.runs.observer import duration_text

    if since is None:
        return UNKNOWN
    return ("≥ " if is_at_least else "") + duration_text(max(0.0, (at - since).total_seconds()))


def due_text(due_at: dt.datetime | None, at: dt.datetime) -> str:
    """Return when something is or was due, seen from a time; nothing if it has no due date."""
    if due_at is None:
        return ""
    return f"{span_text(due_at, at)} ago" if due_at < at else f"in {span_text(at, due_at)}"


def wait_text(contact: "ContactView", at: dt.datetime) -> str:
    """Return for how long a customer waits."""
    return span_text(contact.waiting_since, at, contact.is_at_least)


def queue_wait_text(queue: "QueueView", at: dt.datetime) -> str:
    """Return for how long the first of a queue waits."""
    return span_text(queue.longest_waiting_since, at, queue.is_at_least)


def channel_text(view: "ContactView | QueueView") -> str:
    """Return a channel under the name that people know."""
    return UNKNOWN if view.channel is None else CHANNELS.get(view.channel, view.channel)


def inbox_text(view: "ContactView | QueueView | TaskView") -> str:
    """Return the name of an inbox, or its id."""
    return view.inbox_name or view.inbox_id or UNKNOWN


def step_text(contact: "ContactView") -> str:
    """Return where a contact is, and with whom."""
    agent = contact.agent_name or contact.agent_id
    forms: Mapping[str, str] = {
        "offered": "offered to {}",
        "with agent": "with {}",
        "on hold": "on hold by {}",
        "transferred": "transferred to {}",
    }
    step = contact.step or UNKNOWN
    if step in ("declined", "missed"):
        return f"last offer {step}"
    return forms[step].format(agent) if agent and step in forms else step


def state_text(agent: "AgentView") -> str:
    """Return an agent's state."""
    from bulkgladly.live.live_view import AGENT_STATES

    return AGENT_STATES[agent.state]


def works_text(agent: "AgentView") -> str:
    """Return what an agent is available for now."""
    # What somebody who is away was available for says nothing of now.
    works = agent.available_for if agent.state == "available" else None
    return ", ".join(WORKS.get(work, work) for work in works or ())


def doubt_text(task: "TaskView") -> str:
    """Return a remark if no event has told whether a task is open."""
    return "perhaps closed" if task.is_open is None else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
