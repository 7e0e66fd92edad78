"""From what is known to what is shown: which contacts are open, in which order, and how many. Pure.

All open contacts are counted, but only those that are listed are put into words: with 5,000 open contacts a view
takes milliseconds.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from bulkgladly.live.agent_states import LiveAgent
from bulkgladly.live.dated_tasks import LiveTask
from bulkgladly.live.live_facts import LiveFacts
from bulkgladly.live.live_view import (
    AGENT_STATES,
    AgentView,
    ContactView,
    LiveTotals,
    LiveView,
    QueueView,
    TaskView,
    Waiting,
)
from bulkgladly.live.open_contacts import LiveContact
from bulkgladly.shown import MOST_NAME, shown

__all__ = ("view_of",)

T = TypeVar("T")
MOST_AGENTS, MOST_CONTACTS, MOST_QUEUES, MOST_TASKS = 500, 200, 100, 100
"""How many of each a view lists. Counts are of all of them."""
MOST_GAPS = 20
_GAPS_SHOWN = dt.timedelta(days=1)
"""For how long a gap matters: events from before it are of no use here either."""
SILENT_AFTER = {"PHONE_CALL": dt.timedelta(hours=6), "CHAT": dt.timedelta(hours=24)}
"""After how long without any event a contact has probably ended, though its end was not seen."""
SILENT_OTHERWISE = dt.timedelta(days=14)
_STATE_ORDER = list(AGENT_STATES)
HERE_NOW = frozenset({"PHONE_CALL", "CHAT"})
"""Channels on which a customer waits in person. They are listed first: emails that wait for hours would hide them."""
_WAITING_OF: tuple[Waiting, ...] = ("yes", "yes", "unknown", "no")
"""What the orders of open contacts mean: who waits in person, who waits, of whom it is not known, who does not."""


class _Open(NamedTuple):
    """An open contact. They sort as they are shown: phone and chat first, then by the wait, at last by their ids."""

    order: int
    moment: dt.datetime
    contact_id: str
    contact: LiveContact
    waiting_since: dt.datetime | None
    is_at_least: bool
    inbox_id: str | None
    agent_id: str | None

    @property
    def waiting(self) -> Waiting:
        return _WAITING_OF[self.order]

    def is_overdue(self, now: dt.datetime) -> bool:
        # What was answered is no longer late, whatever its due time was.
        due_at = self.contact.due_at.value
        return due_at is not None and due_at < now and self.waiting == "yes"


def view_of(facts: LiveFacts, now: dt.datetime, *, known_since: dt.datetime | None) -> LiveView:
    """Return the view of what is known at a moment."""
    is_open = [(name, each) for name, each in facts.contacts.items() if facts.is_open(each)]
    contacts = sorted(_open(name, each, facts) for name, each in is_open if not _is_silent(each, now))
    loads = Counter(each.agent_id for each in contacts if each.contact.step.value in ("with agent", "on hold"))
    agents = sorted((_agent_view(name, each, facts, loads) for name, each in facts.agents.items()), key=_agent_order)
    queues = sorted(_queues(contacts, facts), key=_queue_order)
    open_tasks = {name: each for name, each in facts.tasks.items() if not each.has_ended()}
    dated = sorted((each.due_at.value, name) for name, each in open_tasks.items() if each.due_at.value is not None)
    left_out: dict[str, int] = {}
    return LiveView(
        at=now,
        known_since=known_since,
        last_event_at=facts.last_event_at,
        totals=_totals(facts, agents, contacts, [due for due, _ in dated], len(open_tasks), now),
        agents=tuple(_first(agents, MOST_AGENTS, "agents", left_out)),
        contacts=tuple(
            _contact_view(each, facts, now) for each in _first(contacts, MOST_CONTACTS, "contacts", left_out)
        ),
        queues=tuple(_first(queues, MOST_QUEUES, "queues", left_out)),
        tasks=tuple(
            _task_view(name, open_tasks[name], due_at, facts, now)
            for due_at, name in _first(dated, MOST_TASKS, "tasks", left_out)
        ),
        left_out=left_out,
        silent=len(is_open) - len(contacts),
        forgotten=facts.forgotten,
        gaps=tuple(gap for gap in facts.gaps if gap[1] > now - _GAPS_SHOWN)[-MOST_GAPS:],
    )


def _first(rows: Sequence[T], most: int, name: str, left_out: dict[str, int]) -> Sequence[T]:
    if len(rows) > most:
        left_out[name] = len(rows) - most
    return rows[:most]


def _shown(value: str) -> str:
    return shown(value, MOST_NAME)


def _harmless(value: str | None) -> str | None:
    return None if value is None else _shown(value)


def _is_silent(contact: LiveContact, now: dt.datetime) -> bool:
    return now - contact.last > SILENT_AFTER.get(contact.channel.value or "", SILENT_OTHERWISE)


def _agent_view(agent_id: str, agent: LiveAgent, facts: LiveFacts, loads: Mapping[str | None, int]) -> AgentView:
    state, reason, since = agent.state()
    works = agent.works()
    return AgentView(
        agent_id=_shown(agent_id),
        name=facts.name_of(agent_id),
        state=state,
        available_for=None if works is None or state == "logged_out" else tuple(map(_shown, works)),
        reason=_harmless(reason),
        since=since,
        contacts=loads.get(agent_id),
    )


def _agent_order(view: AgentView) -> tuple[Any, ...]:
    return _STATE_ORDER.index(view.state), view.since is None, view.since, view.agent_id


def _open(contact_id: str, contact: LiveContact, facts: LiveFacts) -> _Open:
    assignee = facts.assignees.get(contact.conversation_id.value or "")
    inbox_id, agent_id = (None, None) if assignee is None or assignee.value is None else assignee.value
    since, is_at_least = contact.waiting_since()
    if since is not None:
        order = 0 if contact.channel.value in HERE_NOW else 1
    else:
        order = 3 if contact.is_start_known() else 2
    return _Open(
        order=order,
        moment=since or contact.last,
        contact_id=contact_id,
        contact=contact,
        waiting_since=since,
        is_at_least=is_at_least,
        # What a conversation says of its inbox and agent counts where the contact has said nothing newer.
        inbox_id=inbox_id if assignee and assignee.is_after(contact.inbox_id) else contact.inbox_id.value,
        agent_id=agent_id if assignee and assignee.is_after(contact.agent_id) else contact.agent_id.value,
    )


def _contact_view(row: _Open, facts: LiveFacts, now: dt.datetime) -> ContactView:
    contact = row.contact
    return ContactView(
        contact_id=_shown(row.contact_id),
        conversation_id=_harmless(facts.became(contact.conversation_id.value)),
        customer_id=_harmless(facts.became(contact.customer_id.value)),
        channel=_harmless(contact.channel.value),
        inbox_id=_harmless(row.inbox_id),
        inbox_name=facts.name_of(row.inbox_id),
        agent_id=_harmless(row.agent_id),
        agent_name=facts.name_of(row.agent_id),
        step=contact.step.value,
        step_since=contact.step.moment,
        waiting=row.waiting,
        waiting_since=row.waiting_since,
        is_at_least=row.is_at_least,
        due_at=contact.due_at.value,
        is_overdue=row.is_overdue(now),
        last_event_at=contact.last,
    )


def _task_view(task_id: str, task: LiveTask, due_at: dt.datetime, facts: LiveFacts, now: dt.datetime) -> TaskView:
    return TaskView(
        task_id=_shown(task_id),
        customer_id=_harmless(facts.became(task.customer_id.value)),
        inbox_id=_harmless(task.inbox_id.value),
        inbox_name=facts.name_of(task.inbox_id.value),
        agent_id=_harmless(task.agent_id.value),
        agent_name=facts.name_of(task.agent_id.value),
        due_at=due_at,
        is_overdue=due_at < now,
        is_open=task.is_open.value,
    )


def _queues(contacts: Iterable[_Open], facts: LiveFacts) -> Iterator[QueueView]:
    groups: dict[tuple[str | None, str | None], list[_Open]] = {}
    for row in contacts:
        groups.setdefault((row.contact.channel.value, row.inbox_id), []).append(row)
    for (channel, inbox_id), members in groups.items():
        states = Counter(each.waiting for each in members)
        first = members[0]  # in one channel they come in the order of waiting
        yield QueueView(
            channel=_harmless(channel),
            inbox_id=_harmless(inbox_id),
            inbox_name=facts.name_of(inbox_id),
            open=len(members),
            waiting=states["yes"],
            unknown=states["unknown"],
            longest_waiting_since=first.waiting_since,
            is_at_least=first.is_at_least,
        )


def _queue_order(view: QueueView) -> tuple[Any, ...]:
    since = view.longest_waiting_since
    return since is None, since, view.channel or "", view.inbox_id or ""


def _by_wait(row: _Open) -> tuple[dt.datetime, str]:
    return row.moment, row.contact_id


def _totals(
    facts: LiveFacts,
    agents: Sequence[AgentView],
    contacts: Sequence[_Open],
    due: Sequence[dt.datetime],
    open_tasks: int,
    now: dt.datetime,
) -> LiveTotals:
    states = Counter(each.waiting for each in contacts)
    longest = min((each for each in contacts if each.waiting_since is not None), key=_by_wait, default=None)
    overdue = sum(1 for due_at in due if due_at < now)
    knows_contacts, knows_tasks = bool(facts.contacts or facts.ended), bool(facts.tasks)
    return LiveTotals(
        agents=len(agents) or None,
        available=sum(1 for each in agents if each.state == "available") if agents else None,
        contacts=len(contacts) if knows_contacts else None,
        waiting=states["yes"] if knows_contacts else None,
        waiting_unknown=states["unknown"] if knows_contacts else None,
        waiting_overdue=sum(1 for each in contacts if each.is_overdue(now)) if knows_contacts else None,
        longest_waiting_since=None if longest is None else longest.waiting_since,
        longest_is_at_least=longest is not None and longest.is_at_least,
        longest_channel=None if longest is None else _harmless(longest.contact.channel.value),
        tasks_overdue=overdue if knows_tasks else None,
        tasks_due=len(due) - overdue if knows_tasks else None,
        tasks_undated=open_tasks - len(due) if knows_tasks else None,
    )
