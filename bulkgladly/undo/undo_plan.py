"""What an undo will do, by the journals alone: one line for each object that the run has changed, in one SQLite file.

It is made before anything is sent, in one transaction, and never changes. So the number of an object is the same in
every session, and memory stays flat. It has no values: those are read from the journal of the run when they are needed.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bulkgladly.gladly.change import Action
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites, SettledWrite, WrittenChange
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.journal.undone_runs import undos_of
from bulkgladly.records import Position, Word
from bulkgladly.storage.durable import touch_private
from bulkgladly.storage.failures import database_error
from bulkgladly.undo.later_writes import add_later_writes, ids_undone
from bulkgladly.undo.planned_objects import PlanCounts, PlannedObject
from bulkgladly.undo.undo_images import images_of

__all__ = ("PLAN_FILE", "UndoPlan")

PLAN_FILE = "undo.sqlite"
_TABLES = """
DROP TABLE IF EXISTS found; DROP TABLE IF EXISTS keys; DROP TABLE IF EXISTS later; DROP TABLE IF EXISTS objects;
DROP TABLE IF EXISTS summary;
CREATE TABLE found (              -- objects that the run has changed, the last row of its input first
    gladly_id TEXT NOT NULL UNIQUE, seqs TEXT NOT NULL,
    created INTEGER NOT NULL, deleted INTEGER NOT NULL, with_before INTEGER NOT NULL, without INTEGER NOT NULL,
    added INTEGER NOT NULL,       -- values to objects that had none
    noted INTEGER NOT NULL,       -- whether the journal says what was written
    at REAL NOT NULL, file INTEGER, place INTEGER, number INTEGER);
CREATE TABLE keys (gladly_id TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (gladly_id, key)) WITHOUT ROWID;
CREATE TABLE later (              -- what later runs have written to these objects since
    gladly_id TEXT NOT NULL, field TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (gladly_id, field)) WITHOUT ROWID;
CREATE TABLE objects (
    item INTEGER PRIMARY KEY, gladly_id TEXT NOT NULL, seqs TEXT NOT NULL, todo TEXT NOT NULL, code TEXT NOT NULL,
    file INTEGER, place INTEGER, number INTEGER);
CREATE TABLE summary (id INTEGER PRIMARY KEY CHECK (id = 0), counts TEXT NOT NULL);
"""
_FOUND = """
INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (gladly_id) DO UPDATE SET
    seqs = seqs || ',' || excluded.seqs, created = max(created, excluded.created),
    deleted = max(deleted, excluded.deleted), with_before = max(with_before, excluded.with_before),
    without = max(without, excluded.without), added = max(added, excluded.added), noted = min(noted, excluded.noted),
    at = max(at, excluded.at)
"""
_KEYS = "INSERT OR IGNORE INTO keys SELECT gladly_id, ? FROM found WHERE gladly_id = ?"
_OBJECTS = """
INSERT INTO objects SELECT row_number() OVER (ORDER BY rowid) - 1, gladly_id, seqs,
    CASE WHEN deleted OR NOT noted THEN 'cannot' WHEN created THEN :created
        WHEN with_before AND :can_restore THEN 'restore' ELSE 'cannot' END,
    CASE WHEN deleted THEN 'deletion' WHEN NOT noted THEN 'not_noted' WHEN created THEN :kept
        WHEN NOT :can_restore THEN 'not_restorable' WHEN with_before THEN '' ELSE 'no_before' END,
    file, place, number
