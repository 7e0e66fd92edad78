"""How rows end: their outcomes go to the ledger, and too many bad ones stop the run."""

from collections import deque
from collections.abc import Iterable, Sequence

from bulkgladly.gladly.spec import Draft, Policy, Record, ResourceSpec
from bulkgladly.imports.drafts import outcome_of_clash
from bulkgladly.journal.entries import Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import original_of
from bulkgladly.records import Outcome, Problem, Row, Word
from bulkgladly.runs.stages import Stop
from bulkgladly.settings import Limits

__all__ = ("RECENT_IDS", "Settlement")

NEEDS_ORIGINAL = (Word.REJECTED, Word.UNKNOWN, Word.SKIPPED)
RECENT_IDS = 10_000  # what was made within the minutes that clocks may differ by, at any pace


class Settlement:
    """Takes the end of each row, once. Nothing waits here: the ledger brings it to the disk later, in groups."""

    def __init__(
        self, spec: ResourceSpec, policy: Policy, ledger: Ledger, limits: Limits, stop: Stop, names: Sequence[str]
    ) -> None:
        """Go on counting where earlier sessions of the run have ended. `names` are those of the inputs, by number."""
        self._spec, self._policy, self._ledger = spec, policy, ledger
        self._limits, self._stop, self._names = limits, stop, names
        self._rejected, self._begun = ledger.counts[Word.REJECTED], ledger.counts.total()
        self.made: deque[str] = deque(maxlen=RECENT_IDS)
        """Ids of what was made lately, for objects that are sent at most once: what is found is not taken for these."""

    def remember_made(self, ids: Iterable[str]) -> None:
        """Take the ids of what earlier sessions have made."""
        self.made.extend(ids)

    def taken_in(self, row: Row, item: Draft | Problem | None, standing: Standing) -> Draft | None:
        """Settle a row that cannot be sent, or that clashes with an earlier one; return its draft where it may go on.

        `item` is None where an earlier session has settled the row.
        """
        self._begun += item is not None
        if isinstance(item, Problem):
            self.settle(row, Outcome.rejected(item))
            return None
        if item is None or standing.clash is None:
            return item
        outcome = outcome_of_clash(standing.clash, self._policy, self._names)
        if outcome is None:
            return item
        self.settle(row, outcome, item)
        return None

    def settle(
        self,
        row: Row,
        outcome: Outcome,
        record: Record | Draft | None = None,
        attempts: int = 0,
        *,
        is_reserved: bool = False,
    ) -> None:
        """Note how a row has ended, after so many attempts. `record` is None where it never became one."""
        if isinstance(record, Record) and record.former_key is not None:
            outcome = _remembered_anew(outcome, record)
        original = original_of(row) if outcome.word in NEEDS_ORIGINAL else None
        self._ledger.settle(
            row.seq,
            row.position,
            outcome,
            key=record.key if record else None,
            former_key=record.former_key if record else None,
            attempts=attempts,
            original=original,
            is_reserved=is_reserved,
        )
        if outcome.word is Word.REJECTED:
            self._rejected += 1
        if self._spec.is_at_most_once and outcome.gladly_id:
            self.made.append(outcome.gladly_id)
        self._check_error_budget()

    def _check_error_budget(self) -> None:
        # Against the rows begun, not done: bad rows are settled at once, the good ones before them later.
        rejected, begun = self._rejected, self._begun
        limit, percent = self._limits.max_errors, self._limits.max_errors_percent
        if limit is not None and rejected > limit:
            self._stop.drain(3, f"more than {limit} records were rejected")
        if percent is not None and begun >= 100 and rejected * 100 > begun * percent:
            self._stop.drain(3, f"more than {percent:g} % of the records were rejected")


def _remembered_anew(outcome: Outcome, record: Record) -> Outcome:
    """Let an unchanged record that is known by its key's former spelling be known by its key from now on."""
    known = record.known
    if outcome.word is not Word.UNCHANGED or outcome.accepted is not None or known is None:
        return outcome
    return outcome._replace(accepted=known.accepted) if outcome.gladly_id == known.gladly_id else outcome
