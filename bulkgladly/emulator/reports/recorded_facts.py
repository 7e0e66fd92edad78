"""Facts that are not invented: the history of the organisation, in the form from which reports are made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zlib import crc32

from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.organisation.told_facts import KnownValue, ToldFact, ToldFacts
from bulkgladly.emulator.reports.facts import Directory, Fact, ReportView
from bulkgladly.emulator.reports.metric_sets import MetricSet

__all__ = ("RecordedFact", "recorded_facts", "told_subject")

_NOBODY: Entity = {"id": "", "name": "", "emailAddress": ""}


def told_subject(metric_set: MetricSet) -> str:
    """Return what a report tells of in a history; several sets of one subject are anchored on other moments."""
    match metric_set.subject, metric_set.name:
        case "contact", name if name.startswith("WorkSessionEvents"):
            return "contact_session"
        case "contact", name if name.startswith("WorkSessions"):
            return "contact_ended"
        case "agent_status", "AgentTimestampsReport":
            return "agent_event"
        case "agent_status", name if name.startswith("AgentDurations"):
            return "agent_duration"
        case subject, _:
            return subject


def recorded_facts(
    told: ToldFacts, metric_set: MetricSet, day: datetime, directory: Directory, view: ReportView
) -> Iterator[Fact] | None:
    """Return the facts of a report's subject and UTC day, or None if the history does not tell of it."""
    subject = told_subject(metric_set)
    if subject not in told:
        return None
    return (RecordedFact(fact, day, directory, view) for fact in told.of(subject, day.date()))


class RecordedFact(Fact):
    """A fact whose values are known. What the history leaves open is invented, the same for the same fact."""

    __slots__ = ("_told", "known")

    def __init__(self, told: ToldFact, day: datetime, directory: Directory, view: ReportView) -> None:
        name = f"{told.moment.isoformat()}:{told.event}:{sorted(told.names.items())}".encode()
        super().__init__(day, 0, crc32(name) << 32 | crc32(name[::-1]), directory, view)
        self._told = told
        self.moment = told.moment
        self.known: Mapping[str, KnownValue] = told.known

    def named(self, kind: str) -> str:
        """Return the id of its contact, conversation or task; empty if it has none."""
        return self._told.names.get(kind, "")

    @property
    def agent(self) -> Entity:
        """Its agent, or one with empty fields."""
        return _by_id(self._directory.agents, self._told.agent_id)

    @property
    def inbox(self) -> Entity:
        """Its inbox."""
        return _by_id(self._directory.inboxes, self._told.inbox_id)

    @property
    def other_inbox(self) -> Entity:
        """The inbox to which it is assigned."""
        return self.inbox

    @property
    def other_agent(self) -> Entity:
        """The agent to whom it is assigned."""
        return self.agent

    @property
    def channel(self) -> str:
        """Its channel."""
        return self._told.channel

    @property
    def topics(self) -> Sequence[Entity]:
        """Its topics."""
        return [_by_id(self._directory.topics, identifier) for identifier in self._told.topic_ids]

    @property
    def topic(self) -> Entity:
        """Its first topic, or one with empty fields."""
        return next(iter(self.topics), _NOBODY)

    @property
    def customer(self) -> str:
        """The id of its customer."""
        return self._told.customer_id

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._told.is_closed

    @property
    def answered(self) -> bool:
        """Whether it was answered."""
        return self._told.is_answered

    @property
    def initiator(self) -> str:
        """The type of its initiator."""
        return self._told.initiator

    def event(self, of: str) -> str:  # noqa: ARG002  # a fact has one event, whatever it is of
        """Return the type of its event."""
        return self._told.event


def _by_id(entities: Iterable[Entity], identifier: str) -> Entity:
    return next((each for each in entities if each["id"] == identifier), _NOBODY)
