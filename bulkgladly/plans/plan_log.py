"""What becomes of the rows of a plan while it is made: each ends in a journal, as in an import, and nothing is sent."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from bulkgladly.gladly.change import Action
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Record, ready
from bulkgladly.imports.drafts import AdmittedRow, outcome_of_clash
from bulkgladly.imports.dropped_values import as_noted
from bulkgladly.journal.databases import reading
from bulkgladly.journal.entries import Clash, Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import original_of
from bulkgladly.plans.plan_records import RecordPlanner
from bulkgladly.plans.planned_changes import OPEN, PlannedChange
from bulkgladly.records import DroppedValue, Mode, Outcome, Position, Problem, Row, Stage, Word, place_of_row

__all__ = ("PLAN_WORDS", "PlanLog", "planned_counts", "planned_in", "unchanged_in")

_LEFT_OUT = ("mapping_skipped", "blank_row", "header_again")
"""Codes of rows that are no records, or that the user's own filter leaves out: they are only counted."""


_PASSED_AT_ONCE = 500
PLAN_WORDS = ("to_create", "to_update", "to_delete", "open", "unchanged", "skipped", "rejected")
"""What is planned for a record, in the order in which people read it; what is `open` is decided by the apply."""
_PLANNED = {"created": "to_create", "updated": "to_update", "deleted": "to_delete"}


class PlanLog:
    """Takes the rows of a plan to their ends, as far as that needs no request, and notes what was planned.

    The state that outlives runs is read and never changed: no row is noted under its key, unless it is rejected.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        ledger: Ledger,
        names: Sequence[str],
        *,
        is_kept: bool,
        show_values: bool = False,
    ) -> None:
        """`names` are the names of the inputs, by number. With `is_kept` a resume finds unchanged rows again.

        With `show_values`, values that are left out are kept as they are, and not masked.
        """
        self._show_values = show_values
        self._policy, self._ledger, self._names, self._is_kept = policy, ledger, names, is_kept
        self.planner = RecordPlanner(spec, policy)
        # Objects that are not in this form decide by looking, so memory alone says nothing about them.
        by_memory = spec.procedures[policy.mode].look is not None or spec.is_at_most_once
        self._is_by_memory = by_memory and policy.mode is not Mode.DELETE
        self._passed: list[int] = []
        self.unchanged = 0
        """Rows that are as memory says, of which nothing is noted."""
        self.planned: Counter[str] = Counter()
        """Records that are planned so far, by `PLAN_WORDS`; a resume begins with those of earlier sessions."""

    def taken_in(self, admitted: AdmittedRow) -> Record | None:
        """Return the record of a row that is still to be planned; otherwise note how the row ends."""
        row, item, standing = admitted
        if item is None:
            return None
        if isinstance(item, Problem):
            self._reject(row, Outcome.rejected(item), None)
            return None
        if self._is_remembered(item, standing):
            self._as_remembered(item, standing)
            return None
        record = ready(item, standing.known)
        clash = standing.clash
        if clash is not None and (outcome := outcome_of_clash(clash, self._policy, self._names)) is not None:
            self._reject(row, outcome, item)
            return None
        if clash is not None and not clash.is_equal:
            self.note(record, self.planner.left_open(record, f"follows {self._place(clash)}"))
            return None
        if item.links:
            named = ", ".join(link.attr for link in item.links)
            self.note(record, self.planner.left_open(record, f"{named}: looked up when the plan is applied"))
            return None
        return record

    def note(self, record: Record, planned: PlannedChange, clash: Clash | None = None) -> None:
        """Note what is planned for a record. A row that equals an earlier one, its `clash`, is not written again."""
        if clash is not None and planned.is_write:
            planned = planned._replace(
                action=Action.NONE, word=Word.UNCHANGED, costs={}, fields=(), reason=f"repeats {self._place(clash)}"
            )
        row, word = record.row, Word(planned.word)
        if word in (Word.REJECTED, Word.SKIPPED):
            problem = Problem(planned.code or "?", planned.reason or "", planned.attr, word=word)
            outcome = Outcome.rejected(problem, status=planned.status, gladly_id=planned.gladly_id)
            self._reject(row, outcome._replace(stage=None if planned.stage is None else Stage(planned.stage)), record)
            return
        self.planned[OPEN if planned.action == OPEN else _PLANNED.get(planned.word, planned.word)] += 1
        # Without its key: what is noted under a key becomes known to later runs.
        note = None if planned.is_remembered else planned.noted()
        outcome = Outcome(word, planned.gladly_id, detail=note)
        self._ledger.settle(row.seq, row.position, outcome, dropped=self._dropped(row))

    def _is_remembered(self, draft: Draft, standing: Standing) -> bool:
        """Tell whether memory says that nothing is to be done. Most rows of a plan end here, so it must be quick."""
        known = standing.known
        if known is None or not known.gladly_id or standing.clash is not None or draft.links:
            return False
        if known.held is not None:
            return False  # what a data set has told is remembered by the apply
        return self._is_by_memory and draft.fingerprints.items() <= known.accepted.items()

    def _dropped(self, row: Row) -> tuple[DroppedValue, ...]:
        return as_noted(row.dropped, show_values=self._show_values) if row.dropped else ()

    def _as_remembered(self, draft: Draft, standing: Standing) -> None:
        row = draft.row
        self.planned[Word.UNCHANGED.value] += 1
        if self._is_kept or row.dropped:
            gladly_id = standing.known.gladly_id if standing.known is not None else None
            self._ledger.settle(row.seq, row.position, Outcome(Word.UNCHANGED, gladly_id), dropped=self._dropped(row))
        else:
            self.unchanged += 1
            self._passed.append(row.seq)
            if len(self._passed) == _PASSED_AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Let the journal pass the rows of which nothing is noted."""
        self._ledger.pass_by(self._passed)
        self._passed = []

    def _reject(self, row: Row, outcome: Outcome, record: Record | Draft | None) -> None:
        self.planned[outcome.word.value] += 1
        original = None if outcome.code in _LEFT_OUT else original_of(row)
        key = record.key if record is not None else None
        self._ledger.settle(row.seq, row.position, outcome, key=key, original=original)

    def _place(self, clash: Clash) -> str:
        return place_of_row(PurePath(self._names[clash.earlier_file]).name, clash.earlier)


