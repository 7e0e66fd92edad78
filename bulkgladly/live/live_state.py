"""Who is available, who waits and what is due, from events alone. Pure: clock and names come in.

Events may come in any order, more than once, with parts missing and of unknown types. Each field remembers the time
of the event that set it, so the same events give the same state in whatever order they come.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bulkgladly.live.agent_states import AGENT_EVENTS, LiveAgent, fold_agent
from bulkgladly.live.dated_tasks import TASK_EVENTS, LiveTask, fold_task
from bulkgladly.live.event_fields import LiveEvent, part, text, unset
from bulkgladly.live.live_facts import LiveFacts
from bulkgladly.live.live_view import LiveView
from bulkgladly.live.open_contacts import CONTACT_EVENTS, LiveContact, fold_contact
from bulkgladly.live.view_making import view_of

__all__ = ("LiveBounds", "LiveState")

T = TypeVar("T")
_ENDED, _CLOSED, _MERGED = "CONTACT/ENDED", "CONVERSATION/CLOSED", "CUSTOMER/MERGED"
_REASSIGNED = "CONVERSATION_ASSIGNEE/UPDATED"


@dataclass(frozen=True, slots=True)
class LiveBounds:
    """How many of each are remembered. An open contact takes 1.5 kB, one that has ended 0.2 kB: in all below 70 MB.

    When there are more, a tenth is forgotten: tasks that are closed and agents who are logged out before others, and
    then those without an event for the longest time. Ends are remembered so that an event that comes late does not
    open a contact or a task again.
    """

    agents: int = 5_000
    contacts: int = 20_000
    ended: int = 50_000
    closed: int = 50_000
    assignees: int = 20_000
    merges: int = 10_000
    tasks: int = 20_000


class LiveState:
    """Folds events into live state.

    `names` maps ids of agents and inboxes to names, and `gaps` are times from which events are missing, each with its
    begin and end; both may be filled while the state is used. `known_since` is the
    time from which on all events are known, and may be set later; without it, the view has the time of the oldest
    event. Not safe for threads.
    """

    def __init__(
        self,
        *,
        names: Mapping[str, str] | None = None,
        gaps: Sequence[tuple[dt.datetime, dt.datetime]] = (),
        known_since: dt.datetime | None = None,
        bounds: LiveBounds | None = None,
    ) -> None:
        self._bounds = bounds or LiveBounds()
        self._facts = LiveFacts(names=names if names is not None else {}, gaps=gaps)
        self.known_since = known_since
        self._oldest: dt.datetime | None = None
        self._handlers = self._handlers_by_type()

    def apply(self, event: object, *, received_at: dt.datetime | None = None) -> bool:
        """Put an event into the state, and return whether anything changed.

        `event` is a parsed JSON object. One that live state has no use for changes nothing; nothing is raised.
        With `received_at`, the time at which it came, an event from more than a day later is left out.
        """
        found = LiveEvent.of(event, received_at)
        if found is None:
            return False
        facts = self._facts
        # An event of any type shows that events come, also one that changes nothing.
        facts.last_event_at = max(facts.last_event_at or found.recorded, found.recorded)
        self._oldest = min(self._oldest or found.recorded, found.recorded)
        handler = self._handlers.get(found.type)
        return handler is not None and handler(found)

    def snapshot(self, now: dt.datetime) -> LiveView:
        """Return what is known at a moment. The same events and the same moment give the same view."""
        return view_of(self._facts, now, known_since=self.known_since or self._oldest)

    def _handlers_by_type(self) -> dict[str, Callable[[LiveEvent], bool]]:
        return {
            **dict.fromkeys(AGENT_EVENTS, self._agent),
            **dict.fromkeys(CONTACT_EVENTS, self._contact),
            **dict.fromkeys(TASK_EVENTS, self._task),
            _ENDED: self._end,
            _CLOSED: self._close,
            _REASSIGNED: self._reassign,
            _MERGED: self._merge,
        }

    def _agent(self, event: LiveEvent) -> bool:
        agent_id = text(event.content, "agentId")
        if agent_id is None:
            return False
        agents = self._facts.agents
        is_new = agent_id not in agents
        agent = agents[agent_id] if not is_new else LiveAgent()
        if not fold_agent(agent, event):
            return False
        if is_new:
            agents[agent_id] = agent
            _bound(agents, self._bounds.agents, lambda each: (each.state()[0] != "logged_out", each.last_moment()))
        return True

    def _contact(self, event: LiveEvent) -> bool:
        contact_id = text(event.content, "contactId")
        if contact_id is None:
            return False
        contacts, ended = self._facts.contacts, self._facts.ended.get(contact_id)
        if ended is not None and event.recorded <= ended:
            return False
        if contact_id not in contacts:
            contacts[contact_id] = LiveContact(event.recorded, ended=ended)
            self._facts.forgotten += _bound(contacts, self._bounds.contacts, _by_use)
            if contact_id not in contacts:
                return False  # older than all that fit
        return fold_contact(contacts[contact_id], event)

    def _end(self, event: LiveEvent) -> bool:
        contact_id = text(event.content, "contactId")
        if contact_id is None or not _put_later(self._facts.ended, contact_id, event.recorded):
            return False
        contact = self._facts.contacts.get(contact_id)
        if contact is not None:
            contact.end(event.recorded)
            if contact.last <= event.recorded:
                del self._facts.contacts[contact_id]
        _bound(self._facts.ended, self._bounds.ended, _by_age)
        return True

    def _task(self, event: LiveEvent) -> bool:
        task_id = text(event.content, "taskId")
        if task_id is None:
            return False
        tasks = self._facts.tasks
        if task_id not in tasks:
            tasks[task_id] = LiveTask(event.recorded)
            self._facts.forgotten += _bound(tasks, self._bounds.tasks, _by_use)
            if task_id not in tasks:
                return False
        return fold_task(tasks[task_id], event)

    def _close(self, event: LiveEvent) -> bool:
        conversation_id = text(event.content, "conversationId")
        if conversation_id is None or not _put_later(self._facts.closed, conversation_id, event.recorded):
            return False
        _bound(self._facts.closed, self._bounds.closed, _by_age)
        return True

    def _reassign(self, event: LiveEvent) -> bool:
        conversation_id, assignee = text(event.content, "conversationId"), part(event.content, "assignee")
        inbox_id = text(assignee, "inboxId")
        if conversation_id is None or inbox_id is None:
            return False
        assignees = self._facts.assignees
        found = assignees.setdefault(conversation_id, unset())
        changed = found.put(event.stamp(), (inbox_id, text(assignee, "agentId")))
        _bound(assignees, self._bounds.assignees, lambda each: (True, each.stamp))
        return changed

    def _merge(self, event: LiveEvent) -> bool:
        merges, changed = self._facts.merges, False
        for source, target in (
            ("sourceCustomerId", "destinationCustomerId"),
            ("sourceConversationId", "destinationConversationId"),
        ):
            gone, kept = text(event.content, source), text(event.content, target)
            if gone is not None and kept is not None and gone != kept:
                changed |= merges.setdefault(gone, unset()).put(event.stamp(), kept)
        _bound(merges, self._bounds.merges, lambda each: (True, each.stamp))
        return changed


class _Ending(Protocol):
    last: dt.datetime

    def has_ended(self) -> bool: ...


def _by_use(entry: _Ending) -> tuple[bool, dt.datetime]:
    return not entry.has_ended(), entry.last


def _by_age(moment: dt.datetime) -> tuple[bool, dt.datetime]:
    return True, moment


def _put_later(moments: dict[str, dt.datetime], name: str, moment: dt.datetime) -> bool:
    """Set the moment of a name unless it has a later one, and return whether that is news."""
    if name in moments and moment <= moments[name]:
        return False
    moments[name] = moment
    return True


def _bound(entries: dict[str, T], most: int, use: Callable[[T], Any]) -> int:
    """Forget a tenth of the entries if there are too many, and return how many of these were still in use.

    `use` returns whether an entry is in use, and when it was last told of. The order in which the entries came does
    not matter: it breaks no tie.
    """
    if len(entries) <= most:
        return 0
    ordered = sorted(entries, key=lambda name: (*use(entries[name]), name))
    dropped = ordered[: len(entries) - most + most // 10]
    used = sum(1 for name in dropped if use(entries[name])[0])
    for name in dropped:
        del entries[name]
    return used
