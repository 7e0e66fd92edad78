"""The checkpoint of an export: how its units ended, and replies that are not published yet.

What is published is listed in the data set's own manifests, so that a resume does not depend on
the journal. The journal keeps what the report needs, and single replies (such as one profile for
each id) until there are enough of them for a part.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.journal.databases import open_journal, reading
from bulkgladly.journal.timeline import Sample, write_samples
from bulkgladly.journal.writer import Writer, earlier_vitals, usable, write_note

__all__ = ("KeptReply", "UnitLine", "UnitLog", "kept_in", "units_of")

_SETTLE = """
INSERT INTO units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (data_set, name) DO UPDATE SET
    state = excluded.state, detail = excluded.detail, at = excluded.at,
    created = created + excluded.created, updated = updated + excluded.updated,
    unchanged = unchanged + excluded.unchanged, rejected = rejected + excluded.rejected
"""


class UnitLine(NamedTuple):
    """One unit as it is in the journal; the numbers count rows."""

    data_set: str
    name: str
    state: str
    created: int
    updated: int
    unchanged: int
    rejected: int
    detail: str


class KeptReply(NamedTuple):
    """A reply that waits to be published: the key of its request, its status, its body, and its Unix time."""

    key: str
    status: int
    body: bytes
    at: float


class UnitLog:
    """One run's journal, written from any thread. The changes of each call are on the disk when it returns.

    Calls that come while a commit runs share the next one. A process that dies leaves each call whole or not at all.
    An error of one call does not affect the others.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vitals: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the journal in `folder`, or create it.

        `vitals` is called whenever a unit is settled or a value noted, and what it returns is kept.

        Raises:
            DiskFull, JournalDamaged, JournalError: The journal cannot be used.
        """
        self._folder = folder
        path = folder / "journal.sqlite"
        self._connection = open_journal(path)
        self._vitals, self._clock = vitals, clock
        with usable(path, self._connection):
            self.earlier_vitals: Mapping[str, Any] = earlier_vitals(self._connection)
        self._writer: Writer[None] = Writer(path, self._connection, outlives_errors=True)

    # --- what is written ---

    def settle(self, line: UnitLine) -> None:
        """Note how a unit ended. If the run fetched it several times, its rows add up and the last state counts.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        at = self._clock()

        def write() -> None:
            self._connection.execute(_SETTLE, (*line, at))
            self._write_vitals()

        self._writer.ask_and_wait(write)

    async def note(self, name: str, value: str, *, samples: Sequence[Sample] = ()) -> None:
        """Keep a value about the run itself, such as its status, and samples; on the disk when this returns."""

        def write() -> None:
            write_note(self._connection, name, value, samples)
            self._write_vitals()

        await self._writer.ask(write)

    def sample(self, samples: Sequence[Sample]) -> None:
        """Keep samples of how the run goes, without waiting for the disk."""

        def write() -> None:
            write_samples(self._connection, samples)
            self._write_vitals()

        self._writer.do(write)

    def keep(self, data_set: str, key: str, status: int, body: bytes) -> None:
        """Keep a reply until it is published.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        self._write(
            "INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?, ?)", (data_set, key, status, body, self._clock())
        )

    def drop(self, data_set: str, keys: Sequence[str]) -> None:
        """Delete replies that have been published."""
        self._write("DELETE FROM fetched WHERE data_set = ? AND key = ?", *((data_set, key) for key in keys))

    def forget_units(self, name: str) -> None:
        """Delete the entries of units with this name, in all data sets, because they are tried again."""
        self._write("DELETE FROM units WHERE name = ?", (name,))

    def _write(self, sql: str, *rows: Sequence[Any]) -> None:
        def write() -> None:
            self._connection.executemany(sql, rows)

        self._writer.ask_and_wait(write)

    def _write_vitals(self) -> None:
        # Not with every write: before the session knows the costs of the earlier ones, it would write too little.
        write_note(self._connection, "vitals", orjson.dumps(self._vitals()).decode())

    # --- what is read: on a connection of its own, since each write is on the disk when it returns ---

    def kept(self, data_set: str) -> list[KeptReply]:
        """Return the replies of a data set that wait to be published, by key."""
        sql = "SELECT key, status, body, at FROM fetched WHERE data_set = ? ORDER BY key"
        with self._reading() as connection:
            return [KeptReply(*row) for row in connection.execute(sql, (data_set,))]

    def words_waiting(self) -> list[str]:
        """Return the exports to which the waiting replies belong, by the words that the user chose."""
        with self._reading() as connection:
            return [word for (word,) in connection.execute("SELECT DISTINCT data_set FROM fetched ORDER BY 1")]

    def waiting(self) -> int:
        """Return how many replies wait to be published."""
        return kept_in(self._folder)

    def units(self) -> list[UnitLine]:
        """Return the units that have ended in this run, by data set and name."""
        return units_of(self._folder)

    def _reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return reading(self._folder / "journal.sqlite")

    def close(self) -> None:
        """Commit what is left, end the thread and close the file."""
        self._writer.close()


def units_of(folder: Path) -> list[UnitLine]:
    """Return the units of a run from outside, also while it works; none if it is not an export.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'units'").fetchone() is None:
            return []
        return list(_units(connection))


def kept_in(folder: Path) -> int:
    """Return how many replies wait in a run, from outside, also while it works.

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