def planned_in(folder: Path) -> Iterator[PlannedChange]:
    """Yield what the journal in a folder has planned, in input order, without rows that are as memory says.

    Records that write to an object of another one are marked as shared, and all but the first of them are left open:
    only when the first is done can be told what the next has to do.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        first = dict(connection.execute(_SHARED))
        rows = connection.execute(
            "SELECT seq, file, place, number, word, gladly_id, detail, key, code, attr, stage, status FROM records"
            " ORDER BY seq"
        )
        for seq, file, place, number, word, gladly_id, detail, *why in rows:
            position = Position(file, place, number)
            if word in (Word.REJECTED, Word.SKIPPED):
                key, code, attr, stage, status = why
                action = Action.REFUSE if word == Word.REJECTED else Action.NONE
                told = (detail, code, attr, stage, status)
                yield PlannedChange(seq, position, action, word, key or "", gladly_id, {}, (), None, False, *told)
            elif detail is not None:
                planned = PlannedChange.from_note(seq, position, word, gladly_id, detail)
                is_shared = planned.is_write and gladly_id in first
                if is_shared and first[gladly_id] != seq and planned.costs_if_open:
                    planned = planned.opened("follows another row that writes to the same object")
                yield planned._replace(is_shared=is_shared)


def unchanged_in(folder: Path) -> int:
    """Return how many records the journal in a folder has as unchanged by memory alone.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        sql = "SELECT count(*) FROM records WHERE word = 'unchanged' AND detail IS NULL"
        return int(connection.execute(sql).fetchone()[0])


def planned_counts(folder: Path) -> dict[str, int]:
    """Return how many records the journal in a folder has planned so far, by `PLAN_WORDS`; rows may be left.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        found = {_PLANNED.get(word, word): number for word, number in connection.execute(_COUNTS)}
    return {word: found[word] for word in PLAN_WORDS if word in found}


_COUNTS = """
SELECT CASE WHEN word = 'unchanged' AND detail LIKE '["open"%' THEN 'open' ELSE word END, count(*)
FROM records GROUP BY 1
"""
_SHARED = """
SELECT gladly_id, min(seq) FROM records
WHERE word IN ('created', 'updated', 'deleted') AND gladly_id IS NOT NULL
GROUP BY gladly_id HAVING count(*) > 1
"""
