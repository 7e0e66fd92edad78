"""What other runs have done since to the objects of a run: written them again, or taken them back."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from bulkgladly.changes.undo_options import UNDO
from bulkgladly.errors import JournalError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.databases import reading
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites, WrittenChange
from bulkgladly.journal.runs import list_runs

__all__ = ("add_later_writes", "ids_undone", "undos_of")

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
_OWNERS: Mapping[str, Mapping[str, Callable[[WrittenChange], str | None]]] = {
    "customers": {name: lambda write: _text(write.after.get("customerId")) for name in ("tasks", "activities")},
    "answers": {"answer-contents": lambda write: (write.gladly_id or "").partition("/")[0]},
}
"""For an object, which other objects hang on it, and where their writes name it."""


def undos_of(run: RunFolder) -> list[RunFolder]:
    """Return the undos of a run, the oldest first; those that cannot be read are left out."""
    return [one for one in _runs_of(run) if _is_undo_of(one, run.name)]


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
    owners = {**_OWNERS.get(spec.name, {}), spec.name: lambda write: write.gladly_id}
    # The newest first: it has to be undone before the others.
    for later in reversed(list(_runs_of(run))):
        theirs = later.header()
        owner = owners.get(theirs.resource)
        ended = (later.report() or {}).get("ended_at") or ""
        if owner is None or theirs.mode == UNDO or theirs.host != header.host or "" < ended < header.created_at:
            continue
        plan.execute("CREATE TEMP TABLE undone (gladly_id TEXT PRIMARY KEY, at REAL) WITHOUT ROWID")
        for undo in undos_of(later):
            plan.executemany("INSERT OR REPLACE INTO undone VALUES (?, ?)", ids_undone(undo))
        with RunWrites(later.path) as writes:
            plan.executemany(_LATER, _rows(writes, later.name, owner, is_same=theirs.resource == spec.name))
        plan.execute("DROP TABLE undone")


def _rows(
    writes: RunWrites, run: str, owner: Callable[[WrittenChange], str | None], *, is_same: bool
) -> Iterator[tuple[str, str, str, float, str, float]]:
    for write in writes.newest_first():
        if (gladly_id := owner(write)) is None:
            continue
        for name in (write.after if is_same else ()) or (_WHOLE,):
            yield name, run, gladly_id, write.at, write.gladly_id or "", write.at


def _runs_of(run: RunFolder) -> Iterator[RunFolder]:
    for one in list_runs(run.state_dir):
        try:
            one.header()
        except JournalError:  # removed a moment ago
            continue
        if one.name != run.name:
            yield one


def _is_undo_of(one: RunFolder, name: str) -> bool:
    header = one.header()
    return header.mode == UNDO and header.parent == name


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
