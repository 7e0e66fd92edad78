"""What the changes of a plan come to: counted, with a few samples, while they pass by on their way to the disk."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from bulkgladly.gladly.change import Action
from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.plans.planned_changes import OPEN, FieldChange, PlannedChange
from bulkgladly.records import Position, Word
from bulkgladly.settings import Foreseen

__all__ = ("PlanTotals", "RejectSample", "proofs_of_absence")

SAMPLES = 3
_ABSENCE_PROVED_FOR_S = 60.0
"""How long the client believes that the organisation itself said that something is absent."""


def proofs_of_absence(requests: int, pace: Foreseen) -> int:
    """Return how often the client asks at most, in so many requests, whether the organisation said what is absent."""
    seconds = pace.seconds_for(requests)
    times = 1 + math.floor(seconds / _ABSENCE_PROVED_FOR_S) if math.isfinite(seconds) else requests
    return min(requests, times)


class RejectSample(NamedTuple):
    """Why records are refused, and where the first of them are."""

    reason: str
    field: str | None
    places: list[Position]


class PlanTotals:
    """Counts planned changes. `samples` has the first few for each field, `refused` those for each code."""

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.open_reasons: Counter[str] = Counter()
        self.is_one_sided = False
        """Whether only the write itself shows that an object does not exist."""
        self.unseen = 0
        """Updates and deletions of which nobody has read what they write over."""
        self.samples: defaultdict[str, list[tuple[Position, FieldChange]]] = defaultdict(list)
        self.refused: dict[str, RejectSample] = {}
        self._least: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._overtaken: Counter[str] = Counter()

    def add_unchanged(self, number: int) -> None:
        """Count records that are as memory says."""
        if number:
            self.actions[Action.NONE.value] += number
            self.words[Word.UNCHANGED.value] += number

    def add_lists(self, operations: Iterable[str]) -> None:
        """Count the lists of names that an apply fetches before it writes."""
        for name in operations:
            self._least[name] += 1
            self._most[name] += 1

    def counting(self, changes: Iterable[PlannedChange]) -> Iterator[PlannedChange]:
        """Yield the changes, and count each."""
        for planned in changes:
            self._add(planned)
            yield planned

    def requests(self, pace: Foreseen) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return the fewest and the most requests by operation, with the check of the organisation.

        If objects may turn out to be absent, the client asks whether that is the organisation's own word: after the
        first, and after a minute again.
        """
        least, most = self._least.copy(), self._most.copy()
        if self.actions[OPEN]:
            # A record that is open may write to the object of another one, which then counts as moved.
            least.subtract(self._overtaken)
        check = GET_ORGANIZATION.operation
        least[check] += 1
        most[check] += 1
        if least != most or self.is_one_sided:
            most[check] += proofs_of_absence(most.total(), pace)
        return {name: least[name] for name in most}, dict(most)

    def _add(self, planned: PlannedChange) -> None:
        # Plain texts, not members of an enumeration: these are keys in JSON.
        self.actions[str(planned.action)] += 1
        self.words[str(planned.word) if planned.action != OPEN else OPEN] += 1
        for name, (low, high) in planned.costs.items():
            self._least[name] += low
            self._most[name] += high
        if planned.action == OPEN:
            self.open_reasons[(planned.reason or "").partition(" ")[0]] += 1
        elif planned.action in (Action.UPDATE, Action.DELETE):
            self._overtaken.update({name: planned.costs[name][0] for name in list(planned.costs)[1:]})
            self._add_fields(planned)
        elif planned.word == Word.REJECTED:
            self._add_refused(planned)

    def _add_fields(self, planned: PlannedChange) -> None:
        self.unseen += planned.before() is None
        if planned.action == Action.DELETE and all(one.after is None for one in planned.fields):
            return
        for one in planned.fields:
            self.changed[one.field] += 1
            if len(found := self.samples[one.field]) < SAMPLES:
                found.append((planned.position, one))

    def _add_refused(self, planned: PlannedChange) -> None:
        code = str(planned.code)
        self.rejects[code] += 1
        found = self.refused.setdefault(code, RejectSample(planned.reason or "", planned.attr, []))
        if len(found.places) < SAMPLES:
            found.places.append(planned.position)
