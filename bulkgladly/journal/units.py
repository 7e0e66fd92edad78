"""The checkpoint of an export: how its units ended, and answers that are not published yet.

What is published stands in the data set's own manifests, so that nothing here is needed to
go on. The journal keeps what a report tells, and single answers (a profile for each id)
until there are enough of them for a part.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
import orjson

from bulkgladly.errors import JournalDamaged
from bulkgladly.journal.schema import open_journal, reading
from bulkgladly.storage.failures import database_error

__all__ = ("KeptReply", "UnitLine", "UnitLog", "kept_in", "units_of")


_SETTLE = """
INSERT INTO units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (data_set, name) DO UPDATE SET
    state = excluded.state, detail = excluded.detail, at = excluded.at,
    created = created + excluded.created, updated = updated + excluded.updated,
    unchanged = unchanged + excluded.unchanged, rejected = rejected + excluded.rejected
"""


class UnitLine(NamedTuple):
    """One unit as the journal has it; the numbers are rows."""

    data_set: str
    name: str
    state: str
    created: int
    updated: int
    unchanged: int
    rejected: int
    detail: str


class KeptReply(NamedTuple):
    """An answer that waits: what was asked for, the status, the body, and when it came (seconds since 1970)."""

    key: str
    status: int
    body: bytes
    at: float


class UnitLog:
    """One run's journal, written from any thread, one call at a time.

    Each call is on the disk when it returns. A process that dies leaves every call whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vitals: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the journal in `folder`, or make it. `vitals` is asked at each call for what else shall survive.

        Raises:
            DiskFull, JournalDamaged, JournalError: The journal cannot be used.
        """
        self._path = folder / "journal.sqlite"
        self._connection = open_journal(self._path)
        self._vitals, self._clock = vitals, clock
        self._lock = threading.Lock()
        try:
            with self._ours():
                row = self._connection.execute("SELECT value FROM meta WHERE name = 'vitals'").fetchone()
                self.earlier_vitals: Mapping[str, Any] = orjson.loads(row[0]) if row else {}
        except BaseException:
            self._connection.close()
            raise

    def settle(self, line: UnitLine) -> None:
        """Note how a unit ended. Its rows add up over the times that the run fetched it; the last state counts.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        with self._commit():
            self._connection.execute(_SETTLE, (*line, self._clock()))
            self._write_note("vitals", orjson.dumps(self._vitals()).decode())

    async def note(self, name: str, value: str) -> None:
        """Keep a word about the run itself (its status, say). On the disk when this returns."""
        await anyio.to_thread.run_sync(self._note, name, value)

    def _note(self, name: str, value: str) -> None:
        with self._commit():
            self._write_note(name, value)
            self._write_note("vitals", orjson.dumps(self._vitals()).decode())

    def keep(self, data_set: str, key: str, status: int, body: bytes) -> None:
        """Keep an answer until it is published.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        with self._commit():
            self._connection.execute(
                "INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?, ?)", (data_set, key, status, body, self._clock())
            )

    def kept(self, data_set: str) -> list[KeptReply]:
        """Return the answers that wait, by key."""
        sql = "SELECT key, status, body, at FROM fetched WHERE data_set = ? ORDER BY key"
        with self._lock, self._ours():
            return [KeptReply(*row) for row in self._connection.execute(sql, (data_set,))]

    def waiting(self) -> int:
        """Return how many answers wait to be published."""
        with self._lock, self._ours():
            return int(self._connection.execute("SELECT COUNT(*) FROM fetched").fetchone()[0])

    def words_waiting(self) -> list[str]:
        """Return what the answers that wait were asked for under."""
        with self._lock:
            return [word for (word,) in self._connection.execute("SELECT DISTINCT data_set FROM fetched ORDER BY 1")]

    def forget_units(self, name: str) -> None:
        """Forget how units of this name ended, in all data sets: what is tried again is told again."""
        with self._commit():
            self._connection.execute("DELETE FROM units WHERE name = ?", (name,))

    def drop(self, data_set: str, keys: Sequence[str]) -> None:
        """Forget answers that have been published."""
        with self._commit():
            self._connection.executemany(
                "DELETE FROM fetched WHERE data_set = ? AND key = ?", [(data_set, key) for key in keys]
            )

    def units(self) -> list[UnitLine]:
        """Return the units that have ended in this run, by data set and name."""
        with self._lock, self._ours():
            return list(_units(self._connection))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _commit(self) -> Iterator[None]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except Exception as error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise database_error(error, self._path) from error

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise database_error(error, self._path) from error
        except ValueError as error:
            raise JournalDamaged(f"{self._path} cannot be used: {error}") from error

    def _write_note(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def units_of(folder: Path) -> list[UnitLine]:
    """Return the units of a run from outside, also while it works; none where it is no export.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'units'").fetchone() is None:
            return []
        return list(_units(connection))


def kept_in(folder: Path) -> int:
    """Return how many answers wait in a run, from outside, also while it works.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'fetched'").fetchone() is None:
            return 0
        return int(connection.execute("SELECT COUNT(*) FROM fetched").fetchone()[0])


def _units(connection: sqlite3.Connection) -> Iterator[UnitLine]:
    columns = ", ".join(UnitLine._fields)
    for row in connection.execute(f"SELECT {columns} FROM units ORDER BY data_set, name"):  # noqa: S608 - our own names
        yield UnitLine(*row)
