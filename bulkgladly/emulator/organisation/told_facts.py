"""What happened in the organisation, as reports tell it: the same history as that of its items, tasks and events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

__all__ = ("KnownValue", "ToldFact", "ToldFacts")

KnownValue = str | float | datetime | None
"""The value of a cell; None stands for an empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFact:
    """One thing that happened: what a row of a report is made of.

    `names` has the ids of its contact, conversation and task by these words. `known` has the values of cells by
    the words of the report columns; what is not in it follows from the other fields, or is invented.
    """

    moment: datetime
    agent_id: str = ""
    inbox_id: str = ""
    channel: str = ""
    customer_id: str = ""
    topic_ids: tuple[str, ...] = ()
    event: str = ""
    initiator: str = ""
    is_closed: bool = False
    is_answered: bool = False
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    known: Mapping[str, KnownValue] = field(default_factory=dict[str, KnownValue])


class ToldFacts:
    """Facts by subject and UTC day. A subject without facts is still told: nothing of the kind happened."""

    def __init__(self, facts: Mapping[str, Iterable[ToldFact]]) -> None:
        self._days: dict[str, dict[date, list[ToldFact]]] = {subject: {} for subject in facts}
        for subject, each in facts.items():
            for fact in each:
                self._days[subject].setdefault(fact.moment.date(), []).append(fact)

    def __contains__(self, subject: str) -> bool:
        return subject in self._days

    def of(self, subject: str, day: date) -> Sequence[ToldFact]:
        """Return the facts of a subject on a day."""
        return self._days[subject].get(day, ())
