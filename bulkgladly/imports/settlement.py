"""Records the outcome of each row, once, and looks whether too many were rejected."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from bulkgladly.gladly.identity import key_in
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Record
from bulkgladly.imports.drafts import outcome_of_clash
from bulkgladly.imports.dropped_values import as_noted
from bulkgladly.journal.entries import Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import original_of
from bulkgladly.records import Outcome, Problem, Row, Word
from bulkgladly.runs.stages import Stop
from bulkgladly.settings import Limits

__all__ = ("RECENT_IDS", "Settlement")

NEEDS_ORIGINAL = (Word.REJECTED, Word.UNKNOWN, Word.SKIPPED)
_NAMED = (Word.REJECTED, Word.SKIPPED)
"""Rows that never became a record, but are in the input: their keys tell a later run, and what is not missing."""
_ONLY_COUNTED = ("mapping_skipped", "blank_row", "header_again")
"""Codes of rows that are no records, or that the user's own filter leaves out."""
# As many as can be created, at any pace, within the minutes by which two clocks may differ.
RECENT_IDS = 10_000


class Settlement:
    """Records the outcome of each row, once. Nothing waits here: the ledger writes to the disk later, in groups."""

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        ledger: Ledger,
        limits: Limits,
        stop: Stop,
        names: Sequence[str],
        *,
        show_values: bool = False,
    ) -> None:
        """Continue the counts of earlier sessions of the run. `names` are the names of the inputs, by number.

        Dropped values are recorded masked, or as they are with `show_values`.
        """
        self._show_values = show_values
        self._spec, self._policy, self._ledger = spec, policy, ledger
        self._limits, self._stop, self._names = limits, stop, names
        self._rejected, self._begun = ledger.counts[Word.REJECTED], ledger.counts.total()
        self.made: deque[str] = deque(maxlen=RECENT_IDS)
        """Ids created lately, of objects sent at most once: another row must not be matched with one of them."""

    def remember_made(self, ids: Iterable[str]) -> None:
        """Add the ids that earlier sessions have created."""
        self.made.extend(ids)

    def taken_in(self, row: Row, item: Draft | Problem | None, standing: Standing) -> Draft | None:
        """Return the draft of a row that can be sent; otherwise record the row's outcome and return None.

        A row ends here if it has a problem or clashes with an earlier row. `item` is None if an earlier session has
        finished the row.
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
        trail: Sequence[tuple[Any, ...]] = (),
    ) -> None:
        """Record the outcome of a row, with the number of attempts and its requests, the `trail`.

        `record` is None if the row never became one.
        """
        if isinstance(record, Record) and record.former_key is not None:
            outcome = _remembered_anew(outcome, record)
        is_kept = outcome.word in NEEDS_ORIGINAL and outcome.code not in _ONLY_COUNTED
        original = original_of(row) if is_kept else None
        dropped = record.row.dropped if record else ()
        key = record.key if record else _key_of(row, self._policy) if outcome.word in _NAMED else None
        self._ledger.settle(
            row.seq,
            row.position,
            outcome,
            key=key,
            former_key=record.former_key if record else None,
            attempts=attempts,
            original=original,
            is_reserved=is_reserved,
            dropped=as_noted(dropped, show_values=self._show_values) if dropped else (),
            trail=orjson.dumps(trail).decode() if trail else None,
        )
        if outcome.word is Word.REJECTED:
            self._rejected += 1
        if self._spec.is_at_most_once and outcome.gladly_id:
            self.made.append(outcome.gladly_id)
        self._check_error_budget()

    def _check_error_budget(self) -> None:
        # Compared with rows begun, not finished: bad rows end at once, while good rows before them are still in flight.
        rejected, begun = self._rejected, self._begun
        limit, percent = self._limits.max_errors, self._limits.max_errors_percent
        if limit is not None and rejected > limit:
            self._stop.drain(3, f"more than {limit} records were rejected")
        if percent is not None and begun >= 100 and rejected * 100 > begun * percent:
            self._stop.drain(3, f"more than {percent:g} % of the records were rejected")


def _key_of(row: Row, policy: Policy) -> str | None:
    """Return the source key of a row that never became a record, so that a later run recognises its reject."""
    if row.fields is None:
        return row.key
    if policy.key is None:
        own = row.fields.get("id")
        return own if isinstance(own, str) and own else None
    key = key_in(row, policy.key)
    return None if isinstance(key, Problem) else key.text


def _remembered_anew(outcome: Outcome, record: Record) -> Outcome:
    """Make an unchanged record that is known by the former spelling of its key known by its key."""
    known = record.known
    if outcome.word is not Word.UNCHANGED or outcome.accepted is not None or known is None:
        return outcome
    return outcome._replace(accepted=known.accepted) if outcome.gladly_id == known.gladly_id else outcome
