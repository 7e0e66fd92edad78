"""The steps with which a missing object is deleted: it is read first, and stays if it may be somebody else's by now."""

from collections.abc import Collection
from pathlib import PurePath
from typing import Self

from bulkgladly.errors import UsageError
from bulkgladly.gladly.change import Held
from bulkgladly.gladly.decisions import deletion_of, gone_before
from bulkgladly.gladly.earlier_attempts import deleted_before
from bulkgladly.gladly.left_as_sent import address_digests, digests_in_word, field_not_as_sent
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.spec import ImportSpec, Policy, Record, Steps
from bulkgladly.journal.owning_rows import OwningRows
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import KEPT, Outcome, Stage, Word, place_of_row
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Foreseen

__all__ = ("DeletionGuard",)

_LOOK, _LOOK_AND_DELETE = 1, 2
"""What a record takes: one that is gone or stays is only read."""


class DeletionGuard:
    """Chooses the steps of a run that deletes what an import found missing. Close it after use.

    Each object is read just before its deletion. It stays if it was merged into another one, if its key no longer
    stands for it, if a row of the import has one of its addresses, or if it holds other values than were sent last.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        parent: RunFolder,
        rows: int,
        *,
        is_missing: Collection[tuple[str, str]] | None = None,
    ) -> None:
        """Open the journal of `parent`, the import. `rows` is how many objects there are to delete.

        `is_missing` are the keys, each with its id, that are still missing; None if all of them certainly are.

        Raises:
            JournalDamaged: The journal of the import cannot be read.
            UsageError: Objects of this kind are not deleted by their ids alone.
        """
        if spec.as_sent is None or spec.fetch is None:
            raise UsageError(f"{spec.name} cannot be deleted by their ids alone")
        self._spec, self._policy, self._rows, self._is_missing = spec, policy, rows, is_missing
        self._form, self._fetch = spec.as_sent, spec.fetch
        self._inputs = [file.path for file in parent.header().inputs]
        self._owners = OwningRows(parent.path, digests_in_word)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_about: object) -> None:
        self._owners.close()

    def at_once(self, record: Record) -> None:
        """Return None: each object is read first."""

    def queued(self, record: Record) -> Record:
        """Return the record as it is."""
        return record

    def fits(self, organisation: str) -> None:
        """Accept any organisation: the import was into the same host."""

    def estimate(self, done: int, pace: Foreseen) -> Estimate:
        """Return what is left to do: a look for each object, and a deletion for those that do not stay."""
        left = max(0, self._rows - done)
        return Estimate.of((_LOOK, _LOOK_AND_DELETE), left, True, pace, split={"to delete": left} if left else {})

    def steps(self, record: Record) -> Steps:
        """Read an object and delete it, or return why it stays: 1 request, and 1 more for the deletion."""
        reply = yield self._fetch(record, record.id)
        if reply.is_absent:
            return deleted_before(record, gone_before(record, record.id))
        if reply.successor is not None:
            # Whether a deletion by the id of a merged customer would delete the survivor is UNKNOWN.
            return _kept(record, "merged", f"somebody has merged it into {reply.successor}")
        held = reply.object
        if held is None:
            return unread(reply, record.id)
        if (kept := self._why_kept(record, held)) is not None:
            return kept
        # What Gladly held is on the disk before the deletion leaves, and stays there.
        change = deletion_of(self._spec.name, record, record.id, before=held)
        return (yield from self._spec.apply(record, self._policy, change))

    def _why_kept(self, record: Record, held: Held) -> Outcome | None:
        known = record.known
        is_still = self._is_missing is None or (record.key, record.id) in self._is_missing
        if known is None or known.gladly_id != record.id or not is_still:
            return _kept(record, "no_longer_missing", "its key leads to another customer by now, or to none")
        digests = [digest for address in self._form.unique(held) for digest in address_digests(address)]
        if (row := self._owners.row_with(digests)) is not None:
            place = place_of_row(PurePath(self._inputs[row.file]).name, row.number)
            return _kept(record, "in_the_files", f"{place} has one of its addresses")
        if (field := field_not_as_sent(self._form, held, known.accepted)) is not None:
            detail = "people have changed it, or merged another customer into it, or an earlier row had more"
            return _kept(record, "changed_since", f"its {field} in Gladly differ from what was sent last: {detail}")
        return None


def _kept(record: Record, code: str, detail: str) -> Outcome:
    return Outcome(Word.SKIPPED, record.id, Stage.CONFLICT, code=f"{KEPT}{code}", detail=f"not deleted: {detail}")
