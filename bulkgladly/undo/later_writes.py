"""What other runs have done since to the objects of a run: written them again, or taken them back."""

import sqlite3
from collections.abc import Iterator

from bulkgladly.gladly.reversal import BelongsTo
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.journal.databases import reading
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.undone_runs import UNDO, other_runs, undos_of

__all__ = ("add_later_writes", "ids_undone")

_UNDONE = (
    "SELECT gladly_id, at FROM records WHERE gladly_id IS NOT NULL AND word IN ('updated', 'deleted', 'unchanged')"
    " AND coalesce(code, '') <> 'partly'"
)
_LATER = (
    "INSERT OR IGNORE INTO later SELECT gladly_id, ?, ? FROM found WHERE gladly_id = ? AND at < ?"
    " AND NOT EXISTS (SELECT 1 FROM undone WHERE undone.gladly_id = ? AND undone.at > ?)"
)
_WHOLE = "something that belongs to it"
"""In the place of a field: another object that hangs on it, or a deletion."""


def ids_undone(undo: RunFolder) -> Iterator[tuple[str, float]]:
    """Yield the ids of the objects that an undo has taken back completely, and when (seconds since 1970).

    Raises:
        JournalDamaged: Its journal cannot be read.
    """
    with reading(undo.path / "journal.sqlite") as connection:
        yield from connection.execute(_UNDONE)


def add_later_writes(plan: sqlite3.Connection, run: RunFolder, spec: ImportSpec) -> None:
    """Add to the table `later` which run has last written which field of the objects in `found`.

    What a later run has written and an undo of it has taken back does not count.

    Raises:
        JournalDamaged: A journal cannot be read.
        sqlite3.Error: The plan cannot be written.
    """
    header = run.header()
    kinds = _kinds_concerned(spec.name)
    # The newest first: it has to be undone before the others.
    for later in reversed(other_runs(run)):
        theirs = later.header()
        ended = (later.report() or {}).get("ended_at") or ""
        is_other = theirs.resource not in kinds or theirs.mode == UNDO or theirs.host != header.host
        if is_other or "" < ended < header.created_at:
            continue
        plan.execute("CREATE TEMP TABLE undone (gladly_id TEXT PRIMARY KEY, at REAL) WITHOUT ROWID")
        for undo in undos_of(later):
            plan.executemany("INSERT OR REPLACE INTO undone VALUES (?, ?)", ids_undone(undo))
        with RunWrites(later.path) as writes:
            plan.executemany(_LATER, _rows(writes, later.name, kinds[theirs.resource]))
        plan.execute("DROP TABLE undone")


def _kinds_concerned(name: str) -> dict[str, BelongsTo | None]:
    """Return the objects whose writes concern those of a kind: the kind itself (None), and what hangs on it."""
    found: dict[str, BelongsTo | None] = {name: None}
    for other, spec in IMPORTS.items():
        above = spec.reversal.belongs_to if spec.reversal is not None else None
        if above is not None and above.object == name:
            found[other] = above
    return found


def _rows(
    writes: RunWrites, run: str, above: BelongsTo | None
) -> Iterator[tuple[str, str, str | None, float, str | None, float]]:
    for write in writes.newest_first():
        own_id = write.gladly_id
        gladly_id = own_id if above is None else above.id_in(own_id or "", write.after)
        for name in (write.after if above is None else ()) or (_WHOLE,):
            yield name, run, gladly_id, write.at, own_id, write.at
