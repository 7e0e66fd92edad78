"""From rows to drafts of records, and what an earlier row of the same input means for a later one.

Nothing is looked up and nothing is sent: an import, a dry run and `check` begin with the same functions.
"""

from collections.abc import Collection, Sequence

from bulkgladly.files.columns import compile_columns, nest
from bulkgladly.files.layouts import ColumnProblem, FlatLayout
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.spec import Draft, Policy, ResourceSpec
from bulkgladly.journal.entries import Admission, Clash
from bulkgladly.records import Outcome, Problem, Row, Stage, Word

__all__ = ("Preparer", "admission_of", "outcome_of_clash")


class Preparer:
    """Turns rows into drafts of records by the table's row and the user's policy. Nothing is looked up."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec = spec
        self._policy = policy
        extra = (policy.key,) if policy.key else ()
        self._layout: FlatLayout = compile_columns((), spec.columns, ignore, extra_known=extra)

    def record_for(self, row: Row) -> Draft | Problem:
        """Return the draft of the record that a row stands for, or why it cannot be sent."""
        if row.problem is not None or row.fields is None:
            return row.problem or Problem("unreadable", "the row could not be read", stage=Stage.READ)
        try:
            nested = nest(row.fields, self._spec.columns, self._layout)
        except ColumnProblem as error:
            return error.problem
        return self._spec.prepare(row, nested, self._policy)


def admission_of(row: Row, item: Draft | Problem | None) -> Admission:
    """Return what the journal is told of a row that has been read."""
    if not isinstance(item, Draft):
        return Admission(row.seq, row.position)
    content = digest64("content", "".join(f"{name}={print_}," for name, print_ in item.fingerprints.items()))
    return Admission(row.seq, row.position, item.key, content, item.claims, item.former_key)


def outcome_of_clash(clash: Clash, policy: Policy, names: Sequence[str]) -> Outcome | None:
    """Return how a row ends that clashes with an earlier row of the input; None where it may go on.

    A row that equals the earlier one goes on behind it: it needs no request where that one
    was accepted, and shares its fate where it was not.
    """
    earlier = f"{names[clash.earlier_file]}, record {clash.earlier}"
    if clash.attr in ("key", "id"):
        if clash.is_equal or policy.on_duplicate == "last":
            return None
        detail = (
            f"{earlier} has the same {clash.attr}; remove one of the rows, or let the last win: --on-duplicate last"
        )
        return Outcome.rejected(Problem("duplicate_key", detail, clash.attr))
    if policy.on_conflict in ("update", "merge"):
        return None
    detail = f"{earlier} has the same address; give it to one row, or choose --on-conflict update or merge"
    outcome = Outcome.rejected(Problem("duplicate_address", detail, clash.attr))
    return outcome._replace(word=Word.SKIPPED) if policy.on_conflict == "skip" else outcome
