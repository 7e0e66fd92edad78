"""What events say of tasks: open or closed, due when, and assigned to whom. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkgladly.live.event_fields import LiveEvent, Newest, part, text, time_in, unset

__all__ = ("TASK_EVENTS", "LiveTask", "fold_task")

_CREATED, _DUE = "TASK/CREATED", "TASK/DUE_DATE_UPDATED"
_IS_OPEN = {_CREATED: True, "TASK/REOPENED": True, "TASK/CLOSED": False}
TASK_EVENTS: Mapping[str, int] = {
    name: rank
    for rank, name in enumerate(
        (
            *(_CREATED, "TASK/CONTENT_UPDATED", "TASK/COMMENT_ADDED", "TASK/FOLLOWER_ADDED", "TASK/FOLLOWER_REMOVED"),
            *(_DUE, "TASK/ASSIGNEE_UPDATED", "TASK/REOPENED", "TASK/CLOSED"),
        ),
        start=1,
    )
}
"""The events that tell of tasks, each with its rank among events of the same time."""


@dataclass(slots=True)
class LiveTask:
    """What is known of one task; each field as of the newest event that told of it."""

    last: dt.datetime
    is_open: Newest[bool] = field(default_factory=unset)
    due_at: Newest[dt.datetime] = field(default_factory=unset)
    customer_id: Newest[str] = field(default_factory=unset)
    inbox_id: Newest[str] = field(default_factory=unset)
    agent_id: Newest[str] = field(default_factory=unset)

    def has_ended(self) -> bool:
        """Return whether it is known to be closed."""
        return self.is_open.value is False


def fold_task(task: LiveTask, event: LiveEvent) -> bool:
    """Put what an event says into a task, and return whether anything changed."""
    task.last = max(task.last, event.recorded)
    # The context is the state before the event: it fills in what no event has told of.
    before, stamp = event.stamp_before(), event.stamp(TASK_EVENTS[event.type])
    changed = False
    if (due_at := time_in(event.context, "dueAt")) is not None:
        changed |= task.due_at.put(before, due_at)
    assignee = part(event.context, "assignee")
    for target, found in ((task.inbox_id, text(assignee, "inboxId")), (task.agent_id, text(assignee, "agentId"))):
        changed |= found is not None and target.put(before, found)
    if (customer_id := text(event.content, "customerId")) is not None:
        changed |= task.customer_id.put(event.stamp(), customer_id)
    if event.type in _IS_OPEN:
        changed |= task.is_open.put(stamp, _IS_OPEN[event.type])
    if event.type == _CREATED:
        changed |= task.due_at.put(stamp, time_in(event.context, "dueAt"))
    elif event.type == _DUE:
        changed |= task.due_at.put(stamp, time_in(event.content, "dueAt"))
    elif event.type == "TASK/ASSIGNEE_UPDATED" and (after := part(event.content, "assignee")):
        changed |= task.inbox_id.put(stamp, text(after, "inboxId"))
        changed |= task.agent_id.put(stamp, text(after, "agentId"))
    return changed
