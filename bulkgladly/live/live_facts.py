"""All that live state knows, and what follows from several facts together: names, merges, what is open. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bulkgladly.live.agent_states import LiveAgent
from bulkgladly.live.dated_tasks import LiveTask
from bulkgladly.live.event_fields import Newest
from bulkgladly.live.open_contacts import LiveContact
from bulkgladly.shown import MOST_NAME, shown

__all__ = ("Assignee", "LiveFacts")

Assignee = tuple[str | None, str | None]
"""The inbox and the agent that have a conversation."""

MOST_MERGES = 10
"""How many merges are followed one after another."""


@dataclass(slots=True)
class LiveFacts:
    """All that is known, by id.

    `ended` and `closed` say when contacts ended and conversations were closed; what ended is not among the `contacts`
    unless events have told of something later. `merges` leads from the ids of customers and conversations to those
    that they became.
    """

    names: Mapping[str, str]
    agents: dict[str, LiveAgent] = field(default_factory=dict)
    contacts: dict[str, LiveContact] = field(default_factory=dict)
    ended: dict[str, dt.datetime] = field(default_factory=dict)
    closed: dict[str, dt.datetime] = field(default_factory=dict)
    assignees: dict[str, Newest[Assignee]] = field(default_factory=dict)
    merges: dict[str, Newest[str]] = field(default_factory=dict)
    tasks: dict[str, LiveTask] = field(default_factory=dict)
    gaps: Sequence[tuple[dt.datetime, dt.datetime]] = ()
    last_event_at: dt.datetime | None = None
    forgotten: int = 0

    def name_of(self, some_id: str | None) -> str | None:
        """Return the name of an agent or inbox, harmless to show; None if it is not known."""
        name = None if some_id is None else self.names.get(some_id)
        return shown(name, MOST_NAME) if name else None

    def became(self, some_id: str | None) -> str | None:
        """Return the id of what a customer or conversation is after all merges."""
        return some_id if some_id is None else [some_id, *(kept for kept, _ in self.chain(some_id))][-1]

    def chain(self, some_id: str) -> Iterator[tuple[str, dt.datetime]]:
        """Yield the ids that an id became by merges, with their times. Merges in a circle end where it closes."""
        seen = {some_id}
        while len(seen) <= MOST_MERGES:
            merge = self.merges.get(some_id)
            if merge is None or merge.value is None or merge.moment is None or merge.value in seen:
                return
            some_id = merge.value
            seen.add(some_id)
            yield some_id, merge.moment

    def is_open(self, contact: LiveContact) -> bool:
        """Return whether neither a contact nor its conversation has ended. A later start or message opens it again."""
        if contact.has_ended():
            return False
        conversation_id = contact.conversation_id.value
        if conversation_id is None:
            return True
        closed = [self.closed.get(conversation_id)]
        # The conversation it was merged into counts from the merge on.
        closed += [at for kept, merged in self.chain(conversation_id) if (at := self.closed.get(kept)) and at >= merged]
        last = max((at for at in closed if at is not None), default=None)
        # An answer that is recorded just after the end does not open it, but a start or a message of the customer does.
        opened = contact.opened or contact.step.moment
        return last is None or (opened is not None and opened > last)