FROM found ORDER BY rowid
"""
_AT_ONCE = 200


class UndoPlan:
    """The objects of one undo. Close it after use, or use it in a `with`. Chapters: how it is made, how it is read."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; without a path it is a private one that is gone when it is closed.

        Raises:
            DiskFull, JournalDamaged, JournalError: It cannot be used.
        """
        self._path = path or Path("a temporary file")
        with self._ours():
            if path is not None:
                touch_private(path)
            self._connection = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False)

    # --- made ---

    def make(self, run: RunFolder, spec: ImportSpec, namespace: str) -> PlanCounts:
        """Make the plan for a run, unless it is whole already, and return its counts.

        Raises:
            JournalDamaged: A journal, or the state, cannot be read.
        """
        with self._ours():
            if (counts := self._counts()) is None:
                with contextlib.closing(RunWrites(run.path)) as writes:
                    counts = self._made(run, spec, namespace, writes)
            return counts

    def _made(self, run: RunFolder, spec: ImportSpec, namespace: str, writes: RunWrites) -> PlanCounts:
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in filter(str.strip, _TABLES.split(";")):
                self._connection.execute(statement)
            found = (_found(write, spec.reversal) for write in writes.newest_first())
            self._connection.executemany(_FOUND, found)
            # After the others, in whose order they are told.
            self._connection.executemany(_FOUND, (_not_noted(record) for record in writes.not_noted()))
            undos = undos_of(run)
            already = self._without_undone(undos)
            self._add_keys(run, spec, namespace)
            add_later_writes(self._connection, run, spec)
            reversal = spec.reversal
            can_delete = reversal is not None and reversal.can_delete
            self._connection.execute(
                _OBJECTS,
                {
                    "created": "delete" if can_delete else "cannot",
                    "kept": "" if can_delete else "not_deletable",
                    "can_restore": reversal is not None and bool(reversal.named),
                },
            )
            counts = self._counted(spec, already, tuple(one.name for one in undos) if already else (), writes)
            row = (orjson.dumps(counts).decode(),)
            self._connection.execute("INSERT INTO summary VALUES (0, ?)", row)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        return counts

    def _without_undone(self, undos: list[RunFolder]) -> int:
        """Drop what earlier undos of the run have taken back, and return how much that was."""
        before = self._connection.total_changes
        for undo in undos:
            # What the run has written again since, because it was resumed, is not undone.
            self._connection.executemany("DELETE FROM found WHERE gladly_id = ? AND at < ?", ids_undone(undo))
        return self._connection.total_changes - before

    def _add_keys(self, run: RunFolder, spec: ImportSpec, namespace: str) -> None:
        """Add all source keys of the objects: also those whose rows needed no request in this run."""
        state = run.state_dir / "state.sqlite"
        if not state.is_file():
            return
        with contextlib.closing(StateReader(state, run.header().host, spec.name, namespace)) as known:
            self._connection.executemany(_KEYS, known.objects())

    def _counted(self, spec: ImportSpec, already: int, undone_by: tuple[str, ...], writes: RunWrites) -> PlanCounts:
        todo = dict(self._connection.execute("SELECT todo, count(*) FROM objects GROUP BY 1"))
        cannot = dict(self._connection.execute("SELECT code, count(*) FROM objects WHERE todo = 'cannot' GROUP BY 1"))
        restored = "SELECT coalesce(sum(without), 0), coalesce(sum(added), 0) FROM found JOIN objects USING (gladly_id)"
        unread, removing = self._connection.execute(f"{restored} WHERE todo = 'restore'").fetchone()
        to_delete, to_restore = todo.get("delete", 0), todo.get("restore", 0)
        reversal = spec.reversal
        each = reversal.requests_to_delete if reversal is not None else 1
        # Also the one that asks which organisation it is. Nothing is sent at all if there is nothing to do.
        greeting = 1 if to_delete + to_restore else 0
        return PlanCounts(
            noun=reversal.noun if reversal is not None else "record",
            to_delete=to_delete,
            to_restore=to_restore,
            cannot=cannot,
            unread=unread,
            already=already,
            undone_by=undone_by,
            unsettled=len({write.seq for write in writes.in_doubt()}),
            least=greeting + to_delete + to_restore,
            # What is removed is looked at afterwards, and removed in another way if it is still there.
            requests=greeting + to_delete * each + to_restore * 2 + removing * 3,
        )

    # --- read ---

    @property
    def counts(self) -> PlanCounts:
        """What the plan says altogether; it must have been made."""
        with self._ours():
            counts = self._counts()
        if counts is None:
            raise database_error(ValueError("it was never finished"), self._path)
        return counts

    def objects(self, first: int) -> Iterator[list[PlannedObject]]:
        """Yield the objects from a number on, in pieces."""
        sql = (
            "SELECT item, gladly_id, seqs, todo, code, file, place, number,"
            " (SELECT json_group_array(key) FROM keys WHERE keys.gladly_id = objects.gladly_id),"
            " (SELECT json_group_object(field, run) FROM later WHERE later.gladly_id = objects.gladly_id)"
            " FROM objects WHERE item >= ? ORDER BY item LIMIT ?"
        )
        while True:
            with self._ours():
                piece = [_planned(row) for row in self._connection.execute(sql, (first, _AT_ONCE))]
            if not piece:
                return
            yield piece
            first = piece[-1].item + 1

    def _counts(self) -> PlanCounts | None:
        if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'summary'").fetchone() is None:
            return None
        row = self._connection.execute("SELECT counts FROM summary").fetchone()
        if row is None:
            return None
        found = orjson.loads(row[0])
        return PlanCounts(**{**found, "undone_by": tuple(found["undone_by"])})

    def close(self) -> None:
        """Close the file. Calling it twice is allowed."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the plan itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise database_error(error, self._path) from error


def _found(write: WrittenChange, reversal: Reversal | None) -> tuple[Any, ...]:
    """Return a write as a row of `found`. One whose object has no id known stands for itself."""
    images = images_of([write], reversal) if reversal is not None else None
    gladly_id = write.gladly_id or f"(row {write.seq})"
    is_update = write.action == Action.UPDATE
    return (
        gladly_id,
        str(write.seq),
        write.action == Action.CREATE and write.word == Word.CREATED,
        write.action == Action.DELETE and not write.after,
        write.before is not None,
        is_update and write.before is None,
        images is not None and images.is_addition,
        True,
        write.at,
        *(write.position or (0, 0, 0)),
    )


def _not_noted(record: SettledWrite) -> tuple[Any, ...]:
    """Return a record as a row of `found` of which only its end is known."""
    is_deletion, gladly_id = record.word == Word.DELETED, record.gladly_id or f"(row {record.seq})"
    known = (False, is_deletion, False, True, False, False)
    return (gladly_id, str(record.seq), *known, record.at, *record.position)


def _planned(row: tuple[Any, ...]) -> PlannedObject:
    item, gladly_id, seqs, todo, code, file, place, number, keys, later = row
    return PlannedObject(
        item,
        gladly_id,
        tuple(sorted({int(seq) for seq in seqs.split(",")})),
        todo,
        code,
        Position(file, place, number),
        tuple(orjson.loads(keys)),
        orjson.loads(later),
    )
