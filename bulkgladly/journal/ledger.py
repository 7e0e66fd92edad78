"""The checkpoint of an import: intents before requests, outcomes after them, and what later runs need to know."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bulkgladly.journal.databases import open_journal, open_state, reading
from bulkgladly.journal.entries import Admission, Intent, LedgerEntry, Reservation, SettledRow, Standing, UndoneWrites
from bulkgladly.journal.record_tables import RecordTables, intent_rows, write_rows
from bulkgladly.journal.row_journal import Checkpoint, RowJournal
from bulkgladly.journal.state import State
from bulkgladly.journal.writer import usable
from bulkgladly.messages import NotedWrite
from bulkgladly.records import DroppedValue, Known, Outcome, Position

__all__ = ("Ledger", "Openings", "has_doubts")


class Openings(NamedTuple):
    """How the two databases of a ledger are opened. Tests open them on disks that are small, or that fail."""

    journal: Callable[[Path], sqlite3.Connection] = open_journal
    state: Callable[..., sqlite3.Connection] = open_state


USUAL_OPENINGS = Openings()


class Ledger(RowJournal[LedgerEntry]):
    """One run's journal, and the state that it shares with the other runs.

    One thread does all the writing, in groups: entries that arrive while a commit runs go into the
    next one. A process that dies at any moment leaves each commit whole; a resume looks up in Gladly
    what was settled after the last one.

    Chapters: rows that come in, requests that leave, rows that have ended, and the run itself. How far the run is
    stands in `RowJournal`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        state: Path,
        scope: tuple[str, str, str],
        is_state_synced: bool = False,
        run: str = "",
        vitals: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
        openings: Openings = USUAL_OPENINGS,
    ) -> None:
        """Open the journal in `folder`, or create it.

        `scope` is host, object and namespace. With `is_state_synced` what later runs need to know
        survives a power failure, too; use it where nothing else prevents a duplicate. Keys that the
        journal has and the state has lost are then written to the state again. `run` is the name
        under which keys are reserved. `vitals` is called at each commit, and what it returns (a
        JSON object) is kept.

        Raises:
            DiskFull, JournalDamaged, JournalError: The journal or the state cannot be used.
        """
        path = folder / "journal.sqlite"
        connection = openings.journal(path)
        with usable(path, connection):
            self._state = State(state, scope, is_synced=is_state_synced, run=run or folder.name, opening=openings.state)
        with usable(path, self._state, connection):
            checkpoint = Checkpoint(connection, vitals)
            self._tables = RecordTables(connection, self._state, checkpoint)
            if is_state_synced:
                self._state.restore(self._tables.sent())
        self._clock = clock
        super().__init__(path, connection, self._tables, checkpoint)

    @property
    def reject_codes(self) -> Counter[str]:
        """How many rows were rejected with which code."""
        return self._tables.reject_codes

    # --- rows come in ---

    async def admit(self, rows: Sequence[Admission]) -> list[Standing]:
        """Note that rows have been read, in input order, and return what the state says of each.

        Admit rows that cannot become records, too (without key and claims), so that the
        low-water mark can pass them.
        """
        result: list[Standing] = await self._writer.ask(lambda: self._tables.admit(rows))
        return result

    async def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what the state knows of source keys, everything settled so far included."""
        result: dict[str, Known] = await self._writer.ask(lambda: self._state.known(keys))
        return result

    async def known_in(self, host: str, resource: str, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids in Gladly of source keys of any object and namespace, as far as they are known."""
        scope = (host, resource, namespace)
        result: dict[str, str] = await self._writer.ask(lambda: self._state.known_in(scope, keys))
        return result

    async def recent_ids(self, most: int) -> list[str]:
        """Return the Gladly ids of the last rows of the run, the oldest first."""
        result: list[str] = await self._writer.ask(lambda: self._tables.recent_ids(most))
        return result

    async def has_sent(self) -> bool:
        """Tell whether the run has sent a record, so that there is something to look at in Gladly."""
        result: bool = await self._writer.ask(self._tables.has_sent)
        return result

    # --- requests leave, or do not ---

    async def intend(self, intents: Sequence[Intent], writes: Sequence[NotedWrite] = ()) -> None:
        """Note that requests are about to leave, and what they write. It is on the disk when this returns.

        Only an intent makes a row doubtful: a write whose repeat is harmless has none.
        """
        now = self._clock()
        rows, written = intent_rows(intents, now), write_rows(writes, now)
        await self._writer.ask(lambda: self._tables.intend(rows, written))

    def will_write(self, write: NotedWrite) -> None:
        """Note what a request is about to write; it is in the next group commit.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        self._writer.tell(write._replace(at=self._clock()))

    def has_not_written(self, undone: UndoneWrites) -> None:
        """Remove what was noted of requests that changed nothing, with the next group commit.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was removed.
        """
        self._writer.tell(undone)

    async def reserve(
        self, intent: Intent, reservation: Reservation, writes: Sequence[NotedWrite] = ()
    ) -> Known | None:
        """Reserve the key of a record of which a second request would create a duplicate; None if it may leave.

        If the key is known already, even if another run has reserved it a moment ago, what is known is
        returned, nothing is noted, and the request must not leave. When this returns None, the key
        is reserved on the disk, in the file that other runs will read.

        Raises:
            JournalDamaged: The state was deleted or replaced; the request must not leave.
        """
        now = self._clock()
        rows, written = intent_rows([intent], now), write_rows(writes, now)
        result: Known | None = await self._writer.ask(
            lambda: self._tables.reserve(rows, written, reservation),
            afterwards=lambda answer: self._tables.reserved(intent.seq, reservation.key, answer),
        )
        return result

    async def withdraw(self, seqs: Sequence[int], *, reserved: Sequence[str] = ()) -> None:
        """Take back intents, and keys `reserved` for them: their requests did not leave, or created nothing.

        They are then not in doubt, and this or another run may send them.
        """
        await self._writer.ask(lambda: self._tables.withdraw(seqs, reserved))

    async def check_state(self) -> None:
        """Check that the state is still the file that this run has been writing.

        Raises:
            JournalDamaged: It was deleted or replaced.
        """
        await self._writer.ask(self._state.misplaced)

    # --- rows have ended ---

    def settle(
        self,
        seq: int,
        position: Position,
        outcome: Outcome,
        *,
        key: str | None = None,
        former_key: str | None = None,
        attempts: int = 0,
        original: bytes | None = None,
        is_reserved: bool = False,
        dropped: tuple[DroppedValue, ...] = (),
        trail: str | None = None,
    ) -> None:
        """Note how a row ended; it is in the next group commit.

        `attempts` counts the requests it took; `original` is the row as it is written to the
        rejects file. A deleted object is forgotten under its `former_key`, too. `is_reserved`
        says that its key was reserved: an outcome by which nothing was sent (a refusal) releases
        the key. `dropped` are the values that the record was sent without, `trail` its
        requests as JSON. `flush` waits for the disk.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        now = self._clock()
        self._writer.tell(
            SettledRow(seq, position, outcome, key, former_key, attempts, original, now, is_reserved, dropped, trail)
        )

    def forget(self, keys: Sequence[str], fields: Collection[str] | None = None) -> None:
        """Forget keys whose objects are deleted, or only what Gladly accepted of some `fields`. It is written soon.

        Settle the row after this, so that no kill leaves a row settled whose keys are still known.
        """
        self._writer.do(lambda: self._tables.forget(keys, fields))

    def pass_by(self, seqs: Sequence[int]) -> None:
        """Let the low-water mark pass rows without an outcome, of which nothing is kept."""
        self._writer.do(lambda: self._tables.pass_by(seqs))

    # --- the run itself ---

    def close(self) -> None:
        """Commit what is left, end the thread and close the files. Blocks for one commit."""
        super().close()
        self._state.close()


def has_doubts(folder: Path) -> bool:
    """Tell whether requests of a run may have left whose outcome is unknown, so that only a resume can find it out.

    Raises:
        JournalDamaged: There is no journal in the folder, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        found = connection.execute(
            "SELECT 1 FROM intents WHERE NOT EXISTS (SELECT 1 FROM records WHERE records.seq = intents.seq) LIMIT 1"
        ).fetchone()
    return found is not None
