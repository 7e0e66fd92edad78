"""What a live plan reads, before it begins: the requests of each look, by what earlier runs have sent."""

from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, ready
from bulkgladly.imports.baseline import Baseline
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.forecast import Forecast
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.messages import Meaning, Reply, Request
from bulkgladly.plans.plan_records import RecordPlanner
from bulkgladly.plans.plan_totals import proofs_of_absence
from bulkgladly.records import Known, Mode, Row
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Foreseen

__all__ = ("ReadForecast",)

_ABSENT = Reply(404, meaning=Meaning.ABSENT)
_NOTHING_FOUND = Reply(200, meaning=Meaning.CONFIRMED, content=[])


class ReadForecast(Forecast):
    """Counts what becomes of rows, and the fewest and the most requests with which that is looked up."""

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        preparer: Preparer,
        memory: StateReader | None,
        *,
        baseline: Baseline | None = None,
    ) -> None:
        super().__init__(spec, policy, preparer, memory, baseline=baseline)
        self._planner = RecordPlanner(spec, policy)
        # Objects that are not in this form decide by looking, so memory alone says nothing about them.
        by_memory = spec.procedures[policy.mode].look is not None or spec.is_at_most_once
        self._is_by_memory = by_memory and policy.mode is not Mode.DELETE
        self._shared = frozenset[str]() if spec.proof is None else spec.proof.shared
        self._fetched: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        self._least = self._most = 0

    def reads(self, pace: Foreseen, *, rows: int | None = None, rows_exact: bool = True) -> Estimate:
        """Return the estimate of the reads of the rows that were counted, or of `rows` like them."""
        seen = self.counts.total()
        whole = seen if rows is None else rows
        factor = whole / seen if seen else 1.0
        split = {label: round(number * factor) for label, number in self.counts.most_common() if number > 0}
        shared = len(self._fetched)
        low, high = (round(number * factor) + shared for number in (self._least, self._most))
        high += proofs_of_absence(high, pace)
        judged = "" if whole == seen else f"by the first {seen:,} rows"
        lists = len(self._spec.directories)
        return Estimate(
            whole, rows_exact, low, high, pace.usual, split=split, judged=judged, pace=pace, is_about=high > 0
        ).of_run(lists)

    def _is_unchanged(self, row: Row, known: str | bytes) -> bool:
        return self._is_by_memory and super()._is_unchanged(row, known)

    def _label_of(self, draft: Draft, known: Known | None) -> tuple[str, bool]:
        self._count_reads(draft, known)
        return super()._label_of(draft, known)

    def _count_reads(self, draft: Draft, known: Known | None) -> None:
        """Count the requests of a look that finds nothing: it takes the most, but for merges and conflicts."""
        planning = self._planner.by_look(ready(draft, known))
        number = 0
        try:
            request = next(planning)
            while True:
                number += self._is_new(request)
                request = planning.send(_NOTHING_FOUND if request.operation.startswith("find") else _ABSENT)
        except StopIteration:
            pass
        self._least += min(number, 1)
        self._most += number if known is None else max(number, self._of_known(draft, known))

    def _of_known(self, draft: Draft, known: Known) -> int:
        """Return the most reads of a record that is known: itself, and whose the addresses are that may be new."""
        lists = [name for name, value in draft.payload.items() if isinstance(value, list)]
        changed = [name for name in lists if draft.fingerprints.get(name) != known.accepted.get(name)]
        return 1 + sum(len(draft.payload[name]) for name in changed) if self._is_customer else 1

    @property
    def _is_customer(self) -> bool:
        return self._spec.proof is not None and self._spec.proof.is_merged

    def _is_new(self, request: Request) -> bool:
        """Tell whether a request counts: what serves many records is sent once."""
        if request.operation not in self._shared:
            return True
        self._fetched.add((request.path, request.query))
        return False
