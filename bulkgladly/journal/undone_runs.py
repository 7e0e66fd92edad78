"""Which undos took a run back, and what they have taken back of it."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from bulkgladly.errors import BulkgladlyError, JournalError
from bulkgladly.journal.databases import reading
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.runs import list_runs

__all__ = ("UNDO", "TakenBack", "UndoneObject", "ids_undone", "other_runs", "taken_back", "undos_of")

UNDO = "undo"
"""The mode in the header of a run that takes another one back."""
_UNDONE = (
    "SELECT gladly_id, at, {} FROM records {} WHERE gladly_id IS NOT NULL"
    " AND word IN ('updated', 'deleted', 'unchanged') AND coalesce(code, '') <> 'partly'"
)
_CHANGED = (
    "SELECT coalesce(sum(coalesce(code, '') <> 'partly'), 0), count(*) FROM records"
    " WHERE word IN ('updated', 'deleted')"
)


class UndoneObject(NamedTuple):
    """An object that an undo has taken back completely, when (seconds since 1970), and in which turn (0: not known)."""

    gladly_id: str
    at: float
    turn: int


class TakenBack(NamedTuple):
    """The undos that have changed something of a run, the oldest first, and how many objects they have taken back.

    Those that are restored only in part count if there are no others.
    """

    undos: tuple[str, ...]
    objects: int

    def text(self, run: str) -> str:
        """Return what was taken back of a run, for people."""
        records = f"{self.objects:,} {'record' if self.objects == 1 else 'records'}"
        return f"{', '.join(self.undos)} took back {records} of run {run}"


def other_runs(run: RunFolder) -> Iterator[RunFolder]:
    """Yield the other runs of a state directory that can be read, the oldest first."""
    for one in list_runs(run.state_dir):
        try:
            one.header()
        except JournalError:  # removed a moment ago
            continue
        if one.name != run.name:
            yield one


def undos_of(run: RunFolder) -> list[RunFolder]:
    """Return the undos of a run, the oldest first; those that cannot be read are left out."""
    return [one for one in other_runs(run) if (header := one.header()).mode == UNDO and header.parent == run.name]


def ids_undone(undo: RunFolder) -> Iterator[UndoneObject]:
    """Yield the objects that an undo has taken back completely.

    Raises:
        JournalDamaged: Its journal cannot be read.
    """
    with reading(undo.path / "journal.sqlite") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        has_turns = "turns" in tables
        columns = ("coalesce(turn, 0)", "LEFT JOIN turns USING (seq)") if has_turns else ("0", "")
        for row in connection.execute(_UNDONE.format(*columns)):
            yield UndoneObject(*row)


def taken_back(run: RunFolder) -> TakenBack | None:
    """Return what undos have taken back of a run, also in part; None if that is nothing, or none can be read."""
    names: list[str] = []
    whole = most = 0
    for undo in undos_of(run):
        with contextlib.suppress(BulkgladlyError), reading(undo.path / "journal.sqlite") as connection:
            wholly, changed = connection.execute(_CHANGED).fetchone()
            whole, most = whole + wholly, max(most, changed)
            names += [undo.name] if changed else []
    return TakenBack(tuple(names), whole or most) if names else None
