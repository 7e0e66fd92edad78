"""What other runs have done since to the objects of a run: written them again, or taken them back."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from bulkgladly.gladly.reversal import BelongsTo
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.turns import are_comparable, is_before, run_turns
from bulkgladly.journal.undone_runs import UNDO, ids_undone, other_runs, undos_of

__all__ = ("add_later_writes", "know_order")

_LATER = (
    "INSERT OR IGNORE INTO later SELECT gladly_id, :field, :run FROM found WHERE gladly_id = :id"
    " AND is_before(found.at, found.turn, :at, :turn)"
    " AND NOT EXISTS (SELECT 1 FROM undone WHERE undone.gladly_id = :own_id"
    " AND is_before(:at, :turn, undone.at, undone.turn))"
)
_BY_CLOCK = "UPDATE found SET by_clock = 1 WHERE gladly_id = :id AND NOT are_comparable(found.turn, :turn)"
_WHOLE = "something that belongs to it"
"""In the place of a field: another object that hangs on it, or a deletion."""


def know_order(plan: sqlite3.Connection) -> None:
    """Let the statements of a plan ask which of two writes was before the other, and whether only the clock says so."""
    plan.create_function("is_before", 4, is_before, deterministic=True)
    plan.create_function("are_comparable", 2, are_comparable, deterministic=True)


def add_later_writes(plan: sqlite3.Connection, run: RunFolder, spec: ImportSpec) -> None:
    """Add to the table `later` which run has last written which field of the objects in `found`.

    What a later run has written and an undo of it has taken back does not count.

    Raises:
        JournalDamaged: A journal cannot be read.
        sqlite3.Error: The plan cannot be written.
    """
    host = run.header().host
    kinds = _kinds_concerned(spec.name)
    for later in _newest_first(run):
        theirs = later.header()
        if theirs.resource not in kinds or theirs.mode == UNDO or theirs.host != host:
            continue
        plan.execute("CREATE TEMP TABLE undone (gladly_id TEXT PRIMARY KEY, at REAL, turn INTEGER) WITHOUT ROWID")
        for undo in undos_of(later):
            plan.executemany("INSERT OR REPLACE INTO undone VALUES (?, ?, ?)", ids_undone(undo))
        with RunWrites(later.path) as writes:
            for row in _rows(writes, later.name, kinds[theirs.resource]):
                plan.execute(_LATER, row)
                plan.execute(_BY_CLOCK, row)
        plan.execute("DROP TABLE undone")


def _newest_first(run: RunFolder) -> list[RunFolder]:
    """Return the other runs that may have written later than a run did, the newest first: it has to be undone first."""
    ours = run_turns(run.path)
    others: list[tuple[int, int, RunFolder]] = []
    for other in other_runs(run):
        theirs = run_turns(other.path)
        is_known = ours is not None and theirs is not None and are_comparable(theirs.last, ours.began)
        # What ended before the run began need not be read.
        if not (is_known and theirs is not None and ours is not None and theirs.last < ours.began):
            others.append((theirs.last if theirs is not None else 0, len(others), other))
    return [other for *_, other in sorted(others, key=lambda one: one[:2], reverse=True)]


def _kinds_concerned(name: str) -> dict[str, BelongsTo | None]:
    """Return the objects whose writes concern those of a kind: the kind itself (None), and what hangs on it."""
    found: dict[str, BelongsTo | None] = {name: None}
    for other, spec in IMPORTS.items():
        above = spec.reversal.belongs_to if spec.reversal is not None else None
        if above is not None and above.object == name:
            found[other] = above
    return found


def _rows(writes: RunWrites, run: str, above: BelongsTo | None) -> Iterator[Mapping[str, Any]]:
    for write in writes.newest_first():
        own_id = write.gladly_id
        gladly_id = own_id if above is None else above.id_in(own_id or "", write.after)
        for name in (write.after if above is None else ()) or (_WHOLE,):
            yield {
                "field": name,
                "run": run,
                "id": gladly_id,
                "own_id": own_id,
                "at": write.at,
                "turn": write.turn,
            }
